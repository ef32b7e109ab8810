"""The collectors of a cluster against one that runs: everything comes, and a fault costs what it must and no more."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import TYPE_CHECKING

import pytest

from clinic import registry
from clinic.client.access import Access
from clinic.client.account import Account
from clinic.cluster.discovery import tiup
from clinic.collector import Item, Target, Window
from clinic.deadline import Deadline
from clinic.errors import ItemError
from clinic.host.local import LocalHost
from clinic.outcome import Reason
from clinic.run.doors import AttemptDoors, Common
from clinic.secret import Secret, SecretRegister

if TYPE_CHECKING:
    from tests.lab.standin.cluster import Cluster

pytestmark = pytest.mark.lab

COLLECTORS = ("topology", "versions", "config", "variables", "changes", "debug")
PLAYED = frozenset({"pd", "tidb", "tikv", "tiflash", "tiproxy", "ticdc"})
NOT_THERE = frozenset({Reason.NOT_APPLICABLE, Reason.NOT_FOUND, Reason.EMPTY})
"""What a healthy cluster may say: it has no such feature, or nothing of the kind at the moment."""


@dataclass(frozen=True)
class Ended:
    """What became of an item."""

    item: Item
    size: int
    error: ItemError | None

    @property
    def lost(self) -> bool:
        """Whether it could not be had, though it is there."""
        return self.error is not None and self.error.reason not in NOT_THERE

    @property
    def told(self) -> str:
        """For people."""
        return f"{self.item.id} {self.item.instance} {self.item.source.what[:60]}: {self.error}"


Collect = Callable[..., list[Ended]]


@pytest.fixture
def collect(cluster: Cluster) -> Iterator[Collect]:
    """Run the items that are asked of servers, each on its own, as its bounds have it."""
    cluster.clear_faults()
    known = tiup.read(tiup.choose(tiup.managed(cluster.tiup_home), cluster.name))
    known = replace(known, instances=tuple(one for one in known.instances if one.component in PLAYED))
    now = datetime.now(timezone.utc)
    target = Target(known, Window(now - timedelta(hours=2), now))

    def run(*names: str, user: str = "user", default: bool = True) -> list[Ended]:
        account = Account(
            cluster.credentials[user], Secret(cluster.credentials[user.replace("user", "password")])
        )
        common = Common(known, target.window, SecretRegister(), lambda machine: LocalHost(machine.name))
        common.shared(Access, lambda: Access(sql=account))
        items = [
            item
            for found in registry.builtin()
            if found.collector.name in (names or COLLECTORS)
            for item in found.collector.items(target)
            if item.source.lane.startswith("server:") and (item.default or not default) and not item.by_name
        ]
        with ThreadPoolExecutor(16) as pool:
            ended = list(pool.map(partial(_end, common), items))
        common.close()
        return ended

    yield run
    cluster.clear_faults()


def _end(common: Common, item: Item) -> Ended:
    doors, size = AttemptDoors(common, Deadline(item.deadline or item.source.deadline)), 0
    try:
        for part in item.source.open(doors):
            size += sum(len(chunk) for chunk in part.chunks if isinstance(chunk, bytes))
    except ItemError as error:
        return Ended(item, size, error)
    return Ended(item, size, None)


def lost(ended: list[Ended]) -> list[str]:
    """What could not be had."""
    return [one.told for one in ended if one.lost]


def test_everything_of_a_healthy_cluster_comes(collect: Collect) -> None:
    ended = collect(default=False)
    assert lost(ended) == []
    ids = Counter(one.item.id for one in ended if one.size)
    assert ids["config.running"] == 3 + 2 + 3 + 1 + 1
    assert ids["variables.global"] == ids["variables.statements"] == 2
    assert ids["topology.stores"] == 3
    assert ids["topology.regions"] == ids["topology.region-counts"] == ids["topology.changefeeds"] == 1


def test_a_dead_pd_costs_what_is_its_own(collect: Collect, cluster: Cluster) -> None:
    """And what its leader alone counts: the followers of the stand-in do not take that over."""
    with cluster.fault("pd-1", "down"):
        ended = collect("topology", "config", "versions")
    missing = [one for one in ended if one.lost and one.item.id != "topology.region-counts"]
    assert {one.item.instance for one in missing} == {f"{cluster.instance('pd-1').host}-2379"}, lost(ended)


def test_a_dead_tidb_costs_what_is_its_own(collect: Collect, cluster: Cluster) -> None:
    with cluster.fault("tidb-1", "down"):
        ended = collect()
    dead = f"{cluster.instance('tidb-1').host}-4000"
    assert {one.item.instance for one in ended if one.lost} == {dead}, lost(ended)


def test_a_silent_pd_is_not_waited_for_by_every_item(collect: Collect, cluster: Cluster) -> None:
    began = time.monotonic()
    with cluster.fault("pd-1", "stalled"):
        ended = collect("topology")
    assert time.monotonic() - began < 60
    missing = [one for one in ended if one.lost and one.item.id != "topology.region-counts"]
    assert {one.item.instance for one in missing} == {f"{cluster.instance('pd-1').host}-2379"}, lost(ended)


def test_without_a_leader_each_pd_still_tells_of_itself_and_soon(collect: Collect, cluster: Cluster) -> None:
    """Each answer takes 3 s to say that there is none: they are not all waited for."""
    began = time.monotonic()
    with cluster.fault("pd", "no-leader"):
        ended = collect("topology", "versions")
    assert time.monotonic() - began < 90
    assert [one.item.id for one in ended if one.size].count("topology.health") == 3
    assert [one.item.id for one in ended if one.size].count("versions.instance") >= 3
    assert "topology.regions" in {one.item.id for one in ended if one.lost}


def test_a_pd_that_never_had_a_tikv_is_told_as_it_is(collect: Collect, cluster: Cluster) -> None:
    """It refuses most questions, and one of them makes it panic."""
    with cluster.fault("pd", "not-bootstrapped"):
        ended = collect("topology")
    refused = {one.item.id: one.error for one in ended if one.lost and one.item.id.startswith("topology.")}
    assert "topology.hot-stores" in refused
    assert all(error is not None and error.reason is Reason.BAD_ANSWER for error in refused.values())
    assert [one.item.id for one in ended if one.size].count("topology.health") == 3


def test_an_error_page_is_never_a_file(collect: Collect, cluster: Cluster) -> None:
    with cluster.fault("tikv-1", "error-page"):
        ended = collect("config")
    place = f"{cluster.instance('tikv-1').host}-20160"
    [one] = [one for one in ended if one.item.instance == place]
    assert one.size == 0
    assert one.error is not None
    assert one.error.reason is Reason.BAD_ANSWER


def test_a_user_without_rights_gets_what_everybody_may_see(collect: Collect) -> None:
    ended = collect("variables", user="plain_user")
    refused = [one.error for one in ended if one.lost and one.error is not None]
    assert {error.reason for error in refused} == {Reason.NOT_PERMITTED}
    assert [error.message for error in refused if "GRANT" not in error.fix] == []
    assert {"variables.global", "variables.session"} <= {one.item.id for one in ended if one.size}
