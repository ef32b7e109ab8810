"""One item, from its source to its record: streaming, partial results, retries, the audit of what was done."""

from __future__ import annotations

import itertools
import random
import threading
import time
from dataclasses import dataclass, replace
from datetime import datetime, timezone

from clinic.bundle.record import Action, Attempt, FileEntry, Record
from clinic.bundle.writer import BundleWriter, ItemWriter, PartWriter
from clinic.deadline import Deadline
from clinic.errors import Cancelled, Failed, ItemError, NotYet, Partial, Skip, TimedOut
from clinic.guard import guarded
from clinic.kinds import Stage
from clinic.outcome import Reason, Status
from clinic.plan import Planned
from clinic.progress import Progress
from clinic.redact import Redactor
from clinic.run.doors import AttemptDoors, Common
from clinic.source.base import Gap, Part, Ran

TRIES = 3
BACK_OFF = 0.2
"""Seconds before the second try; doubled for each further one, with full jitter."""

MOST_TRIES = 20
"""Of an item whose server says again and again that it will be ready in a moment."""

LONGEST_WAIT = 10.0
"""Seconds that a server may ask to be left alone for."""


@dataclass(frozen=True, slots=True)
class _End:
    """How one try ended."""

    status: Status
    """What goes on record."""

    error: ItemError | None
    """Why, when it is not plain ok."""

    files: tuple[FileEntry, ...] = ()
    """What is in the bundle."""

    missing: tuple[str, ...] = ()
    """Of a folder: what could not be had."""


@dataclass(frozen=True, slots=True)
class _Missing:
    """A file of a folder that could not be had."""

    text: str
    """Its name and why."""

    skipped: bool
    """Whether it was left alone on purpose: not permitted, a key."""

    lost: ItemError | None
    """What happened, where the connection was lost or none was made: it may be there for a later run."""


@dataclass(frozen=True, slots=True)
class Past:
    """What was tried before at an item."""

    attempts: tuple[Attempt, ...] = ()
    """The tries."""

    held: bool = False
    """Whether an earlier run has some of it: a try that is cut by the connection must not replace that."""

    @classmethod
    def of(cls, record: Record) -> Past:
        """What an earlier run had of it."""
        return cls(as_earlier(record), bool(record.files))


