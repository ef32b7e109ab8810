"""The loudest facts of a bundle: what a reader should hear of before opening a single file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone, tzinfo
from pathlib import Path
from typing import TypeVar

from clinic.bundle.manifest import Run, WindowFacts
from clinic.bundle.member import open_plain
from clinic.bundle.record import FileEntry, Record
from clinic.errors import BadBundle, ItemError
from clinic.guard import guarded
from clinic.read import kernel, signs
from clinic.read.instances import Processes, Started, State, processes, starts, states
from clinic.read.page import some
from clinic.read.signs import Sign
from clinic.units import MIB

T = TypeVar("T")

LARGEST = 4 * MIB
"""Bytes of one file that are looked at."""

FEW = 3
"""Instances of one host that are named each by itself."""

OLD = 10
"""How much quieter a fact is that was over before the window began."""

Read = Callable[[FileEntry], bytes | None]
"""Gives the beginning of a file's plain bytes; None where they can't be had."""


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
class Findings:
    """What a bundle's files tell at first sight."""

    facts: tuple[Fact, ...]
    """What a reader should know, the loudest first."""

    states: Mapping[str, State]
    """Whether each instance ran, by its id."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What time is of interest."""

    start: datetime
    """Beginning of the window, aware."""

    end: datetime
    """Its end, aware."""

    zone: tzinfo
    """Zone of times that are written without one."""

    @classmethod
    def of(cls, window: WindowFacts) -> Scope:
        """The scope of a bundle. A time in it that is none makes everything part of the window."""
        start = _moment(window.start, datetime.min.replace(tzinfo=timezone.utc))
        end = _moment(window.end, datetime.max.replace(tzinfo=timezone.utc))
        offset = window.zone.rpartition(" ")[2]
        try:
            zone = datetime.strptime(offset, "%z").tzinfo
        except ValueError:
            zone = None
        return cls(start, end, zone or start.tzinfo or timezone.utc)


def _moment(text: str, otherwise: datetime) -> datetime:
    try:
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return otherwise
    return found if found.tzinfo is not None else otherwise


Parser = Callable[[str, Scope], Iterator[Sign]]


def _plain(parse: Callable[[str], Iterator[Sign]]) -> Parser:
    return lambda text, scope: parse(text)


def _kernel(text: str, scope: Scope) -> Iterator[Sign]:
    for seen in kernel.messages(text, scope.zone):
        last = max(seen.times, default=None)
        old = last is not None and last < scope.start
        when = f", last at {_show(last, scope)}" if last is not None else ""
        times = f" {seen.count} times" if seen.count > 1 else ""
        before = " (before the window)" if old else ""
        what = seen.kind.name.format(seen.what)
        yield Sign(seen.kind.weight + OLD * old, f"{what}{times}{when}{before}", key=what)


def _show(moment: datetime, scope: Scope) -> str:
    return f"{moment.astimezone(scope.zone):%Y-%m-%d %H:%M:%S %z}"


PARSERS: Mapping[str, tuple[tuple[str, Parser], ...]] = {
    "system.dmesg": (("", _kernel),),
    "journal.kernel": (("", _kernel),),
    "journal.failed": (("", _plain(signs.failed_units)),),
    "journal.show": (("", _plain(signs.units)),),
    "processes.open-files": (("", _plain(signs.open_files)),),
    "system.memory": (("swaps", _plain(signs.swap)),),
    "system.thp": (("", _plain(signs.huge_pages)),),
    "settings.sysctl": (("", _plain(signs.swappiness)),),
    "storage.df": (("", _plain(signs.room)),),
    "storage.df-data": (("", _plain(signs.room)),),
    "storage.inodes": (("", _plain(signs.room)),),
    "storage.smart": (("", _plain(signs.disk_health)),),
    "storage.errors": (("", _plain(signs.file_system_errors)),),
    "clock.chrony": (("", _plain(signs.clock)),),
    "clock.ntpq": (("", _plain(signs.clock)),),
    "clock.daemons": (("", _plain(signs.clock_daemons)),),
    "clock.timedatectl": (("", _plain(signs.clock)),),
}
"""What reads an item, by its id: the name of the file, for a folder, and the parser."""


