"""Runs the statements that a diagnosis sends to TiDB: SELECT, SHOW, ADMIN SHOW, SET, USE, DESC."""

from __future__ import annotations

import datetime
import re
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from tests.lab.standin import sql_errors as errors
from tests.lab.standin.sql_tables import SCHEMAS, SHOWN, Tables
from tests.lab.standin.sql_version import TIDB_VERSION

Columns = Sequence[tuple[str, str]]
Result = tuple[Columns, Sequence[Sequence[Any]]]
NOTHING: Result = ((), ())

PROCESS = frozenset(
    "cluster_info cluster_load cluster_systeminfo cluster_log deadlocks cluster_deadlocks data_lock_waits "
    "inspection_result inspection_summary metrics_summary metrics_summary_by_label".split()
)
"""Tables that need PROCESS (pingcap/tidb, pkg/executor: memtable_reader.go, infoschema_reader.go, ...)."""

CONFIG = frozenset({"cluster_config", "cluster_hardware"})
"""Tables that need CONFIG."""

SHOW = re.compile(
    r"(?is)show\s+(?:full\s+)?(?P<what>.+?)(?:\s+like\s+(?P<like>'[^']*'|\"[^\"]*\")|\s+where\s+(?P<where>.+))?"
)
DDL_JOBS = re.compile(r"(?is)admin\s+show\s+ddl\s+jobs(?:\s+(?P<count>\d+))?(?:\s+where\s+(?P<where>.+))?")
QUIET = re.compile(r"(?i)(set|begin|start\s+transaction|commit|rollback|kill|flush|lock|unlock)\b")
HINT = re.compile(r"(?i)/\*\+.*?max_execution_time\(\s*(\d+)\s*\).*?\*/")
SET = re.compile(r"(?i)set\s+(?:session\s+|local\s+|@@session\.|@@)?(\w+)\s*:?=\s*'?([^';,]*)'?")
SYNONYMS = {
    "character set": "character set",
    "charset": "character set",
    "bindings": "session bindings",
    "schemas": "databases",
    "session status": "status",
    "session variables": "variables",
    "local variables": "variables",
    "storage engines": "engines",
    "binding_cache status": "binding_cache",
}
DEFAULT_JOBS = 10
"""ADMIN SHOW DDL JOBS shows this many finished jobs."""


