"""zstd files that can be read from the middle: frames of so many plain bytes each, and a table of them at the end.

The table is that of zstd's "seekable format" (facebook/zstd, contrib/seekable_format): it stands in a frame that every
decoder passes over, so the file is one that `zstd -d` reads. All numbers are little endian.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from clinic.units import MIB

FRAME = 4 * MIB
"""Plain bytes of a frame: zstd -3 loses a hundredth of its ratio by it, and three milliseconds find any byte."""

LARGEST_FRAME = 64 * MIB
"""Plain bytes of a frame beyond which a table is not believed."""

_HEAD = struct.Struct("<II")
_ROW = struct.Struct("<II")
_FOOT = struct.Struct("<IBI")
_SKIPPED = 0x184D2A5E
_MAGIC = 0x8F92EAB1

ROW = _ROW.size
"""Bytes of the table for each frame."""

AROUND = _HEAD.size + _FOOT.size
"""Bytes of the table beside its rows."""


@dataclass(frozen=True, slots=True)
class Frames:
    """Where the frames of a file are. All but the last hold equally much."""

    plain: int
    """Plain bytes of a frame."""

    starts: Sequence[int]
    """Where each begins in the stored bytes, and then where the last one ends."""

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.starts) - 1


def table(sizes: Sequence[tuple[int, int]]) -> bytes:
    """The table of frames with these stored and plain sizes, as it is stored behind them."""
    rows = b"".join(_ROW.pack(stored, plain) for stored, plain in sizes)
    return _HEAD.pack(_SKIPPED, len(rows) + _FOOT.size) + rows + _FOOT.pack(len(sizes), 0, _MAGIC)


def frames(read: Callable[[int, int], bytes], stored: int, plain: int) -> Frames | None:
    """The frames of a file with so many stored and plain bytes; None where no table agrees with that.

    `read` gives that many bytes from a place on.
    """
    if plain <= FRAME:
        return Frames(FRAME, (0, stored))
    if stored < AROUND:
        return None
    count, flags, magic = _FOOT.unpack(read(stored - _FOOT.size, _FOOT.size))
    size = count * ROW + AROUND
    if flags or magic != _MAGIC or not 0 < size <= stored:
        return None
    data = read(stored - size, size)
    if _HEAD.unpack_from(data) != (_SKIPPED, size - _HEAD.size):
        return None
    rows = list(_ROW.iter_unpack(data[_HEAD.size : -_FOOT.size]))
    each = rows[0][1] if rows else 0
    starts = (0, *itertools.accumulate(row[0] for row in rows))
    held = [row[1] for row in rows]
    even = 0 < each <= LARGEST_FRAME and set(held[:-1]) <= {each} and 0 < held[-1] <= each
    return Frames(each, starts) if even and sum(held) == plain and starts[-1] == stored - size else None