def reading(root: Path) -> Read:
    """Reads files below `root`, sealed or not: at most 4 MiB of each."""

    def read(file: FileEntry) -> bytes | None:
        try:
            with open_plain(root, file) as stream:
                return stream.read(LARGEST)
        except BadBundle:
            return None

    return read


def find(run: Run, records: Iterable[Record], read: Read) -> Findings:
    """What the files of `records` tell. Never fails: what is not there, or can't be understood, says nothing."""
    listed = tuple(records)
    scope = Scope.of(run.window)
    nothing: Processes = {}
    seen = _guarded(lambda: processes(listed, lambda record: _text(record, read), scope.zone), nothing)
    found = states(run.cluster.instances, listed, seen)
    facts: dict[tuple[str, str], Fact] = {}
    for key, fact in (*_restarts(run, found, seen, scope), *_told(listed, read, scope)):
        place = (fact.host, key)
        if place not in facts or fact.weight < facts[place].weight:
            facts[place] = fact
    ordered = sorted(facts.values(), key=lambda fact: (fact.weight, fact.host, fact.text))
    return Findings(tuple(ordered), found)


def _told(records: Iterable[Record], read: Read, scope: Scope) -> Iterator[tuple[str, Fact]]:
    """Each fact that a parser found, with what tells it from others of its host."""
    for record in records:
        for name, parse in PARSERS.get(record.entry.id, ()):
            for file in record.files:
                if not name or file.name.rpartition("/")[2] == name:
                    for sign in _signs(parse, _decoded(read(file)), scope):
                        fact = Fact(sign.weight, record.entry.host, sign.text, sign.ask, file.path)
                        yield sign.key or sign.text, fact


def _signs(parse: Parser, text: str, scope: Scope) -> list[Sign]:
    nothing: list[Sign] = []
    return _guarded(lambda: list(parse(text, scope)), nothing)


def _restarts(
    run: Run, found: Mapping[str, State], seen: Processes, scope: Scope
) -> Iterator[tuple[str, Fact]]:
    """What was started inside the window; many instances of one host are one fact."""
    by_host: dict[str, list[Started]] = {}
    for one in starts(run.cluster.instances, found, seen, scope.start, scope.end):
        by_host.setdefault(one.host, []).append(one)
    for host, ours in by_host.items():
        instances = sorted((one for one in ours if one.instance), key=lambda one: one.when)
        machine = [one for one in ours if not one.instance]
        groups = [[one] for one in instances] if len(instances) <= FEW else [instances]
        for group in (*([one] for one in machine), *groups):
            text = _started(group, scope)
            yield text, Fact(1, host, text, _why_stopped(group[0]), "")


def _started(group: Sequence[Started], scope: Scope) -> str:
    last = _show(group[-1].when, scope)
    if len(group) == 1:
        return f"{group[0].instance or 'the machine'} was started inside the window, at {last}"
    names = some([one.instance for one in group], FEW)
    return f"{len(group)} instances were started inside the window, the last at {last}: {names}"


def _why_stopped(first: Started) -> str:
    return f"journalctl --until @{first.when.timestamp():.0f} -n 200 --no-pager # what stopped it?"


def _text(record: Record, read: Read) -> str:
    return _decoded(read(record.files[0])) if record.files else ""


def _decoded(data: bytes | None) -> str:
    return data.decode("utf-8", "replace") if data is not None else ""


def _guarded(call: Callable[[], T], otherwise: T) -> T:
    """What `call` gives. A summary is never worth losing the bundle for, so a defect here costs its facts alone."""
    try:
        return guarded(call)
    except ItemError:
        return otherwise
