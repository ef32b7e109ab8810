"""What `local` finds: this machine, and what runs on it."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinic.cluster.discover import LONGEST_NAME, discover_local, learning, machine_name
from clinic.redact import Redactor
from clinic.secret import SecretRegister


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


PASSWORD = "Xq7-tuna-Mast9"


@pytest.mark.parametrize(
    "words",
    [
        ("tikv-server", f"--pd=http://root:{PASSWORD}@10.0.1.1:2379", "--addr=0.0.0.0:20160"),
        ("victoria-metrics", f"-httpAuth.password={PASSWORD}", "-httpListenAddr=:8428"),
        ("grafana-server", f"cfg:default.security.admin_password={PASSWORD}"),
        ("mysqld", "--port=3306", "--some-password", PASSWORD),
    ],
    ids=lambda words: words[0],
)
def test_a_password_in_a_command_line_is_masked_and_learned(words: tuple[str, ...]) -> None:
    register = SecretRegister()
    redactor = Redactor(register)
    masked = learning(redactor)(words)
    assert masked == redactor.argv(words)
    assert len(masked) == len(words)
    assert PASSWORD not in " ".join(masked)
    assert [learned.value.reveal() for learned in register.since(0)] == [PASSWORD]


@given(st.lists(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"))))
def test_any_command_line_keeps_its_arguments(words: list[str]) -> None:
    assert len(learning(Redactor(SecretRegister()))(words)) == len(words)


def test_a_command_line_without_secrets_stays_as_it_is() -> None:
    words = ("bin/tidb-server", "-P", "4000", "--path=10.0.1.1:2379", "", "--log-file=/a b/tidb.log")
    assert learning(Redactor(SecretRegister()))(words) == words
    assert learning(Redactor(SecretRegister()))(()) == ()


def test_a_learned_password_of_a_real_process_is_nowhere_in_the_cluster(pretend: Callable[..., Any]) -> None:
    register = SecretRegister()
    own = pretend("tikv-server", [f"--pd=http://root:{PASSWORD}@10.0.1.1:2379", f"--labels=x={PASSWORD}"])
    cluster = discover_local(learning(Redactor(register)))
    assert own.pid in {instance.pid for instance in cluster.instances}
    assert PASSWORD in {learned.value.reveal() for learned in register.since(0)}
    assert PASSWORD not in repr(cluster)


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
