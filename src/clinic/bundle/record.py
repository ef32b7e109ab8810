"""What a bundle says of each item: what was planned, what became of it, which files it left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from clinic.bundle.names import COMPRESSED
from clinic.kinds import Content
from clinic.outcome import Reason, Status


@dataclass(frozen=True, slots=True)
class Entry:
    """One item of the plan, as values: what the journal holds before anything is collected."""

    id: str
    """Dotted name, the same on every host."""

    path: str
    """Where it goes, safe and unique in the bundle; without the ending of a compression."""

    collector: str
    """Who declared it."""

    category: str
    """Kind of its data."""

    sensitivity: str
    """What it may hold."""

    content: str
    """Format of its bytes."""

    folder: bool = False
    """Whether the path is a folder."""

    host: str = ""
    """The machine it is about."""

    instance: str = ""
    """The instance it is about."""

    what: str = ""
    """The command line, path, URL or SQL text of its source."""

    required: bool = False
    """Whether the bundle is incomplete when it was skipped."""

    estimate: int | None = None
    """Plain bytes expected; None when nothing could be said."""

    exact: bool = False
    """Whether the estimate is the truth."""

    foreign: bool = False
    """Whether a third party's collector declared it."""


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file of the bundle."""

    path: str
    """Below the bundle's root, as stored; `.zst` when it is compressed."""

    plain: int
    """Bytes once decompressed."""

    stored: int
    """Bytes on disk."""

    sha256: str
    """Of the stored bytes, hexadecimal."""

    dropped: int = 0
    """Plain bytes that were cut out of the middle; 0 when it is whole, -1 when their number is unknown."""

    redactions: Mapping[str, int] = field(default_factory=dict[str, int])
    """How often each rule masked something in it."""

    reason: Reason | None = None
    """Why it is not all that the host had; None when it is."""

    message: str = ""
    """The reason for people."""

    @property
    def compressed(self) -> bool:
        """Whether its stored bytes are zstd frames. Nothing else in a bundle has that ending."""
        return self.path.endswith(COMPRESSED)

    @property
    def name(self) -> str:
        """Its path without the ending of the compression."""
        return self.path.removesuffix(COMPRESSED)


def content_of(entry: Entry, file: FileEntry) -> Content:
    """The format of one file of an item: beside frames stand lines of JSON, which say what is in them."""
    content = Content(entry.content)
    return Content.JSON if content is Content.FRAMES and file.name.endswith(".jsonl") else content


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that was done to get an item: the bundle is the tool's own audit."""

    kind: str
    """`command`, `file`, `list`, `http`, `sql` ..."""

    what: str
    """The argv, path, URL or SQL text, credentials masked."""

    where: str
    """The host or server."""

    whom: str
    """The account it was done as."""

    outcome: str
    """Exit status, HTTP status, row count."""

    seconds: float
    """How long it took."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """An earlier try at an item that did not succeed."""

    started: str
    """RFC 3339, UTC."""

    seconds: float
    """How long it took."""

    status: Status
    """How it ended."""

    reason: Reason | None
    """Why."""

    message: str
    """Why, for people."""


@dataclass(frozen=True, slots=True)
class Record:
    """What became of an item."""

    entry: Entry
    """What was planned."""

    status: Status
    """How it ended."""

    reason: Reason | None = None
    """Why it is not plain ok."""

    message: str = ""
    """The reason for people, credentials masked."""

    fix: str = ""
    """A command, a grant, a package that would make it succeed."""

    started: str = ""
    """RFC 3339, UTC; empty when it never started."""

    seconds: float = 0.0
    """How long the last attempt took."""

    files: tuple[FileEntry, ...] = ()
    """What it left in the bundle."""

    missing: tuple[str, ...] = ()
    """Of a folder: files that could not be had, each with its reason."""

    actions: tuple[Action, ...] = ()
    """What was run, read or asked."""

    attempts: tuple[Attempt, ...] = ()
    """Earlier tries."""

    @property
    def plain(self) -> int:
        """Plain bytes of all its files."""
        return sum(file.plain for file in self.files)

    @property
    def stored(self) -> int:
        """Bytes on disk of all its files."""
        return sum(file.stored for file in self.files)

    @property
    def incomplete(self) -> bool:
        """Whether it makes the bundle incomplete."""
        return not self.status.complete or (self.status is Status.SKIPPED and self.entry.required)
