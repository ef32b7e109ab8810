"""The address is part of who listens: one port at two addresses is no contradiction, and every id is another."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from clinic.cluster.discovery.shared_ports import Apart, Claim, apart
from clinic.cluster.model import Instance


def claim(
    pid: int,
    bound: str = "",
    *,
    port: int = 4000,
    listens: bool = False,
    perhaps: Sequence[str] | None = None,
) -> Claim:
    """A TiDB; the lower its process, the longer it runs."""
    return Claim(Instance("tidb", "db1", port, pid=pid, started=float(pid)), listens, bound, perhaps)


def ids(found: Apart) -> list[str]:
    return [instance.id for instance in found.instances]


def test_a_port_of_its_own_is_all_that_an_id_needs() -> None:
    found = apart(
        [
            claim(1, "127.0.4.1", listens=True),
            claim(2, "127.0.4.1", port=4001, listens=True),
            claim(3, port=0),
        ]
    )
    assert ids(found) == ["db1-4000", "db1-4001", "db1-tidb-3"]


def test_one_port_at_two_addresses_makes_the_address_part_of_the_id() -> None:
    found = apart([claim(1, "127.0.4.1", listens=True), claim(2, "127.0.4.2", listens=True)])
    assert ids(found) == ["127.0.4.1-4000", "127.0.4.2-4000"]
    assert [one.port for one in found.instances] == [4000, 4000]
    assert (found.unknown, found.differences) == ((), ())


def test_who_does_not_listen_loses_the_port_where_nothing_says_another_address() -> None:
    found = apart([claim(1), claim(2, "127.0.4.2", listens=True)])
    assert ids(found) == ["db1-tidb-1", "db1-4000"]
    assert found.instances[0].extra["claimed_port"] == "4000"
    assert found.differences == ("tidb (process 1) claims port 4000, as does tidb (process 2)",)


def test_who_does_not_listen_yet_keeps_the_address_that_its_options_say() -> None:
    found = apart([claim(1, "127.0.4.1"), claim(2, "127.0.4.2", listens=True)])
    assert ids(found) == ["127.0.4.1-4000", "127.0.4.2-4000"]
    assert found.differences == ()


def test_the_only_address_that_is_left_is_that_of_the_only_one_without() -> None:
    both = ("127.0.4.1", "127.0.4.2")
    found = apart([claim(1, perhaps=both), claim(2, "127.0.4.1", perhaps=both)])
    assert ids(found) == ["127.0.4.2-4000", "127.0.4.1-4000"]
    assert [one.extra["address"] for one in found.instances] == ["127.0.4.2", "127.0.4.1"]


def test_a_usual_port_whose_sockets_are_all_those_of_others_is_not_guessed() -> None:
    both = ("127.0.4.1", "127.0.4.2")
    found = apart([claim(1, perhaps=both), claim(2, both[0], perhaps=both), claim(3, both[1], perhaps=both)])
    assert [one.port for one in found.instances] == [0, 4000, 4000]
    assert (found.unknown, found.differences) == ((), ())


def test_as_many_keep_a_port_as_listen_there_though_nobody_sees_who_is_who() -> None:
    both = ("127.0.4.1", "127.0.4.2")
    found = apart([claim(1, perhaps=both), claim(2, perhaps=both), claim(3, perhaps=both)])
    assert [one.port for one in found.instances] == [4000, 4000, 0]
    assert ids(found) == ["db1-tidb-1", "db1-tidb-2", "db1-tidb-3"]
    assert not any("address" in one.extra for one in found.instances)
    (said,) = found.unknown
    assert said.startswith("port 4000 is that of tidb (process 1) or of tidb (process 3)")
    assert found.differences == ()


def test_ports_that_nobody_is_seen_to_listen_at_go_to_who_runs_longest() -> None:
    found = apart([claim(2, perhaps=()), claim(1, perhaps=()), claim(3)])
    assert ids(found) == ["db1-tidb-2", "db1-4000", "db1-tidb-3"]


ROWS = st.tuples(
    st.sampled_from([0, 4000, 4001]),
    st.booleans(),
    st.sampled_from(["", "127.0.4.1", "127.0.4.2"]),
    st.none() | st.lists(st.sampled_from(["127.0.0.1", "127.0.4.1", "127.0.4.2"]), max_size=3),
)


@given(st.lists(ROWS, max_size=7))
def test_whatever_is_claimed_every_id_is_another_and_nobody_is_lost(
    rows: list[tuple[int, bool, str, list[str] | None]],
) -> None:
    claims = [
        claim(pid, bound, port=port, listens=listens and bool(bound), perhaps=perhaps)
        for pid, (port, listens, bound, perhaps) in enumerate(rows, 1)
    ]
    found = apart(claims)
    assert [one.pid for one in found.instances] == [one.instance.pid for one in claims]
    assert len(set(ids(found))) == len(claims)
    lost = [
        one for one, before in zip(found.instances, claims, strict=True) if one.port != before.instance.port
    ]
    assert len(lost) >= len(found.unknown) + len(found.differences)
