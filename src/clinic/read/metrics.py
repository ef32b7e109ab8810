"""What metrics a bundle has, and the samples of chosen series as arrays."""

from __future__ import annotations

import itertools
import json
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

from clinic.errors import BadBundle
from clinic.formats.readframes import Chunk, Labels
from clinic.formats.xorchunk import STALE, BadChunk, decode, to_float
from clinic.read.open import Opened
from clinic.read.samples import XOR, MetricsOf, pieces
from clinic.read.selector import Selector
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
    """Why it is not here; empty when it is."""


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

    def holes(self) -> list[tuple[int, int]]:
        """Stretches without a sample that are much longer than usual."""
        steps = sorted(second - first for first, second in _pairs(self.times))
        usual = steps[len(steps) // 2] if steps else 0
        return [
            (first, second) for first, second in _pairs(self.times) if usual and second - first > HOLE * usual
        ]


def _pairs(times: Sequence[int]) -> Iterator[tuple[int, int]]:
    return itertools.pairwise(times)


def listed(opened: Opened, one: MetricsOf) -> list[Metric]:
    """Every metric that was asked for. Raises `BadBundle` for a list that is none."""
    if not one.summary:
        return []
    with opened.member(one.summary) as stream:
        lines = stream.read(LARGEST).splitlines()
    try:
        rows = [cast("dict[str, Any]", json.loads(line)) for line in lines]
        return [_metric(row) for row in rows if "metric" in row]
    except (ValueError, KeyError, TypeError) as error:
        raise BadBundle(f"{one.summary}: {error}") from error


def _metric(row: dict[str, Any]) -> Metric:
    if "missing" in row:
        return Metric(str(row["metric"]), 0, 0, 0, 0, str(row["missing"]))
    return Metric(
        str(row["metric"]), int(row["series"]), int(row["samples"]), int(row["first"]), int(row["last"])
    )


def select(opened: Opened, one: MetricsOf, selector: Selector, low: int, high: int) -> Iterator[Samples]:
    """The chosen series with their samples from `low` to `high`, one after another.

    Only the series that is read now is held. Raises `BadBundle`.
    """
    known: Labels | None = None
    current: Samples | None = None
    for path in one.files:
        for labels, chunks in pieces(opened, path):
            if labels != known:
                if current is not None and (current.times or current.histograms):
                    yield current
                named = {
                    name.decode("utf-8", "replace"): value.decode("utf-8", "replace")
                    for name, value in labels
                }
                known, current = labels, Samples(named) if selector.matches(named) else None
            if current is not None:
                _take(current, chunks, low, high)
    if current is not None and (current.times or current.histograms):
        yield current


def _take(into: Samples, chunks: Sequence[Chunk], low: int, high: int) -> None:
    for chunk in chunks:
        if chunk.end < low or chunk.start > high:
            continue
        if chunk.encoding != XOR:
            into.histograms += chunk.samples
            continue
        try:
            for moment, bits in decode(chunk.data):
                # What was asked for twice came twice.
                if low <= moment <= high and bits != STALE and (not into.times or moment > into.times[-1]):
                    into.times.append(moment)
                    into.values.append(to_float(bits))
        except BadChunk as error:
            raise BadBundle(
                f"a chunk of {into.labels.get('__name__', 'a series')} is damaged: {error}"
            ) from error
