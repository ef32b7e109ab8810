"""The scheduler: starts items in their order within the bounds, watches their clocks, records each end."""

from __future__ import annotations

import queue
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from clinic.bundle.record import Attempt, Record
from clinic.bundle.writer import BundleWriter
from clinic.errors import Cancelled, ClinicError, DiskFull, ItemError, Skip
from clinic.guard import guarded
from clinic.kinds import Stage
from clinic.outcome import Reason, Status
from clinic.plan import Plan, Planned
from clinic.progress import Progress
from clinic.redact import Redactor
from clinic.run.attempt import Execution, Past, as_earlier, better, waiting
from clinic.run.doors import Common

SLICE = 0.1
"""Seconds that the main thread sleeps at most, so that it hears signals."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much happens at once, and for how long."""

    total: int = 16
    """Items that run at once."""

    per_host: int = 4
    """Of those on one host."""

    per_server: int = 2
    """Of those that ask one server."""

    deadline: float | None = None
    """Seconds for all items together; what has not ended by then is cancelled."""

    learning: float = 5.0
    """Seconds after which an item that teaches the redactor is no longer waited for by the others.

    What a server tells so late is masked in what was written before.
    """

    grace: float = 2.0
    """Seconds past its deadline after which a stuck thread is given up."""

    def of(self, lane: str) -> int:
        """How many may run in `lane`."""
        return self.per_server if lane.startswith("server:") else self.per_host


