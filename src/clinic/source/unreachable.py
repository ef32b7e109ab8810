"""Which servers could not answer a moment ago: what one item met, the others need not wait for."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from clinic.client.readiness import PATIENCE
from clinic.errors import ItemError, NotYet, Unready

REMEMBERED = 10.0
"""Seconds for which a server that could not answer is asked last."""

RECENTLY = 4.0
"""Seconds for which servers that said that they are not ready need not say so again."""


@dataclass(frozen=True, slots=True)
class _Unready:
    """A server that said that it can't answer for the moment."""

    since: float
    """When it said so first."""

    last: float
    """When it said so last."""

    error: ItemError
    """Its words."""


class Standing:
    """How the servers of a run stand: known to all its items."""

    def __init__(self) -> None:
        self._failed: dict[str, float] = {}
        self._unready: dict[str, _Unready] = {}
        self._lock = threading.Lock()

    def well(self, lane: str) -> bool:
        """Whether nothing speaks against asking it."""
        with self._lock:
            return not self._failed_lately(lane)

    def note(self, lane: str, *, failed: bool) -> None:
        """Keep how it answered."""
        with self._lock:
            if failed:
                self._failed[lane] = time.monotonic()
            else:
                self._failed.pop(lane, None)

    def note_unready(self, lane: str, error: ItemError) -> None:
        """Keep that it said that it can't answer for the moment."""
        now = time.monotonic()
        with self._lock:
            before = self._unready.get(lane)
            since = before.since if before is not None and now - before.last < REMEMBERED else now
            self._unready[lane] = _Unready(since, now, error)

    def require_ready(self, lanes: frozenset[str]) -> None:
        """Raise what they said when all of several servers can't answer for the moment: they have no leader.

        One that can't be reached has none either. That one answers something else proves nothing.
        """
        now = time.monotonic()
        with self._lock:
            unready = {
                lane: one for lane in lanes if (one := self._unready.get(lane)) and now - one.last < RECENTLY
            }
            absent = {lane for lane in lanes if lane not in unready and self._failed_lately(lane)}
        if not unready or len(lanes) == 1 or len(unready) + len(absent) < len(lanes):
            return
        error = max(unready.values(), key=lambda one: one.last).error
        since = min(one.since for one in unready.values())
        raise (NotYet if now - since < PATIENCE else Unready)(error.reason, error.message)

    def _failed_lately(self, lane: str) -> bool:
        since = self._failed.get(lane)
        return since is not None and time.monotonic() - since < REMEMBERED
