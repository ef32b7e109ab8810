"""What a run itself costs: the answer to "is it you who slows it down?"."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping

from clinic.bundle.record import Record

CONTROL = "(control machine)"
"""Key of Clinic's own cost; no host can have this name."""


class Footprint:
    """Measures from its making on."""

    def __init__(self, reached: Callable[[], Mapping[str, Mapping[str, float]]] = dict) -> None:
        """`reached` tells what reaching each host has cost."""
        self._reached = reached
        self._started = time.monotonic()
        self._cpu = _cpu_seconds()

    def values(self, records: Iterable[Record]) -> dict[str, dict[str, float]]:
        """Of this process and its children: seconds, CPU seconds, peak bytes of memory; of each host and
        server: how many commands, files, requests it was asked for, and what reaching it cost.
        """
        own = {
            "seconds": round(time.monotonic() - self._started, 3),
            "cpu_seconds": round(_cpu_seconds() - self._cpu, 3),
            "peak_memory": float(_peak_memory()),
        }
        done: dict[str, dict[str, float]] = {CONTROL: own}
        for place, cost in self._reached().items():
            done.setdefault(place, {}).update(cost)
        for record in records:
            for action in record.actions:
                of_place = done.setdefault(action.where or record.entry.host, {})
                of_place[action.kind] = of_place.get(action.kind, 0) + 1
        return done


def _cpu_seconds() -> float:
    import resource  # collecting is for Unix; reading a bundle must work without it

    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    )


def _peak_memory() -> int:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
