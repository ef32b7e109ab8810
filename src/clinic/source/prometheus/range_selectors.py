"""The other way to a server's samples, where it has no remote read in chunks: range selectors, as large as it bears."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, cast

from clinic.errors import Failed, ItemError, Partial, Retryable, Skip, TimedOut
from clinic.outcome import Reason
from clinic.source.base import Doors
from clinic.source.prometheus.check import Checking
from clinic.source.prometheus.counts import Told
from clinic.source.prometheus.pacing import Care
from clinic.source.prometheus.piece import Piece
from clinic.source.prometheus.retry import Patience, halves
from clinic.source.prometheus.server import QUERY, PromServer
from clinic.units import MIB, human_size

ANSWER = 6 * MIB
"""Bytes of the answer to one selector: two hundred thousand samples, which is what is held at once."""

SAMPLES = 150_000
"""Samples that one selector should give, by the server's own count of series."""

SCRAPE = 15_000
"""Milliseconds between two samples, as far as is known before they come."""

MOST_VALUES = 11_000
"""Values of a series that Prometheus gives in one range query."""

WAY = "range selectors"
"""What a metric's row says that came so."""


def downsampled(step: int) -> str:
    """What is said where only a value each `step` milliseconds was wanted."""
    return f"range queries, a value each {step / 1000:g} s"


class Selecting:
    """Takes metrics one by one, each in stretches of time, or parts of its series, that the server bears."""

    def __init__(self, talk: PromServer, doors: Doors, care: Care, told: Told, check: Checking) -> None:
        self._talk = talk
        self._doors = doors
        self._care = care
        self._told = told
        self._check = check
        self._taken = 0
        self._span = 0
        self._over: ItemError | None = None
        self._patience: dict[str, Patience] = {}

    def lines(self, pieces: Sequence[tuple[Piece, str]], room: int | None) -> Iterator[bytes]:
        """A line of JSON for each series and stretch: `metric`, `values`, `timestamps` (milliseconds).

        `pieces` come with why they did not come as chunks. What can't be had is told as missing.
        """
        left = Counter(name for piece, _ in pieces for name in piece.names)
        for piece, why in pieces:
            for name in piece.names:
                yield from self._metric(replace(piece, names=(name,)), why, room)
                left[name] -= 1
                if not left[name]:
                    self._check.whole([name])

    def _metric(self, piece: Piece, why: str, room: int | None) -> Iterator[bytes]:
        patience = self._patience.setdefault(piece.names[0], Patience())
        waiting = self._stretches(piece) if patience.left else []
        way = why if piece.step else f"{WAY}: {why.removeprefix(f'{WAY}: ')}"
        while waiting:
            self._doors.deadline.check()
            self._look(room)
            if self._over is not None:
                self._told.miss(piece.names, self._over)
                return
            one = waiting.pop(0)
            try:
                found = ask(self._talk, one)
            except (Retryable, Failed, Partial, Skip, TimedOut) as error:
                self._doors.deadline.check()
                waiting[:0] = self._instead(one, error, patience)
                continue
            patience.went_well()
            self._span = one.end - one.start
            for line in found:
                self._taken += len(line)
                self._note(line, piece.names[0], way)
                yield line

    def _look(self, room: int | None) -> None:
        if self._over is None and room is not None and self._taken >= room:
            self._over = Partial(Reason.OVER_BUDGET, f"{human_size(room)} are taken, which was the bound")
        self._over = self._over or self._care.wait()

    def _stretches(self, piece: Piece) -> list[Piece]:
        """The piece in stretches of time as long as what went well last, and of no more samples than they should."""
        series = max(1, self._told.known(piece.names[0]) or 1)
        longest = (
            min(SAMPLES // series, MOST_VALUES) * piece.step if piece.step else SAMPLES * SCRAPE // series
        )
        span = min(2 * self._span or piece.end - piece.start, longest)
        found = [piece]
        while found and found[0].end - found[0].start > max(span, 2):
            smaller = [half for one in found for half in one.by_time(1)]
            if not smaller or len(smaller) > 256:
                break
            found = smaller
        return found

    def _instead(self, one: Piece, error: ItemError, patience: Patience) -> list[Piece]:
        """What to ask for instead of what failed."""
        wait = patience.wait(error)
        if wait is not None:
            self._doors.deadline.pause(wait)
            return [one]
        if patience.gone(error, self._talk):
            self._over = error
        smaller = (
            halves(self._talk, one, time_first=True)
            if patience.left and self._over is None and not isinstance(error, Skip)
            else []
        )
        if not smaller:
            self._told.miss(one.names, error)
        return smaller

    def _note(self, line: bytes, name: str, way: str) -> None:
        row = json.loads(line)
        moments = cast("list[int]", row["timestamps"])
        series = hash(json.dumps(row["metric"], sort_keys=True))
        self._told.add(name, series, 1, len(moments), moments[0], moments[-1], way=way)
        self._check.add(name, moments)


def ask(talk: PromServer, one: Piece) -> list[bytes]:
    """A line for each series of the piece. Raises as `PromServer.fetch` does, `Failed` for what is no answer."""
    end = f"{one.end / 1000:.3f}"
    if one.step:
        query = [("query", one.selector), ("start", f"{one.start / 1000:.3f}"), ("end", end)]
        body = talk.fetch(f"{QUERY}_range", [*query, ("step", f"{one.step / 1000:.3f}")], ANSWER)
    else:
        body = talk.fetch(QUERY, [("query", one.range_selector), ("time", end)], ANSWER)
    try:
        found = cast("dict[str, Any]", json.loads(body))
        results = cast("list[dict[str, Any]]", found["data"]["result"])
        lines = [_line(each, one.start) for each in results]
    except (ValueError, KeyError, TypeError) as error:
        raise Failed(Reason.BAD_ANSWER, f"an answer that holds no series: {error}") from error
    return [line for line in lines if line]


def _line(one: dict[str, Any], start: int) -> bytes:
    pairs = [(round(float(moment) * 1000), value) for moment, value in cast("list[list[Any]]", one["values"])]
    kept = [(moment, value) for moment, value in pairs if moment >= start]
    if not kept:
        return b""
    row = {
        "metric": one["metric"], "values": [value for _, value in kept],
        "timestamps": [moment for moment, _ in kept],
    }  # fmt: skip
    return json.dumps(row, separators=(",", ":")).encode() + b"\n"
