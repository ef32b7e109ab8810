"""Rows of what is asked of servers over HTTP: one item for each instance, or one that any instance can answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from clinic.collector import (
    Collector,
    Content,
    Instance,
    Item,
    Sensitivity,
    Source,
    Stage,
    Target,
    Volatility,
)
from clinic.source.first import First
from clinic.source.http import Expect, Get

SOON = 4.0
"""Seconds for the beginning of an answer, where another server can be asked instead."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One item before it is made for its instances; the fields mean what those of `Item` mean."""

    id: str
    """The words of its id after the collector's name."""

    path: str
    """Below the instance's folder; for what is the whole cluster's, from the top of the bundle."""

    get: str | tuple[str, ...]
    """What is asked for, with its query; several when older versions have it elsewhere."""

    components: tuple[str, ...] = ()
    """Which components are asked; not used for what is the whole cluster's."""

    deploy: bool = False
    """Whether the folder is the one of the deploy directory, where PingCAP's own client has this file."""

    expect: Expect = "json"
    """What shape makes it an answer."""

    content: Content = Content.JSON
    """Format."""

    sensitivity: Sensitivity = Sensitivity.INTERNAL
    """What it may hold."""

    volatility: Volatility = Volatility.RESTART
    """How soon it is gone."""

    stage: Stage = Stage.COLLECT
    """LEARN when it may hold credentials."""

    priority: int = 50
    """Who runs, and gets room, first among equals."""

    default: bool = True
    """Whether it is collected when nobody names it."""

    cap: int = 32 << 20
    """Most plain bytes."""

    def source(self, servers: Iterable[Instance]) -> Source:
        """Ask each of `servers` until one answers."""
        paths = (self.get,) if isinstance(self.get, str) else self.get
        asked = [Get(server, path, expect=self.expect) for server in servers for path in paths]
        # Where another one may be asked, none is waited for long.
        others = (replace(one, begin=SOON) for one in asked if one.lane != asked[-1].lane)
        asked = [*others, *(one for one in asked if one.lane == asked[-1].lane)]
        return asked[0] if len(asked) == 1 else First(tuple(asked))

    def item(self, collector: str, path: str, source: Source, instance: Instance | None = None) -> Item:
        """The item at `path`."""
        return Item(
            path, source, id=f"{collector}.{self.id}", host=instance.host if instance else "",
            instance=instance.id if instance else "", content=self.content, sensitivity=self.sensitivity,
            stage=self.stage, volatility=self.volatility, priority=self.priority, default=self.default, cap=self.cap,
        )  # fmt: skip


def place(instance: Instance, *, deploy: bool = False) -> str:
    """The folder of an instance: named by its id, or by its deploy directory as PingCAP's own client has it."""
    if deploy and instance.deploy_dir.startswith("/"):
        return f"{instance.host}{instance.deploy_dir.rstrip('/')}"
    return f"{instance.host}/{instance.id}"


def of(target: Target, *components: str) -> list[Instance]:
    """The instances of these components that serve a port."""
    return [instance for instance in target.instances() if instance.component in components and instance.port]


def on_instances(collector: Collector, target: Target, *tables: tuple[Ask, ...]) -> Iterator[Item]:
    """An item for each row on each instance of its components."""
    for table in tables:
        for row in table:
            for instance in of(target, *row.components):
                path = f"{place(instance, deploy=row.deploy)}/{row.path}"
                yield row.item(collector.name, path, row.source([instance]), instance)


def of_cluster(
    collector: Collector, target: Target, component: str, *tables: tuple[Ask, ...]
) -> Iterator[Item]:
    """An item for each row, answered by whichever instance of `component` can; nothing where there is none."""
    servers = of(target, component)
    rows = [row for table in tables for row in table] if servers else []
    for number, row in enumerate(rows):
        yield row.item(collector.name, row.path, row.source(turned(servers, number)))


def turned(servers: list[Instance], number: int) -> list[Instance]:
    """The same, another one first for each number: so that no single one is asked for everything."""
    first = number % len(servers)
    return servers[first:] + servers[:first]
