"""Where stored bytes go: files that are not finished yet, and those that have got their names."""

from __future__ import annotations

import itertools
import os
import threading

from clinic.bundle.budget import Budget
from clinic.bundle.disk_space import Space
from clinic.bundle.folder import Folder
from clinic.bundle.names import PARTIAL
from clinic.bundle.sync import Syncer
from clinic.errors import Cancelled
from clinic.newfile import disk_errors
from clinic.outcome import Reason


class Store:
    """The files of one bundle that is being written. Thread-safe."""

    def __init__(self, folder: Folder, budget: Budget, space: Space, syncer: Syncer) -> None:
        self.folder = folder
        self.budget = budget
        self.space = space
        self.syncer = syncer
        self._numbers = itertools.count(1)
        self._open = True
        self._lock = threading.Lock()

    def temporary(self) -> tuple[int, str]:
        """A new file for bytes that are not finished: its descriptor, which the caller closes, and its path."""
        path = f"{PARTIAL}/{next(self._numbers)}"
        with self._lock:
            self._require_open()
            return self.space.write(lambda: self.folder.create(path)), path

    def _require_open(self) -> None:
        # A thread that was given up may come back at any time, even while the bundle is being sealed.
        if not self._open:
            raise Cancelled(Reason.INTERRUPTED, "the bundle is being sealed")

    def shut(self) -> None:
        """No more files are made or placed, and those that are not finished are gone."""
        with self._lock:
            self._open = False
        with disk_errors(self.folder.root):
            for name in self.folder.names(PARTIAL):
                if name.isdigit():
                    self.folder.remove(f"{PARTIAL}/{name}")

    def write(self, number: int, data: bytes) -> None:
        """Append `data` to an open file. Raises `DiskFull`, for good once the disk was full."""
        self.space.write(lambda: write_all(number, data), len(data))

    def place(self, number: int, temporary: str, path: str) -> None:
        """Give a finished file its name. Its descriptor is the store's from here on."""
        self.syncer.file(number)
        with self._lock, disk_errors(self.folder.root):
            self._require_open()
            self.folder.rename(temporary, path)

    def remove(self, path: str) -> None:
        """Remove the file `path` where there is one."""
        with disk_errors(self.folder.root):
            self.folder.remove(path)

    def put(self, path: str, data: bytes) -> None:
        """Write the small file `path` whole and bring it to the disk, in the room for the seal if need be."""
        self.space.essential(lambda: self._put(path, data), len(data))

    def _put(self, path: str, data: bytes) -> None:
        self.folder.remove(path)
        number = self.folder.create(path)
        try:
            write_all(number, data)
            os.fsync(number)
        finally:
            os.close(number)


def write_all(number: int, data: bytes) -> None:
    """Write all of `data`, whatever the system takes at once."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(number, rest) :]
