"""The tables that TiDB shows over SQL, loaded into SQLite: `information_schema`, `mysql` and the like.

Columns and rows are in `recordings/tidb/sql`. What TiDB asks its cluster for, it asks here too: the configuration
of every instance is the answer of that instance's own API.
"""

from __future__ import annotations

import datetime
import json
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

from tests.lab.standin.answers import Request
from tests.lab.standin.components import api_of
from tests.lab.standin.members import Member
from tests.lab.standin.recorded import text
from tests.lab.standin.rewrite import Rewriter
from tests.lab.standin.spec import Spec

SCHEMAS = ("information_schema", "mysql", "performance_schema", "metrics_schema", "sys", "shop", "test")
SHOWN = "shown"
"""The schema here of what SHOW statements give."""

CONFIG_PATHS = {
    "tidb": "/config",
    "pd": "/pd/api/v1/config",
    "tikv": "/config",
    "tiflash": "/config",
    "tiproxy": "/api/admin/config?format=json",
}
"""Where TiDB asks for configurations (pingcap/tidb, `fetchClusterConfig` in pkg/executor/memtable_reader.go)."""

OWNED = {
    "information_schema.processlist": "USER",
    "information_schema.cluster_processlist": "USER",
    "information_schema.tidb_trx": "USER",
    "information_schema.cluster_tidb_trx": "USER",
    "information_schema.slow_query": "User",
    "information_schema.cluster_slow_query": "User",
    "information_schema.statements_summary": "SAMPLE_USER",
    "information_schema.cluster_statements_summary": "SAMPLE_USER",
    "information_schema.statements_summary_history": "SAMPLE_USER",
    "information_schema.cluster_statements_summary_history": "SAMPLE_USER",
}
"""Tables of which a user without PROCESS sees only the own rows, and the column that says whose a row is."""

AGO = re.compile(r"(gc)?ago([36])?:(-?\d+)")
TYPE_OF_SHOWN = "varchar(1024)"
Row = Sequence[Any]


def variables(spec: Spec, member: Member) -> dict[str, str]:
    """The global variables of one TiDB."""
    lines = text("tidb/sql/show_global_variables.tsv").splitlines()[1:]
    found = {cells[0] or "": cells[1] or "" for cells in map(_cells, lines)}
    return {
        **found,
        "version": "8.0.11-TiDB-v8.5.3",
        "version_comment": "TiDB Server (Apache License 2.0) Community Edition, MySQL 8.0 compatible",
        "hostname": member.recorded_host,
        "port": str(member.port),
        "datadir": "/tmp/tidb",
        "have_ssl": "YES",
        "have_openssl": "YES",
        "ssl_ca": str(spec.tls_dir / "ca.crt"),
        "max_execution_time": "0",
        "system_time_zone": datetime.datetime.now().astimezone().tzname() or "UTC",
        "time_zone": "SYSTEM",
        "tidb_slow_query_file": str(member.log_dir / "tidb_slow_query.log"),
    }


