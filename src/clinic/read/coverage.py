"""What the logs cover of the window: a bar for each instance and kind of log, holes first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from clinic.bundle.manifest import Run
from clinic.bundle.record import Record
from clinic.formats.coverage import read_told
from clinic.formats.page import plain
from clinic.formats.window_cut import Seen
from clinic.outcome import Status
from clinic.read.fact import Scope

CELLS = 20
"""Cells of a bar: the window in so many equal parts."""

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


@dataclass(frozen=True, slots=True)
class Covered:
    """How much of the window one log of one instance covers."""

    instance: str
    """The instance, else the host."""

    kind: str
    """`std`, `slow` ..."""

    bar: str
    """`#` for a part of the window from which there is something, `-` for one from which there is nothing."""

    reason: str
    """Why it is not all that was wanted; empty when it is."""

    first: str
    """When the first entry was written; empty when there is none."""

    last: str
    """When the last one was written."""


def covered(run: Run, records: Sequence[Record]) -> list[Covered]:
    """What each log covers, those first of which something is missing. Logs that do not exist have no line."""
    scope = Scope.of(run)
    found = [_of(record, scope) for record in records if _is_log(record)]
    return sorted(found, key=lambda one: (not one.reason, one.instance, one.kind))


def _is_log(record: Record) -> bool:
    return record.entry.id.startswith("log.") and record.status is not Status.SKIPPED


def _of(record: Record, scope: Scope) -> Covered:
    facts = [seen for one in record.actions if one.kind == "log" and (seen := read_told(one.outcome))]
    times = [moment for seen in facts for moment in (seen.first, seen.last)]
    reason = str(record.reason or record.status) if record.status is not Status.OK else ""
    shown = [scope.shown(_moment(moment)) for moment in (min(times), max(times))] if times else ["", ""]
    kind = record.entry.id.partition(".")[2]
    return Covered(record.entry.instance or record.entry.host, kind, _bar(facts, scope), reason, *shown)


def _bar(facts: Sequence[Seen], scope: Scope) -> str:
    spans = [span for seen in facts for span in _spans(seen)]
    step = (scope.end - scope.start) / CELLS
    cells: list[str] = []
    for number in range(CELLS):
        begin = scope.start + number * step
        cells.append("#" if any(start < begin + step and end >= begin for start, end in spans) else "-")
    return "".join(cells)


def _spans(seen: Seen) -> Iterator[tuple[datetime, datetime]]:
    if seen.silence is None:
        yield _moment(seen.first), _moment(seen.last)
        return
    yield _moment(seen.first), _moment(seen.silence[0])
    yield _moment(seen.silence[1]), _moment(seen.last)


def _moment(nanoseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=nanoseconds // 1000)


def coverage_lines(run: Run, records: Sequence[Record]) -> Iterator[str]:
    """A line for each log."""
    found = covered(run, records)
    wide = max((len(plain(f"{one.instance} {one.kind}")) for one in found), default=0)
    for one in found:
        between = f"  {one.first} to {one.last}" if one.first and one.reason else ""
        yield f"  {plain(f'{one.instance} {one.kind}').ljust(wide)}  [{one.bar}]  {one.reason}{between}".rstrip()
