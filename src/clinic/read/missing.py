"""What a bundle lacks and why, put together so that ten dead items of one host are one line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from clinic.bundle.record import Record
from clinic.formats.page import bounded, plain, some
from clinic.outcome import Reason, Status
from clinic.units import plural

FEW = 3
"""How many machines are named beside what is told of them."""

NO_LOSS = {
    Reason.NOT_APPLICABLE: "not applicable here",
    Reason.NOT_FOUND: "not there",
    Reason.EMPTY: "with nothing in it",
    Reason.NOT_SELECTED: "by choice",
}
"""Reasons to skip an item that nobody has to do anything about, in words."""


@dataclass(frozen=True, slots=True)
class Group:
    """Items that are missing for one reason at one place, or at several where it is the same everywhere."""

    places: tuple[str, ...]
    """Hosts, sorted."""

    status: Status
    """How they ended."""

    reason: Reason | None
    """Why."""

    ids: tuple[str, ...]
    """Which items, each once, sorted."""

    messages: tuple[str, ...]
    """Why, for people; each once, in their order."""

    fixes: tuple[str, ...]
    """What would bring them; each once, in their order."""

    count: int
    """How many items."""

    incomplete: bool
    """Whether the bundle is incomplete for want of them."""

    @property
    def why(self) -> str:
        """The reason in words, `not permitted`; the status where there is no other reason."""
        return str(self.reason or self.status).replace("_", " ")


def is_missing(record: Record) -> bool:
    """Whether somebody should hear that this item is not there, or not whole."""
    if record.status is Status.SKIPPED:
        return record.incomplete or record.reason not in NO_LOSS
    return record.status is not Status.OK


def not_here(records: Iterable[Record]) -> str:
    """How many items nobody has to hear of, by reason: `84 more items: 30 not applicable here, 54 not there`.

    Empty when there are none.
    """
    quiet = (one for one in records if one.status is Status.SKIPPED and not is_missing(one))
    count = Counter(one.reason for one in quiet)
    parts = (f"{count[reason]} {words}" for reason, words in NO_LOSS.items() if count[reason])
    return f"{plural(count.total(), 'more item')}: {', '.join(parts)}" if count else ""


def groups(records: Iterable[Record]) -> tuple[Group, ...]:
    """What is missing, by host, status and reason; the gravest first."""
    found: dict[tuple[str, Status, Reason | None], list[Record]] = {}
    for record in records:
        if is_missing(record):
            found.setdefault((record.entry.host, record.status, record.reason), []).append(record)
    alike: dict[tuple[Status, Reason | None, tuple[str, ...]], list[tuple[str, list[Record]]]] = {}
    for (host, status, reason), members in found.items():
        ids = tuple(sorted({record.entry.id for record in members}))
        alike.setdefault((status, reason, ids), []).append((host, members))
    made = (_group(*key, hosts) for key, hosts in alike.items())
    return tuple(sorted(made, key=lambda group: (*_gravity(group), group.places, group.ids)))


def _group(
    status: Status, reason: Reason | None, ids: tuple[str, ...], hosts: list[tuple[str, list[Record]]]
) -> Group:
    members = [record for _, held in hosts for record in held]
    return Group(
        places=tuple(sorted({host for host, _ in hosts if host})),
        status=status,
        reason=reason,
        ids=ids,
        messages=tuple(dict.fromkeys(record.message for record in members if record.message)),
        fixes=tuple(dict.fromkeys(record.fix for record in members if record.fix)),
        count=len(members),
        incomplete=any(record.incomplete for record in members),
    )


def _gravity(group: Group) -> tuple[int, int]:
    order = (Reason.UNREACHABLE, Reason.NOT_PERMITTED, Reason.TOOL_ABSENT)
    known = order.index(group.reason) if group.reason in order else 0
    return (0 if group.incomplete else 1, known)


def group_lines(group: Group, columns: int, most: int | None = None) -> Iterator[str]:
    """What is missing and why, and what would bring it; each in at most so many lines."""
    where = some([plain(place) for place in group.places], FEW)
    what = some(list(group.ids), 4)
    several = f"{group.count} items, " if group.count > 1 else ""
    because = f": {plain(group.messages[0])}" if len(group.messages) == 1 else ""
    text = f"{f'{where}: ' if where else ''}{several}{group.why}: {what}{because}"
    yield from bounded("  ", plain(text), columns, most)
    if group.fixes:
        yield from bounded("    ", f"fix: {'; '.join(map(plain, group.fixes))}", columns, most)
