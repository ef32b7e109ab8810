"""A `.tar.zst` as a stream: the same members give the same bytes, and nothing in one that is read is believed."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, cast

import zstandard

from clinic.errors import BadBundle
from clinic.units import KIB, MIB

LARGEST_WINDOW = 1 << 23
"""Bytes that a frame may make its reader keep: 8 MiB, what RFC 8878 asks every decoder to support."""

LEVEL = 3
"""zstd's own default."""

_BLOCK = 512
_RECORD = 20 * _BLOCK
_RAW = 128 * KIB
"""Most bytes of a block of a zstd frame."""

_RAW_FRAME = zstandard.FRAME_HEADER + bytes((0x00, 0x38))
"""Begins a frame without a size and a checksum whose window is one block of 128 KiB (RFC 8878, 3.1.1.1)."""

_RAW_END = b"\x01\x00\x00"
"""The last block: raw, empty."""

_JOB = 2 * MIB
"""Plain bytes that one thread compresses: zstd's own choice needs four times the memory."""

_LONGEST_NAME = 4 * KIB
_LONGEST_FACTS = 64 * KIB
"""Bytes of an extended header; ours are a path of 1000 bytes."""

_MOST_PADDING = MIB
"""Zero bytes that may follow the last member."""


@dataclass(frozen=True, slots=True)
class Member:
    """One file on its way into an archive."""

    name: str
    """Its path, separated by `/`."""

    size: int
    """Its bytes."""

    content: Iterable[bytes]
    """These bytes, in pieces."""

    packed: bool = False
    """Whether they are compressed already, so that trying once more is only time."""

    folder: bool = False
    """Whether it is a folder, which has no bytes."""


def write(members: Iterable[Member], moment: int, *, threads: int = 0) -> Iterator[bytes | memoryview]:
    """The bytes of the archive, as they come; every member is of the time `moment`, seconds since 1970.

    So many `threads` compress; worth it where members are not compressed already.
    Raises `BadBundle` for one that is not as long as it says.
    """
    frames = _Frames(threads)
    size = 0
    before = b""
    for member in members:
        head = _head(member, moment)
        yield from _content(frames, member, before + head)
        before = bytes(-member.size % _BLOCK)
        size += len(head) + member.size + len(before)
    yield frames.squeezed(before + bytes(2 * _BLOCK + -(size + 2 * _BLOCK) % _RECORD))
    yield frames.end()


def _head(member: Member, moment: int) -> bytes:
    info = tarfile.TarInfo(member.name)
    info.size, info.mtime, info.mode = member.size, moment, 0o700 if member.folder else 0o600
    info.type = tarfile.DIRTYPE if member.folder else tarfile.REGTYPE
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def _content(frames: _Frames, member: Member, before: bytes) -> Iterator[bytes | memoryview]:
    """The bytes of `member`, with what stands `before` them."""
    yield frames.squeezed(before)
    left = member.size
    if member.packed:
        yield frames.end() + _RAW_FRAME
    for piece in member.content:
        left -= len(piece)
        if member.packed:
            yield from _raw(piece)
        else:
            yield frames.squeezed(piece)
    if left:
        raise BadBundle(f"{member.name!r} changed while it was packed", hint="pack it again")
    if member.packed:
        yield _RAW_END


def _raw(piece: bytes) -> Iterator[bytes | memoryview]:
    """`piece` as blocks that hold it as it is: zstd would spend its time to find out that it can do no better."""
    whole = memoryview(piece)
    for start in range(0, len(piece), _RAW):
        part = whole[start : start + _RAW]
        yield (len(part) << 3).to_bytes(3, "little")
        yield part


class _Frames:
    """Compresses what comes; a frame ends where something else has to stand."""

    def __init__(self, threads: int) -> None:
        parameters = zstandard.ZstdCompressionParameters(
            compression_level=LEVEL, write_checksum=1, threads=threads, job_size=_JOB if threads else 0
        )
        self._compressor = zstandard.ZstdCompressor(compression_params=parameters)
        self._frame: zstandard.ZstdCompressionObj | None = None

    def squeezed(self, data: bytes) -> bytes:
        if self._frame is None:
            self._frame = self._compressor.compressobj()
        return self._frame.compress(data)

    def end(self) -> bytes:
        frame, self._frame = self._frame, None
        return frame.flush() if frame is not None else b""


@dataclass(frozen=True, slots=True)
class Found:
    """One file of an archive that is read. Its bytes are gone once the next is asked for."""

    name: str
    """As it stands there: to be checked before anything is called so."""

    size: int
    """Its bytes."""

    folder: bool
    """Whether it is a folder, which has no bytes."""

    stream: BinaryIO
    """Its bytes, all of them or `BadBundle`."""


