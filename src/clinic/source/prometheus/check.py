"""Whether what came of a metric is what the server has: its series, and of some metrics its samples."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

from clinic.errors import Failed, Partial, Retryable, Skip, TimedOut
from clinic.formats.readframes import BadFrame, series
from clinic.formats.xorchunk import STALE, BadChunk, decode
from clinic.outcome import Reason
from clinic.source.prometheus.counts import Told
from clinic.source.prometheus.selection import Wish
from clinic.source.prometheus.server import PromServer

VERIFIED = 24
"""Metrics whose samples are counted by the server too."""

COUNTED = 2_000_000
"""Samples that are counted for that at most: some seconds."""

_XOR = 1


class Checking:
    """Looks at each metric once all of it came."""

    def __init__(self, talk: PromServer, told: Told, wish: Wish, names: Sequence[str]) -> None:
        self._talk = talk
        self._told = told
        self._wish = wish
        self._left = COUNTED
        self.seed = talk.end
        """What the sample was drawn with: the window's end."""
        drawn = random.Random(self.seed).sample(sorted(names), min(VERIFIED, len(names)))
        self._counts: dict[str, list[int]] = {name: [0, 0] for name in drawn} if wish.verify else {}
        self.verified = 0
        """Metrics whose samples the server counted as we did."""

    def frame(self, message: bytes, names: Iterable[str]) -> None:
        """Count the samples of a frame that has series of these metrics, where one of them is to be verified.

        Raises `Failed` for what can't be read.
        """
        if self._left <= 0 or self._counts.keys().isdisjoint(names):
            return
        try:
            for one in series(message):
                name = dict(one.labels).get(b"__name__", b"").decode("utf-8", "replace")
                if name in self._counts:
                    for chunk in one.chunks:
                        self._add(name, chunk.encoding, chunk.data)
        except (BadFrame, BadChunk) as error:
            raise Failed(Reason.BAD_ANSWER, f"{self._talk.where}: {error}") from error

    def _add(self, name: str, encoding: int, data: bytes) -> None:
        if encoding != _XOR:
            self._counts.pop(name)  # a histogram that ended looks like one that did not
            return
        moments = [moment for moment, bits in decode(data) if bits != STALE]
        self.add(name, moments)

    def add(self, name: str, moments: Sequence[int]) -> None:
        """Samples of a metric came at these times."""
        if name in self._counts:
            self._left -= len(moments)
            self._counts[name][0] += len(moments)
            self._counts[name][1] += moments.count(self._talk.start)

    def whole(self, names: Iterable[str]) -> None:
        """No more comes of these metrics: what the server has more of them is missing."""
        for name in names:
            fewer = self._told.close(name)
            if name in self._told.missing:
                continue
            why = (self._series(name) if fewer else "") or self._samples(name)
            if why:
                self._told.miss([name], Partial(Reason.GAP, why))

    def _series(self, name: str) -> str:
        """The list also has series whose chunks reach into the window without a sample in it: of those none comes."""
        selector = self._talk.piece([name], self._wish.labels).range_selector
        theirs, came = self._asked(f"count(count_over_time({selector}))"), self._told.series(name)
        if theirs is None:
            theirs = self._told.known(name) or 0
        return f"{came:,} series came of {theirs:,.0f} that {self._talk.where} has" if theirs > came else ""

    def _samples(self, name: str) -> str:
        counted = self._counts.pop(name, None)
        if counted is None or self._left <= 0:
            return ""
        piece = self._talk.piece([name], self._wish.labels)
        theirs = self._asked(f"sum(count_over_time({piece.selector}[{piece.end - piece.start}ms]))")
        if theirs is None:
            return ""
        ours, at_start = counted
        # Whether a sample exactly at the beginning belongs to a range is answered both ways.
        if theirs in (ours, ours - at_start):
            self.verified += 1
            return ""
        return f"{ours:,} samples came, and {self._talk.where} counts {theirs:,.0f}"

    def _asked(self, expression: str) -> float | None:
        try:
            return self._talk.value(expression)
        except (Skip, Failed, Retryable, Partial, TimedOut):
            return None
