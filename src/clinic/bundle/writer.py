"""The one write path of a bundle: everything that gets into its directory goes through here."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from clinic.bundle import resume
from clinic.bundle.appender import Appender
from clinic.bundle.budget import Budget
from clinic.bundle.contents import Shelf
from clinic.bundle.disk_space import Space
from clinic.bundle.folder import Folder
from clinic.bundle.journal import Begun, Header, header_line, line
from clinic.bundle.manifest import Manifest, Option, Redaction
from clinic.bundle.masking import Masker
from clinic.bundle.names import FIXED, JOURNAL, MANIFEST, SUMS, Names
from clinic.bundle.part import Bench, ItemWriter, Manner, Observer, PartWriter, Placed
from clinic.bundle.record import Entry, Record
from clinic.bundle.rescan import Rescan
from clinic.bundle.resume import Sealed, State
from clinic.bundle.seal import derive, write_seal
from clinic.bundle.store import Store
from clinic.bundle.sync import Syncer
from clinic.errors import ClinicError, DiskFull
from clinic.kinds import Content
from clinic.outcome import Reason, Status
from clinic.redact import Redactor
from clinic.units import KIB, MIB

if TYPE_CHECKING:
    from typing_extensions import Self  # in typing itself only from 3.11

__all__ = ["BundleWriter", "Header", "ItemWriter", "Observer", "PartWriter", "Sealed"]

RESERVE = 64 * MIB
"""Bytes that stay free on the disk, unless the caller says otherwise: the customer's database may need them."""

ENTRY_ROOM = 2 * KIB
"""Room for the seal that is kept for each planned item: what its record takes in the journal and in the manifest."""


