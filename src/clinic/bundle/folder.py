"""A bundle's directory, held open while it is written: nothing outside it can be reached by any name."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import threading
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import BinaryIO

from clinic.bundle.names import LOCK
from clinic.errors import Refused, UsageError
from clinic.newfile import disk_errors

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Folder:
    """Operations on files below one directory. Paths are safe ones; each step is opened without following links."""

    def __init__(self, root: Path, number: int, owner: tuple[int, int] | None) -> None:
        """`number` is the open directory, `owner` who gets what is made in it (this process's user when None)."""
        self.root = root
        self._number = number
        self._owner = owner
        self._lock: int | None = None
        self._unsynced: set[str] = set()
        self._guard = threading.Lock()

    @classmethod
    def make(cls, root: Path, owner: tuple[int, int] | None) -> Folder:
        """A new directory `root`, or an empty one that is ours already; 0700.

        Raises `UsageError` when there is something in it, naming `--resume`, and `Refused` when it is a
        link or someone else's.
        """
        with disk_errors(root):
            try:
                root.mkdir(mode=0o700)
            except FileNotFoundError as error:
                raise UsageError(
                    f"there is no directory {root.parent}", hint="make it, or name another"
                ) from error
            except FileExistsError:
                pass
        folder = cls._open(root, owner)
        try:
            folder.require_empty()
            with disk_errors(root):
                os.fchmod(folder._number, 0o700)
                folder._give(folder._number)
        except BaseException:
            folder.close()
            raise
        return folder

    def require_empty(self) -> None:
        """Raise `UsageError`, naming `--resume`, when there is more in it than its own lock."""
        if set(os.listdir(self._number)) - {LOCK}:
            raise UsageError(
                f"{self.root} is not empty",
                hint="name another directory with -o, or complete a bundle with --resume DIR",
            )

    @classmethod
    def existing(cls, root: Path, owner: tuple[int, int] | None) -> Folder:
        """The directory `root` of a bundle that is there. Raises as `make` does."""
        if not os.path.lexists(root):
            raise UsageError(f"there is no directory {root}", hint="name the directory of a bundle")
        folder = cls._open(root, owner)
        if os.fstat(folder._number).st_mode & 0o022:
            folder.close()
            raise Refused(
                f"others can write in {root}", hint=f"look at what is in it, then: chmod go-w {root}"
            )
        return folder

    @classmethod
    def _open(cls, root: Path, owner: tuple[int, int] | None) -> Folder:
        try:
            number = os.open(root, _FOLDER)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENOTDIR):
                raise Refused(f"{root} is a link or a file", hint="name the directory itself") from error
            raise Refused(
                f"{root} can't be opened: {error.strerror}", hint="name another directory"
            ) from error
        folder = cls(root, number, owner)
        if os.fstat(number).st_uid not in {os.geteuid(), owner[0] if owner else os.geteuid()}:
            folder.close()
            raise Refused(f"{root} belongs to someone else", hint="name a directory that is yours with -o")
        return folder

    def lock(self) -> None:
        """Be the one run that writes here. Raises `Refused` when another is."""
        import fcntl  # who unpacks a package locks nothing, and not every system has it

        with disk_errors(self.root):
            number = os.open(LOCK, _NEW & ~os.O_EXCL, 0o600, dir_fd=self._number)
        self._give(number)
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(number)  # the file is the other run's, and stays
            raise Refused(
                f"another run is writing in {self.root}", hint="wait until it ends, or stop it"
            ) from error
        except OSError as error:
            os.close(number)
            raise Refused(
                f"{self.root} can't be locked: {error.strerror}", hint="use a local disk, with -o"
            ) from error
        # The run before may have removed the file between our open and our lock.
        if os.fstat(number).st_nlink == 0:
            os.close(number)
            return self.lock()
        self._lock = number
        return None

    def unlock(self) -> None:
        """Let others write here: the lock's file goes, then the lock."""
        if self._lock is not None:
            self.remove(LOCK)
            os.close(self._lock)
            self._lock = None

    def create(self, path: str) -> int:
        """A new file at `path`, open for reading and writing, 0600; its folders are made. The caller closes it."""
        with self._parent(path, make=True) as (parent, name):
            number = os.open(name, _NEW, 0o600, dir_fd=parent)
        self._give(number)
        return number

    def read(self, path: str) -> BinaryIO:
        """The file at `path`, which this process made."""
        with self._parent(path) as (parent, name):
            return os.fdopen(os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent), "rb")

    def require_here(self) -> None:
        """Raise `Refused` when its path has come to mean another directory since it was opened."""
        with disk_errors(self.root):
            there, here = self.root.stat(), os.fstat(self._number)
        if not os.path.samestat(there, here):
            raise Refused(
                f"{self.root} was moved while it was looked at", hint="use a directory that only you can move"
            )

    def rename(self, old: str, new: str) -> None:
        """Give the file `old` the name `new`, whose folders are made; what had it before is gone."""
        with self._parent(old) as (source, name), self._parent(new, make=True) as (target, renamed):
            os.rename(name, renamed, src_dir_fd=source, dst_dir_fd=target)
        with self._guard:
            self._unsynced |= {"/".join(new.split("/")[:depth]) for depth in range(new.count("/") + 1)}

    def remove(self, path: str) -> None:
        """Remove the file `path` where there is one."""
        with contextlib.suppress(FileNotFoundError, NotADirectoryError), self._parent(path) as (parent, name):
            os.unlink(name, dir_fd=parent)
            with self._guard:
                self._unsynced.add(path.rpartition("/")[0])

    def names(self, path: str) -> list[str]:
        """What is in the folder `path`; nothing where there is none."""
        with contextlib.suppress(FileNotFoundError), self._parent(f"{path}/.") as (number, _):
            return os.listdir(number)
        return []

    def prune(self) -> None:
        """Remove the folders in which nothing is. Only while nobody makes files."""
        for path in reversed([path for path, mode in self.walk() if stat.S_ISDIR(mode)]):
            with contextlib.suppress(OSError), self._parent(path) as (parent, name):
                os.rmdir(name, dir_fd=parent)

    def walk(self, path: str = ".") -> Iterator[tuple[str, int]]:
        """Every path below the folder `path` with its mode, links not followed; a folder before what is in it."""
        with self._parent(f"{path}/.") as (number, _), os.scandir(number) as found:
            entries = sorted((entry.name, entry.stat(follow_symlinks=False).st_mode) for entry in found)
        for name, mode in entries:
            inner = name if path == "." else f"{path}/{name}"
            yield inner, mode
            if stat.S_ISDIR(mode):
                yield from self.walk(inner)

    def sync(self) -> None:
        """Bring the names to the disk that were given since the last time."""
        with self._guard:
            folders, self._unsynced = self._unsynced, set()
        for path in folders:
            with (
                contextlib.suppress(FileNotFoundError),
                self._parent(f"{path}/." if path else ".") as (number, _),
            ):
                os.fsync(number)

    def free(self) -> int:
        """Bytes that may still be written on its file system."""
        found = os.fstatvfs(self._number)
        return found.f_bavail * found.f_frsize

    def close(self) -> None:
        """Let go of the directory and, if it is held, of the lock. What is in it stays."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
        if self._number >= 0:
            os.close(self._number)
            self._number = -1

    def _give(self, number: int) -> None:
        if self._owner is not None and os.geteuid() == 0:
            os.fchown(number, *self._owner)

    @contextlib.contextmanager
    def _parent(self, path: str, *, make: bool = False) -> Generator[tuple[int, str]]:
        """The open folder of `path`, and its last name."""
        *folders, name = path.split("/")
        number = os.dup(self._number)
        try:
            for folder in folders:
                inner = self._enter(number, folder, make)
                os.close(number)
                number = inner
            yield number, name
        finally:
            os.close(number)

    def _enter(self, parent: int, name: str, make: bool) -> int:
        try:
            return os.open(name, _FOLDER, dir_fd=parent)
        except FileNotFoundError:
            if not make:
                raise
        with contextlib.suppress(FileExistsError):  # another item's thread was quicker
            os.mkdir(name, 0o700, dir_fd=parent)
        number = os.open(name, _FOLDER, dir_fd=parent)
        self._give(number)
        return number
