"""Whether a bundle fits a destination, before it is packed, and what to leave out where it does not."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass

from clinic.bundle.record import Record
from clinic.errors import Refused
from clinic.units import human_size

SHOWN = 5
"""How many of the largest items are named."""


@dataclass(frozen=True, slots=True)
class Large:
    """One item, with what it takes."""

    item: str
    """Its id."""

    stored: int
    """Its bytes in the bundle."""


def largest_items(records: Iterable[Record]) -> list[Large]:
    """All items of the records by size, the largest first; instances of one item count together."""
    sizes: dict[str, int] = {}
    for record in records:
        size = sum(file.stored for file in record.files)
        if size:
            sizes[record.entry.id] = sizes.get(record.entry.id, 0) + size
    return sorted(
        (Large(item, size) for item, size in sizes.items()), key=lambda one: (-one.stored, one.item)
    )


def require_fits(records: Iterable[Record], most: int | None, name: str) -> None:
    """Raise `Refused`, with the largest items and a ready `--without`, when more is stored than `name` takes."""
    items = largest_items(records)
    size = sum(one.stored for one in items)
    if most is None or size <= most:
        return
    listed = ", ".join(f"{one.item} {human_size(one.stored)}" for one in items[:SHOWN])
    raise Refused(
        f"the bundle has {human_size(size)} and {name} takes {human_size(most)}; the largest: {listed}",
        hint=f"leave out what is not needed: {' '.join(_without(items, size - most))}",
    )


def _without(items: list[Large], surplus: int) -> list[str]:
    """As few items as take away the surplus: one that is just enough, else the largest."""
    enough = [one for one in items if one.stored >= surplus]
    if enough:
        return ["--without", shlex.quote(enough[-1].item)]
    words: list[str] = []
    for one in items:
        if surplus <= 0:
            break
        words += ["--without", shlex.quote(one.item)]
        surplus -= one.stored
    return words
