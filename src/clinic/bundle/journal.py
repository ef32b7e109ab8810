"""What happened so far, line by line: the plan first, then each record. It is what a killed run leaves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import cast

from clinic.bundle.codec import decode, dump, encode, load, write
from clinic.bundle.manifest import FORMAT, Run, require_format
from clinic.bundle.names import JOURNAL
from clinic.bundle.record import Entry, FileEntry, Record
from clinic.errors import BadBundle


@dataclass(frozen=True, slots=True)
class Header:
    """The journal's first line: everything that was decided before the first item ran."""

    run: Run
    """What was asked for."""

    entries: tuple[Entry, ...]
    """The plan, in its order."""

    parent: str | None = None
    """Id of the sealed bundle that is being resumed."""


@dataclass(frozen=True, slots=True)
class Begun:
    """Says that an item was started, so that a killed run tells what it was doing."""

    path: str
    """The entry's path."""

    started: str
    """RFC 3339, UTC."""


@dataclass(frozen=True, slots=True)
class Journal:
    """A journal that was read."""

    header: Header
    """Its first line."""

    records: Mapping[str, Record] = field(default_factory=dict[str, Record])
    """The last record of each item that has one, by the entry's path."""

    begun: Mapping[str, str] = field(default_factory=dict[str, str])
    """When items that have no record, or a new attempt since, were started; by the entry's path."""

    derived: Mapping[str, FileEntry] = field(default_factory=dict[str, FileEntry])
    """Files that were made from others, by path."""

    torn: bool = False
    """Whether its last line was cut in the middle and is not counted."""

    size: int = 0
    """Bytes up to the end of the last whole line."""


def header_line(header: Header) -> bytes:
    """The journal's first line."""
    return write({"format": FORMAT, "header": encode(header)}, indent=None)


def line(entry: Record | Begun | FileEntry) -> bytes:
    """A further line: a record, an item that was begun, or a derived file."""
    names: dict[type, str] = {Record: "record", Begun: "attempt", FileEntry: "derived"}
    return dump({names[type(entry)]: entry})


def read_journal(data: bytes) -> Journal:
    """The journal in `data`. A last line that is torn is left out; anything else wrong is `BadBundle`."""
    whole = data[: data.rfind(b"\n") + 1]
    lines = whole.split(b"\n")[:-1]
    torn = len(whole) < len(data)
    if lines and not _is_whole(lines[-1]):
        # After a power loss a file may have grown by bytes that were never written.
        torn = True
        whole = whole[: len(whole) - len(lines.pop()) - 1]
    if not lines:
        raise BadBundle(f"{JOURNAL} has no first line: nothing can be said of what was planned")
    found = load(lines[0], f"{JOURNAL}, line 1")
    require_format(found, JOURNAL)
    header = decode(Header, cast("dict[str, object]", found).get("header"), f"{JOURNAL}, line 1")
    state = _State(header)
    for number, one in enumerate(lines[1:], 2):
        state.add(load(one, f"{JOURNAL}, line {number}"), f"{JOURNAL}, line {number}")
    return Journal(header, state.records, state.begun, state.derived, torn, len(whole))


def _is_whole(text: bytes) -> bool:
    try:
        load(text, JOURNAL)
    except BadBundle:
        return False
    return True


class _State:
    """What the lines read so far come to."""

    def __init__(self, header: Header) -> None:
        self.header = header
        self.records: dict[str, Record] = {}
        self.begun: dict[str, str] = {}
        self.derived: dict[str, FileEntry] = {}
        self._readers: dict[str, Callable[[object, str], None]] = {
            "record": self._record, "attempt": self._attempt, "derived": self._derived,
        }  # fmt: skip

    def add(self, data: object, where: str) -> None:
        """Take in one line. An unknown kind of line comes from a newer version and is passed over."""
        if not isinstance(data, dict):
            raise BadBundle(f"{where} is not an object")
        for name, content in cast("dict[str, object]", data).items():
            if name in self._readers:
                self._readers[name](content, where)

    def _record(self, content: object, where: str) -> None:
        record = decode(Record, content, where)
        self.records[record.entry.path] = record
        self.begun.pop(record.entry.path, None)

    def _attempt(self, content: object, where: str) -> None:
        begun = decode(Begun, content, where)
        self.begun[begun.path] = begun.started

    def _derived(self, content: object, where: str) -> None:
        entry = decode(FileEntry, content, where)
        self.derived[entry.path] = entry
