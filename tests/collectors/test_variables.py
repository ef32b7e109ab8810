"""Variables whole, evidence without texts; texts only by name, and nothing that writes."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clinic import registry
from clinic.collector import Content, Item, Sensitivity, Stage, Target
from clinic_collectors.variables import Variables

Play = Callable[..., bytes]
Targets = Callable[[str], Target]
TEXTS = (
    "QUERY_SAMPLE_TEXT", "DIGEST_TEXT", "CURRENT_SQL_DIGEST_TEXT", "SQL_DIGEST_TEXT", "PLAN", "BINARY_PLAN", "INFO",
    "KEY", "KEY_INFO", "SQL_TEXT", "QUERY", "PREV_SAMPLE_TEXT", "trx_query", "Last_Error", "Last_SQL_Error",
    "Last_IO_Error",
)  # fmt: skip
"""Columns that hold statements, plans, or values of rows."""


def listed(target: Target) -> dict[str, Item]:
    """This collector's items by their paths."""
    return {item.path: item for item in Variables().items(target)}


@pytest.mark.parametrize("machine", ["tiup", "debian-12-servers"])
def test_no_text_of_a_statement_or_key_is_in_what_is_on_by_default(
    machine: str, target: Targets, play: Play
) -> None:
    """Held against what the recorded servers said: their texts are in none of it."""
    default = {item.id for item in listed(target(machine)).values() if item.default}
    taken = b"\n".join(play(machine, identity) for identity in sorted(default))
    seen = 0
    for component in {one.component for one in target(machine).instances()}:
        for text in _texts(component):
            seen += 1
            assert text.encode() not in taken
    assert seen > 5


def _texts(component: str) -> set[str]:
    """What the recorded servers of a component have in such columns; short ones are in anything."""
    file = Path(__file__).parent.parent / "recorded" / "servers" / component / "sql.json"
    statements: dict[str, Any] = json.loads(file.read_text("utf-8"))["statements"] if file.exists() else {}
    wanted = {name.lower() for name in TEXTS}
    return {
        row[at]
        for result in statements.values()
        for at, name in enumerate(result["columns"])
        for row in result["rows"]
        if name.lower() in wanted and row[at] and len(row[at]) > 8
    }


def test_what_holds_texts_is_named_as_the_customer_s_data(target: Targets) -> None:
    ids = {item.id for item in listed(target("tiup")).values() if item.sensitivity is Sensitivity.USER_DATA}
    assert ids == {
        "variables.bindings", "variables.ddl-jobs", "variables.deadlocks-text", "variables.digests-text",
        "variables.engine-status", "variables.lock-waits-text", "variables.processes-text", "variables.runaway-watches",
        "variables.slow-query", "variables.statements-history", "variables.statements-text",
        "variables.transactions-text",
    }  # fmt: skip


def test_none_of_the_customer_s_data_is_on_by_default(target: Targets) -> None:
    taken = [item for item in listed(target("tiup")).values() if item.default]
    assert [item.id for item in taken if item.sensitivity is Sensitivity.USER_DATA] == []


def test_every_statement_reads(target: Targets) -> None:
    """The source refuses others; here it is said once more of all that any collector asks."""
    for machine in ("tiup", "debian-12-servers"):
        for found in registry.builtin():
            for item in found.collector.items(target(machine)):
                if item.content is Content.CSV and item.source.lane.startswith("server:"):
                    assert re.fullmatch(r"(?s)(?:SELECT|SHOW|ADMIN SHOW) [^;]*", item.source.what)


def test_variables_are_learned_from(target: Targets) -> None:
    learned = {item.id for item in listed(target("tiup")).values() if item.stage is Stage.LEARN}
    assert learned == {"variables.global", "variables.session", "variables.tidb", "variables.defaults"}


def test_each_server_tells_its_own(target: Targets) -> None:
    found = listed(target("tiup"))
    assert found["db_vars/db-1-4000/global_variables.csv"].instance == "db-1-4000"
    assert found["db_vars/mysql.tidb.csv"].id == "variables.tidb"
    assert found["sql_bind/global_bind.csv"].id == "variables.bindings"


def rows(data: bytes) -> list[dict[str, str]]:
    """Of a CSV."""
    return list(csv.DictReader(data.decode().splitlines()))


def test_a_value_stands_next_to_its_name_for_the_redactor(play: Play) -> None:
    assert play("tiup", "variables.defaults").startswith(
        b"VARIABLE_NAME,CURRENT_VALUE,DEFAULT_VALUE,VARIABLE_SCOPE\n"
    )
    assert rows(play("tiup", "variables.global", "db-1-4000"))[0].keys() == {"Variable_name", "Value"}


def test_statements_are_told_by_digest_and_cost(play: Play) -> None:
    [row, *_] = rows(play("tiup", "variables.statements"))
    assert {"DIGEST", "PLAN_DIGEST", "EXEC_COUNT", "AVG_LATENCY", "MAX_MEM", "TABLE_NAMES"} <= row.keys()
    assert not set(TEXTS) & row.keys()


def test_who_waits_for_whom_is_told_without_the_key(play: Play) -> None:
    assert rows(play("tiup", "variables.lock-waits"))[0].keys() == {
        "TRX_ID",
        "CURRENT_HOLDING_TRX_ID",
        "SQL_DIGEST",
    }
    [waiting] = rows(play("debian-12-servers", "variables.innodb-lock-waits"))
    assert waiting["requesting_trx_id"] != waiting["blocking_trx_id"]


def test_mysql_and_mariadb_are_asked_for_what_they_have(target: Targets) -> None:
    """And not for what only TiDB has."""
    asked = {item.id for item in Variables().items(target("debian-12-servers"))}
    assert {
        "variables.global",
        "variables.innodb-transactions",
        "variables.digests",
        "variables.replication",
    } <= asked
    assert not {"variables.tidb", "variables.statements", "variables.deadlocks"} & asked


def test_replication_is_told_without_the_row_that_broke_it(play: Play) -> None:
    [row] = rows(play("debian-12-servers", "variables.replication"))
    assert row["Master_Host"] == "db-2"
    assert not any(
        "error" in name.lower() and name != "Last_Errno" for name in row if not name.endswith("Errno")
    )


def test_what_has_a_time_is_taken_of_the_window(target: Targets) -> None:
    window = target("tiup").window
    slow = listed(target("tiup"))["db_vars/db-1-4000/text/slow_query.csv"].source.what
    start, end = window.start.timestamp(), window.end.timestamp()
    assert slow.endswith(f"WHERE Time BETWEEN FROM_UNIXTIME({start:.0f}) AND FROM_UNIXTIME({end:.0f})")
