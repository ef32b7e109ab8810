"""The care of a server that is asked for much: how it is, when it is left alone for a while, and when for good."""

from __future__ import annotations

from clinic.errors import Failed, ItemError, Partial, Retryable, Skip
from clinic.outcome import Reason
from clinic.source.base import Doors, Ran
from clinic.source.prometheus.server import Health, PromServer
from clinic.units import GIB, MIB, human_size

PAUSE_AT, STOP_AT = 256 * MIB, GIB
"""Growth of the server's heap at which it is left alone for a while, and for good."""

SLOW, PAUSE = 2.0, 5.0
"""Seconds that a small answer may take, and for how long a server is left alone that took longer."""

PAUSES = 30
"""Pauses in a row after which it is left alone for good: Go cleans its heap every two minutes at the latest."""

RESTART = 6
"""Pauses after which a server that does not answer at all counts as gone."""

THRESHOLDS = {
    "pause_at_heap_growth": PAUSE_AT, "stop_at_heap_growth": STOP_AT, "pause_at_seconds": SLOW,
    "pause_seconds": PAUSE, "stop_after_pauses": PAUSES,
}  # fmt: skip
"""For the record."""


class Care:
    """Looks at one server between two requests."""

    def __init__(self, talk: PromServer, doors: Doors) -> None:
        self._talk = talk
        self._doors = doors
        self._before: Health | None = None
        self.most = 0
        """The largest growth of its heap that was seen."""
        self.pauses = 0
        """How often it was left alone."""

    def wait(self) -> ItemError | None:
        """Wait until the server is well. Gives why it has to be left alone for good; None when it may be asked."""
        why = ""
        for number in range(PAUSES):
            try:
                why, mendable = self._strain()
            except Retryable as error:
                if number == RESTART:
                    return error
                self._pause(error.message)
                continue
            if not why:
                return None
            if not mendable:
                break
            self._pause(why)
        return Partial(Reason.SERVER_PROTECTED, f"{self._talk.where} was left alone: {why}")

    def _pause(self, why: str) -> None:
        self.pauses += 1
        self._doors.deadline.pause(PAUSE)
        self._doors.deadline.moved()
        self._doors.ran(Ran("pause", f"left alone: {why}", self._talk.where, seconds=PAUSE))

    def _strain(self) -> tuple[str, bool]:
        """What speaks against asking the server now, and whether a pause may mend it. Raises `Retryable`."""
        try:
            now = self._talk.health()
        except (Skip, Failed):
            return "", True  # it tells nothing of itself, as a proxy does
        self._before = self._before or now
        # What it would have let its heap grow to without us is no growth.
        growth = now.heap - max(self._before.heap, self._before.goal)
        self.most = max(self.most, growth)
        grew = f"its own memory grew by {human_size(max(0, growth))}"
        if growth > STOP_AT:
            return f"{grew} (more than {human_size(STOP_AT)})", False
        if growth > PAUSE_AT:
            return f"{grew} (more than {human_size(PAUSE_AT)})", True
        slow = f"it took {now.seconds:.1f} s for a small answer (more than {SLOW:g} s)"
        return (slow, True) if now.seconds > SLOW else ("", True)
