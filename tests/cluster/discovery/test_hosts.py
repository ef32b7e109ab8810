"""Machines that are named one by one: read as people write them, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from clinic.cli.ssh import hosts_in
from clinic.cluster.discover import Where, discover
from clinic.cluster.discovery.hosts import only_hosts, read_host, with_hosts
from clinic.cluster.model import Cluster, Machine
from clinic.errors import UsageError


@pytest.mark.parametrize(
    ("text", "name", "login"),
    [
        ("db1", "db1", {"address": "db1"}),
        ("tidb@db1", "db1", {"address": "db1", "user": "tidb"}),
        ("tidb@10.0.1.5:2222", "10.0.1.5", {"address": "10.0.1.5", "user": "tidb", "port": "2222"}),
        ("[fd00::5]:22", "fd00::5", {"address": "fd00::5", "port": "22"}),
        ("fd00::5", "fd00::5", {"address": "fd00::5"}),
        (" ops.team@db1 ", "db1", {"address": "db1", "user": "ops.team"}),
    ],
)
def test_a_host_is_read(text: str, name: str, login: dict[str, str]) -> None:
    assert read_host(text) == Machine(name, login=login)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@db1",
        "-oProxyCommand=id@db1",
        "-oProxyCommand=id",
        "a b",
        "db1:x",
        "db1:0",
        "u@h@x y",
        "$(id)",
        "db1/x",
    ],
)
def test_what_is_no_host_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no host") as caught:
        read_host(text)
    assert "[user@]host[:port]" in caught.value.hint


def test_they_join_a_cluster_or_are_one() -> None:
    cluster = Cluster("prod", "tiup", (Machine("db1", login={"user": "tidb", "key": "/k"}), Machine("db2")))
    joined = with_hosts(cluster, ["root@db1:2222", "db3", "db3"])
    assert [machine.name for machine in joined.machines] == ["db1", "db2", "db3"]
    assert joined.machines[0].login == {"user": "root", "key": "/k", "address": "db1", "port": "2222"}
    assert [machine.name for machine in only_hosts(["a:1", "a:2", "b"]).machines] == ["a-1", "a-2", "b"]


def test_nothing_else_has_to_be_named() -> None:
    found = discover(Where("", hosts=("tidb@10.0.1.5",)), tuple)
    assert found.machines == (read_host("tidb@10.0.1.5"),)
    assert Where.of(Where("", hosts=("a", "b")).values()) == Where("", hosts=("a", "b"))


def test_a_file_names_one_a_line(tmp_path: Path) -> None:
    file = tmp_path / "hosts"
    file.write_text("# ours\ntidb@db1\n\n db2:2222  # the second\n")
    assert hosts_in(file) == ("tidb@db1", "db2:2222")
    file.write_text("# none\n")
    with pytest.raises(UsageError, match="names no host"):
        hosts_in(file)
    with pytest.raises(UsageError, match="can't read"):
        hosts_in(tmp_path / "nothing")


def test_a_machine_that_is_named_is_logged_in_at_whatever_tiup_does() -> None:
    cluster = Cluster("prod", "tiup", (Machine("db1", login={"user": "tidb", "executor": "none"}),))
    assert with_hosts(cluster, ["me@db1"]).machines[0].login == {"user": "me", "address": "db1"}
