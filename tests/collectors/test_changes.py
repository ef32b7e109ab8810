"""What changed: of the units, the machine, the files, by TiUP, in the tables."""

from __future__ import annotations

import csv
from collections.abc import Callable

from clinic.collector import Content, Item, Stage
from clinic.source.base import CONTROL

Items = Callable[[str, str], list[Item]]
Play = Callable[..., bytes]


def test_every_service_tells_how_often_it_was_started_anew(play: Play) -> None:
    units = [dict(line.split("=", 1) for line in block.splitlines()) for block in _blocks(play)]
    mariadb = next(unit for unit in units if unit.get("Id") == "mariadb.service")
    assert {"NRestarts", "Result", "ActiveEnterTimestamp", "ExecMainStartTimestamp"} <= mariadb.keys()


def _blocks(play: Play) -> list[str]:
    return play("debian-12-servers", "changes.units").decode().strip().split("\n\n")


def test_systemd_s_own_words_about_the_units_of_a_week_are_taken(items: Items, play: Play) -> None:
    [item] = items("debian-12-servers", "changes.restarts")
    words = item.source.what.split()
    assert {"_PID=1", "UNIT=mariadb.service", "UNIT=prometheus.service"} <= set(words)
    since, until = (int(word.partition("@")[2]) for word in words if "@" in word)
    assert abs(until - since - 7 * 86400) <= 1
    assert item.content is Content.LOG
    assert b"Started mariadb.service" in play("debian-12-servers", "changes.restarts")


def test_owner_and_time_of_programs_configuration_and_units_are_listed(play: Play) -> None:
    rows = list(csv.DictReader(play("tiup", "changes.files", "db-1-20160").decode().splitlines()))
    paths = {row["path"] for row in rows}
    assert {
        "/tidb-deploy/tikv-20160/bin/tikv-server", "/tidb-deploy/tikv-20160/conf/tikv.toml",
        "/tidb-deploy/tikv-20160/scripts/run_tikv.sh", "/etc/systemd/system/tikv-20160.service",
    } <= paths  # fmt: skip
    assert rows[0].keys() == {"path", "type", "mode", "uid", "gid", "size", "modified"}


def test_tiup_s_operations_are_read_on_the_control_machine(items: Items) -> None:
    [item] = items("tiup", "changes.tiup")
    assert (item.source.lane, item.path, item.stage) == (
        f"host:{CONTROL}",
        "cluster_audit/operations.txt",
        Stage.LEARN,
    )
    assert items("debian-12-servers", "changes.tiup") == []


def test_jobs_are_listed_without_their_statements(play: Play) -> None:
    [head, *jobs] = play("tiup", "changes.ddl-jobs").decode().splitlines()
    assert "QUERY" not in head.split(",")
    assert jobs


def test_packages_are_told_by_the_logs_of_their_tools_and_no_tool_that_writes_is_run(items: Items) -> None:
    """dnf writes a log of its own whenever it is asked for its history."""
    commands = [
        item.source.what.split()[0]
        for name in ("changes.rpm", "changes.boots", "changes.reboots", "changes.units")
        for item in items("debian-12-servers", name)
    ]
    assert commands == ["rpm", "journalctl", "last", "systemctl"]
