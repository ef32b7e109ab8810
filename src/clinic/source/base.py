"""The contract of a source: say what it would read, then give the bytes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar

from clinic.deadline import Deadline
from clinic.errors import ItemError
from clinic.host.base import Host
from clinic.kinds import Content, Privilege
from clinic.secret import SecretRegister
from clinic.window import Window

T = TypeVar("T")

CONTROL = "control"
"""What the machine that Clinic runs on is called, whether or not it is one of the cluster's: TiUP's files are there."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Stands between two chunks where the source left bytes out: the head and the tail of a capped file."""

    missing: int
    """How many plain bytes are not there; -1 when that is unknown."""


Chunk = bytes | Gap


@dataclass(frozen=True, slots=True)
class Part:
    """One file's worth of a source. Most sources have one; a folder has one for each file."""

    chunks: Iterator[Chunk]
    """The bytes in pieces of bounded size. It may raise an `ItemError` at any moment; what came is kept."""

    name: str = ""
    """Path below the item's folder, as the host calls it (it is confined later); empty for a single file."""

    content: Content | None = None
    """Format of this part where it differs from the item's."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a source would give, found without collecting it."""

    size: int | None
    """Plain bytes; None when nothing can be said."""

    exact: bool = False
    """Whether `size` is the truth and not an upper bound or a guess."""

    parts: int = 1
    """How many files."""

    impossible: ItemError | None = None
    """Why it can't be collected, when that is known already."""


@dataclass(frozen=True, slots=True)
class Ran:
    """One thing that was done to get an item's bytes: the bundle is the tool's own audit."""

    kind: str
    """`command`, `file`, `list`, `http`, `sql` ..."""

    what: str
    """The argv, path, URL or SQL text, as it was."""

    where: str
    """The host or server."""

    whom: str = ""
    """The account it was done as."""

    outcome: str = ""
    """Exit status, HTTP status, row count: what came back, in a word."""

    seconds: float = 0.0
    """How long it took."""


class Doors(Protocol):
    """What a source may touch: the engine's doors to hosts and servers, with the attempt's deadline."""

    @property
    def window(self) -> Window:
        """What time is wanted, in the control machine's time."""
        ...

    @property
    def deadline(self) -> Deadline:
        """The clock of this attempt."""
        ...

    @property
    def secrets(self) -> SecretRegister:
        """Secrets that were learned or asked for in this run."""
        ...

    def host(self, name: str) -> Host:
        """The door to a machine of the cluster, or to `CONTROL`. Raises `ItemError` when it can't be opened."""
        ...

    def shared(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` gives, made once in a run for each key and closed at its end if it has `close()`.

        For what is dear: a connection to a server, the list of a directory that many items look at.
        """
        ...

    def ran(self, done: Ran) -> None:
        """Put on record what was done."""


@dataclass(frozen=True)
class Source(ABC):
    """Where bytes come from: a frozen declaration, free of I/O until the engine opens it."""

    @property
    @abstractmethod
    def lane(self) -> str:
        """What it leans on: `host:NAME` or `server:HOST:PORT`. The engine bounds how many run in each lane."""

    @property
    @abstractmethod
    def what(self) -> str:
        """The command line, path, URL or SQL text that the plan shows."""

    @property
    def privilege(self) -> Privilege:
        """What it needs to run."""
        return Privilege.NONE

    @property
    def needs_account(self) -> bool:
        """Whether it gives nothing without an account that a person names."""
        return False

    @property
    def deadline(self) -> float | None:
        """Seconds the whole may take unless the item says otherwise; None for streams, which stall instead."""
        return 30.0

    @property
    def stall(self) -> float | None:
        """Seconds without a byte after which it counts as stuck."""
        return None

    @abstractmethod
    def plan(self, doors: Doors) -> Estimate:
        """Look, read only and cheaply, at what it would give. Never raises for what is only absent."""

    @abstractmethod
    def open(self, doors: Doors) -> Iterator[Part]:
        """Give the parts, one after another; each is read to its end before the next is asked for."""

    def narrow(self, size: int) -> Source:
        """The same source giving at most about `size` plain bytes; itself where it can't be narrowed."""
        del size
        return self


FILE_STALL = 30.0
"""Seconds without a byte after which a file counts as stuck: a dead file server."""


@dataclass(frozen=True)
class HostFiles(Source):
    """What is read from files of one machine: waited for as long as bytes come."""

    host: str
    """Name of the machine that they are on."""

    @property
    def lane(self) -> str:
        return f"host:{self.host}"

    @property
    def deadline(self) -> float | None:
        return None

    @property
    def stall(self) -> float | None:
        return FILE_STALL
