"""What `local` finds: this machine, and what runs on it."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinic.cluster.discover import LONGEST_NAME, discover_local, machine_name


@given(st.text())
def test_any_host_name_makes_a_name_that_fits_a_path(host_name: str) -> None:
    name = machine_name(host_name)
    assert 0 < len(name) <= LONGEST_NAME
    assert name.isascii()
    assert not set(name) & set("/\\: \0\n")
    assert name[0] not in ".-"


def test_an_ordinary_host_name_stays_as_it_is() -> None:
    assert machine_name("db1.prod-3.example.com") == "db1.prod-3.example.com"


def test_a_host_name_that_leaves_nothing_gets_another() -> None:
    assert machine_name("") == "localhost"
    assert machine_name("../..") == "localhost"


def test_the_cluster_is_this_machine(pretend: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "db 1/../x")
    own = pretend("tidb-server", ["-P", "4000"])
    cluster = discover_local(tuple)
    assert (cluster.name, cluster.deployed) == ("db-1-..-x", "local")
    (machine,) = cluster.machines
    assert (machine.name, machine.local, dict(machine.login)) == (cluster.name, True, {})
    assert {instance.host for instance in cluster.instances} == {cluster.name}
    assert own.pid in {instance.pid for instance in cluster.instances}
    assert cluster.id == cluster.version == ""


LAB_NAMES = {"victoria_metrics": "victoria-metrics"}
"""Where the lab calls a server otherwise than the model calls its component."""


@pytest.mark.lab
@pytest.mark.parametrize(
    "name", ["prometheus", "alertmanager", "node_exporter", "victoria_metrics", "mariadb", "etcd"]
)
def test_real_servers_are_found_with_their_ports_and_paths(lab: Any, name: str) -> None:
    server = lab.server(name)
    cluster = discover_local(tuple)
    found = next(instance for instance in cluster.instances if instance.pid == server.process.pid)
    assert found.component == LAB_NAMES.get(name, name)
    assert (found.port, found.extra["address"]) == (server.port, server.host)
    assert found.user == server.user
    assert found.argv == tuple(server.argv)
    assert found.config_files == ((str(server.config),) if server.config else ())
    assert str(server.log) in found.log_files
    if str(server.data) in " ".join(server.argv) or name == "mariadb":
        assert found.data_dirs == (str(server.data),)
    assert cluster.differences == ()
