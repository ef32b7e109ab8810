"""The stand-in of TiDB speaks MySQL's protocol with real clients, and answers what TiDB is documented to."""

from __future__ import annotations

import datetime
import os
import socket
import ssl
import subprocess
from collections.abc import Iterator
from typing import Any

import pymysql
import pytest
from tests.lab.standin.cluster import Cluster

pytestmark = pytest.mark.lab

Rows = list[dict[str, Any]]


def connect(
    cluster: Cluster, who: str = "", name: str = "tidb-1", **options: Any
) -> pymysql.Connection[pymysql.cursors.DictCursor]:
    """A connection of `user` or `plain_user` of the cluster's credentials."""
    member, given = cluster.instance(name), cluster.credentials
    usual: dict[str, Any] = {
        "host": member.host,
        "port": member.port,
        "user": given[f"{who}user"],
        "password": given[f"{who}password"],
        "cursorclass": pymysql.cursors.DictCursor,
        "connect_timeout": 5,
        "read_timeout": 10,
    }
    return pymysql.connect(**{**usual, **options})


@pytest.fixture(scope="module")
def connection(cluster: Cluster) -> Iterator[pymysql.Connection[pymysql.cursors.DictCursor]]:
    """A connection of the user who may do everything."""
    with connect(cluster) as opened:
        yield opened


@pytest.fixture(scope="module")
def plain(cluster: Cluster) -> Iterator[pymysql.Connection[pymysql.cursors.DictCursor]]:
    """A connection of the user without privileges."""
    with connect(cluster, "plain_") as opened:
        yield opened


def run(connection: pymysql.Connection[pymysql.cursors.DictCursor], statement: str) -> Rows:
    """The rows that a statement gives."""
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())


def test_the_server_says_that_it_is_tidb(
    cluster: Cluster, connection: pymysql.Connection[pymysql.cursors.DictCursor]
) -> None:
    member = cluster.instance("tidb-1")
    with socket.create_connection((member.host, member.port), timeout=5) as raw:
        assert b"8.0.11-TiDB-v8.5.3\0" in raw.recv(128), "in its greeting"
    [row] = run(
        connection, "SELECT VERSION() AS v, tidb_version() AS t, @@version AS g, CONNECTION_ID() AS c"
    )
    assert row["v"] == row["g"] == "8.0.11-TiDB-v8.5.3"
    assert row["t"].startswith("Release Version: v8.5.3\nEdition: Community\n")
    assert isinstance(row["c"], int)


def test_the_configuration_is_that_of_every_instance(
    cluster: Cluster, connection: pymysql.Connection[pymysql.cursors.DictCursor]
) -> None:
    shown = run(connection, "SHOW CONFIG")
    wanted = {
        (member.component, member.address) for member in cluster.instances if member.component != "ticdc"
    }
    assert {(row["Type"], row["Instance"]) for row in shown} == wanted
    one = run(connection, "SHOW CONFIG WHERE type = 'tikv' AND name = 'server.advertise-addr'")
    assert {row["Instance"] for row in one} == {row["Value"] for row in one}
    table = run(connection, "SELECT `KEY`, `VALUE` FROM information_schema.cluster_config")
    assert len(table) == len(shown)


@pytest.mark.parametrize("scope", ["GLOBAL ", "SESSION ", ""])
def test_variables_are_the_documented_ones(
    connection: pymysql.Connection[pymysql.cursors.DictCursor], scope: str
) -> None:
    shown = {row["Variable_name"]: row["Value"] for row in run(connection, f"SHOW {scope}VARIABLES")}
    assert len(shown) > 880
    assert shown["tidb_gc_life_time"] == "10m0s"
    liked = run(connection, f"SHOW {scope}VARIABLES LIKE 'tidb_gc%'")
    assert {row["Variable_name"] for row in liked} == {n for n in shown if n.startswith("tidb_gc")}


def test_a_session_has_variables_of_its_own(cluster: Cluster) -> None:
    with connect(cluster) as own:
        run(own, "SET SESSION max_execution_time = 5000")
        [row] = run(own, "SELECT @@max_execution_time AS s, @@global.max_execution_time AS g")
    assert row == {"s": "5000", "g": "0"}


