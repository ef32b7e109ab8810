"""The other way to a server's samples, where it has no remote read in chunks: exported lines, or range selectors."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

from clinic.errors import Failed, ItemError, Partial, Retryable, Skip
from clinic.outcome import Reason
from clinic.source.base import Doors
from clinic.source.promserver import PromServer
from clinic.units import MIB, human_size

Note = Callable[[str, int, int, int, int], None]
"""Hears of what came of a metric: its name, series, samples, first and last time in milliseconds."""

LINE = 64 * MIB
"""Bytes of the answer to one selector: some hundred thousand samples have ten megabytes."""

SHORTEST = 60
"""Seconds below which a stretch of time is not split further."""


def exported(
    talk: PromServer, doors: Doors, names: Sequence[str], room: int | None, note: Note
) -> Iterator[bytes]:
    """A line of JSON for each series: `metric`, `values`, `timestamps` (milliseconds), as VictoriaMetrics exports them.

    Metric by metric, each split by time where it is too much for the server. Raises `Partial` naming what is missing.
    """
    taken, missing = 0, list[str]()
    problem: ItemError | None = None
    for number, name in enumerate(names):
        doors.deadline.check()
        if room is not None and taken >= room:
            raise Partial(
                Reason.OVER_BUDGET,
                f"{human_size(room)} are taken; {len(names) - number} metrics are not here",
            )
        try:
            for line in _series(talk, name, talk.start, talk.end, doors):
                taken += len(line)
                _told(line, name, note)
                yield line
        except (Retryable, Failed, Skip) as error:
            missing.append(name)
            problem = error
    if problem is not None:
        raise Partial(
            problem.reason,
            f"{len(missing)} metrics are not here ({', '.join(missing[:5])}): {problem.message}",
        )


def _told(line: bytes, name: str, note: Note) -> None:
    moments = cast("list[int]", json.loads(line)["timestamps"])
    if moments:
        note(name, 1, len(moments), moments[0], moments[-1])


def _series(talk: PromServer, name: str, start: int, end: int, doors: Doors) -> Iterator[bytes]:
    """The series of one metric from `start` to `end`; halves of the time where it can't be had at once."""
    try:
        yield from _asked(talk, name, start, end)
    except (Retryable, Failed) as error:
        if end - start <= SHORTEST * 1000 or error.reason is Reason.UNREACHABLE:
            raise
        doors.deadline.pause(1)
        middle = (start + end) // 2
        yield from _series(talk, name, start, middle, doors)
        yield from _series(talk, name, middle + 1, end, doors)


def _asked(talk: PromServer, name: str, start: int, end: int) -> Iterator[bytes]:
    query = [("query", f'{{__name__="{name}"}}[{max(1, end - start)}ms]'), ("time", f"{end / 1000:.3f}")]
    body = talk.fetch("/api/v1/query", query, LINE)
    try:
        found = cast("dict[str, Any]", json.loads(body))
        results = cast("list[dict[str, Any]]", found["data"]["result"])
        lines = [_line(one) for one in results]
    except (ValueError, KeyError, TypeError) as error:
        raise Failed(Reason.BAD_ANSWER, f"an answer that holds no series: {error}") from error
    yield from lines


def _line(one: dict[str, Any]) -> bytes:
    values = cast("list[list[Any]]", one["values"])
    row = {
        "metric": one["metric"], "values": [value for _, value in values],
        "timestamps": [round(float(moment) * 1000) for moment, _ in values],
    }  # fmt: skip
    return json.dumps(row, separators=(",", ":")).encode() + b"\n"
