"""Numbers of protobuf, which Prometheus' own formats write in the same way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinic.formats.protobuf import BadMessage, number, varint, zigzag


@given(st.integers(0, 2**64 - 1))
def test_numbers_come_back(value: int) -> None:
    assert varint(number(value), 0) == (value, len(number(value)))


@given(st.integers(-(2**63), 2**63 - 1))
def test_signed_numbers_come_back(value: int) -> None:
    raw, _ = varint(zigzag(value), 0)
    assert raw >> 1 ^ -(raw & 1) == value


def test_a_number_that_is_cut_or_endless_is_none() -> None:
    with pytest.raises(IndexError):
        varint(b"\x80\x80", 0)
    with pytest.raises(BadMessage, match="without an end"):
        varint(b"\x80" * 11, 0)
