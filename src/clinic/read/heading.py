"""What every summary begins with: of what, by whom, for which window, and how it went."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timezone

from clinic.bundle.manifest import InstanceFacts, Run
from clinic.bundle.record import Record
from clinic.formats.page import COLUMNS, cut, plain, wrap
from clinic.outcome import Status
from clinic.read.fact import Findings, Scope
from clinic.units import human_duration, human_size, plural

_LABEL = 11
"""Columns of the labels at the left."""

DIFFERENCES = 4
"""How many disagreements of two sources have a line of their own."""

_FRACTION = re.compile(r"\.\d+(?=Z$)")


def heading(
    run: Run, records: Sequence[Record], findings: Findings, *, ended: str, interrupted: bool
) -> Iterator[str]:
    """What was collected, of what and by whom: case, note, cluster, versions, window, how it went; 20 lines at most."""
    yield from _about(run)
    yield from _taken(run, ended)
    yield from _labelled("State", state_text(records, interrupted, findings.ended), 2)


def _labelled(label: str, text: str, most: int = 2) -> Iterator[str]:
    """`text` beside its label, in at most `most` lines."""
    if not text:
        return
    lines = list(wrap(plain(text), COLUMNS - _LABEL))
    if len(lines) > most:
        lines[most - 1] = cut(lines[most - 1] + " " + lines[most], COLUMNS - _LABEL)
    for number, line in enumerate(lines[:most]):
        yield f"{label if number == 0 else '':<{_LABEL}}{line}"


def _about(run: Run) -> Iterator[str]:
    cluster = run.cluster
    yield from _labelled("Case", run.case, 1)
    yield from _labelled("Note", run.note, 3)
    version = f", {cluster.version}" if cluster.version else ""
    identity = f", id {cluster.id}" if cluster.id else ""
    size = f"{plural(len(cluster.machines), 'host')}, {plural(len(cluster.instances), 'instance')}"
    yield from _labelled("Cluster", f"{cluster.name} ({cluster.deployed}){version}{identity}; {size}", 2)
    yield from _labelled("Versions", _versions(cluster.instances), 3)
    yield from _labelled("Window", window_text(run), 2)
    yield from _listed("Differs", cluster.differences, DIFFERENCES)
    yield from _listed("Beware", cluster.unknown, 1)


def _listed(label: str, sentences: Sequence[str], most: int) -> Iterator[str]:
    """The first sentences, a line each, and how many more there are."""
    for number, sentence in enumerate(sentences[:most]):
        last = number == most - 1 or number == len(sentences) - 1
        rest = len(sentences) - number - 1
        more = f" ({rest} more in manifest.json)" if last and rest else ""
        room = COLUMNS - _LABEL - len(more)
        yield from _labelled(label if number == 0 else "", cut(plain(sentence), room) + more, 1)


def _versions(instances: Iterable[InstanceFacts]) -> str:
    """`tidb v8.5.0 x2, tikv v8.4.0; version unknown: mariadb`: a mixed cluster shows itself."""
    count = Counter((one.component, one.version) for one in instances)
    known, unknown = (
        ", ".join(
            f"{component} {version}".strip() + (f" x{number}" if number > 1 else "")
            for (component, version), number in sorted(count.items())
            if bool(version) is wanted
        )
        for wanted in (True, False)
    )
    return "; ".join(filter(None, (known, f"version unknown: {unknown}" if unknown else "")))


def window_text(run: Run) -> str:
    """The window in the control machine's local time and in UTC."""
    scope = Scope.of(run)
    try:
        local, utc = (
            _span(scope.start.astimezone(zone), scope.end.astimezone(zone))
            for zone in (scope.zone, timezone.utc)
        )
    except OverflowError:
        return f"{run.window.start} to {run.window.end}"
    offset = f"{scope.start.astimezone(scope.zone):%z}"
    length = human_duration((scope.end - scope.start).total_seconds())
    return f"{utc} UTC; {length}" if local == utc else f"{local} {offset}; {utc} UTC; {length}"


def _span(start: datetime, end: datetime) -> str:
    day = "" if start.date() == end.date() else f"{end:%Y-%m-%d} "
    return f"{start:%Y-%m-%d %H:%M:%S} to {day}{end:%H:%M:%S}"


def _taken(run: Run, ended: str) -> Iterator[str]:
    rights = "root" if run.root else "not root"
    profile = f", profile {run.profile}" if run.profile else ""
    yield from _labelled(
        "Collected",
        f"{run.started} to {_FRACTION.sub('', ended) or '(not sealed)'} by {run.tool} {run.version}{profile}; "
        f"on {run.machine} as {run.user} ({rights})",
        2,
    )


def state_text(records: Sequence[Record], interrupted: bool, gone: int) -> str:
    """In a line: whether it is all there, how many items, how many bytes. `gone` instances ended meanwhile."""
    lacking = sum(record.incomplete for record in records)
    verdict = f"{plural(lacking, 'item')} incomplete or missing" if lacking else "complete"
    if gone:
        verdict += (
            f", but {plural(gone, 'instance')} ended while {'it was' if gone == 1 else 'they were'} looked at"
        )
    if interrupted:
        verdict = f"the run was cut short, {verdict}"
    count = Counter(record.status for record in records)
    ends = ", ".join(f"{count[status]} {str(status).replace('_', ' ')}" for status in Status if count[status])
    size = human_size(sum(record.plain for record in records))
    return f"{verdict}; {plural(len(records), 'item')} ({ends}), {size}"
