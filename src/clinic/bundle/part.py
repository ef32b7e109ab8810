"""One attempt at an item: its files, written aside and given their names all at once, or not at all."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from clinic.bundle.cap import Cap
from clinic.bundle.filter import BINARY, Filter
from clinic.bundle.names import COMPRESSED, Names, fold, safe_path
from clinic.bundle.record import Entry, FileEntry
from clinic.bundle.sink import Sink
from clinic.bundle.store import Store
from clinic.errors import Cancelled, Failed, Partial
from clinic.guard import guarded
from clinic.kinds import Content
from clinic.outcome import Reason
from clinic.redact import Redactor
from clinic.units import human_size, plural

T = TypeVar("T")


class Observer(Protocol):
    """Sees the plain bytes of a file as they are stored, and leaves a derived file beside it."""

    def feed(self, data: bytes) -> None:
        """The next redacted bytes."""
        ...

    def finish(self) -> bytes:
        """What to store as the derived file; nothing is stored when it is empty."""
        ...


@dataclass(frozen=True, slots=True)
class Placed:
    """A file that has its name in the bundle."""

    file: FileEntry
    """The file."""

    version: int
    """How many learned secrets the redactor knew when the file was begun."""

    content: Content
    """The format of its bytes."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What all attempts of a run share."""

    store: Store
    """Where bytes go."""

    redactor: Redactor
    """What masks them."""

    names: Names
    """Which paths are taken."""

    placed: Callable[[str, Placed], None]
    """Hears of each file of an entry, by the entry's path, as it gets its name."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How the files of an item are written."""

    cap: int
    """Most plain bytes of one file."""

    learn: bool
    """Whether what is masked is learned as a secret."""

    observer: Callable[[], Observer] | None = None
    """Makes what watches each file."""

    observed: str = ".index"
    """Appended to a file's name for what its observer leaves."""

    replacing: frozenset[str] = frozenset()
    """Names, folded, of the files of an earlier attempt: they may be taken again."""


class ItemWriter:
    """One attempt at an item. Its parts are written one after another; `abandon` may come from any thread."""

    def __init__(self, bench: Bench, entry: Entry, manner: Manner) -> None:
        self._bench = bench
        self._entry = entry
        self._manner = manner
        self._parts: list[PartWriter] = []
        self._replacing = set(manner.replacing)
        self._abandoned = False
        self._lock = threading.RLock()

    def part(self, name: str = "", content: Content | None = None) -> PartWriter:
        """The next file: `name` below the item's folder, or the item's own path. Raises `Cancelled`."""
        # The path was planned before the secrets were learned that may be in it.
        path = safe_path(self._bench.redactor.text(self._entry.path))
        if self._entry.folder:
            path = safe_path(f"{path}/{safe_path(self._bench.redactor.text(name))}")
        return self._open(
            path, content if content is not None else Content(self._entry.content), self._manner
        )

    def _open(self, path: str, content: Content, manner: Manner) -> PartWriter:
        with self._lock:
            self.check()
            claimed = self._bench.names.claim(path, replacing=self._replacing)
            self._replacing -= {fold(claimed), fold(claimed + COMPRESSED)}
            part = PartWriter(self, self._bench, claimed, content, manner)
            self._parts.append(part)
            return part

    def beside(self, part: PartWriter, data: bytes) -> None:
        """Store what the observer of `part` left."""
        manner = replace(self._manner, observer=None, learn=False, cap=max(self._manner.cap, len(data)))
        derived = self._open(part.path + self._manner.observed, Content.OPAQUE, manner)
        derived.write(data)
        derived.finish()

    def check(self) -> None:
        """Raise `Cancelled` once the attempt is given up."""
        if self._abandoned:
            raise Cancelled(Reason.INTERRUPTED, "the attempt was given up")

    def commit(self) -> tuple[FileEntry, ...]:
        """Give every finished part its name. Raises `Cancelled` when the attempt was given up, and `DiskFull`."""
        with self._lock:
            self.check()
            files: list[FileEntry] = []
            for part in self._parts:
                if part.kept:
                    placed = part.place()
                    self._bench.placed(self._entry.path, placed)
                    files.append(placed.file)
            self._parts.clear()
            return tuple(files)

    def abandon(self) -> None:
        """Nothing of this attempt gets a name any more. A thread that still writes is told with `Cancelled`."""
        with self._lock:
            self._abandoned = True
            parts, self._parts = self._parts, []
        for part in parts:
            part.abandon()


