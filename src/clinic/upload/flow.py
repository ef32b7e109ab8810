"""What all connections of one upload share: the rate, the signal to stop, the patience with a bad network."""

from __future__ import annotations

import email.utils
import random
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timezone

from clinic.deadline import Deadline
from clinic.errors import Interrupted, ItemError, Silent, Unreachable
from clinic.outcome import Reason
from clinic.progress import Progress

BASE = 0.5
"""Seconds before the first try again, at most; doubled each time."""

CAP = 60.0
"""Most seconds between two tries, but for what a server asks."""

LONGEST_ASKED = 600.0
"""Most seconds that a server's `Retry-After` is followed."""

GIVE_UP = 900.0
"""Seconds without progress after which an upload is left for later."""

SENT, RESUMED = "sent", "resumed"
"""What `Progress.moved` hears: bytes that were handed over, and where it goes on instead."""

_BURST = 0.25
"""Seconds' worth of bytes that may go at once under a limit."""


class Stop:
    """Ctrl-C: the first lets the part that is on its way end, the second ends it at once."""

    def __init__(self) -> None:
        self.soon = threading.Event()
        self.now = threading.Event()

    def __call__(self) -> None:
        """Asked to stop, once more."""
        if self.soon.is_set():
            self.now.set()
        self.soon.set()

    def check(self) -> None:
        """Raise `Interrupted` between two parts when asked to stop."""
        if self.soon.is_set():
            raise interrupted()


def interrupted() -> Interrupted:
    """The upload was stopped, and can be gone on with."""
    return Interrupted("the upload was stopped", hint="the same command goes on where it stopped")


class Pace:
    """A limit in bytes a second for all connections together: a bucket of tokens."""

    def __init__(self, rate: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        """`rate` None: no limit."""
        self._rate = rate
        self._clock = clock
        self._free = clock()
        self._lock = threading.Lock()

    def wait_for(self, size: int) -> float:
        """Seconds to wait before `size` more bytes may go."""
        if self._rate is None:
            return 0.0
        with self._lock:
            now = self._clock()
            self._free = max(self._free, now - _BURST) + size / self._rate
            return max(0.0, self._free - now)


class Patience:
    """When to try again, and when to leave it for later. Shared by all connections: they can't multiply."""

    def __init__(
        self, stop: Stop, progress: Progress, *, give_up: float = GIVE_UP, base: float = BASE
    ) -> None:
        self._stop = stop
        self._progress = progress
        self._give_up = give_up
        self._base = base
        self._random = random.Random()
        self._lock = threading.Lock()
        self._tries = 0
        self._since = time.monotonic()

    def moved(self) -> None:
        """Something got through: everything is well again."""
        with self._lock:
            self._tries = 0
            self._since = time.monotonic()

    def wait(self, why: str, asked: float | None = None) -> None:
        """Sleep before the next try. Raises `Unreachable` after too long without progress, `Interrupted`."""
        with self._lock:
            seconds = self.pause(self._tries, asked)
            self._tries += 1
            spent = time.monotonic() - self._since
        if spent + seconds > self._give_up:
            raise Unreachable(
                f"nothing got through for {spent:.0f} s: {why}",
                hint="the same command goes on where it stopped",
            )
        self._progress.say(f"{why}; trying again in {seconds:.1f} s")
        if self._stop.soon.wait(seconds):
            raise interrupted()

    def pause(self, tries: int, asked: float | None) -> float:
        """Seconds before try number `tries`: chance decides, so that many senders do not come back at once."""
        chosen = self._random.uniform(0, min(CAP, self._base * 2.0 ** min(tries, 20)))
        return chosen if asked is None else max(chosen, min(asked, LONGEST_ASKED))


class Flow:
    """What one upload's bytes pass on their way."""

    def __init__(
        self, progress: Progress | None = None, stop: Stop | None = None, *, rate: float | None = None,
        give_up: float = GIVE_UP, stall: float = 60.0, base: float = BASE,
    ) -> None:  # fmt: skip
        """`rate` in bytes a second, None for no limit; `stall` seconds without a byte end a connection.

        After `give_up` seconds without progress it is left for later; `base` bounds the first pause between tries.
        """
        self.progress = progress or Progress()
        self.stop = stop or Stop()
        self.stall = stall
        self.pace = Pace(rate)
        self._at = 0
        self._counting = threading.Lock()
        self.patience = Patience(self.stop, self.progress, give_up=give_up, base=base)

    def deadline(self, stall: float | None = None) -> Deadline:
        """For one exchange: a second Ctrl-C ends it, and so does silence."""
        return Deadline(None, stall=stall or self.stall, cancelled=self.stop.now)

    def begin(self, size: int) -> None:
        """Bytes begin to be sent, `size` in all."""
        self._at = 0
        self.progress.begin("sending", 1, size)

    def resume(self, at: int) -> None:
        """The next byte is this one, wherever it was before: after a break, or in a later run."""
        if at != self._at:
            self.progress.moved(RESUMED, at - self._at)
        self._at = at

    def went(self, size: int) -> None:
        """So many more bytes were handed over."""
        with self._counting:
            self._at += size
        self.progress.moved(SENT, size)

    def passing(self, size: int, deadline: Deadline) -> None:
        """Wait until `size` more bytes may go."""
        seconds = self.pace.wait_for(size)
        while seconds > 0:
            step = min(seconds, 1.0)
            deadline.pause(step)
            deadline.moved()
            seconds -= step


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds that a server asks to be left alone, from either form of `Retry-After`; None where it does not.

    A date is held against the server's own clock where it tells it: ours may be wrong.
    """
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    until = http_date(text)
    if until is None:
        return None
    at = http_date(headers.get("Date", "")) or now or datetime.now(timezone.utc)
    return max(0.0, (until - at).total_seconds())


def http_date(text: str) -> datetime | None:
    """A date as HTTP writes it; None for what is none."""
    try:
        found = email.utils.parsedate_to_datetime(text)
    except (ValueError, IndexError, TypeError):
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=timezone.utc)


def passing_trouble(error: ItemError) -> bool:
    """Whether what broke an exchange may be over in a moment."""
    return error.transient or isinstance(error, Silent) or error.reason in (Reason.STALLED, Reason.DEADLINE)
