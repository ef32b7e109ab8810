"""THE CONTRACT: the one file that a collector's author reads.

A collector declares items and does nothing. The engine opens each item's source, bounds it, redacts,
caps, compresses and hashes what comes, and makes the record. This is a whole collector:

    class Uptime(Collector):
        \"\"\"How long each machine has been up.\"\"\"

        name = "uptime"
        category = Category.SYSTEM
        summary = "time since boot and load averages"

        def items(self, target: Target) -> Iterator[Item]:
            for machine in target.machines:
                yield Item(f"{machine.name}/system/uptime.txt", Command(machine.name, ("uptime",)))

An item that raises while it is declared is one failed record; it costs nothing else.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import ClassVar, Protocol

from clinic.cluster.model import Cluster, Instance, Machine
from clinic.kinds import Category, Content, Privilege, Role, Sensitivity, Stage, Volatility
from clinic.source.base import Source
from clinic.units import MIB
from clinic.window import Window

__all__ = [
    "Category", "Cluster", "Collector", "Content", "Instance", "Item", "Machine", "Observer", "Privilege",
    "Role", "Sensitivity", "Source", "Stage", "Target", "Volatility", "Window",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Target:
    """What a collector is asked about."""

    cluster: Cluster
    """What is diagnosed."""

    window: Window
    """What time is wanted."""

    options: Mapping[str, str] = field(default_factory=dict[str, str])
    """Options of the collector, `name=value` from a profile."""

    @property
    def machines(self) -> tuple[Machine, ...]:
        """The hosts in this run."""
        return self.cluster.machines

    def instances(self, *roles: Role, host: str | None = None) -> Iterator[Instance]:
        """The instances with any of `roles` (all when none is named), on `host` where it is given."""
        wanted = frozenset(roles)
        for instance in self.cluster.instances:
            if (host is None or instance.host == host) and (not wanted or wanted & instance.roles):
                yield instance


class Observer(Protocol):
    """Sees an item's redacted bytes as they are written, and leaves a derived file beside them."""

    def feed(self, data: bytes) -> None:
        """The next redacted bytes."""

    def finish(self) -> bytes:
        """What to store as the derived file; nothing is stored when it is empty."""
        ...


@dataclass(frozen=True, slots=True)
class Item:
    """The smallest unit that ends as exactly one record."""

    path: str
    """Where it goes in the bundle: a file, or a folder when the source gives several parts.

    Slashes separate folders; the engine makes every name safe, and appends `.zst` to what it compresses.
    """

    source: Source
    """Where its bytes come from."""

    id: str = ""
    """Dotted name, the same on every host, that `--include` and reports use; made from the collector's
    name and the path's last part when empty."""

    host: str = ""
    """The machine it is about; made from the source's lane when empty and the lane is a host's."""

    instance: str = ""
    """The instance it is about, by its id."""

    folder: bool = False
    """Whether the path is a folder."""

    content: Content = Content.TEXT
    """The format of its bytes."""

    sensitivity: Sensitivity = Sensitivity.INTERNAL
    """What it may hold once credentials are masked."""

    stage: Stage = Stage.COLLECT
    """LEARN for what may hold credentials: it runs first and teaches the redactor."""

    volatility: Volatility = Volatility.STABLE
    """How soon the evidence is gone."""

    priority: int = 50
    """Who gets room first when there is not enough; 0 is the first."""

    required: bool = False
    """Whether the bundle is incomplete without it, even where it was skipped."""

    default: bool = True
    """Whether it is collected when nobody names it."""

    by_name: bool = False
    """Whether only its whole id names it, and no prefix, glob or category: what is work for a server in trouble."""

    cap: int = 32 * MIB
    """Most plain bytes a file may have; beyond it the head and the tail are kept."""

    deadline: float | None = None
    """Seconds for the whole; the source's own when None."""

    stall: float | None = None
    """Seconds without a byte; the source's own when None."""

    observer: Callable[[], Observer] | None = None
    """Makes what watches the redacted bytes of each of its files."""

    observed: str = ".index"
    """What is appended to a file's name for what its observer leaves."""

    @property
    def stem(self) -> str:
        """The path's last part without its endings: the last word of an id that nobody gave."""
        return PurePosixPath(self.path).name.split(".")[0]


class Collector(ABC):
    """Knows one kind of data. Subclass it, name it, declare its items."""

    name: ClassVar[str]
    """The first word of its items' ids: lower case, unique among collectors."""

    category: ClassVar[Category]
    """The kind of its data, by which people leave it out."""

    summary: ClassVar[str]
    """What it takes, in a line."""

    @abstractmethod
    def items(self, target: Target) -> Iterator[Item]:
        """Declare what to collect from `target`. Pure: no I/O, the same answer each time."""
