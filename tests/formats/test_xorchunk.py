"""The XOR chunk: what it holds comes back bit for bit; what is none is refused."""

from __future__ import annotations

import math
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinic.formats.xorchunk import STALE, BadChunk, count, decode, encode, to_bits, to_float

TIMES = st.integers(-(2**40), 2**50)
DELTAS = st.lists(
    st.one_of(st.integers(1, 20_000), st.integers(1, 2**33), st.sampled_from([1, 8192, 65_536, 524_288])),
    max_size=150,
)
VALUES = st.one_of(
    st.integers(0, 2**64 - 1),
    st.floats().map(to_bits),
    st.integers(0, 1000).map(lambda number: to_bits(float(number))),
)


@given(TIMES, DELTAS, st.data())
def test_every_sample_comes_back_bit_for_bit(first: int, deltas: list[int], data: st.DataObject) -> None:
    times = list(accumulate(deltas, initial=first))
    samples = [(moment, data.draw(VALUES)) for moment in times]
    chunk = encode(samples)
    assert list(decode(chunk)) == samples
    assert count(chunk) == len(samples)


def test_a_chunk_of_prometheus_is_read_as_its_own_tests_say() -> None:
    """Hand-made after xor.go: two samples, 15 s apart, of the same value."""
    chunk = bytes([0, 2, 0x80, 0x01]) + to_bits(1.5).to_bytes(8, "big") + bytes([0x98, 0x75, 0x00])
    assert [(moment, to_float(value)) for moment, value in decode(chunk)] == [(64, 1.5), (15064, 1.5)]
    assert encode([(64, to_bits(1.5)), (15064, to_bits(1.5))]) == chunk


def test_what_is_special_stays_what_it_is() -> None:
    special = [to_bits(value) for value in (math.inf, -math.inf, math.nan, 0.0, -0.0, 5e-324)] + [STALE]
    samples = [(index, value) for index, value in enumerate(special)]
    assert [value for _, value in decode(encode(samples))] == special
    assert math.isnan(to_float(STALE))
    assert list(decode(encode([]))) == []


@given(st.binary(max_size=200))
def test_what_is_no_chunk_is_refused_and_nothing_else_happens(data: bytes) -> None:
    try:
        samples = list(decode(data))
    except BadChunk:
        return
    assert len(samples) == count(data)


def test_a_chunk_that_is_cut_is_refused() -> None:
    chunk = encode([(index * 977, to_bits(index * 0.1)) for index in range(50)])
    for size in range(len(chunk) - 1):
        with pytest.raises(BadChunk):
            list(decode(chunk[:size]))
    with pytest.raises(ValueError, match="more samples"):
        encode([(0, 0)] * 65_536)
