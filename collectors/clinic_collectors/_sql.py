"""Rows of what is asked of SQL servers: one item for each server, or one that any server can answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

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
from clinic.source.sql import Query
from clinic_collectors._servers import of, turned

TIDB = ("tidb",)
MYSQL = ("mysql", "mariadb")
ALL = (*TIDB, *MYSQL)


@dataclass(frozen=True, slots=True)
class Table:
    """One item before it is made for its servers; the fields mean what those of `Item` mean."""

    id: str
    """The words of its id after the collector's name."""

    path: str
    """Below the server's folder in `db_vars/`; for what is the whole cluster's, from the top of the bundle."""

    sql: str | tuple[str, ...]
    """A statement that reads; several when other versions have another."""

    columns: tuple[str, ...] = ()
    """The columns that are taken; all when empty."""

    components: tuple[str, ...] = TIDB
    """Which servers are asked."""

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

    def source(self, server: Instance) -> Source:
        """The statement for one server."""
        statements = (self.sql,) if isinstance(self.sql, str) else self.sql
        asked = tuple(Query(server, statement, columns=self.columns or None) for statement in statements)
        return asked[0] if len(asked) == 1 else First(asked)

    def item(self, collector: str, path: str, source: Source, server: Instance | None = None) -> Item:
        """The item at `path`."""
        return Item(
            path, source, id=f"{collector}.{self.id}", host=server.host if server else "",
            instance=server.id if server else "", content=Content.CSV, sensitivity=self.sensitivity,
            stage=self.stage, volatility=self.volatility, priority=self.priority, default=self.default,
        )  # fmt: skip


def on_servers(collector: Collector, target: Target, *tables: tuple[Table, ...]) -> Iterator[Item]:
    """An item for each row on each server of its components."""
    for table in tables:
        for row in table:
            for server in of(target, *row.components):
                path = f"db_vars/{server.id}/{row.path}"
                yield row.item(collector.name, path, row.source(server), server)


def of_servers(collector: Collector, target: Target, *tables: tuple[Table, ...]) -> Iterator[Item]:
    """An item for each row, answered by whichever server of its components can; nothing where there is none."""
    for number, row in enumerate(row for table in tables for row in table):
        if servers := of(target, *row.components):
            source = First(tuple(row.source(server) for server in turned(servers, number)))
            yield row.item(collector.name, row.path, source)
