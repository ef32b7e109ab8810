"""The journal while it is written: whole or not there, and never with half a line in its middle."""

from __future__ import annotations

import os
from collections.abc import Iterable

from clinic.bundle.disk_space import Space
from clinic.bundle.folder import Folder
from clinic.bundle.names import JOURNAL, PARTIAL
from clinic.bundle.store import write_all
from clinic.bundle.sync import Syncer

_NEW = f"{PARTIAL}/{JOURNAL}"


class Appender:
    """Writes the journal of one bundle. The caller sees to it that one thread at a time does."""

    def __init__(self, folder: Folder, space: Space, syncer: Syncer) -> None:
        self._folder = folder
        self._space = space
        self._syncer = syncer
        self._number: int | None = None
        self._size = 0

    def start(self, lines: Iterable[bytes]) -> None:
        """Begin the journal, or replace it, by one that holds `lines`; at once on the disk."""
        data = b"".join(lines)
        number = self._space.essential(lambda: self._write_new(data), len(data))
        self.close()
        self._number, self._size = number, len(data)
        self._syncer.journal(number)
        self._syncer.flush()

    def _write_new(self, data: bytes) -> int:
        self._folder.remove(_NEW)
        number = self._folder.create(_NEW)
        try:
            write_all(number, data)
            os.fsync(number)
            self._folder.rename(_NEW, JOURNAL)
        except OSError:
            os.close(number)
            self._folder.remove(_NEW)
            raise
        return number

    def append(self, line: bytes) -> None:
        """Add a line. It outlives this process at once, and a power loss after a second."""
        self._space.essential(lambda: self._append(line), len(line))
        self._syncer.wrote()

    def _append(self, line: bytes) -> None:
        assert self._number is not None
        try:
            write_all(self._number, line)
        except OSError:
            os.ftruncate(self._number, self._size)
            os.lseek(self._number, self._size, os.SEEK_SET)
            raise
        self._size += len(line)

    def close(self) -> None:
        """Let go of the journal; it stays."""
        self._syncer.journal(None)
        if self._number is not None:
            os.close(self._number)
            self._number = None