class BundleWriter:
    """Writes one bundle. Use it as a context manager: leaving it lets go of the directory, sealed or not.

    Every method may be called from any thread.
    """

    header: Header
    """What was planned."""

    sealed: Sealed | None
    """The bundle as it was found or made; None while it is unfinished."""

    def __init__(
        self,
        folder: Folder,
        header: Header,
        redactor: Redactor,
        *,
        max_size: int | None,
        reserve: int,
        used: int = 0,
    ) -> None:
        """Not for callers: `create` and `reopen` see to the directory first."""
        self._redactor = redactor
        self._masker = Masker(redactor)
        # How many secrets were known when everything was looked through; nothing was yet.
        self._known = -1
        self.header = self._masker.header(header)
        self.sealed = None
        self._folder = folder
        self._space = Space(folder, reserve)
        self._syncer = Syncer(folder)
        self._store = Store(folder, Budget(max_size, used), self._space, self._syncer)
        self._names = Names(FIXED)
        self._shelf = Shelf(self._store, self._names)
        self._bench = Bench(self._store, redactor, self._names, self._shelf.placed)
        self._journal = Appender(folder, self._space, self._syncer)
        self._begun: dict[str, str] = {}
        self._room = 0
        self._lock = threading.RLock()

    @classmethod
    def create(
        cls,
        directory: Path,
        header: Header,
        redactor: Redactor,
        *,
        max_size: int | None = None,
        reserve: int = RESERVE,
        owner: tuple[int, int] | None = None,
    ) -> Self:
        """A new bundle in `directory`, which is new or empty, with its journal begun.

        `max_size` bounds its stored bytes, `reserve` is what stays free on the disk, `owner` is whose it is
        when root makes it. Raises `UsageError` for a directory that holds something, `Refused` for one that
        is a link, someone else's or in use, and `DiskFull`.
        """
        folder = Folder.make(directory, owner)
        try:
            folder.lock()
            folder.require_empty()
            writer = cls(folder, header, redactor, max_size=max_size, reserve=reserve)
        except BaseException:
            folder.close()
            raise
        try:
            writer.check_space()
            writer._start_journal(insist=True)
        except BaseException:
            writer._undo()
            raise
        return writer

    @classmethod
    def reopen(
        cls,
        directory: Path,
        redactor: Redactor,
        *,
        max_size: int | None = None,
        reserve: int = RESERVE,
        owner: tuple[int, int] | None = None,
    ) -> Self:
        """Go on with the bundle in `directory`: one that was cut short, or a sealed one.

        What can't be relied on is gone afterwards: items whose files are not what their record says have
        none. A sealed bundle stays as it is until something is written. Raises `BadBundle` for a damaged
        one and for what is none, `Refused` and `UsageError` as `create` does.
        """
        folder = Folder.existing(directory, owner)
        try:
            folder.lock()
            state = resume.look(directory)
            folder.require_here()
            used = sum(record.stored for record in state.records.values())
            writer = cls(folder, state.header, redactor, max_size=max_size, reserve=reserve, used=used)
        except BaseException:
            folder.unlock()
            folder.close()
            raise
        try:
            writer._adopt(state)
        except BaseException:
            writer.close()
            raise
        return writer

    @staticmethod
    def header_of(directory: Path) -> Header:
        """What was planned for the bundle in `directory`, sealed or not. Raises `BadBundle` for what is none."""
        return resume.header_of(directory)

    @property
    def records(self) -> tuple[Record, ...]:
        """The last record of each item that has one."""
        return tuple(self._shelf.records.values())

    @property
    def parent(self) -> str | None:
        """Id of the sealed bundle that this one goes on with."""
        return self.header.parent

    @property
    def stored(self) -> int:
        """Stored bytes so far."""
        return self._store.budget.used

    def check_space(self) -> None:
        """Raise `DiskFull` when less than the reserve is free on the disk."""
        self._space.check()

    def item(
        self,
        entry: Entry,
        *,
        cap: int,
        learn: bool,
        observer: Callable[[], Observer] | None = None,
        observed: str = ".index",
    ) -> ItemWriter:
        """Begin an attempt at an item. Files of an earlier one stay until this one's record."""
        with self._lock:
            self._unseal()
            started = _now()
            self._begun[entry.path] = started
            self._append(line(Begun(entry.path, started)))
        replacing = self._shelf.names_of(entry.path)
        return ItemWriter(self._bench, entry, Manner(cap, learn, observer, observed, replacing))

    def record(self, record: Record) -> None:
        """Put on record what became of an item. Its files are those that the record lists; others go.

        Raises `DiskFull` when there is no room left for the seal of a bundle with one more such record.
        """
        with self._lock:
            self._unseal()
            masked = self._masker.value(record)
            self._append(line(masked))
            self._begun.pop(record.entry.path, None)
            self._shelf.record(masked)
            self._space.keep_room(self._room)

    def _append(self, data: bytes) -> None:
        self._room += max(0, 2 * len(data) - ENTRY_ROOM)
        self._journal.append(data)

    def derived(self, path: str, data: bytes) -> None:
        """Add a small file that was made from the others, `SUMMARY.txt`; redacted as everything is."""
        with self._lock:
            self._unseal()
            placed = derive(path, data, self._store, self._redactor, self._names)
            self._shelf.derived[placed.file.path] = placed
            self._append(line(placed.file))

    def rescan(self) -> None:
        """Mask what was learned since it was written, in files, names and records. `seal` does it as well.

        A file that can't be written again is removed, and its record says so.
        """
        with self._lock:
            self._unseal()
            version = self._redactor.register.version
            if version == self._known:
                return
            changed = Rescan(self._store, self._shelf, self._names, self._redactor, self._masker).run()
            entries = tuple(map(self._masker.entry, self.header.entries))
            header = self._masker.header(replace(self.header, entries=entries))
            if changed or header != self.header:
                self.header = header
                self._start_journal()
            self._known = version

    def seal(
        self,
        *,
        interrupted: bool = False,
        hosts: Mapping[str, Mapping[str, Option]] | None = None,
        footprint: Mapping[str, Mapping[str, float]] | None = None,
    ) -> Sealed:
        """Seal what there is; planned items without a record get one that says that they never ended.

        No thread gets a file into the bundle after this has begun. Raises `DiskFull` where not even the room
        that was kept for it is enough; what is there can then be sealed later.
        """
        with self._lock:
            self._unseal()
            self._fill()
            self.rescan()
            self._step("rescanned")
            self._store.shut()
            self._shelf.sweep()
            self._step("cleaned")
            manifest = self._masker.manifest(self._manifest(interrupted, hosts or {}, footprint or {}))
            self.sealed = write_seal(self._store, self._folder.root, manifest, self._step)
            self._journal.close()
            self._folder.unlock()
            return self.sealed

    def _step(self, name: str) -> None:
        """Called after each step of the seal with its name: where a test lets the machine lose its power."""

    def _fill(self) -> None:
        for entry in self.header.entries:
            if entry.path not in self._shelf.records:
                started = self._begun.get(entry.path, "")
                when = "while it was read" if started else "before it began"
                self._shelf.records[entry.path] = Record(
                    entry, Status.CANCELLED, Reason.INTERRUPTED, f"the run was cut short {when}",
                    fix="clinic collect --resume BUNDLE", started=started,
                )  # fmt: skip

    def _manifest(
        self,
        interrupted: bool,
        hosts: Mapping[str, Mapping[str, Option]],
        footprint: Mapping[str, Mapping[str, float]],
    ) -> Manifest:
        counts: Counter[str] = Counter()
        for file in self._shelf.files():
            counts.update(file.redactions)
        return Manifest(
            run=self.header.run,
            ended=_now(),
            interrupted=interrupted,
            parent=self.header.parent,
            redaction=Redaction(self._redactor.version, counts),
            records=self._in_order(),
            derived=tuple(placed.file for placed in self._shelf.derived.values()),
            hosts=hosts,
            footprint=footprint,
        )

    def _in_order(self) -> tuple[Record, ...]:
        """The plan's items as they were planned, then those that were not: a collector that could not declare."""
        records = dict(self._shelf.records)
        planned = [records.pop(entry.path) for entry in self.header.entries]
        return (*planned, *records.values())

    def _adopt(self, state: State) -> None:
        for record in state.records.values():
            self._shelf.adopt(record)
        self._begun = dict(state.begun)
        self._shelf.derived = {file.path: Placed(file, 0, Content.TEXT) for file in state.derived}
        if state.sealed is not None:
            self.sealed = state.sealed
            return
        self._shelf.derived.clear()
        resume.clean(self._folder, state)
        self._start_journal()

    def _unseal(self) -> None:
        """Make the bundle an unfinished one again before it changes; its journal then has all that is known."""
        if self.sealed is None:
            return
        self.sealed = None
        self._start_journal()
        # Until the manifest is gone the sealed bundle counts; from here on the journal does.
        for path in (MANIFEST, SUMS, *self._shelf.derived):
            self._store.remove(path)
        self._shelf.derived.clear()
        self._syncer.flush()

    def _start_journal(self, *, insist: bool = False) -> None:
        lines = [
            header_line(self.header),
            *(line(record) for record in self._shelf.records.values()),
            *(line(Begun(path, started)) for path, started in self._begun.items()),
            *(line(placed.file) for placed in self._shelf.derived.values()),
        ]
        self._journal.start(lines)
        # The manifest indents what the journal has on one line, and both are there for a moment.
        self._room = 2 * sum(map(len, lines)) + ENTRY_ROOM * len(self.header.entries)
        try:
            self._space.keep_room(self._room)
        except DiskFull:
            # One that is there already may be sealed all the same: what is free can just be enough.
            if insist:
                raise

    def _undo(self) -> None:
        """Leave the directory as empty as it was found: its run did not even start."""
        self._store.shut()
        self._space.give_room()
        self._store.remove(JOURNAL)
        self._folder.prune()
        self.close()

    def close(self) -> None:
        """Let go of the directory. What is in it stays, and can be resumed or sealed later."""
        with self._lock:
            with contextlib.suppress(
                ClinicError
            ):  # it was left by an error, or there is nothing to bring to the disk
                self._syncer.flush()
            self._journal.close()
            self._syncer.close()
            self._space.close()
            with contextlib.suppress(OSError):
                self._folder.unlock()
            self._folder.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
