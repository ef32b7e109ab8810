"""Frames of a remote read: what was put in comes out, and nothing that is damaged does."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinic.formats.protobuf import field, number
from clinic.formats.readframes import BadFrame, Chunk, ChunkedSeries, Labels, crc32c, frame, messages, series

TEXT = st.binary(max_size=20)
CHUNKS = st.builds(
    Chunk,
    st.integers(-(2**63), 2**63 - 1),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(0, 3),
    st.binary(max_size=40),
)
SERIES = st.builds(
    ChunkedSeries,
    st.lists(st.tuples(TEXT, TEXT), max_size=4).map(tuple),
    st.lists(CHUNKS, max_size=3).map(tuple),
)


def written(one: ChunkedSeries) -> bytes:
    """As the server writes a series."""
    labels = b"".join(field(1, field(1, name) + field(2, value)) for name, value in one.labels)
    return labels + b"".join(field(2, _chunk(chunk)) for chunk in one.chunks)


def _chunk(chunk: Chunk) -> bytes:
    numbers = {1: chunk.start % 2**64, 2: chunk.end % 2**64, 3: chunk.encoding}
    return b"".join(number(tag << 3) + number(value) for tag, value in numbers.items() if value) + field(
        4, chunk.data
    )


@given(st.lists(st.lists(SERIES, min_size=1, max_size=3), max_size=3))
def test_what_was_put_in_comes_out(wanted: list[list[ChunkedSeries]]) -> None:
    data = b"".join(frame(b"".join(field(1, written(one)) for one in group)) for group in wanted)
    assert [list(series(message)) for message in messages(io.BytesIO(data))] == wanted


def test_a_damaged_byte_anywhere_is_found() -> None:
    data = frame(field(1, written(ChunkedSeries(((b"a", b"b"),), (Chunk(1, 2, 1, b"\0\1xyz"),)))))
    for at in range(len(data)):
        for flip in (0x01, 0x80):
            hurt = data[:at] + bytes([data[at] ^ flip]) + data[at + 1 :]
            with pytest.raises(BadFrame):
                list(messages(io.BytesIO(hurt)))
    for cut in range(1, len(data)):
        with pytest.raises(BadFrame):
            list(messages(io.BytesIO(data[:cut])))


@given(st.binary(max_size=60))
def test_what_is_no_list_of_series_is_refused(data: bytes) -> None:
    try:
        found = list(series(data))
    except BadFrame:
        return
    assert all(isinstance(one, ChunkedSeries) for one in found)


def test_a_frame_of_gigabytes_is_not_read() -> None:
    with pytest.raises(BadFrame, match="which no server makes"):
        list(messages(io.BytesIO(number(1 << 33) + bytes(100))))


def test_the_checksum_is_that_of_the_standard() -> None:
    assert crc32c(b"123456789") == 0xE3069283


def test_a_chunk_counts_its_samples() -> None:
    labels: Labels = ((b"a", b"b"),)
    assert ChunkedSeries(labels, (Chunk(1, 2, 1, b"\1\2xyz"),)).chunks[0].samples == 258
