"""SUMMARY.txt: the page that a person reads first, with nothing but `cat`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path

from clinic.bundle.manifest import InstanceFacts, Run
from clinic.bundle.record import Entry, Record
from clinic.outcome import Status
from clinic.read.ask import questions
from clinic.read.facts import Fact, Findings, Scope, find, reading
from clinic.read.missing import Group, groups, not_here
from clinic.read.open import never_ended
from clinic.read.page import COLUMNS, cut, plain, shown, some, wrap
from clinic.units import human_duration, human_size, plural

LINES = 60
"""Most lines of the page."""

_LABEL = 11
"""Columns of the labels at the left."""

_FRACTION = re.compile(r"\.\d+(?=Z$)")

_GOES_ON = " \\"
"""A command over two lines can be pasted as it is."""


def summarize(
    root: Path,
    run: Run,
    records: Sequence[Record],
    *,
    ended: str,
    interrupted: bool,
    planned: Iterable[Entry] = (),
) -> str:
    """The page for the bundle whose files are below `root`, sealed or just about to be.

    Items of `planned` that have no record never ended, and the page says so.
    """
    recorded = {record.entry.path for record in records}
    missing = [entry for entry in planned if entry.path not in recorded]
    everything = (*records, *never_ended(missing, (), root))
    findings = find(run, everything, reading(root))
    return render(run, everything, findings, name=root.name, ended=ended, interrupted=interrupted)


def render(
    run: Run, records: Sequence[Record], findings: Findings, *, name: str, ended: str, interrupted: bool
) -> str:
    """The page: at most 60 lines of 100 columns. Pure.

    `name` is that of the bundle's directory, `ended` when it was sealed. Each part has room for what is
    usual and takes what the others leave; it says how much it left out.
    """
    about = heading(run, records, ended=ended, interrupted=interrupted)
    lines = [f"Clinic bundle {plain(name)}", *about]
    parts = [
        ("Hosts and instances", list(_hosts(run, records, findings)), 11),
        ("Loudest facts", list(_facts(findings)), 9),
        ("Missing, and what would bring it", list(_missing(records)), 9),
        ("Ask next", list(_ask(run, records, findings, name)), 7),
    ]
    spare = LINES - len(lines) - len(_FOOT) - sum(2 + min(len(body), limit) for _, body, limit in parts)
    for title, body, limit in parts:
        extra = max(0, min(spare, len(body) - limit))
        spare -= extra
        lines += ["", title, *_limited(body, limit + extra)]
    return "".join(f"{cut(shown(line))}\n" for line in (*lines, *_FOOT))


_FOOT = (
    "",
    "Every item with its reason: manifest.json. Whole? sha256sum -c SHA256SUMS. Read: zstd -dc X.zst",
)


def heading(run: Run, records: Sequence[Record], *, ended: str, interrupted: bool) -> Iterator[str]:
    """What was collected, of what and by whom: case, note, cluster, versions, window, how it went."""
    yield from _about(run)
    yield from _taken(run, records, ended, interrupted)


def _limited(lines: list[str], limit: int) -> list[str]:
    if len(lines) <= limit:
        return lines
    rest = len(lines) - limit + 1
    return [*lines[: limit - 1], f"  ... {plural(rest, 'more line')}: clinic inspect shows all"]


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
    yield from _labelled("Cluster", f"{cluster.name} ({cluster.deployed}){version}{identity}; {size}", 1)
    yield from _labelled("Versions", _versions(cluster.instances), 1)
    yield from _labelled("Window", window_text(run), 2)
    sentences = (*cluster.differences, *cluster.unknown)
    more = f" ({len(sentences) - 1} more in manifest.json)" if len(sentences) > 1 else ""
    yield from _labelled("Beware", f"{sentences[0]}{more}" if sentences else "", 1)


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
    scope = Scope.of(run.window)
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


def _taken(run: Run, records: Sequence[Record], ended: str, interrupted: bool) -> Iterator[str]:
    rights = "root" if run.root else "not root"
    profile = f", profile {run.profile}" if run.profile else ""
    yield from _labelled(
        "Collected",
        f"{run.started} to {_FRACTION.sub('', ended) or '(not sealed)'} by {run.tool} {run.version}{profile}; "
        f"on {run.machine} as {run.user} ({rights})",
        2,
    )
    yield from _labelled("State", state_text(records, interrupted), 2)


def state_text(records: Sequence[Record], interrupted: bool) -> str:
    """In a line: whether it is all there, how many items, how many bytes."""
    lacking = sum(record.incomplete for record in records)
    verdict = f"{plural(lacking, 'item')} incomplete or missing" if lacking else "complete"
    if interrupted:
        verdict = f"the run was cut short, {verdict}"
    count = Counter(record.status for record in records)
    ends = ", ".join(f"{count[status]} {str(status).replace('_', ' ')}" for status in Status if count[status])
    size = human_size(sum(record.plain for record in records))
    return f"{verdict}; {plural(len(records), 'item')} ({ends}), {size}"


def _hosts(run: Run, records: Sequence[Record], findings: Findings) -> Iterator[str]:
    """Each host with its instances, the ones that do not run first."""
    of_host: dict[str, list[Record]] = {}
    for record in records:
        of_host.setdefault(record.entry.host, []).append(record)
    for machine in run.cluster.machines:
        ours = of_host.get(machine, [])
        held = sum(bool(record.files) for record in ours)
        silent = " (no answer)" if ours and not held else ""
        yield f"  {plain(machine)}: {held} of {plural(len(ours), 'item')} collected{silent}"
        instances = [one for one in run.cluster.instances if one.host == machine]
        for instance in sorted(instances, key=lambda one: str(findings.states.get(one.id)).startswith("up")):
            port = f":{instance.port}" if instance.port else ""
            version = f" {instance.version}" if instance.version else ""
            state = findings.states.get(instance.id, "not looked at")
            yield f"    {plain(f'{instance.component}{port}{version}')}: {state}"


def _facts(findings: Findings) -> Iterator[str]:
    if not findings.facts:
        yield "  none of those that are looked for: full disks, lack of memory, disk errors, restarts, clock"
    for fact in findings.facts:
        yield f"  {fact_text(fact)}"


def fact_text(fact: Fact) -> str:
    """A fact in a line, with its host."""
    return plain(f"{fact.host}: {fact.text}" if fact.host else fact.text)


def _missing(records: Sequence[Record]) -> Iterator[str]:
    found = groups(records)
    if not found:
        yield "  nothing"
    for group in found:
        yield from group_lines(group, COLUMNS)
    rest = not_here(records)
    if rest:
        yield f"  {plural(rest, 'item')} left out by choice, or with nothing to read here"


def group_lines(group: Group, columns: int) -> Iterator[str]:
    """One line for what is missing and why, one more for what would bring it."""
    places = some([plain(place) for place in group.places], 3)
    what = some(list(group.ids), 4)
    several = f"{group.count} items, " if group.count > 1 else ""
    because = f": {plain(group.messages[0])}" if len(group.messages) == 1 else ""
    yield cut(f"  {f'{places}: ' if places else ''}{several}{group.why}: {what}{because}", columns)
    if group.fixes:
        yield cut(f"    fix: {'; '.join(map(plain, group.fixes))}", columns)


def _ask(run: Run, records: Sequence[Record], findings: Findings, name: str) -> Iterator[str]:
    for number, question in enumerate(questions(run, records, findings, name), 1):
        lines = list(wrap(plain(question), COLUMNS - 8))
        for position, line in enumerate(lines, 1):
            start = f"{number}. " if position == 1 else "   "
            yield f"  {start}{line}{_GOES_ON if position < len(lines) else ''}"
