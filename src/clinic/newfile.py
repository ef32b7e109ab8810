"""One new file that is there whole or not at all, and that its owner alone can read."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections import deque
from collections.abc import Generator
from pathlib import Path

from clinic.errors import DiskFull, Refused
from clinic.home import calling_user
from clinic.units import MIB

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_CLOSE = getattr(os, "O_CLOEXEC", 0)
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | _CLOSE
_NAMELESS = getattr(os, "O_TMPFILE", 0)
_EARLY = 8 * MIB
"""Bytes after which they begin to go to the disk: at the end only the last of them have to be waited for."""

_NO_NAMELESS = frozenset({errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT})


@contextlib.contextmanager
def disk_errors(
    place: object, hint: str = "name another directory with -o, or make this one writable"
) -> Generator[None]:
    """Turn what the system says about the disk into errors for people: `DiskFull`, else `Refused` with `hint`."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise DiskFull(f"no room left on the disk of {place}") from error
        raise Refused(f"can't write in {place}: {error.strerror or error}", hint=hint) from error


class NewFile:
    """A file on its way to its name. Left without `keep`, nothing of it stays, not even after a kill.

    Under sudo it belongs to the calling user. A file system that has no nameless files gets a hidden one.
    """

    def __init__(self, path: Path, *, replace: bool = False) -> None:
        """`path` is its name; what has it already is an error, or with `replace` goes. Raises `DiskFull`, `Refused`."""
        self.path = path
        self._replace = replace
        self._hidden = f".{path.name}.{secrets.token_hex(4)}"
        self._named = False
        self._size = self._begun = 0
        with disk_errors(path.parent):
            self._folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | _CLOSE)
            try:
                self._number = self._open()
            except BaseException:
                os.close(self._folder)
                raise
        owner = calling_user()
        if owner is not None:
            os.fchown(self._number, *owner)

    def _open(self) -> int:
        if _NAMELESS:
            try:
                return os.open(".", _NAMELESS | os.O_WRONLY | _CLOSE, 0o600, dir_fd=self._folder)
            except OSError as error:
                if error.errno not in _NO_NAMELESS:
                    raise
        number = os.open(self._hidden, _NEW, 0o600, dir_fd=self._folder)
        self._named = True
        return number

    def __enter__(self) -> NewFile:
        return self

    def __exit__(self, *error: object) -> None:
        if self._named:
            with contextlib.suppress(OSError):
                os.unlink(self._hidden, dir_fd=self._folder)
        os.close(self._number)
        os.close(self._folder)

    def write(self, *pieces: bytes | memoryview) -> None:
        """Append the pieces, at most a thousand. Raises `DiskFull`."""
        rest = deque(memoryview(piece) for piece in pieces if piece)
        with disk_errors(self.path):
            while rest:
                done = os.writev(self._number, rest)
                self._size += done
                while rest and done >= len(rest[0]):
                    done -= len(rest.popleft())
                if done:
                    rest[0] = rest[0][done:]
            if self._size - self._begun >= _EARLY:
                start_writing(self._number, self._begun, self._size)
                self._begun = self._size

    def keep(self) -> None:
        """Bring it to the disk and give it its name. Raises `DiskFull`, and `Refused` where the name is taken."""
        with disk_errors(self.path):
            os.fsync(self._number)
            if not self._named:
                # With a directory's descriptor Python calls linkat(2), which alone follows the link in /proc.
                target = self._hidden if self._replace else self.path.name
                source = f"/proc/self/fd/{self._number}"
                os.link(source, target, src_dir_fd=self._folder, dst_dir_fd=self._folder)
                self._named = self._replace
            if self._named:
                self._name()
            os.fsync(self._folder)

    def _name(self) -> None:
        here = self._folder
        if self._replace:
            os.rename(self._hidden, self.path.name, src_dir_fd=here, dst_dir_fd=here)
            self._named = False
        else:
            os.link(self._hidden, self.path.name, src_dir_fd=here, dst_dir_fd=here)


def start_writing(number: int, start: int, end: int) -> None:
    """Let these bytes of an open file begin to go to the disk, where the system can be told so; no waiting."""
    if hasattr(os, "posix_fadvise"):
        # The name says what becomes of pages that the disk has; the others it only sends there, and keeps.
        os.posix_fadvise(number, start, end - start, os.POSIX_FADV_DONTNEED)


def put(path: Path, data: bytes) -> None:
    """Write the small file `path` whole, in place of what was there. Raises `DiskFull` and `Refused`."""
    with NewFile(path, replace=True) as new:
        new.write(data)
        new.keep()


def private_folder(path: Path) -> None:
    """Make the directory `path` with those above it that are not there, 0700; under sudo the calling user's."""
    owner = calling_user()
    for part in reversed([part for part in (path, *path.parents) if not part.exists()]):
        with disk_errors(part):
            part.mkdir(mode=0o700, exist_ok=True)
            if owner is not None:
                os.chown(part, *owner, follow_symlinks=False)
