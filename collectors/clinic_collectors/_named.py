"""What holds texts of the customer's statements, or costs a server more: each only when it is named."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from clinic.collector import Collector, Item, Sensitivity, Target, Volatility, Window
from clinic_collectors._sql import MYSQL, TIDB, Table, of_servers, on_servers

USER_DATA, RESTART, STABLE = Sensitivity.USER_DATA, Volatility.RESTART, Volatility.STABLE
_SCHEMA = "SELECT * FROM information_schema."


def _text(name: str, table: str, components: tuple[str, ...] = TIDB, schema: str = _SCHEMA) -> Table:
    return Table(
        name,
        f"text/{table}.csv",
        f"{schema}{table}",
        components=components,
        sensitivity=USER_DATA,
        default=False,
    )


ON_SERVERS = (
    _text("processes-text", "processlist", (*TIDB, *MYSQL)),
    _text("transactions-text", "tidb_trx"),
    _text("deadlocks-text", "deadlocks"),
    _text("statements-text", "statements_summary"),
    _text("statements-history", "statements_summary_history"),
    _text("digests-text", "events_statements_summary_by_digest", MYSQL, "SELECT * FROM performance_schema."),
    Table(
        "engine-status", "text/engine_innodb_status.csv", "SHOW ENGINE INNODB STATUS", components=MYSQL,
        sensitivity=USER_DATA, default=False,
    ),
)  # fmt: skip

OF_CLUSTER = (
    Table("bindings", "sql_bind/global_bind.csv", "SELECT * FROM mysql.bind_info", sensitivity=USER_DATA),
    Table(
        "lock-waits-text",
        "db_vars/text/data_lock_waits.csv",
        f"{_SCHEMA}data_lock_waits",
        sensitivity=USER_DATA,
    ),
    Table("stats-meta", "db_vars/stats_meta.csv", "SHOW STATS_META"),
    Table("stats-healthy", "db_vars/stats_healthy.csv", "SHOW STATS_HEALTHY"),
    Table("placement", "db_vars/placement.csv", "SHOW PLACEMENT"),
    Table("placement-policies", "db_vars/placement_policies.csv", f"{_SCHEMA}placement_policies"),
    Table("resource-groups", "db_vars/resource_groups.csv", f"{_SCHEMA}resource_groups"),
    Table(
        "runaway-watches", "db_vars/runaway_watches.csv", f"{_SCHEMA}runaway_watches", sensitivity=USER_DATA
    ),
    Table("hot-tables", "db_vars/tidb_hot_regions.csv", f"{_SCHEMA}tidb_hot_regions"),
)


def _in_window(window: Window) -> tuple[tuple[Table, ...], tuple[Table, ...]]:
    """What has a time, for servers and for the cluster: seconds since 1970 mean the same in every time zone."""
    start, end = (f"FROM_UNIXTIME({moment.timestamp():.0f})" for moment in (window.start, window.end))
    slow = f"{_SCHEMA}slow_query WHERE Time BETWEEN {start} AND {end}"
    jobs = f"{_SCHEMA}ddl_jobs WHERE START_TIME BETWEEN {start} AND {end}"
    return (
        (Table("slow-query", "text/slow_query.csv", slow, sensitivity=USER_DATA),),
        (
            Table("ddl-jobs", "db_vars/text/ddl_jobs.csv", jobs, sensitivity=USER_DATA),
            # Of the last half hour: the hint for another time wants it as text in the server's own time zone.
            Table("inspection", "db_vars/inspection_result.csv", f"{_SCHEMA}inspection_result"),
            Table("inspection-rules", "db_vars/inspection_rules.csv", f"{_SCHEMA}inspection_rules"),
        ),
    )


def named(collector: Collector, target: Target) -> Iterator[Item]:
    """All of them, none of which is collected unless somebody names it."""
    on_each, of_all = _in_window(target.window)
    yield from on_servers(collector, target, _off(ON_SERVERS), _off(on_each))
    yield from of_servers(collector, target, _off(OF_CLUSTER), _off(of_all))


def _off(rows: tuple[Table, ...]) -> tuple[Table, ...]:
    return tuple(replace(row, default=False) for row in rows)
