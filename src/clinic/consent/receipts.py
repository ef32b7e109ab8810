"""The store of receipts: append-only, each entry chained to the one before, files 0600, safe against a crash."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from collections.abc import Generator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from clinic.bundle.codec import decode, dump, load
from clinic.bundle.store import write_all
from clinic.consent.chain import Chain, Head, digest, line_of, read_chain
from clinic.consent.receipt import Entry, Event, Happened, Record, moment
from clinic.errors import BadBundle, Refused, UsageError
from clinic.home import as_caller, state_dir
from clinic.newfile import disk_errors, private_folder, put

FILE, HEAD, LOCK = "receipts.jsonl", "head.json", "lock"
"""Its files: the entries, where they end, and what is locked."""

_HINT = "make that directory yours and writable; receipts are kept in the state directory, or in CLINIC_HOME"

_OPEN = os.O_NOFOLLOW | os.O_CLOEXEC
_STARTED = frozenset({Happened.STARTED, Happened.UPLOADED, Happened.CARRIED})
_TAKEN_BACK = frozenset({Happened.WITHDRAWAL_REQUESTED, Happened.WITHDRAWAL_CONFIRMED})


class Receipts:
    """The receipts of one user. Every call opens, locks and closes: nothing is held between two."""

    def __init__(self, directory: Path | None = None) -> None:
        """In `directory`, by default in the state directory."""
        self.directory = directory if directory is not None else state_dir() / "receipts"
        """Where they are."""

    def append(self, event: Event) -> Entry:
        """Add what happened; on the disk when this returns. Raises `BadBundle` where the chain does not hold."""
        with as_caller(), disk_errors(self.directory, _HINT), self._locked(fcntl.LOCK_EX) as folder:
            chain = self._holding(folder)
            line = line_of(chain.head, event)
            put(self.directory / HEAD, dump(replace(chain.head, following=digest(line))))
            _write_line(folder, chain.good, line)
            put(self.directory / HEAD, dump(Head(chain.head.count + 1, digest(line))))
        return Entry(chain.head.count + 1, chain.head.digest, event)

    def read(self) -> Chain:
        """The chain with everything that is wrong with it; an empty one where nothing was ever written."""
        with as_caller(), disk_errors(self.directory, _HINT):
            if not self.directory.exists():
                return read_chain(b"", Head())
            with self._locked(fcntl.LOCK_SH) as folder:
                return _read(folder)

    def entries(self) -> tuple[Entry, ...]:
        """Everything that was written. Raises `BadBundle` where the chain does not hold."""
        return self._require(self.read()).entries

    def find(self, receipt: str) -> tuple[Record, tuple[Event, ...]]:
        """The decision with this id, or with the one id that begins so, and what happened to it since.

        Raises `UsageError` where there is none, or more than one, and `BadBundle`.
        """
        entries = self.entries()
        found = [
            one.event.record for one in entries if one.event.record and one.event.receipt.startswith(receipt)
        ]
        if len(found) != 1:
            many = "more than one receipt begins with" if found else "there is no receipt"
            raise UsageError(f"{many} {receipt!r}", hint="clinic consent list shows them")
        record = found[0]
        return record, tuple(one.event for one in entries if one.event.receipt == record.id)

    def _holding(self, folder: int) -> Chain:
        return self._require(_read(folder))

    def _require(self, chain: Chain) -> Chain:
        if chain.wrong:
            raise BadBundle(
                f"the receipts in {self.directory} can't be relied on: {'; '.join(chain.wrong)}",
                hint="clinic consent verify tells more; keep them, and move them away to begin anew",
            )
        return chain

    @contextlib.contextmanager
    def _locked(self, how: int) -> Generator[int]:
        """The open directory, made on first use, locked against other runs."""
        private_folder(self.directory)
        folder = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY | _OPEN)
        try:
            self._require_own(folder)
            lock = os.open(LOCK, os.O_RDWR | os.O_CREAT | _OPEN, 0o600, dir_fd=folder)
            try:
                fcntl.flock(lock, how)
                yield folder
            finally:
                os.close(lock)
        finally:
            os.close(folder)

    def _require_own(self, folder: int) -> None:
        info = os.fstat(folder)
        if info.st_uid != os.geteuid() or stat.S_IMODE(info.st_mode) & 0o077:
            raise Refused(
                f"{self.directory} is not yours alone",
                hint=f"chown {os.geteuid()} and chmod 700 {self.directory}",
            )


def state_of(record: Record, events: tuple[Event, ...], now: datetime) -> str:
    """What has become of a decision, in a word of TS 27560 or of `Happened`."""
    last = events[-1].happened
    if last is Happened.GIVEN and now > moment(record.expires):
        return "expired"
    return last.value


def was_sent(events: tuple[Event, ...]) -> bool:
    """Whether any of it may be out of our hands."""
    return any(event.happened in _STARTED for event in events)


def was_withdrawn(events: tuple[Event, ...]) -> bool:
    """Whether it was taken back, confirmed or not."""
    return any(event.happened in _TAKEN_BACK for event in events)


def was_confirmed(events: tuple[Event, ...]) -> bool:
    """Whether what was taken back is known to be gone."""
    return any(event.happened is Happened.WITHDRAWAL_CONFIRMED for event in events)


def _read(folder: int) -> Chain:
    return read_chain(_content(folder, FILE) or b"", _head(folder))


def _content(folder: int, name: str) -> bytes | None:
    """What the file `name` holds; None where there is none."""
    try:
        number = os.open(name, os.O_RDONLY | _OPEN, dir_fd=folder)
    except FileNotFoundError:
        return None
    with os.fdopen(number, "rb") as stream:
        return stream.read()


def _head(folder: int) -> Head:
    data = _content(folder, HEAD)
    if data is None:
        return Head()
    try:
        return decode(Head, load(data, HEAD), HEAD)
    except BadBundle:
        return Head(-1)  # no chain ends there, so it is said that one does not hold


def _write_line(folder: int, at: int, line: bytes) -> None:
    """Put `line` at the end; what a crash left half written there is gone."""
    number = os.open(FILE, os.O_WRONLY | os.O_CREAT | _OPEN, 0o600, dir_fd=folder)
    try:
        os.ftruncate(number, at)
        os.lseek(number, at, os.SEEK_SET)
        write_all(number, line)
        os.fsync(number)
    finally:
        os.close(number)
