"""The instances of a cluster that run on this machine, with what their processes show."""

from __future__ import annotations

from dataclasses import replace

from clinic.cluster.discovery.on_this_machine import at_home
from clinic.cluster.discovery.processes import Findings
from clinic.cluster.model import Cluster, Instance, Machine

HERE = Machine("10.0.0.1", local=True)
ELSEWHERE = Machine("10.0.0.2")


def cluster(*instances: Instance, machines: tuple[Machine, ...] = (HERE, ELSEWHERE)) -> Cluster:
    return Cluster("prod", "tiup", machines, instances)


def process(component: str, port: int, pid: int = 7, **extra: str) -> Instance:
    return Instance(
        component, "", port, pid=pid, started=12.5, user="tidb", binary=f"/d/bin/{component}", argv=(component,),
        log_files=("/d/log/open.log",), extra=extra,
    )  # fmt: skip


def test_a_process_at_the_instances_port_is_the_instance() -> None:
    ours = Instance(
        "tikv", "10.0.0.1", 20160, unit="tikv-20160.service", deploy_dir="/d", log_files=("/d/log/tikv.log",)
    )
    found = at_home(cluster(ours), Findings((process("tikv", 20160, labels="a=b"),)), {})
    (one,) = found.instances
    assert (one.host, one.pid, one.started, one.binary, one.argv) == (
        "10.0.0.1",
        7,
        12.5,
        "/d/bin/tikv",
        ("tikv",),
    )
    assert one.unit == "tikv-20160.service"
    assert one.log_files == ("/d/log/tikv.log", "/d/log/open.log")
    assert one.extra == {"labels": "a=b"}


def test_only_instances_of_this_machine_are_matched_and_only_by_their_own_component() -> None:
    other = Instance("tikv", "10.0.0.2", 20160)
    found = at_home(
        cluster(other, Instance("tidb", "10.0.0.1", 20160)), Findings((process("tikv", 20160),)), {}
    )
    assert [one.pid for one in found.instances] == [0, 0]


def test_of_several_addresses_of_this_machine_the_one_that_it_listens_on_counts() -> None:
    machines = (replace(HERE, name="127.1.0.1"), replace(HERE, name="db1"))
    ours = cluster(Instance("pd", "127.1.0.1", 2379), Instance("pd", "db1", 2379), machines=machines)
    first = process("pd", 0, 1, address="127.1.0.1", claimed_port="2379")
    second = process("pd", 2379, 2, advertise="http://10.0.0.9:2379")
    found = at_home(ours, Findings((second, first)), {"db1": frozenset({"10.0.0.9"})})
    assert [one.pid for one in found.instances] == [1, 2]
    assert "claimed_port" not in found.instances[0].extra


def test_a_process_that_could_be_either_is_neither() -> None:
    machines = (replace(HERE, name="127.1.0.1"), replace(HERE, name="127.1.0.2"))
    ours = cluster(Instance("pd", "127.1.0.1", 2379), Instance("pd", "127.1.0.2", 2379), machines=machines)
    found = at_home(ours, Findings((process("pd", 2379, address="127.0.0.1"),)), {})
    assert [one.pid for one in found.instances] == [0, 0]


def test_a_process_that_listens_elsewhere_on_this_machine_is_not_the_instance() -> None:
    ours = cluster(Instance("prometheus", "10.0.0.1", 9090))
    found = at_home(ours, Findings((process("prometheus", 9090, address="192.168.7.7"),)), {})
    assert found.instances[0].pid == 0


def test_remarks_about_other_processes_are_not_the_clusters() -> None:
    remarks = (
        "tikv (process 7) runs in a container",
        "grafana (process 8) could not be looked at",
        "/proc hides",
    )
    here = Findings((process("tikv", 20160),), unknown=remarks)
    found = at_home(cluster(Instance("tikv", "10.0.0.1", 20160)), here, {})
    assert found.unknown == (remarks[0], remarks[2])
    assert at_home(cluster(Instance("tikv", "10.0.0.2", 20160)), here, {}).unknown == ()
