"""What is in a bundle so far: the records, and the files with what the redactor knew when they were written."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

from clinic.bundle.names import Names, fold
from clinic.bundle.part import Placed
from clinic.bundle.record import FileEntry, Record, content_of
from clinic.bundle.store import Store
from clinic.outcome import Reason, Status


class Shelf:
    """Keeps records and files in step: a file that no record lists does not stay. Thread-safe."""

    def __init__(self, store: Store, names: Names) -> None:
        self._store = store
        self._names = names
        self._lock = threading.RLock()
        self._files: dict[str, tuple[str, Placed]] = {}
        self.records: dict[str, Record] = {}
        """The last record of each item, by the entry's path."""
        self.derived: dict[str, Placed] = {}
        """Files that were made from others, by path."""

    def adopt(self, record: Record) -> None:
        """Take in a record of an earlier run with its files, which the redactor of this run has not seen."""
        self.records[record.entry.path] = record
        for file in record.files:
            self._names.take(file.path)
            self.placed(record.entry.path, Placed(file, 0, content_of(record.entry, file)))

    def placed(self, owner: str, placed: Placed) -> None:
        """A file of the entry with the path `owner` has got its name."""
        with self._lock:
            self._files[placed.file.path] = (owner, placed)

    def names_of(self, owner: str) -> frozenset[str]:
        """The names, folded, of the files of an entry's last record."""
        with self._lock:
            record = self.records.get(owner)
            return frozenset(fold(file.path) for file in record.files) if record is not None else frozenset()

    def record(self, record: Record) -> None:
        """Keep the record of an item instead of an earlier one; files that only that one listed go."""
        with self._lock:
            self.records[record.entry.path] = record
            owned = [path for path, (owner, _) in self._files.items() if owner == record.entry.path]
            self._remove(set(owned) - {file.path for file in record.files})
            for file in record.files:
                self._names.take(file.path)  # A try that was given up may have let go of it.

    def sweep(self) -> None:
        """Remove the files that no record lists."""
        with self._lock:
            listed = {file.path for record in self.records.values() for file in record.files}
            self._remove(self._files.keys() - listed)

    def _remove(self, paths: set[str]) -> None:
        for path in paths:
            del self._files[path]
            self._names.release(path)
            self._store.remove(path)

    def older_than(self, version: int) -> Iterator[tuple[str, Placed]]:
        """The files of items that were begun before the register had `version`, each with its entry's path."""
        with self._lock:
            found = list(self._files.values())
        return ((owner, placed) for owner, placed in found if placed.version < version)

    def renew(self, owner: str, old: str, placed: Placed) -> None:
        """The file `old` has become `placed`; the record of its entry says so."""
        with self._lock:
            del self._files[old]
            self._names.release(old)
            self._names.take(placed.file.path)
            self._files[placed.file.path] = (owner, placed)
            self._change(owner, old, (placed.file,))

    def lose(self, owner: str, path: str, reason: Reason, message: str) -> None:
        """The file `path` can't stay; the record of its entry says why."""
        with self._lock:
            self._remove({path})
            self._change(owner, path, ())
            if owner in self.records:
                record = self.records[owner]
                status = Status.PARTIAL if record.files else Status.FAILED
                self.records[owner] = replace(record, status=status, reason=reason, message=message)

    def _change(self, owner: str, old: str, fresh: tuple[FileEntry, ...]) -> None:
        if owner in self.records:
            record = self.records[owner]
            at = [file.path for file in record.files].index(old)
            self.records[owner] = replace(record, files=(*record.files[:at], *fresh, *record.files[at + 1 :]))

    def replace(self, path: str, record: Record) -> None:
        """`record` stands for the one of the entry `path`, in its place; its own path may be another."""
        with self._lock:
            if path == record.entry.path:
                self.records[path] = record
                return
            for name, (owner, placed) in self._files.items():
                if owner == path:
                    self._files[name] = (record.entry.path, placed)
            self.records = {
                (record.entry.path if key == path else key): (record if key == path else held)
                for key, held in self.records.items()
            }

    def files(self) -> Iterator[FileEntry]:
        """Every file that a record lists, and the derived ones."""
        for record in self.records.values():
            yield from record.files
        yield from (placed.file for placed in self.derived.values())
