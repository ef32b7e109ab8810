"""A cluster asked from its servers: one that answers is enough, and no dead one keeps anybody waiting."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from clinic.client import wire
from clinic.client.address import Address
from clinic.cluster.discovery import addresses, processes
from clinic.cluster.discovery import complete as module
from clinic.cluster.discovery.complete import Asking, complete
from clinic.cluster.discovery.processes import Findings
from clinic.cluster.discovery.queries import Sql
from clinic.cluster.model import Cluster, Instance, Machine
from clinic.deadline import Deadline
from clinic.errors import Failed, Skip, Unreachable, UsageError
from clinic.outcome import Reason

ID = "7711561198171339666"
ServePd = Callable[..., Any]


@pytest.fixture(autouse=True)
def nothing_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests' processes on this machine are not this cluster's."""

    def find(mask: object, host: str) -> Findings:
        del mask, host
        return Findings(())

    monkeypatch.setattr(processes, "find", find)


def asking(sql: Sql | None = None) -> Asking:
    return Asking(tuple, sql=sql)


def cluster(*places: str, component: str = "pd") -> Cluster:
    found = [Instance(component, *_split(place)) for place in places]
    return Cluster(
        "prod", "tiup", tuple(map(Machine, dict.fromkeys(one.host for one in found))), tuple(found)
    )


def _split(place: str) -> tuple[str, int]:
    host, _, port = place.rpartition(":")
    return host, int(port)


def ids(found: Cluster, component: str) -> list[str]:
    return [one.id for one in found.instances if one.component == component]


def test_the_rest_is_asked_from_one_pd(serve_pd: ServePd) -> None:
    pd = serve_pd()
    found = complete(cluster(pd.address), asking())
    assert (found.id, found.version) == (ID, "v8.5.3")
    assert len(ids(found, "pd")) == len(ids(found, "tikv")) == len(ids(found, "tidb")) == 3
    assert found.differences == ()
    assert all(machine.local for machine in found.machines)
    assert {one.host for one in found.instances} == {machine.name for machine in found.machines}


def test_of_ticdc_only_keys_and_captures_are_read(serve_pd: ServePd) -> None:
    pd = serve_pd()
    complete(cluster(pd.address), asking())
    prefixes = {path for path in pd.asked if not path.startswith("/pd/")}
    assert prefixes == {"/topology/", "/tidb/cdc/ keys", "/tidb/cdc/default/__cdc_meta__/capture/"}


def test_what_a_file_lacks_is_a_difference(serve_pd: ServePd) -> None:
    pd = serve_pd()
    file = cluster(pd.address, "127.0.1.2:2379", "127.0.1.3:2379", "127.0.1.4:2379")
    found = complete(file, asking(), source="the file")
    assert "the file has 4 pd, PD knows 3; only the file has 127.0.1.4:2379" in found.differences
    assert len(ids(found, "pd")) == 4


def test_one_that_answers_is_enough_and_the_mute_one_is_named(serve_pd: ServePd, mute: str) -> None:
    pd = serve_pd()
    begun = time.monotonic()
    found = complete(cluster(mute, pd.address), asking(), source="the file")
    assert time.monotonic() - begun < 3
    assert found.id == ID
    assert any(f"pd at {mute} answers nothing" in text for text in found.unknown)


def test_a_dead_pd_costs_what_only_pd_knows() -> None:
    file = replace(cluster("127.77.1.1:2379"), version="v8.5.3")
    found = complete(file, asking(), source="the file")
    assert (found.id, found.version) == ("", "v8.5.3")
    assert ids(found, "pd") == ["127.77.1.1-2379"]
    assert any(text.startswith("PD could not be asked") for text in found.unknown)
    assert any(text.startswith("pd can't be reached at 127.77.1.1:2379") for text in found.unknown)