class Engine:
    """Runs a plan. `stop` and `cancel` may be called from a signal handler."""

    def __init__(
        self,
        plan: Plan,
        common: Common,
        writer: BundleWriter,
        redactor: Redactor,
        *,
        bounds: Bounds,
        progress: Progress,
        before: Mapping[str, Record] | None = None,
    ) -> None:
        """`before` has what an earlier run had of items that are tried again, by the item's path."""
        self._plan = plan
        self._common = common
        self._writer = writer
        self._redactor = redactor
        self._bounds = bounds
        self._progress = progress
        self._before = dict(before) if before is not None else {}
        self._past = {path: Past.of(record) for path, record in self._before.items()}
        self._pending = list(plan.items)
        self._put_off: list[Planned] = []
        self._waits: dict[str, str] = {}
        self._again = False
        self._running: dict[str, Execution] = {}
        self._lanes: Counter[str] = Counter()
        self._ended: queue.SimpleQueue[tuple[str, Record | ClinicError]] = queue.SimpleQueue()
        self._cancelled = threading.Event()
        self._stopping = threading.Event()
        self._why = Cancelled(Reason.INTERRUPTED, "not begun: the run was stopped")
        self.records: list[Record] = []
        self.fault: ClinicError | None = None
        """What ended the run early: a full disk."""

    @property
    def interrupted(self) -> bool:
        """Whether a person or a signal stopped it."""
        return self._stopping.is_set()

    def stop(self) -> None:
        """Start nothing new; what runs may end."""
        self._stopping.set()

    def cancel(self) -> None:
        """Stop at once: what runs is killed."""
        self._stopping.set()
        self._cancelled.set()

    def execute(self) -> None:
        """Run everything. On return each planned item has exactly one record, also in the journal."""
        self._progress.places({planned.entry.path: planned.entry.host for planned in self._pending})
        self._progress.begin("collecting", len(self._pending), self._plan.size or None)
        started = time.monotonic()
        for record in self._plan.broken:
            self._record(record)
        while self._pending or self._running or self._put_off:
            self._bound(time.monotonic() - started)
            if not self._pending and not self._running:
                self._begin_again()
            self._start_ready()
            self._take_ended()
            self._give_up_stuck()
            self._tell_waits()
            self._progress.tick()
        self._progress.end()

    def _tell_waits(self) -> None:
        waits = self._common.waiting()
        for host in self._waits.keys() | waits.keys():
            if waits.get(host) != self._waits.get(host):
                self._progress.waits(host, waits.get(host, ""))
        self._waits = waits

    def _bound(self, elapsed: float) -> None:
        if (
            self._bounds.deadline is not None
            and elapsed > self._bounds.deadline
            and not self._cancelled.is_set()
        ):
            text = f"the run's deadline of {self._bounds.deadline:g} s passed"
            self._why = Cancelled(Reason.DEADLINE, text, fix="give a longer --deadline")
            self._cancelled.set()
        if self._stopping.is_set() or self._cancelled.is_set() or self.fault is not None:
            pending, self._pending, self._put_off = [*self._pending, *self._put_off], [], []
            for planned in pending:
                self._record(waiting(planned, self._why, self._attempts(planned.entry.path)))

    def _begin_again(self) -> None:
        """Everything else is done: what was put off has its second chance."""
        self._pending = sorted(self._put_off, key=lambda planned: planned.order)
        self._put_off, self._again = [], True
        self._common.again()

    def _start_ready(self) -> None:
        learning = self._learning()
        for planned in list(self._pending):
            if len(self._running) >= self._bounds.total:
                return
            if learning and planned.item.stage is not Stage.LEARN:
                return
            if self._has_room(planned):
                self._pending.remove(planned)
                self._start(planned)

    def _learning(self) -> bool:
        """Whether the learning stage goes on: nothing else should be written before it has ended."""
        late = time.monotonic() - self._bounds.learning
        running = any(
            one.planned.item.stage is Stage.LEARN and one.since > late for one in self._running.values()
        )
        return running or any(one.item.stage is Stage.LEARN and self._has_room(one) for one in self._pending)

    def _has_room(self, planned: Planned) -> bool:
        lane = planned.item.source.lane
        return self._lanes[lane] < self._bounds.of(lane)

    def _attempts(self, path: str) -> tuple[Attempt, ...]:
        return self._past[path].attempts if path in self._past else ()

    def _start(self, planned: Planned) -> None:
        impossible, path = planned.estimate.impossible, planned.entry.path
        if isinstance(impossible, Skip):
            self._record(waiting(planned, impossible, self._attempts(path)))
            return
        execution = Execution(
            planned, self._common, self._writer, self._redactor, self._progress, self._cancelled,
            self._past.get(path), again=self._again,
        )  # fmt: skip
        self._running[path] = execution
        self._lanes[planned.item.source.lane] += 1
        self._progress.started(path, f"{planned.entry.id} {planned.entry.host}".strip())
        # A daemon, so that a thread stuck in a dead file system can't keep the process from ending.
        threading.Thread(target=self._work, args=(execution,), name=f"item {path}", daemon=True).start()

    def _work(self, execution: Execution) -> None:
        outcome: Record | ClinicError
        try:
            outcome = guarded(execution.run)
        except ClinicError as error:
            outcome = error
        except ItemError as error:
            outcome = execution.record(error.status, error)
        self._ended.put((execution.planned.entry.path, outcome))

    def _take_ended(self) -> None:
        """Wait a moment for an end, then take all that there are."""
        timeout: float | None = SLICE if self._running else 0.0
        while True:
            try:
                path, outcome = self._ended.get(timeout=timeout) if timeout else self._ended.get_nowait()
            except queue.Empty:
                return
            timeout = None
            execution = self._running.pop(path, None)
            if execution is None:
                continue  # given up before; what it says now is too late
            self._release(execution)
            self._ended_with(execution, outcome)

    def _ended_with(self, execution: Execution, outcome: Record | ClinicError) -> None:
        if not isinstance(outcome, Record):
            self._record(self._fault(execution, outcome))
        elif execution.put_off:
            self._put_off.append(execution.planned)
            path = outcome.entry.path
            self._past[path] = replace(self._past.get(path, Past()), attempts=as_earlier(outcome))
        else:
            self._record(outcome)

    def _release(self, execution: Execution) -> None:
        self._lanes[execution.planned.item.source.lane] -= 1

    def _fault(self, execution: Execution, error: ClinicError) -> Record:
        """A full disk ends the run: the item that met it fails, the others are not begun."""
        self.fault = self.fault or error
        reason = Reason.DISK_FULL if isinstance(error, DiskFull) else Reason.COLLECTOR_ERROR
        self._why = Cancelled(reason, "not begun: " + error.message, fix=error.hint)
        return execution.record(Status.FAILED, Cancelled(reason, error.message, fix=error.hint))

    def _give_up_stuck(self) -> None:
        for path, execution in list(self._running.items()):
            if execution.overdue(self._bounds.grace):
                del self._running[path]
                self._release(execution)
                self._record(execution.abandon())

    def _record(self, record: Record) -> None:
        if record.status is Status.CANCELLED and self._why.reason is Reason.DEADLINE:
            record = replace(record, reason=self._why.reason, message=self._why.message, fix=self._why.fix)
        record = better(self._before.get(record.entry.path), record)
        self.records.append(record)
        try:
            self._writer.record(record)
        except ClinicError as error:
            # The journal can't take it; what is there may still be sealed, from what the writer knows.
            self.fault = self.fault or error
        self._progress.ended(record.entry.path, str(record.status))
