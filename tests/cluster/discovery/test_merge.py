"""Two descriptions of one cluster: what both know is there once, and where they differ is a sentence."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinic.cluster.discovery.merge import MOST_NAMED, Names, merge
from clinic.cluster.discovery.view import View
from clinic.cluster.model import Cluster, Instance, Machine

STORES = frozenset({"tikv", "tiflash"})
NOBODY = Names()


def cluster(*instances: Instance, **fields: str) -> Cluster:
    hosts = dict.fromkeys(one.host for one in instances)
    return replace(Cluster("prod", "tiup", tuple(map(Machine, hosts)), instances), **fields)  # type: ignore[arg-type]  # only texts


def tikv(host: str, port: int = 20160, **fields: object) -> Instance:
    return replace(Instance("tikv", host, port), **fields)  # type: ignore[arg-type]  # whatever a test wants to say


def view(*instances: Instance, complete: frozenset[str] = STORES, **fields: str) -> View:
    return replace(View("PD", instances, complete), **fields)  # type: ignore[arg-type]  # only texts


def test_what_both_know_is_there_once_with_what_each_knows() -> None:
    ours = tikv("a", version="v8.5.3", deploy_dir="/d", log_dir="/d/log", extra={"labels": "zone=file"})
    theirs = tikv(
        "a", version="v8.5.3", status_port=20180, deploy_dir="/other", extra={"store": "1", "state": "Up"}
    )
    merged = merge(cluster(ours), view(theirs, id="7", version="v8.5.3"), NOBODY, source="the file")
    (one,) = merged.instances
    assert (one.status_port, one.deploy_dir, one.log_dir) == (20180, "/d", "/d/log")
    assert one.extra == {"labels": "zone=file", "store": "1", "state": "Up"}
    assert (merged.id, merged.version, merged.differences) == ("7", "v8.5.3", ())


def test_three_in_the_file_and_four_in_pd_are_four_and_a_sentence() -> None:
    ours = cluster(tikv("a"), tikv("b"), tikv("c"))
    merged = merge(ours, view(tikv("a"), tikv("b"), tikv("c"), tikv("d")), NOBODY, source="the file")
    assert [one.host for one in merged.instances] == ["a", "b", "c", "d"]
    assert [machine.name for machine in merged.machines] == ["a", "b", "c", "d"]
    assert merged.differences == ("the file has 3 tikv, PD knows 4; only PD knows d:20160",)


def test_a_host_that_was_replaced_is_kept_and_so_is_the_new_one() -> None:
    merged = merge(cluster(tikv("a"), tikv("b")), view(tikv("a"), tikv("c")), NOBODY, source="the file")
    assert [one.host for one in merged.instances] == ["a", "b", "c"]
    assert merged.differences == (
        "the file has 2 tikv, PD knows 2; only PD knows c:20160; only the file has b:20160",
    )


def test_a_pd_member_whose_address_changed_is_named() -> None:
    ours = cluster(Instance("pd", "10.0.0.1", 2379, extra={"name": "pd-1"}))
    theirs = View("PD", (Instance("pd", "10.0.0.9", 2379, extra={"name": "pd-1"}),), frozenset({"pd"}))
    merged = merge(ours, theirs, NOBODY, source="the file")
    assert len(merged.instances) == 2
    assert "pd pd-1 is at 10.0.0.1:2379 by the file, at 10.0.0.9:2379 by PD" in merged.differences


def test_another_version_than_was_deployed_is_what_runs_and_a_sentence() -> None:
    ours = cluster(
        tikv("a", version="v8.5.3"), tikv("b", version="v8.5.3"), tikv("c", version="8.5.3"), version="v8.5.3"
    )
    theirs = view(
        tikv("a", version="v8.5.4"),
        tikv("b", version="v8.5.4"),
        tikv("c", version="v8.5.3"),
        version="v8.5.4",
    )
    merged = merge(ours, theirs, NOBODY, source="the file")
    assert [one.version for one in merged.instances] == ["v8.5.4", "v8.5.4", "v8.5.3"]
    assert merged.instances[0].extra["deployed_version"] == "v8.5.3"
    assert merged.differences == (
        "the file says tikv is v8.5.3; by PD 2 tikv are v8.5.4: a:20160, b:20160",
        "the file says the cluster is v8.5.3; PD says v8.5.4",
    )
    assert merged.version == "v8.5.3"


def test_nothing_is_a_difference_where_there_is_no_file() -> None:
    merged = merge(cluster(tikv("a", version="v1")), view(tikv("b"), tikv("a", version="v2")), NOBODY)
    assert merged.differences == ()
    assert len(merged.instances) == 2


def test_what_a_source_does_not_know_whole_lacks_nothing() -> None:
    merged = merge(cluster(tikv("a")), view(tikv("b"), complete=frozenset()), NOBODY, source="the file")
    assert merged.differences == ("PD knows tikv b:20160, which the file does not have",)


def test_a_host_name_and_its_address_are_one_host() -> None:
    names = Names({"db1": frozenset({"10.0.0.1"})})
    merged = merge(
        cluster(tikv("db1")), view(tikv("10.0.0.1"), tikv("10.0.0.1", 20161)), names, source="the file"
    )
    assert [one.id for one in merged.instances] == ["db1-20160", "db1-20161"]
    assert [machine.name for machine in merged.machines] == ["db1"]


@pytest.mark.parametrize(
    "ours",
    [
        tikv("10.0.0.1", extra={"address": "192.168.0.1"}),
        tikv("10.0.0.1", 20160, extra={"advertise": "192.168.0.1:20160"}),
        tikv("10.0.0.1", 30160, extra={"advertise": "192.168.0.1:20160"}),
    ],
)
def test_an_advertised_or_managing_address_is_the_instances_too(ours: Instance) -> None:
    merged = merge(cluster(ours), view(tikv("192.168.0.1", status_port=1)), NOBODY, source="the file")
    (one,) = merged.instances
    assert (one.host, one.status_port) == ("10.0.0.1", 1)
    assert merged.differences == ()


def test_members_whose_names_can_not_be_resolved_are_told_by_what_they_are_called() -> None:
    ours = cluster(Instance("pd", "db1", 2379, extra={"name": "pd-1"}))
    theirs = View("PD", (Instance("pd", "10.0.0.1", 2379, extra={"name": "pd-1"}),), frozenset({"pd"}))
    assert len(merge(ours, theirs, NOBODY, source="the file").instances) == 1


def test_another_component_at_a_place_is_said_and_takes_no_id_twice() -> None:
    merged = merge(cluster(tikv("a")), view(Instance("tidb", "a", 20160)), NOBODY, source="the file")
    assert [one.component for one in merged.instances] == ["tikv"]
    assert "PD knows tidb at a:20160, where tikv is" in merged.differences


def test_another_id_is_a_difference() -> None:
    merged = merge(cluster(tikv("a"), id="1"), view(tikv("a"), id="2"), NOBODY, source="the file")
    assert merged.id == "1"
    assert merged.differences == ("PD says the cluster's id is 2, not 1",)


def test_a_sentence_names_some_and_counts_the_rest() -> None:
    many = [tikv(f"10.0.0.{n}") for n in range(1, 20)]
    merged = merge(cluster(tikv("10.0.0.1")), view(*many), NOBODY, source="the file")
    (text,) = merged.differences
    assert text.endswith(f"10.0.0.7:20160 and {18 - MOST_NAMED} more")


_INSTANCES = st.lists(
    st.builds(
        Instance,
        st.sampled_from(["pd", "tikv", "tidb"]),
        st.sampled_from(["a", "b", "fd00::1"]),
        st.integers(1, 3),
        version=st.sampled_from(["", "v1", "v2"]),
    ),
    max_size=8,
)


@settings(max_examples=50)
@given(_INSTANCES, _INSTANCES)
def test_nothing_is_lost_and_nothing_is_there_twice(ours: list[Instance], theirs: list[Instance]) -> None:
    ours = list({one.id: one for one in ours}.values())
    merged = merge(cluster(*ours), view(*theirs), NOBODY, source="the file")
    found = [one.id for one in merged.instances]
    assert len(set(found)) == len(found)
    assert set(found) == {one.id for one in (*ours, *theirs)}
    assert {one.host for one in merged.instances} <= {machine.name for machine in merged.machines}
    again = merge(merged, view(*theirs), NOBODY)
    assert {one.id for one in again.instances} == set(found)
