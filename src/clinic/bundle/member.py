"""One file of a bundle as a stream of plain bytes: never led outside, never more than the manifest says."""

from __future__ import annotations

import io
import os
import stat
import threading
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, cast

import zstandard

from clinic.bundle.record import FileEntry
from clinic.bundle.spool import Root, Spool
from clinic.errors import BadBundle
from clinic.formats.seekable import Frames, frames

if TYPE_CHECKING:
    from typing_extensions import Self  # in typing itself only from 3.11

LARGEST_WINDOW = 1 << 23
"""Bytes that a frame may make its reader keep: 8 MiB, what RFC 8878 asks every decoder to support."""

_READ = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
# A FIFO put in a file's place would block the open for ever.
_NO_WAIT = getattr(os, "O_NONBLOCK", 0)


def open_stored(root: Root, path: str) -> BinaryIO:
    """The stored bytes of the regular file `path` below `root`. No link is followed below `root`.

    Raises `BadBundle` where there is no such file. `path` must be confined.
    """
    if isinstance(root, Spool):
        return root.open(path)
    try:
        number = _open_steps(root, path.split("/"))
    except OSError as error:
        raise BadBundle(f"{path!r} can't be read: {error.strerror}") from error
    stream = os.fdopen(number, "rb")
    if not stat.S_ISREG(os.fstat(number).st_mode):
        stream.close()
        raise BadBundle(f"{path!r} is not a regular file")
    return stream


def _open_steps(root: Path, parts: list[str]) -> int:
    if os.open not in os.supports_dir_fd:
        return os.open(root.joinpath(*parts), _READ)
    folder = os.open(root, _READ | os.O_DIRECTORY)
    for part in parts[:-1]:
        try:
            inner = os.open(part, _READ | os.O_DIRECTORY | _NO_LINK, dir_fd=folder)
        finally:
            os.close(folder)
        folder = inner
    try:
        return os.open(parts[-1], _READ | _NO_LINK | _NO_WAIT, dir_fd=folder)
    finally:
        os.close(folder)


def open_plain(root: Root, file: FileEntry) -> BinaryIO:
    """The plain bytes of `file` below `root`, in constant memory.

    Reading raises `BadBundle` where they are not exactly as many as `file` says, before giving one too many.
    """
    return plain(open_stored(root, file.path), file)


def plain(stored: BinaryIO, file: FileEntry) -> BinaryIO:
    """The plain bytes of `file`, whose stored ones are open in `stored`; as `open_plain` gives them."""
    if not file.compressed:
        return io.BufferedReader(_Exactly(stored, file))
    decompressor = zstandard.ZstdDecompressor(max_window_size=LARGEST_WINDOW)
    # Several frames in a row are one content for `zstd -dc`, so they are here.
    frames = decompressor.stream_reader(stored, read_across_frames=True, closefd=True)
    return io.BufferedReader(_Exactly(cast("BinaryIO", frames), file))


def open_stretches(root: Root, file: FileEntry) -> Stretches | None:
    """Any stretch of the plain bytes of `file` below `root`; None where it can only be read from its beginning.

    Raises `BadBundle` where it is not as large as `file` says.
    """
    stored = open_stored(root, file.path)
    try:
        size = stored.seek(0, os.SEEK_END)
        if size != file.stored or (not file.compressed and size != file.plain):
            raise BadBundle(f"{file.path!r} has {size:,} bytes and not {file.stored:,}")
        found = Stretches(stored, file)
    except BaseException:
        stored.close()
        raise
    if not found.possible:
        found.close()
        return None
    return found


class Stretches:
    """A file whose plain bytes can be read from anywhere. Any number of threads may use it."""

    def __init__(self, stored: BinaryIO, file: FileEntry) -> None:
        """Not for callers: `open_stretches` sees to what may be wrong."""
        self._stored = stored
        self._file = file
        self._lock = threading.Lock()
        self._frames: Frames | None = None
        if file.compressed:
            self._frames = frames(self._at, file.stored, file.plain)

    @property
    def possible(self) -> bool:
        """Whether it has a table of its frames, where it needs one."""
        return self._frames is not None or not self._file.compressed

    def _at(self, start: int, size: int) -> bytes:
        with self._lock:
            self._stored.seek(start)
            data = self._stored.read(size)
        if len(data) != size:
            raise BadBundle(f"{self._file.path!r} ends before its {self._file.stored:,} bytes")
        return data

    def read(self, start: int, end: int) -> bytes:
        """The plain bytes from `start` to `end`. Raises `BadBundle` where they are not what they should be."""
        if self._frames is None:
            return self._at(start, end - start)
        size, found = self._frames.plain, list[bytes]()
        for number in range(start // size, -(-end // size)):
            begin = number * size
            data = self._frame(number, min(end - begin, size))
            found.append(data[start - begin :] if start > begin else data)
        return b"".join(found)

    def _frame(self, number: int, size: int) -> bytes:
        """The first `size` plain bytes of a frame."""
        assert self._frames is not None
        start, end = self._frames.starts[number : number + 2]
        packed = self._at(start, end - start)
        decompressor = zstandard.ZstdDecompressor(max_window_size=LARGEST_WINDOW)
        try:
            data = decompressor.stream_reader(packed, read_across_frames=True).read(size)
        except zstandard.ZstdError as error:
            raise BadBundle(f"{self._file.path!r} is not what zstd wrote: {error}") from error
        if len(data) != size:
            raise BadBundle(f"{self._file.path!r} has a frame that is shorter than its table says")
        return data

    def close(self) -> None:
        """Let go of the file."""
        self._stored.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Exactly(io.RawIOBase):
    """Passes the plain bytes of a file on and counts them."""

    def __init__(self, source: BinaryIO, file: FileEntry) -> None:
        self._source = source
        self._file = file
        self._left = file.plain

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # a buffer is all that comes
        # One byte more than is left is asked for, to see whether there is one.
        data = self._read(min(len(buffer), self._left + 1))
        if len(data) > self._left:
            verb = "expands to" if self._file.compressed else "holds"
            raise BadBundle(f"{self._file.path!r} {verb} more than the {self._file.plain:,} bytes it should")
        if not data and self._left:
            held = self._file.plain - self._left
            raise BadBundle(f"{self._file.path!r} ends after {held:,} of {self._file.plain:,} bytes")
        self._left -= len(data)
        buffer[: len(data)] = data
        return len(data)

    def _read(self, size: int) -> bytes:
        try:
            return self._source.read(size)
        except zstandard.ZstdError as error:
            raise BadBundle(f"{self._file.path!r} is not what zstd wrote: {error}") from error
        except OSError as error:
            raise BadBundle(f"{self._file.path!r} can't be read: {error.strerror}") from error

    def close(self) -> None:
        if not self.closed:
            self._source.close()
        super().close()
