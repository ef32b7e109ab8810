"""Rows that collectors are made of: one source and what is true of its bytes, an item on every machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from clinic.collector import Collector, Content, Item, Sensitivity, Source, Stage, Target, Volatility
from clinic.source.command import Command
from clinic.source.file import File, Files

Make = Callable[[str], Source]
"""Makes a source for the host of that name."""


@dataclass(frozen=True, slots=True)
class Row:
    """One item before it is made for each machine; the fields mean what those of `Item` mean."""

    id: str
    """The words of its id after the collector's name."""

    path: str
    """Below `<host>/system/`; below `<host>/` when it begins with a slash."""

    make: Make
    """Its source."""

    content: Content = Content.TEXT
    """Format."""

    sensitivity: Sensitivity = Sensitivity.INTERNAL
    """What it may hold."""

    volatility: Volatility = Volatility.STABLE
    """How soon it is gone."""

    stage: Stage = Stage.COLLECT
    """LEARN when it teaches the redactor."""

    priority: int = 50
    """Who runs, and gets room, first among equals."""

    folder: bool = False
    """Whether the source gives several files."""

    default: bool = True
    """Whether it is collected when nobody names it."""

    cap: int = 32 << 20
    """Most plain bytes of a file."""

    def item(self, collector: str, host: str) -> Item:
        """The item that this row is on `host`."""
        path = f"{host}{self.path}" if self.path.startswith("/") else f"{host}/system/{self.path}"
        return Item(
            path, self.make(host), id=f"{collector}.{self.id}", host=host, folder=self.folder,
            content=self.content, sensitivity=self.sensitivity, stage=self.stage, volatility=self.volatility,
            priority=self.priority, default=self.default, cap=self.cap,
        )  # fmt: skip


def on_machines(collector: Collector, target: Target, *tables: tuple[Row, ...]) -> Iterator[Item]:
    """An item for each row of `tables` on each machine."""
    for machine in target.machines:
        for table in tables:
            for row in table:
                yield row.item(collector.name, machine.name)


def tool(
    line: str,
    package: str,
    *,
    root: bool = False,
    ok: tuple[int, ...] = (0,),
    deadline: float = 30.0,
    empty: Literal["skip", "not_applicable"] = "skip",
) -> Make:
    """The output of the command `line`, split at blanks.

    `package` brings the tool where it is absent; empty where it need not be there.
    """
    argv = tuple(line.split())
    return lambda host: Command(
        host, argv, ok=ok, root=root, package=package, deadline=deadline, empty=empty
    )  # fmt: skip


def file(path: str) -> Make:
    """The file at `path`."""
    return lambda host: File(host, path)


def files(*patterns: str) -> Make:
    """The files that match `patterns`, each under its own path; those that are not there are no loss."""
    return lambda host: Files(host, patterns)


def attributes(*roots: str, names: str, depth: int, follow: bool = False, skip: str = "") -> Make:
    """`path:value` lines of the small files called `names` (globs) below `roots`.

    The hundreds of one-word files of /sys are one file to read and to search this way. Two processes in
    all, whatever their number; directories that match `skip` are not entered. Works with busybox too.
    """
    prune = ("(", *_any_of(skip), ")", "-prune", "-o") if skip else ()
    argv = (
        "find", *(("-L",) if follow else ()), *roots, "-maxdepth", str(depth), *prune,
        "(", *_any_of(names), ")", "-type", "f", "-exec", "grep", "-Hs", "", "{}", "+",
    )  # fmt: skip
    # find and grep end with 1 or 2 when a single one of the files is missing or refuses to be read.
    return lambda host: Command(
        host, argv, ok=(0, 1, 2), package="findutils", deadline=15.0, empty="not_applicable"
    )


def _any_of(names: str) -> tuple[str, ...]:
    words = [("-o", "-name", name) for name in names.split()]
    return tuple(word for group in words for word in group)[1:]
