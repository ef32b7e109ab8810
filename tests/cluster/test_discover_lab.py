"""The stand-in cluster of the lab, found in every way, with one fault after the other."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from clinic.client.account import Account
from clinic.cluster.discover import Where, discover, learning
from clinic.cluster.model import Cluster
from clinic.errors import Unreachable
from clinic.redact import Redactor
from clinic.secret import Secret, SecretRegister

pytestmark = pytest.mark.lab

SECONDS = 12
"""What discovery may take whatever is dead; with the looks at sources it is 15."""


@pytest.fixture(autouse=True)
def all_well(cluster: Any) -> Iterator[None]:
    """No fault before, and none after."""
    cluster.clear_faults()
    yield
    cluster.clear_faults()


@pytest.fixture
def tiup(cluster: Any) -> Where:
    """The cluster as TiUP's."""
    return Where(f"cluster/{cluster.name}", str(cluster.tiup_home))


def found(where: Where) -> Cluster:
    begun = time.monotonic()
    result = discover(where, learning(Redactor(SecretRegister())))
    assert time.monotonic() - begun < SECONDS
    return result


def ids(result: Cluster) -> set[str]:
    return {one.id for one in result.instances}


def members(cluster: Any) -> set[str]:
    return {f"{one.host}-{one.port}" for one in cluster.instances}


def test_tiups_cluster_is_found_with_its_processes(cluster: Any, tiup: Where) -> None:
    result = found(tiup)
    assert (result.name, result.deployed, result.id, result.version) == (
        "lab",
        "tiup",
        cluster.id,
        cluster.version,
    )
    assert members(cluster) <= ids(result)
    by_id = {one.id: one for one in result.instances}
    for member in cluster.instances:
        one = by_id[f"{member.host}-{member.port}"]
        assert (one.component, one.deploy_dir) == (member.component, str(member.deploy_dir))
        assert one.pid == cluster.pid(member.name)
        assert str(member.log) in one.log_files
        assert (one.status_port or one.port) == member.status_port
    assert all(machine.local for machine in result.machines)


@pytest.mark.parametrize("component", ["pd", "tidb"])
def test_one_address_is_enough(cluster: Any, component: str) -> None:
    member = cluster.of(component)[-1]
    result = found(Where("", **{component: (member.address,)}))  # type: ignore[arg-type]  # both are addresses
    assert (result.id, result.name) == (cluster.id, f"tidb-{cluster.id}")
    assert members(cluster) <= ids(result)


def test_tls_with_a_client_certificate(cluster: Any) -> None:
    pd = cluster.of("pd")[0]
    cert, key = cluster.client_certificate
    with cluster.fault("pd", "client-certificate"):
        secure = Where("", pd=(pd.address,), ca=str(cluster.ca), cert=str(cert), key=str(key))
        assert found(secure).id == cluster.id
        bare = found(Where("", pd=(pd.address,), ca=str(cluster.ca)))
        assert bare.id == ""
        assert any("client certificate" in text for text in bare.unknown), bare.unknown


@pytest.mark.parametrize(
    ("name", "kind", "knows", "said"),
    [
        ("pd-1", "down", True, "pd can't be reached"),
        ("pd-1", "stalled", True, "answers nothing"),
        ("pd-2", "garbage", True, "answers nothing"),
        ("pd-2", "endless-body", True, "answers nothing"),
        ("pd", "down", False, "PD could not be asked"),
        ("pd", "stalled", False, "PD could not be asked"),
        ("pd", "trickle", None, "PD did not say which TiKV"),
        ("pd", "gzip-bomb", False, "PD could not be asked"),
        ("pd", "redirect", False, "PD could not be asked"),
        ("pd", "http-500", False, "PD could not be asked"),
        ("pd", "error-page", False, "is not JSON"),
        ("pd", "no-leader", False, "PD did not say which TiKV"),
        ("pd", "election", False, "PD did not say which TiKV"),
        ("pd", "not-bootstrapped", True, "PD did not say which TiKV"),
        ("tikv-2", "down", True, "tikv can't be reached"),
        ("tidb", "down", True, "tidb can't be reached"),
    ],
)
def test_a_fault_costs_what_only_that_server_knows_and_is_said(
    cluster: Any, tiup: Where, name: str, kind: str, knows: bool | None, said: str
) -> None:
    with cluster.fault(name, kind):
        result = found(tiup)
    assert members(cluster) <= ids(result)
    assert knows is None or result.id == (cluster.id if knows else "")
    assert any(said in text for text in result.unknown), result.unknown


def test_a_pd_of_another_cluster_and_stores_that_no_file_names_are_differences(
    cluster: Any, tiup: Where
) -> None:
    with cluster.fault("pd-1", "other-cluster"):
        result = found(tiup)
    assert result.id == cluster.id
    assert any(f"{cluster.of('pd')[0].address} is of the cluster" in text for text in result.differences)
    with cluster.fault("pd", "store-offline"):
        result = found(tiup)
    assert any("meta.yaml has 3 tikv, PD knows 5" in text for text in result.differences)
    assert len([one for one in result.instances if one.component == "tikv"]) == 5


def test_where_nobody_answers_at_all_it_is_an_error(cluster: Any) -> None:
    addresses = tuple(one.address for one in cluster.of("pd"))
    with cluster.fault("pd", "down"), pytest.raises(Unreachable, match="connection refused"):
        discover(Where("", pd=addresses), tuple)


def test_sql_is_asked_where_there_is_an_account(cluster: Any, tiup: Where) -> None:
    user, password = cluster.credentials["user"], Secret(cluster.credentials["password"])
    with cluster.fault("pd", "http-500"):
        result = discover(tiup, tuple, account=Account(user, password))
    assert members(cluster) <= ids(result)
    assert [text for text in result.unknown if text.startswith("SQL did not")] == []


def test_a_refused_password_is_tried_on_one_server(cluster: Any, tiup: Where) -> None:
    account = Account(cluster.credentials["user"], Secret("not-the-password"))
    before = {one.name: len(cluster.requests(one.name)) for one in cluster.of("tidb")}
    result = discover(tiup, tuple, account=account)
    assert any(text.startswith("SQL did not say which instances there are: ") for text in result.unknown)
    asked = [one.name for one in cluster.of("tidb") if len(cluster.requests(one.name)) > before[one.name]]
    assert len(asked) <= 1
