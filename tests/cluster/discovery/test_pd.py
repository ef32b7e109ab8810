"""What PD says: recorded from a real one in several states, and what is no answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinic.client.address import Address
from clinic.cluster.discovery.pd import Answer, Answers, Question, cluster_id, combine, read_pd
from clinic.cluster.discovery.view import View
from clinic.cluster.model import Instance
from clinic.errors import Failed, Retryable
from clinic.outcome import Reason

PD = Address("127.0.1.1", 2379)
ID = "7711561198171339666"
FILES = {
    Question.CLUSTER: "cluster", Question.VERSION: "config-cluster-version", Question.MEMBERS: "members",
    Question.HEALTH: "health", Question.STORES: "stores", Question.TOPOLOGY: "etcd-range-topology",
    Question.CAPTURES: "etcd-range-tidb-cdc",
}  # fmt: skip
UNREACHABLE = Retryable(Reason.UNREACHABLE, "connection refused")

Recorded = Callable[..., Answers]


@pytest.fixture
def recorded(root: Path) -> Recorded:
    """The answers of a scenario; files that it does not have are those of the healthy one, unless `alone`."""
    folder = root / "tests/lab/standin/recordings/pd"

    def one(scenario: str = "healthy", *, alone: bool = False, **others: Answer) -> Answers:
        bodies: dict[Question, Answer] = {}
        for question, name in FILES.items():
            for place in (scenario,) if alone else (scenario, "healthy"):
                path = folder / place / f"{name}.json"
                if path.exists() and question not in bodies:
                    bodies[question] = path.read_bytes()
            bodies.setdefault(question, Failed(Reason.BAD_ANSWER, "503 no leader"))
        return Answers(PD, {**bodies, **{Question[name.upper()]: body for name, body in others.items()}})

    return one


def ids(view: View, component: str) -> list[str]:
    return sorted(one.id for one in view.instances if one.component == component)


def the(view: View, identity: str) -> Instance:
    (found,) = [one for one in view.instances if one.id == identity]
    return found


def test_a_healthy_cluster_is_known_whole(recorded: Recorded) -> None:
    view = read_pd(recorded())
    assert (view.source, view.id, view.version, view.unknown) == ("PD", ID, "v8.5.3", ())
    assert ids(view, "pd") == [f"127.0.1.{n}-2379" for n in (1, 2, 3)]
    assert ids(view, "tikv") == [f"127.0.2.{n}-20160" for n in (1, 2, 3)]
    assert ids(view, "tiflash") == ["127.0.3.1-3930"]
    assert ids(view, "tidb") == [f"127.0.4.{n}-4000" for n in (1, 2, 3)]
    assert ids(view, "tiproxy") == ["127.0.5.1-6000"]
    assert ids(view, "ticdc") == ["127.0.6.1-8300", "127.0.6.2-8300"]
    assert [ids(view, name) for name in ("prometheus", "grafana", "alertmanager")] == [
        ["127.0.9.1-9090"], ["127.0.9.1-3000"], ["127.0.9.1-9093"],
    ]  # fmt: skip
    assert view.complete == {"pd", "tikv", "tiflash", "tidb", "tiproxy", "ticdc"}


def test_what_it_says_of_an_instance_is_kept(recorded: Recorded) -> None:
    view = read_pd(recorded())
    leader, follower = the(view, "127.0.1.1-2379"), the(view, "127.0.1.2-2379")
    assert leader.extra == {"name": "pd-127.0.1.1-2379", "leader": "yes"}
    assert "leader" not in follower.extra
    assert (leader.version, leader.deploy_dir) == (
        "v9.0.0-beta.2.pre-483-ga186e0cc61",
        "/tidb-deploy/pd-2379",
    )
    tikv, tiflash = the(view, "127.0.2.1-20160"), the(view, "127.0.3.1-3930")
    assert (tikv.version, tikv.status_port, tikv.deploy_dir) == ("v8.5.3", 20180, "/tidb-deploy/tikv-20160")
    assert tikv.extra == {"store": "1", "state": "Up", "labels": "zone=az-1,host=tikv-1"}
    assert (tiflash.version, tiflash.status_port) == ("v8.5.3", 20292)
    assert tiflash.deploy_dir == "/tidb-deploy/tiflash-9000"
    alive, dead = the(view, "127.0.4.1-4000"), the(view, "127.0.4.3-4000")
    assert (alive.status_port, alive.extra) == (10080, {"labels": "zone=az-1"})
    assert (dead.version, dead.extra) == ("v8.5.2", {"state": "registered, without a sign of life"})
    assert the(view, "127.0.5.1-6000").status_port == 3080
    assert the(view, "127.0.6.1-8300").extra == {"cdc_cluster": "default"}


@pytest.mark.parametrize(
    ("scenario", "store", "state"),
    [
        ("disconnected", "127.0.2.3-20160", "Disconnected"),
        ("down", "127.0.2.3-20160", "Down"),
        ("scaling", "127.0.2.4-20160", "Offline"),
    ],
)
def test_a_store_that_is_not_well_is_there_with_its_state(
    recorded: Recorded, scenario: str, store: str, state: str
) -> None:
    view = read_pd(recorded(scenario))
    assert the(view, store).extra["state"] == state
    assert the(view, "127.0.2.1-20160").extra["state"] == "Up"


def test_a_store_that_left_is_no_instance(recorded: Recorded) -> None:
    assert "127.0.2.4-20160" not in ids(read_pd(recorded("tombstone")), "tikv")


def test_without_a_leader_its_members_and_what_registered_are_known(recorded: Recorded, root: Path) -> None:
    serializable = root / "tests/lab/standin/recordings/pd/noleader/etcd-range-topology-serializable.json"
    view = read_pd(recorded("noleader", alone=True, topology=serializable.read_bytes()))
    assert ids(view, "pd") == [f"127.0.1.{n}-2379" for n in (1, 2, 3)]
    assert len(ids(view, "tidb")) == 3
    assert (view.id, view.version, ids(view, "tikv")) == ("", "", [])
    assert view.complete == {"pd", "tidb", "tiproxy", "ticdc"}
    assert view.unknown == (
        "PD did not say who leads it and what its members run: 503 no leader",
        "PD did not say which TiKV and TiFlash there are: 503 no leader",
    )


def test_a_cluster_that_never_had_a_tikv_has_an_id_and_no_version(recorded: Recorded) -> None:
    view = read_pd(recorded("fresh", alone=True, members=b'{"header": {"cluster_id": 1}, "members": []}'))
    assert (view.id, view.version) == (ID, "")
    assert "tikv" not in view.complete
    assert any("TiKV cluster not bootstrapped" in text or "names no stores" in text for text in view.unknown)


def test_a_pd_that_speaks_tls_says_so_in_its_urls(recorded: Recorded, root: Path) -> None:
    members = (root / "tests/lab/standin/recordings/pd/healthy/members.json").read_bytes()
    view = read_pd(recorded(members=members.replace(b"http://", b"https://")))
    assert {one.tls for one in view.instances if one.component == "pd"} == {True}


def test_microservices_are_instances_of_their_own(recorded: Recorded) -> None:
    # Recorded from `pd-server services tso` beside a `pd-server services api` of the same build as the others.
    tso = b"""[{"name": "tso-127.0.8.1:3379", "service-addr": "http://127.0.8.1:3379",
        "version": "v9.0.0-beta.2.pre-483-ga186e0cc61", "git-hash": "a186e0cc61def1408fc57ae7b3d1044a572c8ae3",
        "deploy-path": "/tidb-deploy/pd-2379/bin", "start-timestamp": 1795488618}]"""
    manager = tso.replace(b"tso-", b"resource-manager-").replace(b"127.0.8.1", b"127.0.8.3")
    view = read_pd(
        recorded(tso=tso, resource_manager=manager, router=Failed(Reason.BAD_ANSWER, "unknown service"))
    )
    assert the(view, "127.0.8.1-3379").component == "tso"
    assert the(view, "127.0.8.3-3379").component == "resource-manager"
    assert the(view, "127.0.8.1-3379").deploy_dir == "/tidb-deploy/pd-2379"
    assert {"tso", "resource-manager"} <= view.complete
    assert "router" not in view.complete
    assert view.unknown == ()


def test_captures_of_an_older_ticdc_are_found_where_it_registers(recorded: Recorded) -> None:
    nothing = b'{"header": {}}'
    view = read_pd(recorded(topology=nothing))
    assert ids(view, "ticdc") == ["127.0.6.1-8300", "127.0.6.2-8300"]
    assert "AKIAIOSFODNN7EXAMPLE" not in repr(view)


def test_all_pds_silent_is_one_sentence() -> None:
    view = read_pd(Answers(PD, dict.fromkeys(Question, UNREACHABLE)))
    assert view.instances == ()
    (text,) = view.unknown
    assert text.endswith("what registers with it: connection refused")


def test_answers_of_several_pds_are_put_together(recorded: Recorded) -> None:
    whole = recorded()
    dead = Answers(Address("127.0.1.3", 2379), dict.fromkeys(Question, UNREACHABLE))
    half = Answers(
        Address("127.0.1.2", 2379),
        {**whole.bodies, Question.STORES: Failed(Reason.BAD_ANSWER, "500")},
    )
    ours, strangers = combine([dead, half, whole])
    assert strangers == ()
    assert read_pd(ours) == read_pd(whole)


def test_the_error_that_says_most_counts(recorded: Recorded) -> None:
    dead = Answers(Address("127.0.1.3", 2379), dict.fromkeys(Question, UNREACHABLE))
    ours, _ = combine([dead, recorded("noleader", alone=True)])
    assert "503 no leader" in read_pd(ours).unknown[0]


def test_a_pd_of_another_cluster_is_left_out_and_named(recorded: Recorded) -> None:
    other = Answers(
        Address("127.0.1.9", 2379),
        {
            Question.CLUSTER: b'{"id": 7}',
            Question.MEMBERS: b'{"members": []}',
            Question.STORES: b'{"stores": []}',
        },
    )
    second = Answers(Address("127.0.1.2", 2379), recorded().bodies)
    ours, strangers = combine([other, recorded(), second])
    assert strangers == ((other.asked, "7"),)
    assert (cluster_id(ours), len(ids(read_pd(ours), "tikv"))) == (ID, 3)


@pytest.mark.parametrize(
    "body", [b"", b"<html>login</html>", b"[]", b"null", b"3", b'"an error"', b"{}", b"\xff\xfe"]
)
def test_what_is_no_answer_is_said_and_costs_its_own_part(recorded: Recorded, body: bytes) -> None:
    view = read_pd(recorded(stores=body))
    assert ids(view, "tikv") == []
    assert "tikv" not in view.complete
    assert len(ids(view, "pd")) == 3
    assert len(view.unknown) == 1


def test_numbers_beyond_a_double_stay_what_they_are(recorded: Recorded) -> None:
    answers = recorded(cluster=b'{"id": 18446744073709551615}')
    assert cluster_id(answers) == "18446744073709551615"


def test_a_hostile_pd_leads_nowhere(recorded: Recorded) -> None:
    def store(**fields: Any) -> dict[str, Any]:
        return {"store": {"id": 1, "address": "127.0.2.1:20160", **fields}}

    stores = [
        store(address="-oProxyCommand=touch:22"), store(address="../../etc:1"), store(address="a\nb:1"),
        store(address="127.0.2.1:20160", deploy_path="relative/../../x", version="x" * 10_000, labels="no list"),
        store(address="127.0.2.9:20160", status_address="nonsense", labels=[{"key": "engine", "value": "tiflash"}, 7]),
    ]  # fmt: skip
    view = read_pd(recorded(stores=json.dumps({"stores": stores * 1000}).encode()))
    assert set(ids(view, "tikv")) == {"127.0.2.1-20160"}
    assert set(ids(view, "tiflash")) == {"127.0.2.9-20160"}
    assert {one.deploy_dir for one in view.instances if one.component == "tikv"} == {""}
    assert len(view.instances) < 4096 + 20


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                "stores store address labels key value members name client_urls leader header kvs id version".split()
            )
            | st.text(),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=60)
@given(st.dictionaries(st.sampled_from(list(Question)), _JSON))
def test_any_json_is_a_view(bodies: dict[Question, object]) -> None:
    view = read_pd(Answers(PD, {question: json.dumps(value).encode() for question, value in bodies.items()}))
    assert all(text.isprintable() for text in view.unknown)
