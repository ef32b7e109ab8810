"""The chain of entries as bytes: each line names the digest of the one before. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from clinic.bundle.codec import decode, dump, load
from clinic.consent.receipt import Entry, Event
from clinic.errors import BadBundle

START = "0" * 64
"""What stands as the digest of the line before the first."""


@dataclass(frozen=True, slots=True)
class Head:
    """Where the chain ends, kept in a file of its own: what is cut off at the end is missed by it."""

    count: int = 0
    """Entries."""

    digest: str = START
    """SHA-256 of the last line."""

    following: str = ""
    """SHA-256 of the line that is about to be written; empty once it is."""


@dataclass(frozen=True, slots=True)
class Chain:
    """What was read, and what is wrong with it."""

    entries: tuple[Entry, ...]
    """The entries that can be read, in their order in the file."""

    head: Head
    """Where the lines end that are good."""

    wrong: tuple[str, ...]
    """What was changed, removed or moved, a sentence each; empty for a chain that holds."""

    good: int
    """Bytes of the lines that are good; what follows them is an entry that was cut short while it was written."""


def line_of(head: Head, event: Event) -> bytes:
    """The line that follows `head`."""
    return dump(Entry(head.count + 1, head.digest, event))


def digest(line: bytes) -> str:
    """What the next line and the head call this one."""
    return hashlib.sha256(line).hexdigest()


def read_chain(data: bytes, kept: Head) -> Chain:
    """The entries in `data`, held against each other and against the head that was `kept` beside them."""
    lines = data.splitlines(keepends=True)
    torn = lines.pop() if lines and not lines[-1].endswith(b"\n") else b""
    entries: list[Entry] = []
    wrong: list[str] = []
    previous = START
    for number, line in enumerate(lines, 1):
        wrong += _read(line, number, previous, entries)
        previous = digest(line)
    found = Head(len(lines), previous)
    wrong += _against(found, kept, torn)
    return Chain(tuple(entries), found, tuple(wrong), sum(map(len, lines)))


def _read(line: bytes, number: int, previous: str, entries: list[Entry]) -> list[str]:
    """What is wrong with line `number`; its entry goes to `entries`."""
    where = f"entry {number}"
    try:
        entry = decode(Entry, load(line, where), where)
    except BadBundle as error:
        return [f"{error.message}: it was changed"]
    entries.append(entry)
    wrong: list[str] = []
    if entry.number != number:
        wrong.append(f"{where} calls itself {entry.number}: entries were removed, added or moved")
    if entry.previous != previous:
        before = f"entry {number - 1}" if number > 1 else "the beginning"
        wrong.append(f"{where} does not follow from {before}: one of them was changed, removed or moved")
    return wrong


def _against(found: Head, kept: Head, torn: bytes) -> list[str]:
    """What is wrong with the end. A crash while an entry was written leaves it whole, torn or not there."""
    if kept.following:
        written = found.count == kept.count + 1 and found.digest == kept.following
        before = found.count == kept.count and found.digest == kept.digest
        if written or before:
            return []
    elif torn:
        return ["the last entry was cut short after it had been written"]
    if found.count != kept.count:
        return [f"there are {found.count} entries, and {kept.count} were written"]
    if found.digest != kept.digest:
        return ["the last entry is not the one that was written"]
    return []
