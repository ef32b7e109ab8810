"""Versions are asked of who knows them, and a program is never run with rights that are not its own."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from clinic.cluster.model import Instance
from clinic.collector import Item
from clinic.source.binary_version import Inside
from clinic.source.command import Command
from clinic.source.first import First
from clinic_collectors._binaries import asked

TIKV = Instance("tikv", "a", 20160, 20180, user="tidb", deploy_dir="/tidb-deploy/tikv-20160")


def argv(instance: Instance) -> tuple[str, ...]:
    """What would be run."""
    command = asked(instance)
    assert command is not None
    return command.argv


def test_a_program_runs_as_its_own_account() -> None:
    command = asked(TIKV)
    assert command is not None
    assert (command.account, command.root, command.deadline) == ("tidb", False, 10.0)
    assert argv(TIKV) == ("/tidb-deploy/tikv-20160/bin/tikv-server", "-V")


def test_libraries_of_another_account_are_loaded_only_by_that_account() -> None:
    command = asked(Instance("tiflash", "a", 3930, user="tidb", deploy_dir="/d"))
    assert command is not None
    assert not command.environment, "who gives up root's rights for it would get it, as root"
    assert command.argv == ("env", "LD_LIBRARY_PATH=/d/bin/tiflash", "/d/bin/tiflash/tiflash", "version")


@pytest.mark.parametrize(
    "instance",
    [
        Instance("tikv", "a", 20160, user="root", deploy_dir="/d"),
        Instance("tikv", "a", 20160, deploy_dir="/d"),
        Instance("tikv", "a", 20160, user="tidb"),
        Instance("tikv", "a", 20160, user="tidb", deploy_dir="relative"),
        Instance("tikv", "a", 20160, user="tidb", deploy_dir="/d", container="docker 1234"),
        Instance("whatever", "a", 1, user="x", binary="/bin/whatever"),
    ],
    ids=[
        "as root",
        "nobody knows whose",
        "nobody knows where",
        "no place",
        "in a container",
        "no way to ask",
    ],
)
def test_what_can_not_be_run_safely_is_not_run(instance: Instance) -> None:
    assert asked(instance) is None


def test_the_program_is_asked_only_where_the_api_says_nothing(
    items: Callable[[str, str], list[Item]],
) -> None:
    [tidb] = [item for item in items("tiup", "versions.instance") if item.instance == "db-1-4000"]
    assert tidb.source.what.split(" or ") == [
        "GET http://db-1:10080/status",
        "/tidb-deploy/tidb-4000/bin/tidb-server -V",
        "the version in /tidb-deploy/tidb-4000/bin/tidb-server",
    ]


def test_tikv_tells_its_version_by_its_program_only(items: Callable[[str, str], list[Item]]) -> None:
    """Its status port has none; PD's stores and SQL tell it too."""
    [tikv] = [item for item in items("tiup", "versions.instance") if item.instance == "db-1-20160"]
    assert isinstance(tikv.source, First)
    assert [type(source) for source in tikv.source.sources] == [Command, Inside]


@pytest.mark.parametrize(
    ("instance", "version"),
    [
        ("db-1-4000", "8.0.11-TiDB-v8.5.3"), ("db-1-2379", "v9.0.0-beta.2.pre-483-ga186e0cc61"),
        ("db-1-8300", "v8.5.3"), ("db-1-3000", "7.5.17"),
    ],
)  # fmt: skip
def test_an_instance_tells_its_version(play: Callable[..., bytes], instance: str, version: str) -> None:
    assert json.loads(play("tiup", "versions.instance", instance))["version"] == version


def test_exporters_tell_theirs_in_a_line_of_their_metrics(play: Callable[..., bytes]) -> None:
    lines = play("tiup", "versions.instance", "db-1-9100").decode().splitlines()
    assert any(line.startswith("node_exporter_build_info{") for line in lines)
    assert len(lines) < 6


def test_a_program_that_was_run_told_its_version(play: Callable[..., bytes]) -> None:
    assert b"Ver 10.11" in play("debian-12-servers", "versions.instance", "db-1-3306")


def test_libraries_in_use_are_those_that_processes_have_mapped(play: Callable[..., bytes]) -> None:
    assert b"/usr/lib/x86_64-linux-gnu/libc.so.6" in play("debian-12-servers", "versions.libraries")
