"""Files in one file that has no name: nobody else can open them, and nothing of them stays, not even after a kill."""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from clinic.errors import BadBundle
from clinic.newfile import disk_errors

if TYPE_CHECKING:
    from typing_extensions import Self  # in typing itself only from 3.11

_HINT = "name a directory with more room: TMPDIR=DIR clinic ..."


class Spool:
    """What a package holds while it is read, on the disk of `TMPDIR`. Any number of threads may read it.

    Its space is free again once it is closed, or its process ended, in whatever way.
    """

    def __init__(self, package: Path) -> None:
        """For what is in `package`, which messages name. Raises `DiskFull`, `Refused`."""
        self._package = package
        self._places: dict[str, tuple[int, int]] = {}
        self._end = 0
        with disk_errors(tempfile.gettempdir(), _HINT):
            self._file = tempfile.TemporaryFile(prefix="clinic-", buffering=0)  # noqa: SIM115 - held until `close`

    def __str__(self) -> str:
        return str(self._package)

    @property
    def name(self) -> str:
        """What it is called: as the package without its endings."""
        return self._package.name.partition(".")[0] or "bundle"

    def put(self, path: str, pieces: Iterable[bytes]) -> str:
        """Add the file `path`; SHA-256 of its bytes, hexadecimal. Raises `DiskFull`, and what `pieces` raises."""
        digest, start = hashlib.sha256(), self._end
        for data in pieces:
            rest = memoryview(data)
            with disk_errors(tempfile.gettempdir(), _HINT):
                while rest:
                    rest = rest[self._file.write(rest) :]
            digest.update(data)
            self._end += len(data)
        self._places[path] = (start, self._end)
        return digest.hexdigest()

    def sizes(self) -> Iterator[tuple[str, int]]:
        """Path and bytes of each file."""
        return ((path, end - start) for path, (start, end) in self._places.items())

    def open(self, path: str) -> BinaryIO:
        """The bytes of the file `path`. Raises `BadBundle` where there is none."""
        if path not in self._places:
            raise BadBundle(f"{path!r} can't be read: it is not in {self}")
        return io.BufferedReader(_Stretch(self._file.fileno(), *self._places[path]))

    def close(self) -> None:
        """Let go of it all."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class _Stretch(io.RawIOBase):
    """A stretch of a file that others read, too, as a file of its own."""

    def __init__(self, number: int, start: int, end: int) -> None:
        self._number = number
        self._start = start
        self._end = end
        self._at = start

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        base = {os.SEEK_SET: self._start, os.SEEK_CUR: self._at, os.SEEK_END: self._end}[whence]
        self._at = max(self._start, base + offset)
        return self._at - self._start

    def tell(self) -> int:
        return self._at - self._start

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # a buffer is all that comes
        data = os.pread(self._number, max(0, min(len(buffer), self._end - self._at)), self._at)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


Root = Path | Spool
"""Where the files of a bundle are: in its directory, or in the spool of the package that is read."""
