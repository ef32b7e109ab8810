"""One clock for one attempt: when it must end, when it has stalled, and whether it was called off."""

from __future__ import annotations

import threading
import time

from clinic.errors import Cancelled, TimedOut
from clinic.outcome import Reason


class Deadline:
    """Bounds one attempt at one item, on the monotonic clock.

    Every blocking call of a door (a command, a read, a request) takes `wait()` as its time-out and calls
    `check()` when it wakes, so that nothing outlives the attempt that asked for it.
    """

    SLICE = 0.2
    """Seconds between two looks at the cancel flag, so that a second Ctrl-C is felt at once."""

    def __init__(
        self, seconds: float | None, *, stall: float | None = None, cancelled: threading.Event | None = None
    ) -> None:
        """`seconds` bounds the whole, `stall` the time without a byte; None means no such bound."""
        self.seconds = seconds
        self.stall = stall
        self._cancelled = cancelled if cancelled is not None else threading.Event()
        self._started = self._moved = time.monotonic()
        self.grace = 0.0
        """Seconds that what ends at a bound may take for that."""

    def moved(self) -> None:
        """Say that bytes came: the stall clock starts anew."""
        self._moved = time.monotonic()

    def ending(self, seconds: float) -> None:
        """Say that what is being ended may take so long to end: it is not stuck until then."""
        self.grace = seconds

    def cancel(self) -> None:
        """Call the attempt off: its next `check()` raises."""
        self._cancelled.set()

    def remaining(self) -> float | None:
        """Seconds until the nearer of the two bounds; None when there is none. Never below zero."""
        now = time.monotonic()
        left = [
            start + bound - now
            for start, bound in ((self._started, self.seconds), (self._moved, self.stall))
            if bound is not None
        ]
        return max(0.0, min(left)) if left else None

    def wait(self) -> float:
        """How long a blocking call may sleep before it has to `check()` again, in seconds."""
        left = self.remaining()
        return self.SLICE if left is None else min(self.SLICE, left)

    def check(self) -> None:
        """Raise `Cancelled` when called off, `TimedOut` when a bound has passed."""
        if self._cancelled.is_set():
            raise Cancelled(Reason.INTERRUPTED, "stopped before it ended")
        now = time.monotonic()
        if self.seconds is not None and now - self._started >= self.seconds:
            raise TimedOut(Reason.DEADLINE, f"not done after {self.seconds:g} s")
        if self.stall is not None and now - self._moved >= self.stall:
            raise TimedOut(Reason.STALLED, f"no byte for {self.stall:g} s")

    def pause(self, seconds: float) -> None:
        """Sleep, but no longer than the bounds allow; raises as `check()` does."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._cancelled.wait(min(left, self.wait() or 0.001))
            self.check()