class Tables:
    """All tables of one TiDB as they are now, for one user."""

    def __init__(self, spec: Spec, member: Member, user: str, *, privileged: bool) -> None:
        self._spec = spec
        self._member = member
        self._rewriter = Rewriter(spec, member)
        self.database = sqlite3.connect(":memory:", isolation_level=None)
        self.database.create_function("unix_to_time", 1, _moment, deterministic=True)
        self.columns: dict[str, dict[str, str]] = {}
        for schema in (*SCHEMAS, SHOWN):
            self.database.execute(f"ATTACH ':memory:' AS {schema}")
        self._load_documented()
        self._load_cluster()
        self._load_shown()
        if not privileged:
            self._keep_own(user)

    def add(
        self, name: str, columns: Sequence[Sequence[str]], rows: Iterable[Row], *, own: bool = False
    ) -> None:
        """A table; its rows are as they were recorded, or (`own`) this cluster's own."""
        self.columns[name] = {column[0]: column[1] for column in columns}
        schema, _, table = name.partition(".")
        declared = ", ".join(f'"{column}" {_affinity(kind)}' for column, kind in columns)
        self.database.execute(f'CREATE TABLE {schema}."{table}" ({declared})')
        marks = ", ".join("?" * len(columns))
        self.database.executemany(
            f'INSERT INTO {schema}."{table}" VALUES ({marks})', rows if own else map(self._now, rows)
        )

    def _now(self, row: Row) -> list[Any]:
        return [self._value(cell) for cell in row]

    def _value(self, cell: Any) -> Any:
        if not isinstance(cell, str):
            return cell
        found = AGO.fullmatch(cell)
        if found:
            return _ago(int(found[3]), found[2], gc=bool(found[1]))
        return self._rewriter.text(cell) if "127.0." in cell or "/tidb-" in cell else cell

    def _load_documented(self) -> None:
        tables: Mapping[str, Any] = json.loads(text("tidb/sql/tables.json"))
        for name, table in tables.items():
            own = "clustered" not in table
            rows = table["rows"] if own else self._clustered(tables[table["clustered"]]["rows"])
            if name not in _OF_CLUSTER:
                self.add(name, table["columns"], rows)
        self._of_cluster = {name: tables[name]["columns"] for name in _OF_CLUSTER if name in tables}

    def _clustered(self, rows: Sequence[Row]) -> Iterator[Row]:
        """What every TiDB has, with its status address in front."""
        for server in self._spec.of("tidb"):
            yield from ([server.status_address, *row] for row in rows)

    def _load_cluster(self) -> None:
        started = datetime.datetime.fromtimestamp(self._spec.started).astimezone()
        uptime = datetime.datetime.now().astimezone() - started
        for name in ("cluster_info", "cluster_hardware", "cluster_load", "cluster_systeminfo"):
            rows = [_cells(line) for line in text(f"tidb/sql/{name}.tsv").splitlines()[1:]]
            shown = {
                "start": started.isoformat(timespec="seconds"),
                "uptime": f"{uptime.total_seconds():.9f}s",
            }
            known = [[shown.get(cell or "", cell) for cell in row] for row in rows]
            self.add(f"information_schema.{name}", self._of_cluster[f"information_schema.{name}"], known)
        config = self._of_cluster["information_schema.cluster_config"]
        self.add("information_schema.cluster_config", config, _configuration(self._spec), own=True)
        gc = [_cells(line) for line in text("tidb/sql/mysql_tidb.tsv").splitlines()]
        self.add("mysql.tidb", [[name or "", "varchar(1024)"] for name in gc[0]], gc[1:])
        pairs = sorted(variables(self._spec, self._member).items())
        columns = [["VARIABLE_NAME", "varchar(64)"], ["VARIABLE_VALUE", "varchar(1024)"]]
        self.add("mysql.global_variables", columns, pairs, own=True)
        self.database.executemany("INSERT INTO information_schema.session_variables VALUES (?, ?)", pairs)

    def _load_shown(self) -> None:
        shown: Mapping[str, Any] = json.loads(text("tidb/sql/show.json"))
        for name, table in shown.items():
            self.add(f"{SHOWN}.{name}", [[each, TYPE_OF_SHOWN] for each in table["columns"]], table["rows"])
        config = [[name, TYPE_OF_SHOWN] for name in ("Type", "Instance", "Name", "Value")]
        self.add(f"{SHOWN}.config", config, self._rows("information_schema.cluster_config"), own=True)
        processes = ("Id", "User", "Host", "db", "Command", "Time", "State", "Info")
        kinds = ("bigint", TYPE_OF_SHOWN, TYPE_OF_SHOWN, TYPE_OF_SHOWN, TYPE_OF_SHOWN, "int(7)")
        columns = [[n, k] for n, k in zip(processes, (*kinds, TYPE_OF_SHOWN, TYPE_OF_SHOWN), strict=True)]
        listed = [row[: len(processes)] for row in self._rows("information_schema.processlist")]
        self.add(f"{SHOWN}.processlist", columns, listed, own=True)

    def _rows(self, name: str) -> list[tuple[Any, ...]]:
        schema, _, table = name.partition(".")
        return self.database.execute(f'SELECT * FROM {schema}."{table}"').fetchall()

    def _keep_own(self, user: str) -> None:
        owned = {**OWNED, f"{SHOWN}.processlist": "User"}
        for name, column in owned.items():
            schema, _, table = name.partition(".")
            self.database.execute(f'DELETE FROM {schema}."{table}" WHERE "{column}" IS NOT ?', (user,))


_OF_CLUSTER = frozenset(
    f"information_schema.cluster_{name}" for name in ("info", "hardware", "load", "systeminfo", "config")
)


def _cells(line: str) -> tuple[str | None, ...]:
    return tuple(None if cell == r"\N" else _unescaped(cell) for cell in line.split("\t"))


def _unescaped(cell: str) -> str:
    return re.sub(r"\\(.)", lambda found: {"t": "\t", "n": "\n"}.get(found[1], found[1]), cell)


def _affinity(kind: str) -> str:
    """The type for SQLite: numbers stay numbers, all else is text."""
    if re.match(r"(?i)(big|tiny|small|medium)?int", kind):
        return "INTEGER"
    return "REAL" if re.match(r"(?i)double|float|decimal", kind) else "TEXT"


def _moment(seconds: int) -> str:
    """FROM_UNIXTIME, which sqlglot calls UNIX_TO_TIME in SQLite."""
    return datetime.datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _ago(seconds: int, digits: str | None, *, gc: bool) -> str:
    moment = datetime.datetime.now().astimezone() - datetime.timedelta(seconds=seconds)
    if gc:
        return moment.strftime("%Y%m%d-%H:%M:%S.") + f"{moment.microsecond // 1000:03d} {moment:%z}"
    stem = moment.strftime("%Y-%m-%d %H:%M:%S")
    return f"{stem}.{moment.microsecond:06d}"[: len(stem) + 1 + int(digits)] if digits else stem


def _configuration(spec: Spec) -> Iterator[Row]:
    for component, path in CONFIG_PATHS.items():
        for member in spec.of(component):
            answer = api_of(spec, member, "status").answer(Request("GET", path, {}, b""))
            if answer.status != 200:
                continue  # TiDB warns of a server that does not answer, and shows the others (fetchClusterConfig)
            for name, value in sorted(flat(json.loads(answer.body)).items()):
                yield (component, member.address, name, value)


def flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested items with dotted names, as TiDB lists them (`FlattenConfigItems` in pkg/config)."""
    found: dict[str, str] = {}
    for name, item in value.items():
        if isinstance(item, dict):
            found |= flat(cast("dict[str, Any]", item), f"{prefix}{name}.")
        else:
            shown = item if isinstance(item, str) else json.dumps(item, separators=(",", ":"))
            found[prefix + name] = shown
    return found
