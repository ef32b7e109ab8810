"""The loudest facts of a bundle: what a reader should hear of before opening a single file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TypeVar

from clinic.bundle.manifest import Run
from clinic.bundle.member import open_plain
from clinic.bundle.record import FileEntry, Record
from clinic.bundle.spool import Root
from clinic.errors import BadBundle, ItemError
from clinic.guard import guarded
from clinic.read import hosts, kernel, signs
from clinic.read import restarts as lives
from clinic.read.fact import LARGEST, Fact, Findings, Scope
from clinic.read.hosts import Host
from clinic.read.indexes import loudest
from clinic.read.instances import Processes, processes, states
from clinic.read.journal import Journals
from clinic.read.signs import Sign

T = TypeVar("T")

OUTSIDE = 10
"""How much quieter a fact is that was over before the window began, or began after its end."""

Read = Callable[[FileEntry], bytes | None]
"""Gives the beginning of a file's plain bytes; None where they can't be had."""


Parser = Callable[[str, Scope], Iterator[Sign]]


def _plain(parse: Callable[[str], Iterator[Sign]]) -> Parser:
    return lambda text, scope: parse(text)


def _kernel(text: str, scope: Scope) -> Iterator[Sign]:
    for seen in kernel.messages(text, scope.zone):
        last = max(seen.times, default=None)
        old = last is not None and last < scope.start
        new = last is not None and min(seen.times) > scope.end
        when = f", last at {scope.shown(last)}" if last is not None else ""
        times = f" {seen.count} times" if seen.count > 1 else ""
        beside = f" ({'before' if old else 'after'} the window)" if old or new else ""
        what = seen.kind.name.format(seen.what)
        yield Sign(seen.kind.weight + OUTSIDE * (old or new), f"{what}{times}{when}{beside}", key=what)


PARSERS: Mapping[str, tuple[tuple[str, Parser], ...]] = {
    "system.dmesg": (("", _kernel),),
    "journal.kernel": (("", _kernel),),
    "journal.failed": (("", _plain(signs.failed_units)),),
    "journal.show": (("", _plain(signs.units)),),
    "processes.open-files": (("", _plain(signs.open_files)),),
    "samples.rates": (("", _plain(signs.processors)),),
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


def reading(root: Root) -> Read:
    """Reads files below `root`, sealed or not: at most 4 MiB of each."""

    def read(file: FileEntry) -> bytes | None:
        try:
            with open_plain(root, file) as stream:
                return stream.read(LARGEST)
        except BadBundle:
            return None

    return read


def find(run: Run, records: Iterable[Record], read: Read, root: Root | None = None) -> Findings:
    """What the files of `records` tell; with `root`, where they are, also the indexes of logs beside them.

    Never fails: what is not there, or can't be understood, says nothing.
    """
    listed = tuple(records)
    scope = Scope.of(run)
    nothing: Processes = {}
    seen = _guarded(lambda: processes(listed, lambda record: _text(record, read), scope.zone), nothing)
    found = states(run.cluster.instances, listed, seen)
    booted = {host: started[1] for host, started in seen.items() if 1 in started}
    views = list(hosts.by_host(listed, lambda file: _decoded(read(file)), booted))
    journals = _journals(views)
    facts: dict[tuple[str, str], Fact] = {}
    for key, fact in (
        *((fact.text, fact) for fact in lives.ended(run.cluster.instances, found, journals)),
        *((fact.text, fact) for fact in lives.started(run.cluster.instances, found, seen, scope, journals)),
        *_of_hosts(views, scope),
        *_told(listed, read, scope),
        *((fact.text, fact) for fact in _said(run, listed, root)),
    ):
        place = (fact.host, key)
        if place not in facts or fact.weight < facts[place].weight:
            facts[place] = fact
    ordered = sorted(facts.values(), key=lambda fact: (fact.weight, fact.host))
    return Findings(tuple(ordered), found, journals)


def _said(run: Run, records: Sequence[Record], root: Root | None) -> list[Fact]:
    nothing: list[Fact] = []
    return _guarded(lambda: list(loudest(root, run, records)), nothing) if root is not None else nothing


def _journals(views: Iterable[Host]) -> Journals:
    able = [view for view in views if _guarded(partial(hosts.has_journal, view), False)]
    rebooted = [view.name for view in able if _guarded(partial(hosts.has_earlier_boot, view), False)]
    return Journals(frozenset(view.name for view in able), frozenset(rebooted))


def _of_hosts(views: Iterable[Host], scope: Scope) -> Iterator[tuple[str, Fact]]:
    """What several items of a host tell together, each with what tells it from others of its host."""
    nothing: list[Fact] = []
    for view in views:
        for key, look in (
            ("clock", partial(hosts.unkept, view)),
            ("load", partial(hosts.overload, view)),
            ("window", partial(hosts.outside, view, scope)),
        ):
            yield from ((key, fact) for fact in _guarded(partial(_all, look), nothing))


def _all(look: Callable[[], Iterator[T]]) -> list[T]:
    return list(look())


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