def test_hosts_that_swallow_everything_are_down_within_the_time_of_one_connection(
    swallows: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:

    def never(ips: object, own: object) -> bool:
        del ips, own
        return False

    monkeypatch.setattr(addresses, "is_own", never)
    monkeypatch.setattr(wire, "CONNECT_SECONDS", 0.4)
    places = [swallows() for _ in range(12)]
    begun = time.monotonic()
    found = complete(cluster(*places, component="tikv"), asking(), source="the file")
    assert 0.4 <= time.monotonic() - begun < 2
    (text,) = found.unknown
    assert text.startswith(
        "127.0.0.1 is down: none of its 12 instances can be reached (no answer from 127.0.0.1:"
    )


def test_a_name_server_that_hangs_keeps_nobody(serve_pd: ServePd, monkeypatch: pytest.MonkeyPatch) -> None:
    never = threading.Event()

    def hangs(host: str) -> tuple[str, ...]:
        if not host.startswith("127."):
            never.wait()
        return (host,)

    monkeypatch.setattr(addresses, "resolve", hangs)
    monkeypatch.setattr(module, "NAME_SECONDS", 0.3)
    pd = serve_pd()
    file = cluster(pd.address)
    slow = replace(file, machines=(*file.machines, Machine("db1")))
    begun = time.monotonic()
    found = complete(slow, asking(), source="the file")
    never.set()
    assert time.monotonic() - begun < 3
    assert [machine.local for machine in found.machines if machine.name == "db1"] == [False]


def test_pds_of_two_clusters_that_a_person_named_are_an_error_and_of_a_file_a_difference(
    serve_pd: ServePd,
) -> None:
    one, other = serve_pd(), serve_pd(replaced={ID: "7"})
    places = cluster(one.address, other.address)
    with pytest.raises(
        UsageError, match=f"different clusters: pd {other.address} is of the cluster 7, not of {ID}"
    ):
        complete(places, asking())
    found = complete(places, asking(), source="the file")
    assert found.differences[-1] == f"pd {other.address} is of the cluster 7, not of {ID}"


def test_nobody_at_all_is_an_error_where_only_addresses_were_given() -> None:
    with pytest.raises(Unreachable, match=r"nothing can be reached .* connection refused"):
        complete(cluster("127.77.1.1:2379"), asking())


def test_a_pd_that_answers_only_errors_is_said_and_no_end(serve_pd: ServePd) -> None:
    pd = serve_pd(status=500)
    found = complete(cluster(pd.address), asking())
    assert found.id == ""
    assert any(text.startswith("PD could not be asked") for text in found.unknown)


def rows(*places: str) -> list[Mapping[str, str | None]]:
    return [
        {"TYPE": "tidb", "INSTANCE": place, "STATUS_ADDRESS": None, "VERSION": "8.5.3"} for place in places
    ]


@pytest.fixture
def tidbs(listening: Callable[[], str]) -> list[str]:
    """Addresses of two servers that take connections."""
    return [listening(), listening()]


@pytest.fixture
def listening(listen: Callable[[], Any]) -> Iterator[Callable[[], str]]:
    yield lambda: f"127.0.0.1:{listen().getsockname()[1]}"


def test_sql_is_asked_of_one_server_after_another_until_one_answers(tidbs: list[str]) -> None:
    asked: list[str] = []

    def sql(server: Address, deadline: Deadline) -> list[Mapping[str, str | None]]:
        asked.append(str(server))
        deadline.check()
        if len(asked) == 1:
            raise Failed(Reason.UNREACHABLE, "gone")
        return rows(*tidbs, "127.0.0.1:1")

    found = complete(cluster(*tidbs, component="tidb"), asking(sql), source="the file")
    assert asked == tidbs
    assert len(ids(found, "tidb")) == 3
    assert found.differences == ("what is known so far has 2 tidb, SQL knows 3; only SQL knows 127.0.0.1:1",)


def test_a_password_that_one_server_refuses_is_tried_on_no_other(tidbs: list[str]) -> None:
    asked: list[str] = []

    def sql(server: Address, deadline: Deadline) -> list[Mapping[str, str | None]]:
        del deadline
        asked.append(str(server))
        raise Skip(Reason.NOT_PERMITTED, "access denied")

    found = complete(cluster(*tidbs, component="tidb"), asking(sql), source="the file")
    assert asked == tidbs[:1]
    assert found.unknown == ("SQL did not say which instances there are: access denied",)


def test_a_sql_server_that_hangs_keeps_nobody(tidbs: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    never = threading.Event()
    monkeypatch.setattr(module, "SECOND_SECONDS", 0.3)

    def sql(server: Address, deadline: Deadline) -> list[Mapping[str, str | None]]:
        del server, deadline
        never.wait()
        return []

    found = complete(cluster(*tidbs, component="tidb"), asking(sql), source="the file")
    never.set()
    assert found.unknown == ("SQL did not say in time which instances there are",)