class Runner:
    """One session's statements."""

    def __init__(
        self,
        tables: Callable[[], Tables],
        variables: Mapping[str, str],
        user: str,
        connection: int,
        *,
        privileged: bool,
    ) -> None:
        self._make_tables = tables
        self._tables: Tables | None = None
        self.global_variables = variables
        self.variables = dict(variables)
        self._user = user
        self._connection = connection
        self._privileged = privileged
        self.schema = ""

    @property
    def tables(self) -> Tables:
        """The tables, made when they are needed first."""
        self._tables = self._tables or self._make_tables()
        return self._tables

    def close(self) -> None:
        """Lets the tables go."""
        if self._tables:
            self._tables.database.close()
            self._tables = None

    def time_limit(self, statement: str) -> float:
        """How many seconds a statement may run; 0 when that is not limited."""
        hint = HINT.search(statement)
        return int(hint[1] if hint else self.variables["max_execution_time"]) / 1000

    def run(self, statement: str) -> Result:
        """The result of a statement; raises `SqlError`."""
        statement = statement.strip().rstrip(";").strip()
        words = re.sub(r"(?s)^(/\*.*?\*/\s*)+", "", statement)
        first = words.partition(" ")[0].lower()
        if first == "show":
            return self._show(words)
        if first == "admin":
            return self._admin(words)
        if first == "use":
            self.use(words[4:].strip().strip("`"))
            return NOTHING
        if first in {"desc", "describe"}:
            return self._describe(words.split()[1])
        if QUIET.match(words):
            self._set(words)
            return NOTHING
        return self._select(words)

    def use(self, schema: str) -> None:
        """Makes a database the default one."""
        if schema.lower() not in SCHEMAS:
            raise errors.no_database(schema)
        self.schema = schema.lower()

    def _set(self, statement: str) -> None:
        for name, value in SET.findall(statement):
            if name.lower() in self.variables:
                self.variables[name.lower()] = value.strip()

    def _show(self, statement: str) -> Result:
        found = SHOW.fullmatch(statement)
        if not found:
            raise errors.syntax(statement)
        what = " ".join(found["what"].lower().split())
        what = SYNONYMS.get(what, what)
        if what == "config" and not self._privileged:
            raise errors.privilege_needed("CONFIG")
        if what in {"variables", "global variables"}:
            self._fill_variables(self.variables if what == "variables" else self.global_variables)
            what = "variables"
        if what.startswith("tables"):
            return self._show_tables(what)
        table = f"{SHOWN}.{what}"
        if table not in self.tables.columns:
            raise errors.syntax(statement) if not _known_show(what) else errors.cannot(statement)
        return self._query_shown(table, found["like"], found["where"])

    def _fill_variables(self, values: Mapping[str, str]) -> None:
        table = f"{SHOWN}.variables"
        if table in self.tables.columns:
            self.tables.database.execute(f"DROP TABLE {table}")
        columns = [["Variable_name", "varchar(64)"], ["Value", "varchar(1024)"]]
        self.tables.add(table, columns, sorted(values.items()))

    def _show_tables(self, what: str) -> Result:
        found = re.fullmatch(r"tables(?:\s+(?:from|in)\s+`?(\w+)`?)?", what)
        schema = (found[1] if found and found[1] else self.schema).lower()
        if schema not in SCHEMAS:
            raise errors.no_database(schema)
        names = sorted(
            name.partition(".")[2] for name in self.tables.columns if name.startswith(f"{schema}.")
        )
        shown = [name.upper() if schema == "information_schema" else name for name in names]
        return ((f"Tables_in_{schema}", "varchar(64)"),), [[name] for name in shown]

    def _query_shown(self, table: str, like: str | None, where: str | None) -> Result:
        schema, _, name = table.partition(".")
        query = f"SELECT * FROM {schema}.`{name}`"
        first = next(iter(self.tables.columns[table]))
        if like:
            query += f" WHERE `{first}` LIKE '{like[1:-1]}'"
        elif where:
            query += f" WHERE {where}"
        return self._select(query, hidden=True)

    def _admin(self, statement: str) -> Result:
        if not self._privileged:
            raise errors.super_needed()
        jobs = DDL_JOBS.fullmatch(statement)
        if jobs:
            columns, rows = self._query_shown(f"{SHOWN}.admin ddl jobs", None, jobs["where"])
            return columns, rows[: int(jobs["count"] or DEFAULT_JOBS)]
        found = re.fullmatch(r"(?is)admin\s+show\s+(ddl|bdr role)", statement)
        if not found:
            raise errors.cannot(statement)
        return self._query_shown(f"{SHOWN}.admin {found[1].lower()}", None, None)

    def _describe(self, name: str) -> Result:
        schema, table = self._qualified(name.replace("`", ""))
        columns = [("Field", "varchar(64)"), ("Type", "varchar(64)")]
        return columns, list(self._columns_of(schema, table).items())

    def _qualified(self, name: str) -> tuple[str, str]:
        schema, dot, table = name.lower().partition(".")
        return (schema, table) if dot else (self.schema, schema)

    def _columns_of(self, schema: str, table: str) -> Mapping[str, str]:
        if not schema:
            raise errors.no_database("")
        columns = self.tables.columns.get(f"{schema}.{table}")
        if columns is None:
            raise errors.no_table(schema, table)
        return columns

    def _select(self, statement: str, *, hidden: bool = False) -> Result:
        try:
            query = sqlglot.parse_one(statement, read="mysql")
        except SqlglotError as error:
            raise errors.syntax(statement) from error
        if not isinstance(query, exp.Query):
            raise errors.cannot(statement)
        known = self._resolve_tables(query, hidden=hidden)
        self._check_columns(query, known)
        names = [] if query.is_star else [_shown_name(each) for each in query.selects]
        query = query.transform(self._constant)
        return self._execute(statement, query, names, known)

    def _resolve_tables(self, query: exp.Query, *, hidden: bool) -> dict[str, str]:
        """Names every table in full and gives the types of all columns, by their names in small letters."""
        known: dict[str, str] = {}
        derived = {each.alias_or_name.lower() for each in query.find_all(exp.CTE)}
        for table in query.find_all(exp.Table):
            if table.name.lower() in derived and not table.db:
                continue
            schema, name = (table.db or self.schema).lower(), table.name.lower()
            if schema == SHOWN and not hidden:
                raise errors.no_database(schema)
            columns = self._columns_of(schema, name)
            self._check_privileges(schema, name)
            known |= {column.lower(): kind for column, kind in columns.items()}
            alias = table.alias
            table.replace(exp.table_(name, db=schema, quoted=True, alias=alias or name))
        return known

    def _check_privileges(self, schema: str, table: str) -> None:
        if self._privileged or schema == SHOWN:
            return
        if schema == "information_schema":
            needed = "PROCESS" if table in PROCESS else "CONFIG" if table in CONFIG else ""
            if needed:
                raise errors.privilege_needed(needed)
        elif schema != "performance_schema":
            raise errors.select_denied(self._user, table)

    def _check_columns(self, query: exp.Query, known: Iterable[str]) -> None:
        """SQLite takes an unknown name in quotes for a text, TiDB refuses it."""
        names = {*known, *(each.alias.lower() for each in query.find_all(exp.Alias))}
        if query.find(exp.Subquery, exp.CTE):
            return
        for column in query.find_all(exp.Column):
            if column.name.lower() not in names and not isinstance(column.this, exp.Star):
                raise errors.no_column(column.sql(dialect="mysql").replace("`", ""))

    def _constant(self, node: exp.Expr) -> exp.Expr:
        """Functions and variables of the session are replaced by what they give."""
        if isinstance(node, exp.Hint):
            return exp.Hint(expressions=[])
        if isinstance(node, exp.SessionParameter):
            return exp.Literal.string(self._variable(node.name, node.text("kind").lower()))
        moment = _moment(node)
        if moment is not None:
            return exp.Literal.string(f"{moment:%Y-%m-%d %H:%M:%S}")
        name = node.name.lower() if isinstance(node, exp.Anonymous) else node.key
        if isinstance(node, exp.Func) and name in self._functions:
            value = self._functions[name]
            return exp.Literal.number(value) if isinstance(value, int) else _literal(value)
        return node

    def _variable(self, name: str, kind: str) -> str:
        values = self.global_variables if kind == "global" else self.variables
        if name.lower() not in values:
            raise errors.SqlError(1193, "HY000", f"Unknown system variable '{name}'")
        return values[name.lower()]

    @property
    def _functions(self) -> Mapping[str, str | int | None]:
        user = f"{self._user}@%"
        return {
            "version": self.variables["version"],
            "current_version": self.variables["version"],
            "currentversion": self.variables["version"],
            "tidb_version": TIDB_VERSION,
            "connection_id": self._connection,
            "connectionid": self._connection,
            "user": user,
            "currentuser": user,
            "current_user": user,
            "sessionuser": user,
            "session_user": user,
            "database": self.schema or None,
            "schema": self.schema or None,
            "current_schema": self.schema or None,
            "currentschema": self.schema or None,
            "current_database": self.schema or None,
            "currentdatabase": self.schema or None,
        }

    def _execute(
        self, statement: str, query: exp.Expr, names: Sequence[str], known: Mapping[str, str]
    ) -> Result:
        for select in query.find_all(exp.Select):
            select.set("hint", None)
        try:
            cursor = self.tables.database.execute(query.sql(dialect="sqlite"))
            rows = cursor.fetchall()
        except (sqlite3.Error, SqlglotError) as error:
            raise errors.cannot(f"{statement} ({error})") from error
        titles = names or [each[0] for each in cursor.description]
        kinds = [known.get(title.lower(), "") or _kind_of(rows, at) for at, title in enumerate(titles)]
        return list(zip(titles, kinds, strict=True)), rows


