"""What a server can't answer for the moment: it has no leader, or too much to do."""

from __future__ import annotations

import threading
import time

from clinic.client.address import Address
from clinic.errors import ItemError, NotYet, Unready
from clinic.outcome import Reason

PATIENCE = 10.0
"""Seconds for which a server without a leader, or too busy, is asked again; an election takes a few."""

UNREADY_SECONDS = 1.0
"""For the beginning of an answer of a server that is not ready: what it can answer all the same it answers at once."""

RECENTLY = 2.0
"""Seconds for which it counts that a server was not ready for a question."""

GIVEN_UP = 10.0
"""The same once it was not ready for `PATIENCE`."""


class Readiness:
    """The questions for which one server is not ready."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._lock = threading.Lock()
        self._failing: dict[str, float] = {}
        self._said = ""
        self._said_at = 0.0

    def begin(self, seconds: float) -> float:
        """Seconds that it gets for the beginning of an answer."""
        return min(seconds, UNREADY_SECONDS) if self._failing else seconds

    def answered(self, path: str) -> None:
        """It gave a good answer. That it was not ready is over as soon as one of the questions that failed has one."""
        with self._lock:
            if path in self._failing:
                self._failing.clear()

    def refused(self, path: str, said: str, wait: float) -> ItemError:
        """It said that it is not ready, and how many seconds that will last: what to raise."""
        with self._lock:
            self._failing.setdefault(path, time.monotonic())
            self._said, self._said_at = said, time.monotonic()
            return self._error(wait, said)

    def not_waited_for(self, path: str) -> ItemError | None:
        """What to raise where the answer did not begin: None unless it is not ready for other questions.

        This one then counts as one that it can't answer either.
        """
        with self._lock:
            if not self._failing:
                return None
            self._failing.setdefault(path, time.monotonic())
            return self._error(1.0, f"{self._address}{path} was not waited for, as {self._said}")

    def require(self, path: str) -> None:
        """Raise what came of the same question a moment ago: that it can't answer it for the moment."""
        with self._lock:
            if path not in self._failing:
                return
            counts = RECENTLY if self._patient else GIVEN_UP
            left = self._said_at + counts - time.monotonic()
            if left > 0:
                raise self._error(left, f"{self._address}{path} was not asked again, as {self._said}")

    @property
    def _patient(self) -> bool:
        return time.monotonic() - min(self._failing.values()) < PATIENCE

    def _error(self, wait: float, text: str) -> ItemError:
        """`NotYet` while the server may still become ready, `Unready` once it has not been for `PATIENCE`."""
        return (
            NotYet(Reason.BAD_ANSWER, text, after=wait) if self._patient else Unready(Reason.BAD_ANSWER, text)
        )