@pytest.mark.parametrize(
    "table",
    [
        "cluster_info",
        "cluster_hardware",
        "cluster_load",
        "cluster_systeminfo",
        "cluster_config",
        "processlist",
        "cluster_processlist",
        "statements_summary",
        "statements_summary_history",
        "cluster_statements_summary",
        "slow_query",
        "cluster_slow_query",
        "deadlocks",
        "cluster_deadlocks",
        "tidb_trx",
        "cluster_tidb_trx",
        "data_lock_waits",
        "tiflash_replica",
        "placement_policies",
        "resource_groups",
        "ddl_jobs",
        "tikv_store_status",
        "tidb_servers_info",
        "inspection_result",
        "client_errors_summary_global",
        "analyze_status",
        "variables_info",
        "memory_usage",
        "runaway_watches",
        "session_variables",
    ],
)
def test_a_table_has_rows(connection: pymysql.Connection[pymysql.cursors.DictCursor], table: str) -> None:
    assert run(connection, f"SELECT * FROM information_schema.{table.upper()} LIMIT 3")


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM mysql.tidb",
        "SELECT original_sql, status FROM mysql.bind_info",
        "SELECT * FROM mysql.stats_meta",
        "SHOW PROCESSLIST",
        "SHOW FULL PROCESSLIST",
        "SHOW GLOBAL STATUS",
        "SHOW STATUS",
        "SHOW GLOBAL BINDINGS",
        "SHOW PLACEMENT",
        "SHOW STATS_META",
        "SHOW STATS_HEALTHY",
        "SHOW DATABASES",
        "SHOW TABLES FROM information_schema",
        "SHOW PLUGINS",
        "SHOW GRANTS",
        "ADMIN SHOW DDL",
        "ADMIN SHOW DDL JOBS",
        "ADMIN SHOW DDL JOBS 2 WHERE state != 'synced'",
        "DESC information_schema.slow_query",
    ],
)
def test_a_statement_has_rows(
    connection: pymysql.Connection[pymysql.cursors.DictCursor], statement: str
) -> None:
    assert run(connection, statement)


def test_times_are_as_old_as_they_were_made(
    connection: pymysql.Connection[pymysql.cursors.DictCursor],
) -> None:
    hour = "SELECT Time, Query_time FROM information_schema.slow_query WHERE Time > NOW() - INTERVAL 1 HOUR"
    day = hour.replace("1 HOUR", "1 DAY")
    found = run(connection, hour + " ORDER BY Time")
    assert len(found) == 2
    assert len(run(connection, day)) == 3
    assert isinstance(found[0]["Time"], datetime.datetime)
    assert isinstance(found[0]["Query_time"], float)


def test_columns_have_the_types_of_tidb(
    connection: pymysql.Connection[pymysql.cursors.DictCursor],
) -> None:
    [row] = run(connection, "SELECT ID, USER, TIME FROM information_schema.processlist LIMIT 1")
    assert {name: type(value) for name, value in row.items()} == {"ID": int, "USER": str, "TIME": int}


@pytest.mark.parametrize(
    ("statement", "number"),
    [
        ("SELECT * FROM information_schema.nosuch", 1146),
        ("SELECT nosuch FROM information_schema.processlist", 1054),
        ("selekt 1", 1064),
        ("USE nosuch", 1049),
        ("SELECT * FROM processlist", 1046),
        ("SELECT @@nosuch", 1193),
        ("SHOW NOSUCH", 1064),
    ],
)
def test_mistakes_have_the_numbers_of_tidb(cluster: Cluster, statement: str, number: int) -> None:
    with connect(cluster) as own, pytest.raises(pymysql.err.MySQLError) as caught:
        run(own, statement)
    assert caught.value.args[0] == number


