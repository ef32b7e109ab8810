"""Compressed logs as a stream of plain bytes, in bounded memory whatever the compressed ones say."""

from __future__ import annotations

import enum
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

import zstandard

from clinic.units import KIB, MIB

PIECE = 256 * KIB
"""Most plain bytes that come at once."""

WINDOW = 64 * MIB
"""Largest window of a zstd frame that is read; `zstd -19` makes 8 MiB, only `--long` and `--ultra` make more."""


class Packing(enum.Enum):
    """How a file is compressed."""

    GZIP = ".gz"
    ZSTD = ".zst"
    OTHER = ""
    """In a way that is not read here."""


_MAGIC = {
    b"\x1f\x8b": Packing.GZIP,
    b"\x28\xb5\x2f\xfd": Packing.ZSTD,
    b"\x50\x2a\x4d\x18": Packing.ZSTD,  # a frame to skip, with which pzstd begins
    b"BZh": Packing.OTHER,
    b"\xfd7zXZ\x00": Packing.OTHER,
    b"\x04\x22\x4d\x18": Packing.OTHER,
    b"PK\x03\x04": Packing.OTHER,
}
"""RFC 1952, RFC 8878, bzip2, xz, LZ4, zip."""


class BadPacking(ValueError):
    """Compressed bytes that are damaged or end too early; what came before them is right."""


def packing_of(head: bytes) -> Packing | None:
    """How a file is compressed that begins with `head`; None when it is not."""
    return next((packing for magic, packing in _MAGIC.items() if head.startswith(magic)), None)


def unpack(packing: Packing, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The plain bytes of a whole file. Raises `BadPacking`."""
    yield from _frames(chunks, _Gzip if packing is Packing.GZIP else _Zstd)


def _frames(chunks: Iterable[bytes], begin: Callable[[], _Frame]) -> Iterator[bytes]:
    """The plain bytes of frames that follow each other; NUL bytes after the last one pad it (gzip(1))."""
    frame: _Frame | None = None
    for chunk in chunks:
        data = chunk
        while data:
            if frame is None and not (data := data.lstrip(b"\0")):
                break
            frame = frame or begin()
            plain, data = frame.take(data)
            yield from (plain[at : at + PIECE] for at in range(0, len(plain), PIECE))
            frame = None if frame.ended else frame
    if frame is not None:
        raise BadPacking("the compressed file ends in the middle")


class _Frame(Protocol):
    """A part of a compressed file that can be read by itself."""

    @property
    def ended(self) -> bool:
        """Whether it is complete."""
        ...

    def take(self, data: bytes) -> tuple[bytes, bytes]:
        """Some plain bytes, and what of `data` was not needed for them. Raises `BadPacking`."""
        ...


class _Gzip:
    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=31)

    @property
    def ended(self) -> bool:
        return self._inner.eof

    def take(self, data: bytes) -> tuple[bytes, bytes]:
        try:
            plain = self._inner.decompress(data, PIECE)
        except zlib.error as error:
            raise BadPacking(f"the compressed file is damaged: {error}") from error
        return plain, self._inner.unconsumed_tail or self._inner.unused_data


class _Zstd:
    """A frame, of which never more than a block is unpacked at once: that is 128 KiB, and there is no other bound."""

    def __init__(self) -> None:
        self._inner = zstandard.ZstdDecompressor(max_window_size=WINDOW).decompressobj()
        self._blocks = _ZstdBlocks()

    @property
    def ended(self) -> bool:
        return self._inner.eof

    def take(self, data: bytes) -> tuple[bytes, bytes]:
        plain: list[bytes] = []
        size = at = 0
        try:
            while at < len(data) and size < PIECE and not self._inner.eof:
                step = data[at : at + self._blocks.left]
                plain.append(self._inner.decompress(step))
                self._blocks.passed(step)
                size += len(plain[-1])
                at += len(step)
        except zstandard.ZstdError as error:
            raise BadPacking(f"the compressed file is damaged: {error}") from error
        return b"".join(plain), self._inner.unused_data + data[at:]


class _ZstdBlocks:
    """Where in a zstd frame the next header ends: RFC 8878, 3.1.1 and 3.1.2. A wrong one the decoder refuses."""

    def __init__(self) -> None:
        self.left = 5
        """Bytes up to there, in which no more than one block ends. The first five tell how long the header is."""
        self._seen = b""
        self._next: Callable[[bytes], int] = self._of_frame

    def passed(self, data: bytes) -> None:
        """These bytes of the frame have passed, at most `left`."""
        self._seen = (self._seen + data[-8:])[-8:]
        self.left -= len(data)
        if not self.left:
            self.left = max(1, self._next(self._seen))

    def _of_frame(self, seen: bytes) -> int:
        if seen[1:4] == b"\x2a\x4d\x18":  # a frame to skip
            self._next = self._of_skipped
            return 3
        self._next = self._of_block
        about = seen[4]
        one_segment, size, dictionary = about >> 5 & 1, about >> 6, (0, 1, 2, 4)[about & 3]
        return (1 - one_segment) + dictionary + (one_segment, 2, 4, 8)[size] + 3

    def _of_skipped(self, seen: bytes) -> int:
        return int.from_bytes(seen[4:], "little")

    def _of_block(self, seen: bytes) -> int:
        header = int.from_bytes(seen[-3:], "little")
        repeated = header >> 1 & 3 == 1
        # After the last one there may be a checksum.
        return (1 if repeated else header >> 3) + (4 if header & 1 else 3)
