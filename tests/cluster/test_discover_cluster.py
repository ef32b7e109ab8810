"""The cluster that is meant, whichever way it is said."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from clinic.client import wire
from clinic.client.address import Address
from clinic.client.tls import Tls
from clinic.cluster import discover as module
from clinic.cluster.discover import Where, discover, managed, named, pd_in_sight, tiup_home
from clinic.cluster.discovery import processes
from clinic.cluster.discovery.processes import Findings
from clinic.errors import Refused, UsageError

META = "user: tidb\ntidb_version: v8.5.3\ntopology:\n  pd_servers: [{host: 10.77.0.1}]\n"


@pytest.fixture
def nothing_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests' processes on this machine are not this cluster's."""

    def find(mask: object, host: str) -> Findings:
        del mask, host
        return Findings(())

    monkeypatch.setattr(processes, "find", find)


@pytest.fixture
def prod(home: Path) -> Path:
    """A cluster of TiUP."""
    folder = home / ".tiup/storage/cluster/clusters/prod"
    folder.mkdir(parents=True)
    (folder / "meta.yaml").write_text(META)
    return folder


def test_where_survives_being_kept_in_a_bundle() -> None:
    where = Where(
        "cluster/prod", "/home/x/.tiup", "", ("a:1", "b:2"), (), "http://c:9090", "/ca", "/cert", "/key"
    )
    kept: Mapping[str, object] = {**where.values(), "include": ("default",), "deadline": None}
    assert Where.of(kept) == where
    assert Where.of({"include": ("default",)}) == Where()
    assert Where().values()["cluster"] == "local"


def test_without_anything_it_is_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "db1")
    assert (discover(Where(), tuple).name, discover(Where(), tuple).deployed) == ("db1", "local")


def test_a_cluster_of_tiup_is_found_again_from_anywhere(prod: Path, home: Path) -> None:
    where = named(Where(), managed(tiup_home()), "prod")
    assert where == Where("cluster/prod", str(home / ".tiup"))
    assert discover(where, tuple, offline=True).instances[0].id == "10.77.0.1-2379"
    assert named(where, managed(tiup_home()), "local") == Where("local")
    assert prod.is_dir()


def test_offline_contacts_nothing(prod: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(*args: object) -> None:
        raise AssertionError(args)

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket.socket, "connect_ex", connect)
    for where in (Where("prod"), Where("", pd=("10.77.0.1",)), Where("", tidb=("10.77.0.1",))):
        cluster = discover(where, tuple, offline=True)
        assert [machine.name for machine in cluster.machines] == ["10.77.0.1"]
    assert prod.is_dir()


def test_files_for_tls_that_were_named_count_more_than_those_of_tiup(prod: Path, tmp_path: Path) -> None:
    (prod / "meta.yaml").write_text(META.replace("topology:\n", "topology:\n  global: {enable_tls: true}\n"))
    ca = tmp_path / "ca.crt"
    ca.write_text("")
    assert discover(Where("prod"), tuple, offline=True).tls.ca == prod / "tls" / "ca.crt"
    assert discover(Where("prod", ca=str(ca)), tuple, offline=True).tls == Tls(ca)


def test_a_described_cluster_is_read_from_a_file_that_nobody_else_can_write(tmp_path: Path) -> None:
    path = tmp_path / "orders.yaml"
    path.write_text("name: orders\ninstances: [{component: pd, host: 10.77.0.1}]")
    where = Where("", topology=str(path))
    assert discover(where, tuple, offline=True).name == "orders"
    path.chmod(0o666)
    with pytest.raises(Refused, match="others can write"):
        discover(where, tuple)
    with pytest.raises(UsageError, match="there is no file"):
        discover(Where("", topology=str(tmp_path / "absent.yaml")), tuple)


def test_a_tidb_tells_where_pd_is_and_pd_the_rest(
    serve_pd: Callable[..., Any],
    serve_tidb: Callable[[str], int],
    monkeypatch: pytest.MonkeyPatch,
    nothing_here: None,
) -> None:
    pd = serve_pd()
    port = serve_tidb(pd.address)

    def doors(seeds: object) -> list[Address]:
        del seeds
        return [Address("127.0.0.1", port)]

    monkeypatch.setattr(module, "status_doors", doors)
    found = discover(Where("", tidb=("127.0.4.1:4000",)), tuple)
    assert found.name == "tidb-7711561198171339666"
    assert pd.address.replace(":", "-") in {one.id for one in found.instances}
    assert len([one for one in found.instances if one.component == "tikv"]) == 3
    assert [one.status_port for one in found.instances if one.id == "127.0.4.1-4000"] == [10080]
    del nothing_here


def test_every_way_ends_in_time_with_every_server_dead(
    swallows: Callable[[], str], prod: Path, nothing_here: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "CONNECT_SECONDS", 0.4)
    host, port = swallows().split(":")
    (prod / "meta.yaml").write_text(META.replace("10.77.0.1", f"{host}, client_port: {port}"))
    begun = time.monotonic()
    found = discover(Where("prod"), tuple)
    assert time.monotonic() - begun < 3
    assert found.id == ""
    assert any("can't be reached" in text or "is down" in text for text in found.unknown)
    del nothing_here


def test_pd_in_sight_is_what_processes_here_name(pretend: Callable[..., Any]) -> None:
    pretend("tikv-server", ["--pd", "10.77.0.1:2379,10.77.0.2:2379", "--addr", "0.0.0.0:29160"])
    found = pd_in_sight()
    assert {"10.77.0.1:2379", "10.77.0.2:2379"} <= set(found)
    assert all(text.isprintable() for text in found)