def plain(stream: BinaryIO) -> BinaryIO:
    """The tar in the zstd frames of `stream`."""
    decompressor = zstandard.ZstdDecompressor(max_window_size=LARGEST_WINDOW)
    return cast("BinaryIO", decompressor.stream_reader(stream, read_across_frames=True, closefd=False))


def read(stream: BinaryIO, name: str) -> Iterator[Found]:
    """The members of the `.tar.zst` that is open in `stream` and called `name`, one after another.

    Only plain files and folders. Raises `BadBundle` for anything else, for damage, and where it is cut short.
    """
    source = _Source(plain(stream), name)
    facts: dict[str, str] = {}
    while (info := source.head()) is not None:
        if info.type == tarfile.XHDTYPE:
            facts = _facts(source, info)
            continue
        found = _member(source, info, facts)
        facts = {}
        yield found
        source.finish(found)
    source.require_end()


def _member(source: _Source, info: tarfile.TarInfo, facts: dict[str, str]) -> Found:
    called = facts.get("path", info.name)
    if not (info.isreg() or info.isdir()) or info.issparse():
        kind = _KINDS.get(info.type, f"of the type {info.type!r}")
        raise source.bad(f"{called!r} is {kind}, and only plain files may be in it")
    if len(called) > _LONGEST_NAME:
        raise source.bad("the name of a member is absurdly long")
    size = info.size
    if "size" in facts:
        size = int(facts["size"]) if facts["size"].isdecimal() else -1
    if size < 0 or (info.isdir() and size):
        raise source.bad(f"{called!r} has an impossible size")
    return Found(called, size, info.isdir(), io.BufferedReader(_Content(source, called, size), MIB))


_KINDS = {
    tarfile.SYMTYPE: "a link", tarfile.LNKTYPE: "a link", tarfile.CHRTYPE: "a device", tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a pipe", tarfile.GNUTYPE_SPARSE: "a sparse file",
}  # fmt: skip


def _facts(source: _Source, info: tarfile.TarInfo) -> dict[str, str]:
    """The records `LENGTH KEY=VALUE\\n` of an extended header (POSIX.1-2001, pax)."""
    if not 0 <= info.size <= _LONGEST_FACTS:
        raise source.bad("an extended header is absurdly long")
    data = source.exactly(info.size)
    source.exactly(-info.size % _BLOCK)
    found: dict[str, str] = {}
    while data:
        length, blank, rest = data.partition(b" ")
        if not blank or not length.isdigit() or not len(length) + 1 < int(length) <= len(data):
            raise source.bad("an extended header is malformed")
        key, _, value = rest[: int(length) - len(length) - 2].partition(b"=")
        found[key.decode("utf-8", "replace")] = value.decode("utf-8", "surrogateescape")
        data = data[int(length) :]
    return found


class _Source:
    """The tar's bytes, and what is wrong with them in words."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._stream = stream
        self._name = name

    def bad(self, what: str) -> BadBundle:
        return BadBundle(f"{self._name}: {what}")

    def some(self, size: int) -> bytes:
        try:
            return self._stream.read(size)
        except zstandard.ZstdError as error:
            raise self.bad(f"it is damaged: {error}") from error

    def exactly(self, size: int) -> bytes:
        parts: list[bytes] = []
        while size:
            part = self.some(size)
            if not part:
                raise self.bad("it is cut short")
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def head(self) -> tarfile.TarInfo | None:
        """The next header; None at the end."""
        block = self.exactly(_BLOCK)
        if not any(block):
            return None
        try:
            return tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except tarfile.HeaderError as error:
            raise self.bad(f"it is no tar: {error}") from error

    def finish(self, found: Found) -> None:
        """Pass over what was not read of a member, and its padding."""
        while found.stream.read(MIB):
            pass
        self.exactly(-found.size % _BLOCK)

    def require_end(self) -> None:
        """Raise `BadBundle` where anything but zeros follows the first empty block."""
        left = _MOST_PADDING
        while data := self.some(64 * KIB):
            left -= len(data)
            if left < 0 or any(data):
                raise self.bad("something follows its last member")


class _Content(io.RawIOBase):
    """The bytes of one member."""

    def __init__(self, source: _Source, name: str, size: int) -> None:
        self._source = source
        self._named = name
        self._left = size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # a buffer is all that comes
        if not self._left:
            return 0
        data = self._source.some(min(len(buffer), self._left))
        if not data:
            raise self._source.bad(f"it is cut short, inside of {self._named!r}")
        self._left -= len(data)
        buffer[: len(data)] = data
        return len(data)
