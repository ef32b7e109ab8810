"""Free space: looked at while a bundle grows, and set aside so that it can be sealed on a full disk."""

from __future__ import annotations

import errno
import functools
import os
import threading
from collections.abc import Callable
from typing import TypeVar

from clinic.bundle.folder import Folder
from clinic.bundle.names import PARTIAL
from clinic.errors import DiskFull
from clinic.newfile import disk_errors
from clinic.units import KIB, MIB, human_size

T = TypeVar("T")

STEP = 4 * MIB
"""Bytes written between two looks at the free space."""

SEAL_ROOM = 256 * KIB
"""Room for the seal of a bundle without items."""

BLOCK = 4 * KIB
"""What a file system gives out at once."""

SPARE = 4
"""Empty files that are kept for the seal: a disk may be out of inodes, not of bytes."""

_FILE = f"{PARTIAL}/room-for-the-seal"
_SPARES = tuple(f"{PARTIAL}/spare-{number}" for number in range(SPARE))
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


class Space:
    """Guards the free space of one bundle's disk. Thread-safe."""

    def __init__(self, folder: Folder, reserve: int) -> None:
        """Writing stops when less than `reserve` bytes are free on the disk of `folder`."""
        self._folder = folder
        self._reserve = reserve
        self._since = 0
        self._full = False
        self._room = 0
        self._file: int | None = None
        self._spares: list[str] = []
        self._lock = threading.RLock()

    def check(self) -> None:
        """Raise `DiskFull` when less than the reserve is free, or there was no room before."""
        with disk_errors(self._folder.root):
            free = self._folder.free()
        if self._full or free < self._reserve:
            # For good: whoever comes later must not eat what is given free for the seal.
            self._full = True
            kept = f", and {human_size(self._reserve)} are kept free" if self._reserve else ""
            raise DiskFull(
                f"only {human_size(free)} left on the disk of {self._folder.root}{kept}",
                hint=f"free some space, then: clinic collect --resume {self._folder.root}",
            )

    def write(self, write: Callable[[], T], size: int = 0) -> T:
        """What `write` gives, which adds `size` bytes. Raises `DiskFull`, for good once the disk was full."""
        with self._lock:
            self._since += size
            due = self._full or self._since >= STEP
            if due:
                self._since = 0
        if due:
            self.check()
        with disk_errors(self._folder.root):
            try:
                return write()
            except OSError as error:
                self._full = self._full or error.errno in _FULL
                raise

    def keep_room(self, size: int) -> None:
        """Have room for `size` bytes more than an empty bundle's seal needs. Raises `DiskFull`."""
        with self._lock:
            wanted = SEAL_ROOM + size
            if self._full or wanted <= self._room:
                return
            # In steps, since it is asked for with every record.
            wanted += wanted // 4
            number = self._file if self._file is not None else self._make()
            self.write(lambda: os.posix_fallocate(number, 0, wanted))
            self._room = wanted

    def _make(self) -> int:
        self._file = number = self.write(lambda: self._folder.create(_FILE))
        for name in _SPARES:
            os.close(self.write(functools.partial(self._folder.create, name)))
            self._spares.append(name)
        return number

    def essential(self, write: Callable[[], T], size: int) -> T:
        """What `write` gives, which adds `size` bytes. Where the disk is full it is tried again in the room
        set aside for the seal.
        """
        with disk_errors(self._folder.root):
            while True:
                try:
                    return write()
                except OSError as error:
                    if error.errno not in _FULL or not self._shrink(size):
                        raise

    def _shrink(self, size: int) -> bool:
        """Free no more of the room than is needed, since others may eat it; whether there was any."""
        with self._lock:
            self._full = True
            if self._file is None or not (self._room or self._spares):
                return False
            self._room = max(0, self._room - (size // BLOCK + 1) * BLOCK)
            os.ftruncate(self._file, self._room)
            if self._spares:
                self._folder.remove(self._spares.pop())
            return True

    def give_room(self) -> None:
        """Free all that was set aside. Only what is under way can still be written after this."""
        with self._lock:
            self._full = True
            if self._file is not None:
                os.close(self._file)
                self._file, self._room = None, 0
                for name in (_FILE, *_SPARES):
                    self._folder.remove(name)

    def close(self) -> None:
        """Let go of the file that keeps the room; it stays, for who comes next to remove."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
