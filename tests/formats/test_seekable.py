"""Tables of frames: what is written is found again, and what does not agree with the file is not believed."""

from __future__ import annotations

import struct

import pytest

from clinic.formats.seekable import FRAME, Frames, frames, table

SIZES = [(1000, FRAME), (900, FRAME), (10, 77)]
PLAIN = 2 * FRAME + 77
FILE = bytes(1910) + table(SIZES)


def found(data: bytes, plain: int = PLAIN) -> Frames | None:
    """The frames in a file with these bytes."""
    return frames(lambda at, size: data[at : at + size], len(data), plain)


def test_frames_are_found_again() -> None:
    assert found(FILE) == Frames(FRAME, (0, 1000, 1900, 1910))


def test_what_fits_in_one_frame_needs_no_table() -> None:
    assert found(b"x" * 50, FRAME) == Frames(FRAME, (0, 50))


def damaged(at: int, value: bytes) -> bytes:
    """The file with something else at a place, from its end where that is negative."""
    at %= len(FILE)
    return FILE[:at] + value + FILE[at + len(value) :]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"x" * 3000,
        bytes(1909) + table(SIZES),
        bytes(1910) + table([]),
        bytes(1910) + table([*SIZES, (0, 0)]),
        bytes(1910) + table([(1000, FRAME + 1), (900, FRAME - 1), (10, 77)]),
        bytes(1910) + table([(1000, 0), (900, 0), (10, PLAIN)]),
        bytes(1910) + table([(1910, PLAIN * 100)]),
        damaged(-1, b"\0"),
        damaged(-5, b"\x80"),
        damaged(-9, struct.pack("<I", 0xFFFFFFFF)),
        damaged(1910, b"\0"),
    ],
)
def test_a_table_that_does_not_agree_is_none(data: bytes) -> None:
    assert found(data) is None


def test_a_table_of_another_file_is_none() -> None:
    assert found(FILE, PLAIN + 1) is None
