"""Whether a node is short of something: then nothing new is begun on it, long streams pause, and we wait."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from clinic.deadline import Deadline
from clinic.errors import Failed, ItemError
from clinic.outcome import Reason

LOOK = (
    b"grep -h -s -E '^([0-9.]+ [0-9.]+ |full |MemTotal:|MemAvailable:|processor)' /proc/loadavg /proc/pressure/io"
    b" /proc/pressure/memory /proc/meminfo /proc/cpuinfo"
)
"""Asks a node how it is: proc_loadavg(5), the kernel's accounting/psi, proc_meminfo(5)."""

EVERY = 15.0
"""Seconds that an answer counts."""

PAUSE = 2.0
"""Seconds between two looks while we wait."""

PATIENCE = 20.0
"""Most seconds that one item waits before it begins; then it is left out."""

MOST_HELD = 60.0
"""Most seconds that one long stream is held up on its way, all its pauses together; then it is cut."""

MAX_LOAD = 16.0
"""Processes that want to run, or wait for a disk, for each processor."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From when on a node is left alone."""

    load: float = MAX_LOAD
    """Processes that want to run, or wait for a disk, for each processor (the load of a minute)."""

    stalled: float = 40.0
    """Per cent of the last ten seconds in which nothing went on for want of disks or of memory (PSI, `full`)."""

    memory: float = 0.02
    """Part of the memory that is still available."""

    def __str__(self) -> str:
        return (
            f"a load of {self.load:g} for each processor, {self.stalled:g} % of the time waiting for disks or memory,"
            f" {self.memory:.0%} of the memory left"
        )


def strain(said: str, limits: Thresholds) -> str:
    """What a node is short of, by its answer to `LOOK`; empty where it is not."""
    load = re.match(r"([\d.]+) ", said)
    processors = len(re.findall(r"(?m)^processor", said))
    per = float(load[1]) / processors if load and processors else 0.0
    if per > limits.load:
        return f"its load is {per:.1f} for each processor"
    stalled = max((float(value) for value in re.findall(r"(?m)^full avg10=([\d.]+)", said)), default=0.0)
    if stalled > limits.stalled:
        return f"it waits for its disks or memory {stalled:.0f} % of the time"
    total, free = (re.search(rf"(?m)^{name}:\s+(\d+)", said) for name in ("MemTotal", "MemAvailable"))
    if total and free and int(free[1]) < limits.memory * int(total[1]):
        return f"{int(free[1]) / max(1, int(total[1])):.1%} of its memory is left"
    return ""


class Gate:
    """Lets work on one node begin and go on, unless that is short of something."""

    def __init__(self, ask: Callable[[Deadline], str], limits: Thresholds, name: str) -> None:
        """`ask` puts `LOOK` to the node."""
        self._ask = ask
        self._limits = limits
        self._name = name
        self._lock = threading.Lock()
        self._looked: float | None = None
        self._short = ""
        self._waiting = 0
        self.paused = 0.0
        """Seconds that items waited here, together."""

    @property
    def waiting(self) -> str:
        """What the node is short of, while somebody waits for it; empty while nobody does."""
        with self._lock:
            return self._short if self._waiting else ""

    def enter(self, deadline: Deadline) -> None:
        """Wait until the node is at ease. Raises `Failed` where it is not in time, and what `deadline` raises."""
        self._wait(deadline, PATIENCE)

    def hold(self) -> Callable[[Deadline], None]:
        """For one long stream: what it calls before each piece that it takes.

        While the node is short of something nothing is taken, and so nothing is sent there: what writes waits.
        """
        held = 0.0

        def step(deadline: Deadline) -> None:
            nonlocal held
            held += self._wait(deadline, MOST_HELD - held)

        return step

    def _wait(self, deadline: Deadline, patience: float) -> float:
        """The seconds that it took until the node was at ease."""
        if not self._look(deadline):
            return 0.0
        started = time.monotonic()
        with self._lock:
            self._waiting += 1
        try:
            while short := self._look(deadline):
                waited = time.monotonic() - started
                if waited >= patience:
                    raise Failed(
                        Reason.SERVER_PROTECTED,
                        f"{self._name} was left alone: {short}, after {waited:.0f} s of waiting",
                        fix=f"when it is at ease: clinic collect --resume BUNDLE (limits: {self._limits})",
                    )
                deadline.pause(PAUSE)
                deadline.moved()  # It is us who wait: nothing has stalled.
            return time.monotonic() - started
        finally:
            with self._lock:
                self._waiting -= 1
                self.paused += time.monotonic() - started

    def heard(self, said: str) -> str:
        """Note the node's answer to `LOOK`; what it is short of."""
        with self._lock:
            self._looked, self._short = time.monotonic(), strain(said, self._limits)
            return self._short

    def _look(self, deadline: Deadline) -> str:
        with self._lock:
            age = EVERY if not self._short else PAUSE
            if self._looked is not None and time.monotonic() - self._looked < age:
                return self._short
            self._looked = time.monotonic()  # One asks; the others go by what is known meanwhile.
        try:
            said = self._ask(deadline)
        except ItemError:
            deadline.check()
            said = ""  # It does not say; the work itself will tell what is wrong.
        return self.heard(said)