class PartWriter:
    """One file on its way: redacted, capped, compressed where large, hashed. Used by one thread."""

    def __init__(self, item: ItemWriter, bench: Bench, path: str, content: Content, manner: Manner) -> None:
        self._item = item
        self._bench = bench
        self._content = content
        self._version = bench.redactor.register.version
        self._filter = Filter(bench.redactor.stream(content, learn=manner.learn), content)
        self._sink = Sink(bench.store, path)
        self._limit = manner.cap
        self._cap = Cap(bench.store, manner.cap, self._pass_on, text=content not in BINARY)
        self._observer = manner.observer() if manner.observer is not None else None
        self._lost = 0
        self._stopped = False
        self._claimed = True
        self._entry: FileEntry | None = None
        self._lock = threading.Lock()
        self.path = path
        """Its path in the bundle, without the ending of a compression."""
        self.received = 0
        """Plain bytes that came from the source."""

    @property
    def kept(self) -> bool:
        """Whether it is finished and was not thrown away."""
        return self._entry is not None

    def write(self, data: bytes) -> None:
        """The next plain bytes from the source.

        Raises `Cancelled` when the attempt was given up, `Partial` with OVER_BUDGET when the bundle may not
        grow any more (what fitted is kept by `finish`), and `DiskFull`.
        """
        with self._lock:
            self._item.check()
            self.received += len(data)
            self._cap.feed(self._filter.feed(data))
            self._stopped = self._sink.full
        self._check_after()
        if self._stopped:
            raise Partial(Reason.OVER_BUDGET, _OVER_BUDGET, fix=_BUDGET_FIX)

    def gap(self, missing: int) -> None:
        """The source leaves `missing` plain bytes out here; -1 when nobody knows how many."""
        with self._lock:
            self._item.check()
            self._cap.feed(self._filter.gap(missing))
        self._check_after()

    def finish(self, *, reason: Reason | None = None, message: str = "") -> FileEntry:
        """End the file. `reason` and `message` say why it is not all that the host had, where it is not.

        The entry's own reason may be another: what the cap, the budget or the redactor left out.
        Raises `Failed` with OVER_BUDGET when nothing of it fitted, `Cancelled` and `DiskFull`.
        """
        with self._lock:
            self._item.check()
            self._cap.feed(self._filter.finish())
            self._cap.finish()
            self._lost += self._sink.finish()
            if self._sink.full and not self._sink.plain:
                self._throw_away()
                raise Failed(Reason.OVER_BUDGET, _OVER_BUDGET, fix=_BUDGET_FIX)
            entry = self._describe(reason, message)
            left = self._observed(lambda one: one.finish())
            self._entry = entry
        self._check_after()
        if left:
            self._item.beside(self, left)
        return entry

    def _pass_on(self, data: bytes) -> None:
        taken = self._sink.write(data)
        self._lost += len(data) - taken
        if taken:
            self._observed(lambda one: one.feed(data[:taken]))

    def _observed(self, call: Callable[[Observer], T | None]) -> T | None:
        """What the observer gives. One that fails is not asked again, since what it watches matters more."""
        observer = self._observer
        try:
            return guarded(lambda: call(observer)) if observer is not None else None
        except Failed:
            self._observer = None
            return None

    def _describe(self, reason: Reason | None, message: str) -> FileEntry:
        troubles = self._own_troubles()
        if reason is not None:
            # A redactor that failed is the graver news; a cut that was made on purpose is the lesser.
            troubles.insert(1 if self._filter.failure or self._filter.withheld else 0, (reason, message))
        return FileEntry(
            path=self.path + (COMPRESSED if self._sink.compressed else ""),
            plain=self._sink.plain,
            stored=self._sink.stored,
            sha256=self._sink.sha256,
            dropped=self._dropped(),
            redactions=self._filter.counts,
            reason=troubles[0][0] if troubles else None,
            message="; ".join(dict.fromkeys(text for _, text in troubles if text)),
        )

    def _own_troubles(self) -> list[tuple[Reason, str]]:
        found: list[tuple[Reason, str]] = []
        if self._filter.failure:
            text = f"the redactor failed ({self._filter.failure}): what it did not see was left out"
            found.append((Reason.REDACTION_FAILED, text))
        elif self._filter.withheld:
            text = f"the redactor left out {plural(self._filter.withheld, 'part')} that it could not clear"
            found.append((Reason.REDACTION_FAILED, text))
        if self._sink.full:
            found.append((Reason.OVER_BUDGET, _OVER_BUDGET))
        if self._cap.dropped:
            text = f"{plural(self._cap.dropped, 'byte')} left out: longer than its cap of {human_size(self._limit)}"
            found.append((Reason.TRUNCATED, text))
        if self._filter.missing:
            count = plural(self._filter.missing, "byte") if self._filter.missing > 0 else "bytes"
            found.append((Reason.TRUNCATED, f"{count} left out where it was read"))
        return found

    def _dropped(self) -> int:
        if self._filter.failure or self._filter.withheld or self._stopped or self._filter.missing < 0:
            return -1
        return self._cap.dropped + self._lost + self._filter.missing

    def _check_after(self) -> None:
        # Given up while it was writing: whoever gave it up could not clean up behind it.
        try:
            self._item.check()
        except Cancelled:
            self.abandon()
            raise

    def discard(self) -> None:
        """Throw it away: the bundle has no such file."""
        with self._lock:
            self._throw_away()

    def abandon(self) -> None:
        """Throw it away unless its thread is in the middle of a write, which then does so itself."""
        if self._lock.acquire(blocking=False):
            try:
                self._throw_away()
            finally:
                self._lock.release()

    def _throw_away(self) -> None:
        self._entry = None
        self._cap.discard()
        self._sink.discard()
        self._release()

    def _release(self) -> None:
        # Once only: the name may be another's by the second time.
        if self._claimed:
            self._claimed = False
            self._bench.names.release(self.path)

    def place(self) -> Placed:
        """Give it its name in the bundle."""
        assert self._entry is not None
        self._sink.place(self._entry.path)
        self._release()
        self._bench.names.take(self._entry.path)
        return Placed(self._entry, self._version, self._content)


_OVER_BUDGET = "the bundle has reached its largest size"
_BUDGET_FIX = "collect again with a larger --max-size, or leave something out with --exclude"
