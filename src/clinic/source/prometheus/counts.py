"""What came of each metric: counted while it passes, written beside the samples, and judged in the end."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from clinic.errors import Failed, ItemError, Partial
from clinic.outcome import Reason
from clinic.units import plural

NAMED = 5
"""Metrics that are named in a message; the file names all."""


class _Told:
    """What came of one metric."""

    def __init__(self) -> None:
        self.open: set[int] = set()
        """Hashes of the labels of its series, while more may come of them."""
        self.series = self.samples = self.chunks = self.start = self.end = 0
        self.runs = 0
        """How often a series of it began: more often than there are series where one comes in pieces."""
        self.latest = 0
        """Which series came last."""
        self.way = ""
        """How it came where that is not how most came."""


class Told:
    """Of all metrics of one server."""

    def __init__(self, listed: Mapping[str, int]) -> None:
        """`listed`: how many series the server says that each metric has, as far as it was asked; it may grow."""
        self._told: dict[str, _Told] = {}
        self._listed = listed
        self.missing: dict[str, str] = {}
        """Metrics that are not here, or not whole, and why."""
        self._problem: ItemError | None = None

    @property
    def empty(self) -> bool:
        """Whether nothing came."""
        return not self._told

    def add(
        self, name: str, series: int, chunks: int, samples: int, start: int, end: int, *, way: str = ""
    ) -> None:
        """One more piece of a series; `series` is the hash of its labels."""
        told = self._told.setdefault(name, _Told())
        told.open.add(series)
        told.runs += series != told.latest
        told.latest, told.way = series, way
        told.samples += samples
        told.chunks += chunks
        told.start = min(told.start, start) if told.start else start
        told.end = max(told.end, end)

    def known(self, name: str) -> int | None:
        """How many series the server said that it has; None where it was not asked."""
        return self._listed.get(name)

    def close(self, name: str) -> bool:
        """No more comes of it. Gives whether fewer series came than the server listed."""
        told = self._told.get(name)
        if told is not None and told.open:
            told.series, told.open = len(told.open), set()
        return self.series(name) < self._listed.get(name, 0)

    def series(self, name: str) -> int:
        """How many series came."""
        told = self._told.get(name)
        return told.series + len(told.open) if told is not None else 0

    def miss(self, names: Iterable[str], error: ItemError) -> None:
        """These are not here, or not whole."""
        for name in names:
            self.missing.setdefault(name, error.message)
        self._problem = error

    def rows(self, head: Mapping[str, object]) -> bytes:
        """A line of JSON that says how it was got, then one for each metric."""
        names = sorted({*self._told, *self.missing})
        return b"".join(json.dumps(row).encode() + b"\n" for row in (head, *map(self._row, names)))

    def _row(self, name: str) -> dict[str, object]:
        row: dict[str, object] = {"metric": name}
        told = self._told.get(name)
        if told is not None:
            series = self.series(name)
            row |= {"series": series, "samples": told.samples, "chunks": told.chunks}
            row |= {"first": told.start, "last": told.end}
            row |= {"listed": self._listed[name]} if name in self._listed else {}
            row |= {"in_pieces": True} if told.runs > series else {}
            row |= {"way": told.way} if told.way else {}
        if name in self.missing:
            row["missing"] = self.missing[name]
        return row

    def judge(self) -> None:
        """Raise `Partial`, or `Failed` where nothing came, for what is missing, with the names of the first."""
        if not self.missing:
            return
        names = ", ".join(list(self.missing)[:NAMED])
        more = " ..." if len(self.missing) > NAMED else ""
        reason = self._problem.reason if self._problem is not None else Reason.GAP
        why = next(reversed(self.missing.values()))
        text = f"{plural(len(self.missing), 'metric')} not here, or not whole ({names}{more}): {why}"
        raise (Failed if self.empty else Partial)(reason, text)
