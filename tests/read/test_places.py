"""What belongs together stands together, where something is down first."""

from __future__ import annotations

from typing import Any

from clinic.bundle.manifest import ClusterFacts, InstanceFacts
from clinic.read.fact import Findings
from clinic.read.instances import State
from clinic.read.places import places

UP = State(looked=True, pid=7)


def shown(run: Any, *instances: InstanceFacts, down: tuple[str, ...] = ()) -> list[str]:
    """The lines of these instances."""
    cluster = ClusterFacts("shop", "local", ("db1",), instances)
    states = {one.id: State(looked=True) if one.id in down else UP for one in instances}
    return [line.strip() for line in places(run(cluster=cluster), [], Findings((), states))]


def at(component: str, last: int, port: int, directory: str = "") -> InstanceFacts:
    """An instance that has an address of its own."""
    address = f"127.0.4.{last}"
    return InstanceFacts(f"{address}-{port}", component, "db1", port, address=address, directory=directory)


def test_instances_stand_by_address_in_the_order_of_components(run: Any) -> None:
    instances = (
        at("tikv", 10, 20160), at("tikv", 9, 20160), at("pd", 9, 2379), at("tidb", 11, 4000), at("pd", 10, 2379),
        InstanceFacts("db1-9100", "node_exporter", "db1", 9100, address="127.0.0.1"),
    )  # fmt: skip
    assert shown(run, *instances) == [
        "db1: 0 of 0 items collected",
        "tidb 127.0.4.11:4000: up, pid 7",
        "pd 127.0.4.9:2379: up, pid 7",
        "tikv 127.0.4.9:20160: up, pid 7",
        "pd 127.0.4.10:2379: up, pid 7",
        "tikv 127.0.4.10:20160: up, pid 7",
        "node_exporter:9100: up, pid 7",
    ]


def test_the_address_at_which_one_is_down_comes_first_and_stays_together(run: Any) -> None:
    instances = (at("pd", 1, 2379), at("pd", 2, 2379), at("tidb", 2, 4000))
    assert shown(run, *instances, down=("127.0.4.2-4000",)) == [
        "db1: 0 of 0 items collected; 1 of 3 instances down",
        "tidb 127.0.4.2:4000: not running",
        "pd 127.0.4.2:2379: up, pid 7",
        "pd 127.0.4.1:2379: up, pid 7",
    ]


def test_an_address_stands_there_only_where_it_tells_instances_apart(run: Any) -> None:
    one = InstanceFacts("db1-4000", "tidb", "db1", 4000, "v8.5.0", address="127.0.0.1")
    assert shown(run, one)[1] == "tidb:4000 v8.5.0: up, pid 7"


def test_the_directory_is_told_where_it_is_short(run: Any) -> None:
    long, short = "/data" * 20, "/tidb-deploy/tidb-4000"
    assert shown(run, at("tidb", 1, 4000, short))[1] == f"tidb 127.0.4.1:4000 ({short}): up, pid 7"
    assert shown(run, at("tidb", 1, 4000, long))[1] == "tidb 127.0.4.1:4000: up, pid 7"


def test_an_instance_that_does_not_listen_stands_at_the_address_of_its_id(run: Any) -> None:
    told = InstanceFacts("127.0.4.9-4000", "tidb", "db1", 4000)
    assert shown(run, told)[1] == "tidb 127.0.4.9:4000: up, pid 7"


def test_components_that_nobody_knows_come_last(run: Any) -> None:
    lines = shown(run, InstanceFacts("db1-1", "new", "db1", 1), InstanceFacts("db1-2", "grafana", "db1", 2))
    assert lines[1:] == ["grafana:2: up, pid 7", "new:1: up, pid 7"]
