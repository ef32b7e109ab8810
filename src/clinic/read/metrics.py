"""What metrics a bundle has, and the samples of chosen series as arrays."""

from __future__ import annotations

import itertools
import json
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

from clinic.errors import BadBundle, UsageError
from clinic.formats.readframes import Chunk, Labels
from clinic.formats.xorchunk import STALE, BadChunk, decode, to_float
from clinic.read.fromdiag import FromDiag
from clinic.read.open import Opened
from clinic.read.samples import XOR, MetricsOf, answers, pieces
from clinic.read.selector import NAME, Selector
from clinic.units import MIB

LARGEST = 64 * MIB
"""Bytes of the file that says what came of each metric."""

HOLE = 5
"""Times the usual distance between two samples from which on it is a hole."""


@dataclass(frozen=True, slots=True)
class Metric:
    """What came of one metric."""

    name: str
    """Its name."""

    series: int
    """How many series."""

    samples: int
    """How many samples."""

    first: int
    """Time of the first sample, milliseconds since 1970."""

    last: int
    """Time of the last one."""

    missing: str = ""
    """Why it is not here, or not whole; empty when it is."""

    in_pieces: bool = False
    """Whether a series of it comes in several pieces that do not follow each other."""


class Samples:
    """One series; it grows while it is read."""

    __slots__ = ("histograms", "labels", "times", "values")

    def __init__(self, labels: dict[str, str]) -> None:
        self.labels = labels
        """What identifies it."""
        self.times: array[int] = array("q")
        """Milliseconds since 1970, ascending."""
        self.values: array[float] = array("d")
        """The values; where the series ended, no value stands."""
        self.histograms = 0
        """Samples of native histograms, which only PromQL shows."""

    def add(self, samples: Sequence[tuple[int, float]]) -> None:
        """More samples, ascending in time. Of those that are there already the first counts."""
        if self.times and samples and samples[0][0] <= self.times[-1]:
            both = dict(samples) | dict(zip(self.times, self.values, strict=True))
            samples = sorted(both.items())
            del self.times[:], self.values[:]
        self.times.extend(moment for moment, _ in samples)
        self.values.extend(value for _, value in samples)

    def holes(self) -> list[tuple[int, int]]:
        """Stretches without a sample that are much longer than usual."""
        steps = sorted(second - first for first, second in _pairs(self.times))
        usual = steps[len(steps) // 2] if steps else 0
        return [
            (first, second) for first, second in _pairs(self.times) if usual and second - first > HOLE * usual
        ]


def _pairs(times: Sequence[int]) -> Iterator[tuple[int, int]]:
    return itertools.pairwise(times)


def window_of(opened: Opened, one: MetricsOf) -> tuple[int, int]:
    """From and to when its samples are, in milliseconds since 1970. Raises `BadBundle`."""
    rows = [row for row in listed(opened, one) if row.last]
    if not rows:
        raise UsageError(f"the bundle has no samples of {one.server}", hint="clinic metrics BUNDLE says why")
    return min(row.first for row in rows), max(row.last for row in rows)


def listed(opened: Opened, one: MetricsOf) -> list[Metric]:
    """Every metric that was asked for. Raises `BadBundle` for a list that is none."""
    if isinstance(opened.held, FromDiag):
        return _counted(opened, opened.held, one)
    if not one.summary:
        return []
    with opened.member(one.summary) as stream:
        lines = stream.read(LARGEST).splitlines()
    try:
        rows = [cast("dict[str, Any]", json.loads(line)) for line in lines]
        return [_metric(row) for row in rows if "metric" in row]
    except (ValueError, KeyError, TypeError) as error:
        raise BadBundle(f"{one.summary}: {error}") from error


def _counted(opened: Opened, held: FromDiag, one: MetricsOf) -> list[Metric]:
    """What diag brought of each metric: nothing but reading it all says that. A file that is damaged is named."""
    found: dict[str, list[int]] = {}
    series: dict[str, set[int]] = {}
    for path in one.files:
        for each in answers(opened, path):
            name = each.labels.get(NAME, "")
            series.setdefault(name, set()).add(hash(frozenset(each.labels.items())))
            if each.samples:
                first, last = each.samples[0][0], each.samples[-1][0]
                counted = found.setdefault(name, [0, first, last])
                counted[:] = counted[0] + len(each.samples), min(counted[1], first), max(counted[2], last)
    listed = [_told(name, len(known), found.get(name, [0, 0, 0])) for name, known in series.items()]
    broken = [(path, why) for path, why in held.damaged.items() if path in one.files]
    return [*sorted(listed, key=_called), *(Metric(path, 0, 0, 0, 0, why) for path, why in broken)]


def _told(name: str, series: int, counted: Sequence[int]) -> Metric:
    samples, first, last = counted
    return Metric(name, series, samples, first, last)


def _called(metric: Metric) -> str:
    return metric.name


def _metric(row: dict[str, Any]) -> Metric:
    series, samples, first, last = (int(row.get(key, 0)) for key in ("series", "samples", "first", "last"))
    name, missing = str(row["metric"]), str(row.get("missing", ""))
    return Metric(name, series, samples, first, last, missing, bool(row.get("in_pieces")))


def select(opened: Opened, one: MetricsOf, selector: Selector, low: int, high: int) -> Iterator[Samples]:
    """The chosen series with their samples from `low` to `high`, one after another.

    Only the series that is read now is held, and those that come in pieces until the end. Raises `BadBundle`.
    """
    # diag asks for two hours at a time: any of its series may go on in another file.
    whole = isinstance(opened.held, FromDiag)
    scattered = (
        {metric.name for metric in listed(opened, one) if metric.in_pieces} if not whole else set[str]()
    )
    held: dict[Labels, Samples] = {}
    known: Labels | None = None
    current: Samples | None = None
    for path in one.files:
        for labels, chunks in pieces(opened, path, lambda labels: _wanted(labels, selector) is not None):
            if labels != known:
                if current is not None and known not in held:
                    yield from _filled(current)
                known, current = labels, held.get(labels) or _wanted(labels, selector)
                if current is not None and (whole or current.labels.get(NAME) in scattered):
                    held[labels] = current
            if current is not None:
                _take(current, chunks, low, high)
    if current is not None and known not in held:
        yield from _filled(current)
    for each in held.values():
        yield from _filled(each)


def _wanted(labels: Labels, selector: Selector) -> Samples | None:
    named = {name.decode("utf-8", "replace"): value.decode("utf-8", "replace") for name, value in labels}
    return Samples(named) if selector.matches(named) else None


def _filled(one: Samples) -> Iterator[Samples]:
    if one.times or one.histograms:
        yield one


def _take(into: Samples, chunks: Sequence[Chunk], low: int, high: int) -> None:
    for chunk in chunks:
        if chunk.end < low or chunk.start > high:
            continue
        if chunk.encoding != XOR:
            into.histograms += chunk.samples
            continue
        try:
            found = [
                (moment, to_float(bits))
                for moment, bits in decode(chunk.data)
                if low <= moment <= high and bits != STALE
            ]
        except BadChunk as error:
            raise BadBundle(
                f"a chunk of {into.labels.get('__name__', 'a series')} is damaged: {error}"
            ) from error
        into.add(found)