class Execution:
    """Carries out one planned item. `run` is called in a thread of its own, the rest from the scheduler's."""

    def __init__(
        self,
        planned: Planned,
        common: Common,
        writer: BundleWriter,
        redactor: Redactor,
        progress: Progress,
        cancelled: threading.Event,
        past: Past | None = None,
        *,
        again: bool = False,
    ) -> None:
        """`again` says that everything else is done: what was put off is tried for the last time."""
        self.planned = planned
        self.put_off = False
        """Whether it ended with what is worth another try when everything else is done."""
        self._again = again
        self._number = 1
        self._held = past is not None and past.held
        self.since = time.monotonic()
        """When it began, on the monotonic clock, whatever it tried since."""
        self._common = common
        self._writer = writer
        self._redactor = redactor
        self._progress = progress
        self._cancelled = cancelled
        self._attempts = list(past.attempts) if past is not None else []
        self._began = time.monotonic()
        self._started = _now()
        self._doors = self._new_doors()
        self._item_writer: ItemWriter | None = None
        self._expired: float | None = None

    def _new_doors(self) -> AttemptDoors:
        item, source = self.planned.item, self.planned.item.source
        seconds = item.deadline if item.deadline is not None else source.deadline
        stall = item.stall if item.stall is not None else source.stall
        return AttemptDoors(self._common, Deadline(seconds, stall=stall, cancelled=self._cancelled))

    def run(self) -> Record:
        """Try until it succeeds, fails for good, or has been tried often enough. Raises only `ClinicError`."""
        for number in itertools.count(1):
            self._began, self._started = time.monotonic(), _now()
            self._number = number
            self._doors = self._new_doors()
            end = self._once()
            pause = self._pause(end.error, number)
            if pause is None:
                return self.record(end.status, end.error, end.files, end.missing)
            self._attempts.append(self._attempt(end))
            try:
                self._doors.deadline.pause(pause)
            except ItemError as error:
                return self.record(error.status, error)
        raise AssertionError("the last try returns")

    def _pause(self, error: ItemError | None, number: int) -> float | None:
        """Seconds until the next try after the one with this `number`; None where there is none, or not now."""
        self.put_off = error is not None and error.later and not self._again
        if error is None or self.put_off:
            return None
        if isinstance(error, NotYet):
            return error.after if number < MOST_TRIES and error.after <= LONGEST_WAIT else None
        if not error.transient or number >= TRIES or self._again:
            return None
        return random.uniform(0, BACK_OFF * 2**number)

    def overdue(self, grace: float) -> bool:
        """Whether its bounds passed `grace` seconds ago and it is still not back: stuck in a call."""
        deadline = self._doors.deadline
        if not self._cancelled.is_set() and deadline.remaining() != 0.0:
            self._expired = None
        elif self._expired is None:
            self._expired = time.monotonic()
        grace += 0.0 if self._cancelled.is_set() else deadline.grace
        return self._expired is not None and time.monotonic() - self._expired > grace

    def abandon(self) -> Record:
        """Give up on a thread that does not come back: nothing it writes from now on reaches the bundle."""
        if self._item_writer is not None:
            self._item_writer.abandon()
        if self._cancelled.is_set():
            return self.record(Status.CANCELLED, Cancelled(Reason.INTERRUPTED, "stopped before it ended"))
        stuck = TimedOut(Reason.DEADLINE, "stuck in a call that does not return; given up after its deadline")
        return self.record(Status.TIMED_OUT, stuck)

    def record(
        self,
        status: Status,
        error: ItemError | None,
        files: tuple[FileEntry, ...] = (),
        missing: tuple[str, ...] = (),
    ) -> Record:
        """The record of an attempt that ended so."""
        mask = self._redactor.text
        return Record(
            self.planned.entry,
            status,
            reason=error.reason if error is not None else None,
            message=mask(error.message) if error is not None else "",
            fix=mask(error.fix) if error is not None else "",
            started=self._started,
            seconds=round(time.monotonic() - self._began, 3),
            files=files,
            missing=missing,
            actions=tuple(self._action(done) for done in tuple(self._doors.done)),
            attempts=tuple(self._attempts),
        )

    def _action(self, done: Ran) -> Action:
        mask = self._redactor.text
        return Action(
            done.kind, mask(done.what), done.where, done.whom, mask(done.outcome), round(done.seconds, 3)
        )

    def _attempt(self, end: _End) -> Attempt:
        reason, message = (end.error.reason, end.error.message) if end.error is not None else (None, "")
        seconds = round(time.monotonic() - self._began, 3)
        return Attempt(self._started, seconds, end.status, reason, self._redactor.text(message))

    def _once(self) -> _End:
        item = self.planned.item
        writer = self._writer.item(
            self.planned.entry, cap=item.cap, learn=item.stage is Stage.LEARN,
            observer=item.observer, observed=item.observed,
        )  # fmt: skip
        self._item_writer = writer
        missing: list[_Missing] = []
        try:
            error = self._stream(writer, missing)
            return self._judge(writer, error, missing)
        except ItemError as broken:
            writer.abandon()
            return _End(broken.status, broken)
        except BaseException:
            writer.abandon()
            raise

    def _stream(self, writer: ItemWriter, missing: list[_Missing]) -> ItemError | None:
        """Write every part; the error that ended it, or that of the only part."""
        try:
            parts = guarded(lambda: iter(self.planned.item.source.open(self._doors)))
            while (part := guarded(lambda: next(parts, None))) is not None:
                error = self._part(writer, part)
                if error is None:
                    continue
                if not self.planned.item.folder or _ends_all(error):
                    return error
                text = self._redactor.text(f"{part.name}: {error.message}")
                lost = error if error.reason is Reason.UNREACHABLE else None
                missing.append(_Missing(text, skipped=error.status is Status.SKIPPED, lost=lost))
        except ItemError as error:
            return error
        return None

    def _part(self, writer: ItemWriter, part: Part) -> ItemError | None:
        out = writer.part(self._redactor.text(part.name), part.content)
        try:
            plain = self._pump(out, part)
        except ItemError as error:
            self._keep(out, error)
            return error
        if plain:
            out.finish()
        else:
            out.discard()
        return None

    def _keep(self, out: PartWriter, error: ItemError) -> None:
        """What came before the error is worth keeping, marked as what it is; nothing is nothing."""
        if out.received:
            out.finish(reason=error.reason, message=self._redactor.text(error.message))
        else:
            out.discard()

    def _pump(self, out: PartWriter, part: Part) -> int:
        deadline, key = self._doors.deadline, self.planned.entry.path
        chunks = iter(part.chunks)
        while (chunk := guarded(lambda: next(chunks, None))) is not None:
            deadline.moved()
            if isinstance(chunk, Gap):
                out.gap(chunk.missing)
                continue
            out.write(chunk)
            self._progress.moved(key, len(chunk))
            deadline.check()
        return out.received

    def _keeps(self, error: ItemError) -> bool:
        """Whether what this try has counts though it was cut by what may pass: files of a folder, at the last try."""
        last = not isinstance(error, NotYet) and (self._again or self._number >= TRIES)
        return last and self.planned.item.folder and not self._held

    def _judge(self, writer: ItemWriter, error: ItemError | None, missing: list[_Missing]) -> _End:
        if error is not None and error.transient and not self._keeps(error):
            writer.abandon()
            return _End(error.status, error)
        lost = next((one.lost for one in missing if one.lost is not None), None)
        if lost is not None and self._held:
            writer.abandon()
            return _End(Status.FAILED, lost)
        files = writer.commit()
        if error is None and missing:
            error = _some_files(files, missing)
        if error is None and not files:
            error = Skip(Reason.EMPTY, "it is there, with nothing in it")
        if error is None:
            error = _cut(files)
        texts = tuple(one.text for one in missing)
        if error is None or (files and error.status is Status.SKIPPED):
            return _End(Status.OK, error, files, texts)
        status = Status.PARTIAL if files and error.status is Status.FAILED else error.status
        return _End(status, error, files, texts)