def _kind_of(rows: Sequence[Sequence[Any]], at: int) -> str:
    """The type of a computed column, by its first value."""
    value: object = next((row[at] for row in rows if row[at] is not None), None)
    return "bigint" if isinstance(value, int) else "double" if isinstance(value, float) else "varchar"


def _moment(node: exp.Expr) -> datetime.datetime | None:
    """The time that an expression gives: now, or an interval before or after it."""
    name = node.name.lower() if isinstance(node, exp.Anonymous) else node.key
    if name in {"now", "currenttimestamp", "sysdate", "localtimestamp"}:
        return datetime.datetime.now()
    if not isinstance(node, exp.Sub | exp.Add | exp.DateSub | exp.DateAdd):
        return None
    start, interval = _moment(node.this), node.expression
    unit = node.args.get("unit")
    if isinstance(interval, exp.Interval):
        unit, interval = interval.args.get("unit"), interval.this
    if start is None or unit is None:
        return None
    span = datetime.timedelta(**{f"{unit.name.lower()}s": float(interval.name)})
    return start + span if isinstance(node, exp.Add | exp.DateAdd) else start - span


def _literal(value: str | None) -> exp.Expr:
    return exp.null() if value is None else exp.Literal.string(value)


def _shown_name(expression: exp.Expr) -> str:
    """What a column of the result is called: its alias, its name as it was written, or its text."""
    name = expression.alias_or_name if isinstance(expression, exp.Alias | exp.Column) else ""
    return name or expression.sql(dialect="mysql", normalize_functions=False)


def _known_show(what: str) -> bool:
    """Whether TiDB has this SHOW statement although the stand-in lacks it."""
    return (
        re.match(r"create|grants|columns|index|table|keys|fields|import|open|triggers|events", what)
        is not None
    )
