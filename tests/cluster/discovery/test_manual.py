"""A cluster in a file of one's own: the documented example, and every mistake with its line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from clinic.client.tls import Tls
from clinic.cluster.discovery.manual import read_topology
from clinic.cluster.model import ROLES, Cluster
from clinic.errors import UsageError
from clinic.yamlfile import load


def written(directory: Path, text: str) -> Path:
    path = directory / "orders.yaml"
    path.write_text(text)
    return path


def read(directory: Path, text: str) -> Cluster:
    return read_topology(load(written(directory, text)))


def document(root: Path) -> str:
    return (root / "docs" / "clusters.md").read_text(encoding="utf-8")


def test_the_documented_example_is_a_cluster(root: Path, tmp_path: Path) -> None:
    (example,) = re.findall(r"(?ms)^```yaml\n(.*?)^```", document(root))
    cluster = read(tmp_path, example)
    assert (cluster.name, cluster.deployed, cluster.version) == ("orders", "manual", "v8.5.3")
    tls = tmp_path / "tls"
    assert cluster.tls == Tls(tls / "ca.crt", tls / "client.crt", tls / "client.pem")
    assert {machine.name: dict(machine.login) for machine in cluster.machines} == {
        "db1": {"user": "tidb", "port": "22", "key": "~/.ssh/id_ed25519", "address": "10.0.1.5"},
        "db2": {"user": "admin", "port": "22", "key": "~/.ssh/id_ed25519", "address": "fd00::6"},
    }
    pd, tidb, tikv, prometheus = cluster.instances
    assert (pd.id, pd.tls, pd.deploy_dir, pd.data_dirs) == ("db1-2379", True, "/srv/pd", ("/srv/pd/data",))
    assert pd.config_files == ("/srv/pd/conf/pd.toml",)
    assert pd.extra == {"name": "pd-db1", "address": "10.0.1.5"}
    assert (tidb.port, tidb.status_port) == (4000, 10080)
    assert tidb.log_files == ("/var/log/tidb/tidb.log", "/var/log/tidb/slow.log")
    assert (tikv.port, tikv.status_port, tikv.unit) == (20160, 20180, "tikv.service")
    assert (prometheus.port, prometheus.tls) == (9090, False)


def test_the_document_names_every_component(root: Path) -> None:
    listed = re.search(r"(?s)Components: (.*?)\.\n\n", document(root))
    assert listed is not None
    assert set(re.findall(r"`([^`]+)`", listed[1])) == set(ROLES)


def test_a_file_of_two_lines_is_enough(tmp_path: Path) -> None:
    cluster = read(tmp_path, "name: x\ninstances: [{component: tidb, host: 10.0.1.5}]")
    (tidb,) = cluster.instances
    assert (tidb.id, tidb.status_port, tidb.tls) == ("10.0.1.5-4000", 10080, False)
    assert [machine.name for machine in cluster.machines] == ["10.0.1.5"]
    assert cluster.tls == Tls()


def test_every_mistake_is_reported_at_once_with_its_line(tmp_path: Path) -> None:
    text = """\
name: or/ders
colour: red
format: 2
ssh: {port: 99999}
hosts:
  "db 1": {address: 10.0.1.5}
  db2: {address: 0.0.0.0, shoe: 43}
instances:
  - component: mongodb
    host: db1
  - {component: tidb, port: high}
  - {component: tidb, host: db2, deploy_dir: relative/path}
  - {component: tikv, host: db2, port: 4000, tls: maybe}
  - {component: pd, host: "-oProxyCommand=x"}
"""
    with pytest.raises(UsageError) as caught:
        read(tmp_path, text)
    lines = caught.value.message.splitlines()[1:]
    assert [int(line.split(":")[1]) for line in lines] == [1, 2, 3, 4, 6, 7, 7, 9, 9, 11, 11, 12, 13, 13, 14]
    for word in (
        "name is wrong", "colour is no key", "format must be 1", "ssh.port must be a port", "'db 1' is neither",
        "nothing can be reached at 0.0.0.0", "shoe is no key", "must name a component", "lacks 'port'",
        "lacks 'host'", "must be an absolute path", "as is instances.2", "tls must be true or false",
        "'-oProxyCommand=x' is neither",
    ):  # fmt: skip
        assert sum(word in line for line in lines) == 1, word


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "lacks 'name'"),
        ("[]", "must be a mapping"),
        ("name: x", "lacks 'instances'"),
        ("name: x\ninstances: []", "at least one item"),
        ("name: x\ninstances: 3", "must be a list"),
        ("name: x\ninstances: [null]", "is empty"),
        ("name: x\ninstances: [5]", "must be a mapping"),
        ("name: [x", "not valid YAML"),
        ("name: x\ninstances: [{component: tidb, host: {a: b}}]", "must be a text"),
    ],
)
def test_what_is_no_such_file_is_said(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read(tmp_path, text)
