"""SUMMARY.txt: the page that a person reads first, with nothing but `cat`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from shlex import quote

from clinic.bundle.manifest import Run
from clinic.bundle.record import Entry, Record
from clinic.bundle.spool import Root
from clinic.formats.page import COLUMNS, bounded, cut, plain, shown, some, wrap
from clinic.outcome import Status
from clinic.read.ask import questions
from clinic.read.coverage import coverage_lines
from clinic.read.fact import Alike, Findings, alike
from clinic.read.heading import heading
from clinic.read.loudest import find, reading
from clinic.read.missing import FEW, group_lines, groups, not_here
from clinic.read.open import never_ended
from clinic.read.places import places

LINES = 60
"""Most lines of the page."""

LONG = 3
"""Lines of the page that one fact, or one thing that is missing, may take; its fix may take as many."""

_GOES_ON = " \\"
"""A command over two lines can be pasted as it is."""

Part = list[list[str]]
"""The body of a part: things that are told, each in a line or a few."""


def summarize(
    root: Root,
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
    findings = find(run, everything, reading(root), root)
    return render(run, everything, findings, name=root.name, ended=ended, interrupted=interrupted)


def render(
    run: Run, records: Sequence[Record], findings: Findings, *, name: str, ended: str, interrupted: bool
) -> str:
    """The page: at most 60 lines of 100 columns. Pure.

    `name` is that of the bundle's directory, `ended` when it was sealed. Each part has room for what is
    usual and takes what the others leave; it says how much it left out.
    """
    about = heading(run, records, findings, ended=ended, interrupted=interrupted)
    lines = [f"Clinic bundle {plain(name)}", *about]
    parts: list[tuple[str, Part, int]] = [
        ("Hosts and instances", [[line] for line in places(run, records, findings)], 11),
        (_LOGS, [[line] for line in coverage_lines(run, records)], 5),
        (_FACTS, list(_facts(findings)), 9),
        (_missing_title(records, name), list(_missing(records)), 9),
        ("Ask next", list(_ask(run, records, findings, name)), 7),
    ]
    parts = [part for part in parts if part[0] != _LOGS or part[1]]
    room = _shares(LINES - len(lines) - len(_FOOT) - 2 * len(parts), parts)
    for (title, body, _), share in zip(parts, room, strict=True):
        command = "clinic inspect --facts" if title == _FACTS else "clinic inspect"
        lines += ["", title, *_limited(body, share, command)]
    return "".join(f"{cut(shown(line))}\n" for line in (*lines, *_FOOT))


_FACTS = "Loudest facts"
_LOGS = "Logs, from the beginning of the window to its end"
_FOOT = (
    "",
    "Every item with its reason: manifest.json. Whole? sha256sum -c SHA256SUMS. Read: zstd -dc X.zst",
)


def _shares(room: int, parts: Sequence[tuple[str, Part, int]]) -> list[int]:
    """Lines for each part: what it usually needs, less where there is not enough, more where others leave some."""
    needs = [sum(map(len, body)) for _, body, _ in parts]
    shares = [min(need, usual) for need, (_, _, usual) in zip(needs, parts, strict=True)]
    while sum(shares) > room:
        shares[shares.index(max(shares))] -= 1
    for index in (*range(1, len(parts)), 0):  # of the instances those that do not run come first
        shares[index] += min(needs[index] - shares[index], room - sum(shares))
    return shares


def _limited(body: Part, limit: int, command: str) -> Iterator[str]:
    """As much of `body` as goes into `limit` lines, nothing of it in part; of the rest how much, and what shows it."""
    if sum(map(len, body)) <= limit:
        yield from (line for lines in body for line in lines)
        return
    left = limit - 1
    for index, lines in enumerate(body):
        if len(lines) > left:
            yield f"  ... and {len(body) - index} more: {command} shows all"
            return
        left -= len(lines)
        yield from lines


def _facts(findings: Findings) -> Iterator[list[str]]:
    if not findings.facts:
        yield [
            "  none of those that are looked for: full disks, lack of memory, disk errors, restarts, clock, load"
        ]
    for fact in alike(findings.facts):
        yield list(fact_lines(fact, COLUMNS, LONG))


def fact_lines(fact: Alike, columns: int, most: int | None = None) -> Iterator[str]:
    """A fact with its hosts, in at most so many lines."""
    where = some([plain(host) for host in fact.hosts], FEW)
    return bounded("  ", plain(f"{where}: {fact.text}" if where else fact.text), columns, most)


def _missing_title(records: Sequence[Record], name: str) -> str:
    title = "Missing, and what would bring it"
    every = f" (each item: clinic inspect {quote(plain(name))} --missing)"
    return title + every if any(one.status is not Status.OK for one in records) else title


def _missing(records: Sequence[Record]) -> Iterator[list[str]]:
    found = groups(records)
    if not found:
        yield ["  nothing"]
    for group in found:
        yield list(group_lines(group, COLUMNS, LONG))
    rest = not_here(records)
    if rest:
        yield [f"  {rest}"]


def _ask(run: Run, records: Sequence[Record], findings: Findings, name: str) -> Iterator[list[str]]:
    for number, question in enumerate(questions(run, records, findings, name), 1):
        lines = list(wrap(plain(question), COLUMNS - 8))
        yield [
            f"  {f'{number}. ' if position == 1 else '   '}{line}{_GOES_ON if position < len(lines) else ''}"
            for position, line in enumerate(lines, 1)
        ]
