"""The last step of the write path: redacted and capped bytes become one stored file with its digest."""

from __future__ import annotations

import hashlib
import os

import zstandard

from clinic.bundle.budget import Budget
from clinic.bundle.names import COMPRESSED
from clinic.bundle.store import Store
from clinic.formats import seekable
from clinic.units import KIB

SMALL = 64 * KIB
"""Plain bytes up to which a file is stored as it is: readable with nothing but `cat`."""

LEVEL = 3
"""zstd's own default: 200 MiB/s a core and a sixth of the size on database logs."""

MARGIN = 256 * KIB + seekable.AROUND + seekable.ROW
"""Stored bytes set aside for what zstd still holds back, two blocks of 128 KiB that do not compress, and a table."""

_SLICE = 64 * KIB


class Sink:
    """Takes the plain bytes of one file, in pieces of any size, and stores them in a temporary file.

    What is compressed is so in frames of equal plain sizes, and can be read from the middle.
    Used by one thread. Once the bundle's budget is used up it takes no more and says so.
    """

    def __init__(self, store: Store, name: str, budget: Budget | None = None) -> None:
        """`name` decides with the size whether it is compressed: nothing else may have zstd's ending.

        `budget` stands in for the store's own.
        """
        self._store = store
        self._budget = budget if budget is not None else store.budget
        self._always = name.endswith(COMPRESSED)
        self._small = bytearray()
        self._packer: zstandard.ZstdCompressor | None = None
        self._stream: zstandard.ZstdCompressionObj | None = None  # of the frame that is not full yet
        self._inside = 0  # plain bytes in that frame
        self._begun = 0  # where it begins in the stored bytes
        self._frames: list[tuple[int, int]] = []
        self._digest = hashlib.sha256()
        self._number: int | None = None
        self._taken = 0
        self.path = ""
        """Of the temporary file; empty while there is none."""
        self.plain = 0
        """Plain bytes that are in."""
        self.stored = 0
        """Bytes on disk."""
        self.full = False
        """Whether the budget is used up: what comes now is lost."""

    @property
    def compressed(self) -> bool:
        """Whether it is stored as zstd frames."""
        return self._packer is not None

    @property
    def sha256(self) -> str:
        """Of the stored bytes."""
        return self._digest.hexdigest()

    def write(self, data: bytes) -> int:
        """Take `data`; how many bytes of it are in. Raises `DiskFull`."""
        before = self.plain
        for start in range(0, len(data), _SLICE):
            if self.full:
                break
            self._take(data[start : start + _SLICE])
        return self.plain - before

    def _take(self, piece: bytes) -> None:
        if self._packer is None:
            self._small += piece
            self.plain += len(piece)
            if len(self._small) > SMALL:
                self._begin_stream()
        else:
            self._compress(piece)
            self.plain += len(piece)

    def _begin_stream(self) -> None:
        held = bytes(self._small)
        if not self._budget.take(MARGIN):
            # What was held so far goes in as it is, as far as there is room: see `finish`.
            self.full = True
            return
        self._taken += MARGIN
        self._small.clear()
        self._packer = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True)
        self._compress(held)

    def _compress(self, piece: bytes) -> None:
        while piece:
            now, piece = piece[: seekable.FRAME - self._inside], piece[seekable.FRAME - self._inside :]
            self._inside += len(now)
            if out := self._frame().compress(now):
                self.full = not self._count(len(out)) or self.full
                self._append(out)
            if self._inside == seekable.FRAME:
                self._end_frame()

    def _frame(self) -> zstandard.ZstdCompressionObj:
        assert self._packer is not None
        if self._stream is None:
            self._stream = self._packer.compressobj()
        return self._stream

    def _end_frame(self) -> None:
        before = self.stored
        self._append(self._frame().flush())
        self.full = not self._count(self.stored - before + seekable.ROW) or self.full
        self._frames.append((self.stored - self._begun, self._inside))
        self._stream, self._inside, self._begun = None, 0, self.stored

    def _count(self, size: int) -> bool:
        if self._budget.take(size):
            self._taken += size
            return True
        return False

    def _append(self, data: bytes) -> None:
        if self._number is None:
            self._number, self.path = self._store.temporary()
        self._store.write(self._number, data)
        self._digest.update(data)
        self.stored += len(data)

    def finish(self) -> int:
        """Write what is held back; plain bytes that were taken and had to be dropped again. Raises `DiskFull`."""
        lost = 0
        if self._packer is None and self._always:
            self._begin_stream()
        if self._packer is not None:
            self._finish_frames()
        else:
            lost = self._finish_small()
        self._budget.give_back(self._taken - self.stored)
        self._taken = self.stored
        return lost

    def _finish_frames(self) -> None:
        if self._inside or not self._frames:
            self._append(self._frame().flush())
            self._frames.append((self.stored - self._begun, self._inside))
        if len(self._frames) > 1:
            self._append(seekable.table(self._frames))

    def _finish_small(self) -> int:
        room = self._budget.take_rest(len(self._small))
        self._taken += room
        lost = len(self._small) - room
        self.full = self.full or lost > 0
        self.plain -= lost
        self._append(bytes(self._small[:room]))
        self._small.clear()
        return lost

    def place(self, path: str) -> None:
        """Give the finished file its name in the bundle. Raises `DiskFull`, and `Cancelled` after the seal."""
        number, self._number = self._number, None
        assert number is not None
        self._store.place(number, self.path, path)

    def discard(self) -> None:
        """Remove what was written, and give the room back."""
        if self._number is not None:
            os.close(self._number)
            self._number = None
            self._store.remove(self.path)
        self._budget.give_back(self._taken)
        self._taken = 0