@pytest.mark.parametrize(
    ("statement", "number", "message"),
    [
        ("SELECT * FROM information_schema.cluster_info", 1227, "(at least one of) the PROCESS privilege(s)"),
        ("SELECT * FROM information_schema.deadlocks", 1227, "(at least one of) the PROCESS privilege(s)"),
        ("SHOW CONFIG", 1227, "(at least one of) the CONFIG privilege(s)"),
        ("SELECT * FROM information_schema.cluster_hardware", 1227, "the CONFIG privilege(s)"),
        ("SELECT * FROM mysql.tidb", 1142, "SELECT command denied to user 'plain'@'%' for table 'tidb'"),
        ("ADMIN SHOW DDL JOBS", 8121, "privilege check for 'Super' fail"),
    ],
)
def test_a_user_without_privileges_is_told_which(
    plain: pymysql.Connection[pymysql.cursors.DictCursor], statement: str, number: int, message: str
) -> None:
    with pytest.raises(pymysql.err.MySQLError) as caught:
        run(plain, statement)
    assert caught.value.args[0] == number
    assert message in caught.value.args[1]


def test_a_user_without_privileges_sees_only_what_is_his(
    plain: pymysql.Connection[pymysql.cursors.DictCursor],
) -> None:
    for table in ("processlist", "tidb_trx", "slow_query", "statements_summary"):
        assert run(plain, f"SELECT * FROM information_schema.{table}") == []
    assert run(plain, "SHOW GLOBAL VARIABLES")


@pytest.mark.parametrize("user", ["root", "plain", "nobody"])
def test_a_wrong_password_is_refused(cluster: Cluster, user: str) -> None:
    with pytest.raises(pymysql.err.MySQLError) as caught:
        connect(cluster, user=user, password="wrong")
    said = f"Access denied for user '{user}'@'127.0.0.1' (using password: YES)"
    assert caught.value.args == (1045, said)


def test_tls_is_offered_with_a_certificate_of_the_clusters_ca(cluster: Cluster) -> None:
    with connect(cluster, ssl=ssl.create_default_context(cafile=str(cluster.ca))) as own:
        assert run(own, "SELECT 1 AS one") == [{"one": 1}]
    with pytest.raises(pymysql.err.OperationalError):
        connect(cluster, ssl=ssl.create_default_context())


def test_tiproxy_passes_on_to_a_tidb(cluster: Cluster) -> None:
    with connect(cluster, name="tiproxy-1") as own:
        assert run(own, "SELECT @@port AS port") == [{"port": str(cluster.instance("tidb-1").port)}]
    with cluster.fault("tidb-1", "down"), connect(cluster, name="tiproxy-1") as own:
        assert run(own, "SELECT @@hostname AS host") == [{"host": "127.0.4.2"}]


def test_statements_and_logins_are_kept(cluster: Cluster) -> None:
    with connect(cluster, name="tidb-2") as own:
        run(own, "SELECT 42")
    kept = [(each.what, each.ended) for each in cluster.requests("tidb-2") if each.port == "client"]
    assert ("login root", "ok") in kept
    assert kept[-1] == ("query SELECT 42", "ok")


def client(cluster: Cluster, *words: str, password: str = "") -> subprocess.CompletedProcess[str]:
    """What MariaDB's own client does."""
    member, given = cluster.instance("tidb-1"), cluster.credentials
    argv = ["mariadb", "--no-defaults", "-h", member.host, "-P", str(member.port), "-u", given["user"], "-NB"]
    environment = {**os.environ, "MYSQL_PWD": password or given["password"]}
    return subprocess.run(
        [*argv, *words], env=environment, capture_output=True, text=True, check=False, timeout=30
    )


def test_the_client_of_mariadb_understands_it(cluster: Cluster) -> None:
    plain = client(cluster, "-e", "SELECT VERSION(); SHOW CONFIG LIKE 'pd'")
    assert plain.returncode == 0, plain.stderr
    assert plain.stdout.startswith("8.0.11-TiDB-v8.5.3\n")
    secured = [f"--ssl-ca={cluster.ca}", "--ssl-verify-server-cert", "-e", "SELECT 1"]
    assert client(cluster, *secured).stdout == "1\n"
    assert "ERROR 1045 (28000)" in client(cluster, "-e", "SELECT 1", password="wrong").stderr