def _ends_all(error: ItemError) -> bool:
    """Whether the other files of a folder need not be tried: it is stopped, or its machine is to be left alone."""
    return isinstance(error, (TimedOut, Cancelled)) or error.reason is Reason.SERVER_PROTECTED


def _some_files(files: tuple[FileEntry, ...], missing: list[_Missing]) -> ItemError:
    """Files that may not be read, or are keys, are named and make nothing incomplete; those that failed do."""
    kind = Skip if all(one.skipped for one in missing) else Partial if files else Failed
    first = next((one for one in missing if one.lost is not None), missing[0])
    reason, fix = (Reason.UNREACHABLE, first.lost.fix) if first.lost is not None else (Reason.SOME_FILES, "")
    text = f"{len(missing)} of {len(files) + len(missing)} files could not be had: {first.text}"
    return kind(reason, text, fix=fix)


def _cut(files: tuple[FileEntry, ...]) -> ItemError | None:
    cut = [file for file in files if file.dropped]
    if not cut:
        return None
    reason = cut[0].reason or Reason.TRUNCATED
    return Partial(reason, f"{cut[0].path} is longer than its cap: its head and tail are kept")


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def waiting(planned: Planned, error: ItemError, earlier: tuple[Attempt, ...] = ()) -> Record:
    """The record of an item that never started."""
    return Record(
        planned.entry,
        error.status,
        reason=error.reason,
        message=error.message,
        fix=error.fix,
        attempts=earlier,
    )


def as_earlier(record: Record) -> tuple[Attempt, ...]:
    """The attempts of `record` and itself, for the record of a further try."""
    last = Attempt(record.started, record.seconds, record.status, record.reason, record.message)
    return (*record.attempts, last) if record.started else record.attempts


def better(before: Record | None, record: Record) -> Record:
    """`record`, or where it has no file and an earlier run had some, that run's with the new tries added."""
    if before is None or record.files or not before.files:
        return record
    fresh = as_earlier(record)[len(as_earlier(before)) :]
    return replace(before, attempts=(*before.attempts, *fresh))
