"""What a TiDB says of its cluster, over HTTP and over SQL."""

from __future__ import annotations

from pathlib import Path

import pytest

from clinic.client.address import Address
from clinic.cluster.discovery.tidb import pd_addresses, read_cluster_info, servers
from clinic.errors import Failed


@pytest.fixture
def recordings(root: Path) -> Path:
    """What a TiDB answers."""
    return root / "tests/lab/standin/recordings/tidb"


def test_its_configuration_names_pd(recordings: Path) -> None:
    found = pd_addresses((recordings / "config.json").read_bytes(), tls=True)
    assert found == tuple(Address(f"127.0.1.{n}", 2379, tls=True) for n in (1, 2, 3))


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"path": ""}',
        b'{"store": "unistore", "path": "/tmp/tidb"}',
        b'{"path": "a b"}',
        b"<html>",
        b"[]",
    ],
)
def test_a_configuration_without_pd_is_said(body: bytes) -> None:
    with pytest.raises(Failed, match=r"names no PD|not JSON"):
        pd_addresses(body, tls=False)


def test_one_tidb_knows_the_others(recordings: Path) -> None:
    found = servers((recordings / "info-all.json").read_bytes())
    assert sorted((one.id, one.status_port, one.version, one.extra["labels"]) for one in found) == [
        ("127.0.4.1-4000", 10080, "v8.5.3", "zone=az-1"),
        ("127.0.4.2-4000", 10080, "v8.5.3", "zone=az-2"),
    ]
    assert servers(b'{"all_servers_info": {"x": {"ip": "-x", "listening_port": 1}, "y": 3}}') == []


def test_cluster_info_names_every_instance(recordings: Path) -> None:
    lines = (recordings / "sql" / "cluster_info.tsv").read_text().splitlines()
    heads = lines[0].split("\t")
    rows = [dict(zip(heads, line.split("\t"), strict=True)) for line in lines[1:]]
    view = read_cluster_info(rows)
    found = {one.id: one for one in view.instances}
    assert len(found) == len(rows) == 12
    assert (found["127.0.4.1-4000"].component, found["127.0.4.1-4000"].status_port) == ("tidb", 10080)
    assert (found["127.0.1.1-2379"].component, found["127.0.1.1-2379"].status_port) == ("pd", 0)
    assert {one.component for one in view.instances} == view.complete


def test_rows_that_name_nothing_are_left_out() -> None:
    rows: list[dict[str, str | None]] = [
        {"type": "tidb", "instance": None},
        {"type": "shell", "instance": "a:1"},
        {"type": "tidb", "instance": "a:1"},
    ]
    assert [one.id for one in read_cluster_info(rows).instances] == ["a-1"]
