"""The cluster as it is told: in the shape that others read, without a list that could be gigabytes, sinks included."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from clinic.client.tls import Tls
from clinic.cluster.model import Cluster, Instance, Machine
from clinic.collector import Item, Sensitivity, Stage, Target, Window
from clinic.source.base import CONTROL
from clinic_collectors._changefeeds import changefeeds, together
from clinic_collectors._topology import cluster_json, tiup_folder
from clinic_collectors.topology import Topology

NOW = datetime(2026, 11, 25, 12, tzinfo=timezone.utc)
WINDOW = Window(NOW - timedelta(hours=2), NOW)
FOLDER = "/home/tidb/.tiup/storage/cluster/clusters/prod"


def pd(host: str) -> Instance:
    """A PD."""
    return Instance("pd", host, 2379, deploy_dir="/tidb-deploy/pd-2379")


def clustered(*instances: Instance, **changes: object) -> Target:
    """A cluster of these."""
    machines = tuple(Machine(host) for host in dict.fromkeys(one.host for one in instances))
    cluster = Cluster("prod", "tiup", machines, instances, id="711", version="v8.5.3")
    return Target(replace(cluster, **changes), WINDOW)  # type: ignore[arg-type]  # fields of a cluster


def test_cluster_json_has_the_shape_that_pingcap_s_own_client_writes() -> None:
    tikv = Instance(
        "tikv",
        "10.0.1.5",
        20160,
        20180,
        "v8.5.3",
        deploy_dir="/d",
        data_dirs=("/x",),
        extra={"labels": "zone=a"},
    )
    monitor = Instance("prometheus", "10.0.1.6", 9090)
    machines = (Machine("10.0.1.5", login={"port": "2222"}), Machine("10.0.1.6"))
    target = clustered(tikv, pd("10.0.1.5"), monitor, machines=machines, unknown=("something",))
    told = json.loads(cluster_json(target)({}))
    assert (told["cluster_name"], told["cluster_id"], told["cluster_type"]) == ("prod", "711", "tidb-cluster")
    assert told["deploy_type"] == "tiup-cluster"
    assert (told["begin_time"], told["end_time"]) == (
        "2026-11-25T10:00:00+00:00",
        "2026-11-25T12:00:00+00:00",
    )
    assert told["topology"]["version"] == "v8.5.3"
    assert told["topology"]["tikv"] == [
        {
            "host": "10.0.1.5", "port": 20160, "status_port": 20180, "ssh_port": 2222,
            "attributes": {"version": "v8.5.3", "deploy_dir": "/d", "data_dir": "/x", "labels": "zone=a"},
        }
    ]  # fmt: skip
    assert told["topology"]["pd"][0]["status_port"] == 2379
    assert told["topology"]["monitors"] == [
        {"host": "10.0.1.6", "port": 9090, "status_port": 0, "attributes": {}}
    ]
    assert told["unknown"] == ["something"]


def test_a_cluster_of_dm_says_so() -> None:
    told = json.loads(cluster_json(clustered(Instance("dm-master", "a", 8261)))({}))
    assert told["cluster_type"] == "dm-cluster"


@pytest.mark.parametrize(
    ("changes", "folder"),
    [
        ({"machines": (Machine("a", login={"key": f"{FOLDER}/ssh/id_rsa"}),)}, FOLDER),
        ({"tls": Tls(ca=Path(f"{FOLDER}/tls/ca.crt"))}, FOLDER),
        ({"machines": (Machine("a", login={"key": "/root/.ssh/id_rsa"}),)}, ""),
        ({"machines": (Machine("a", login={"key": f"{FOLDER}/ssh/id_rsa"}),), "deployed": "manual"}, ""),
        ({"machines": (Machine("a", login={"key": "/x/dm/clusters/prod/ssh/id_rsa"}),)}, "/x/dm/clusters/prod"),
        ({"machines": (Machine("a", login={"key": "/x/storage/cluster/clusters/other/ssh/id_rsa"}),)}, ""),
    ],
)  # fmt: skip
def test_tiup_s_files_are_found_by_what_it_made(changes: dict[str, object], folder: str) -> None:
    assert tiup_folder(clustered(pd("a"), **changes).cluster) == folder


def test_tiup_s_file_is_read_on_the_control_machine_before_everything_else(
    items: Callable[[str, str], list[Item]], play: Callable[..., bytes]
) -> None:
    [item] = items("tiup", "topology.tiup")
    assert (item.path, item.source.lane, item.stage) == ("meta.yaml", f"host:{CONTROL}", Stage.LEARN)
    assert play("tiup", "topology.tiup").startswith(b"user: tidb")


def test_without_a_cluster_only_what_discovery_found_is_written(
    items: Callable[[str, str], list[Item]],
) -> None:
    [item] = items("bare", "topology.cluster")
    assert item.path == "cluster.json"
    collected = Topology().items(clustered(machines=(Machine("here", local=True),), deployed="local"))
    assert [item.id for item in collected] == ["topology.cluster"]


def test_what_is_the_whole_cluster_s_is_asked_once_of_whoever_answers() -> None:
    target = clustered(pd("a"), pd("b"), pd("c"))
    listed = list(Topology().items(target))
    [regions] = [item for item in listed if item.id == "topology.regions"]
    assert regions.path == "topology/pd/regions.json"
    assert (regions.host, regions.instance) == ("", "")
    assert regions.source.what.count("/pd/api/v1/stats/region") == 3
    begun = {item.source.lane for item in listed if item.source.what.count(" or ") == 2}
    assert begun == {"server:a:2379", "server:b:2379", "server:c:2379"}, (
        "no single one is asked first for everything"
    )


def test_what_is_a_pd_s_own_is_asked_of_each() -> None:
    target = clustered(pd("a"), pd("b"))
    listed = [item for item in Topology().items(target) if item.instance]
    assert [item.path for item in listed if item.id == "topology.stores"] == [
        "a/tidb-deploy/pd-2379/conf/store.json", "b/tidb-deploy/pd-2379/conf/store.json"
    ]  # fmt: skip
    assert [item.path for item in listed if item.id == "topology.health"] == [
        "a/a-2379/health.json",
        "b/b-2379/health.json",
    ]


def test_lists_of_regions_are_taken_only_by_name_and_are_the_customer_s_data() -> None:
    listed = [
        item for item in Topology().items(clustered(pd("a"))) if item.id.startswith("topology.regions-")
    ]
    assert len(listed) == 9
    assert all(not item.default and item.sensitivity is Sensitivity.USER_DATA for item in listed)


def test_regions_without_a_peer_are_counted_without_listing_them(play: Callable[..., bytes]) -> None:
    lines = play("tiup", "topology.region-counts").decode().splitlines()
    assert 'pd_regions_status{type="miss-peer-region-count"} 21' in lines
    assert len(lines) < 100


def test_microservices_are_asked_for_only_where_there_are_any() -> None:
    ids = {item.id for item in Topology().items(clustered(pd("a"), Instance("tso", "b", 3379)))}
    assert {"topology.members-tso", "topology.keyspace-groups"} <= ids
    assert not any("members-" in item.id for item in Topology().items(clustered(pd("a"))))


def test_every_changefeed_comes_with_its_progress_and_its_sink(
    items: Callable[[str, str], list[Item]], play: Callable[..., bytes]
) -> None:
    [item] = items("tiup", "topology.changefeeds")
    assert item.stage is Stage.LEARN
    told = json.loads(play("tiup", "topology.changefeeds"))
    assert sorted(told) == ["archive-to-s3", "audit-to-kafka", "list", "orders-to-mysql"]
    assert told["orders-to-mysql"]["checkpoint_ts"] < told["orders-to-mysql"]["resolved_ts"]


def test_old_and_new_lists_of_changefeeds_are_read() -> None:
    assert list(changefeeds(b'[{"id":"a","state":"normal"}]')) == [("a", "")]
    assert list(changefeeds(b'{"items":[{"id":"a","namespace":"default"}]}')) == [("a", "?namespace=default")]


@pytest.mark.parametrize(
    "data",
    [
        b"", b"null", b"{}", b'{"items":null}', b'[1, null, {"id": 5}]', b'[{"id":"../x"},{"id":"a b"},{"id":""}]',
        b"[" * 9000,
    ],
)  # fmt: skip
def test_no_list_leads_elsewhere(data: bytes) -> None:
    assert [name for name, _ in changefeeds(data) if name != "5"] == []


def test_one_that_answers_in_no_json_stays_out_of_the_document() -> None:
    assert json.loads(together({"list": b"[]\n", "a": b'{"id":"a"}', "b": b"oops"})) == {
        "list": [],
        "a": {"id": "a"},
    }


def test_what_tasks_of_dm_do_is_had_without_its_open_api(play: Callable[..., bytes]) -> None:
    told = json.loads(play("tiup", "topology.dm-status"))
    assert told["sources"][0]["subTaskStatus"][0]["stage"] == "Running"


def test_tasks_of_dm_are_learned_from(
    items: Callable[[str, str], list[Item]], play: Callable[..., bytes]
) -> None:
    [item] = items("tiup", "topology.dm-tasks")
    assert (item.path, item.stage) == ("topology/dm/tasks.json", Stage.LEARN)
    assert json.loads(play("tiup", "topology.dm-tasks"))["data"][0]["name"] == "task-1"
