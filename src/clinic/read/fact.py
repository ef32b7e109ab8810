"""What readers pass on to each other: facts, what was seen of the instances, and the time that is of interest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone, tzinfo

from clinic.bundle.manifest import Run, WindowFacts
from clinic.read.instances import State
from clinic.read.journal import Journals
from clinic.units import MIB

LARGEST = 4 * MIB
"""Bytes of one file that are looked at."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that a reader should know."""

    weight: int
    """How loud it is: 0 is the loudest."""

    host: str
    """The machine it is about."""

    text: str
    """In a line, as the host's own data tell it: it may hold anything."""

    ask: str
    """A command that the customer could run next; empty where none helps."""

    path: str
    """The file of the bundle that it was found in."""


@dataclass(frozen=True, slots=True)
class Alike:
    """One fact that holds on several machines."""

    hosts: tuple[str, ...]
    """The machines; empty for what is about none."""

    text: str
    """What is told of each of them."""


def alike(facts: Iterable[Fact]) -> tuple[Alike, ...]:
    """`facts` in their order, those that say the same of several machines as one."""
    found: dict[tuple[int, str], list[str]] = {}
    for fact in facts:
        hosts = found.setdefault((fact.weight, fact.text), [])
        hosts += [fact.host] if fact.host else []
    return tuple(Alike(tuple(hosts), text) for (_, text), hosts in found.items())


@dataclass(frozen=True, slots=True)
class Findings:
    """What a bundle's files tell at first sight."""

    facts: tuple[Fact, ...]
    """What a reader should know, the loudest first."""

    states: Mapping[str, State]
    """Whether each instance ran, by its id."""

    journals: Journals = field(default_factory=Journals)
    """Whose journal can be asked further."""

    @property
    def ended(self) -> int:
        """How many instances ended while they were looked at."""
        return sum(state.ended for state in self.states.values())


@dataclass(frozen=True, slots=True)
class Scope:
    """What time is of interest."""

    start: datetime
    """Beginning of the window, aware."""

    end: datetime
    """Its end, aware."""

    zone: tzinfo
    """Zone of times that are written without one."""

    looked: datetime
    """When the run began, aware."""

    @classmethod
    def of(cls, run: Run) -> Scope:
        """The scope of a bundle. A time in it that is none makes everything part of the window."""
        start = _moment(run.window.start, datetime.min.replace(tzinfo=timezone.utc))
        end = _moment(run.window.end, datetime.max.replace(tzinfo=timezone.utc))
        return cls(start, end, _zone(run.window, start), _moment(run.started, end))

    def holds(self, moment: datetime) -> bool:
        """Whether `moment` is of the window."""
        return self.start <= moment <= self.end

    def shown(self, moment: datetime) -> str:
        """`moment` in the zone of the scope."""
        return f"{moment.astimezone(self.zone):%Y-%m-%d %H:%M:%S %z}"


def _zone(window: WindowFacts, start: datetime) -> tzinfo:
    try:
        zone = datetime.strptime(window.zone.rpartition(" ")[2], "%z").tzinfo
    except ValueError:
        zone = None
    return zone or start.tzinfo or timezone.utc


def _moment(text: str, otherwise: datetime) -> datetime:
    try:
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return otherwise
    return found if found.tzinfo is not None else otherwise
