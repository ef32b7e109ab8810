"""What an HTTP answer comes to: data, or a reason, on record either way."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.client.servers import Peer, Script, Serve, closed_port, serve

from clinic.client.access import Access
from clinic.client.account import Account
from clinic.client.address import Address
from clinic.cluster.model import Cluster, Instance, Machine
from clinic.deadline import Deadline
from clinic.errors import Failed, ItemError, NotAsked, NotYet, Retryable, Skip, TimedOut
from clinic.host.local import LocalHost
from clinic.outcome import Reason
from clinic.run.doors import AttemptDoors, Common
from clinic.secret import Secret, SecretRegister
from clinic.source.base import Doors
from clinic.source.first import First
from clinic.source.http import HELD, Get
from clinic.units import KIB, MIB
from clinic.window import Window

RECORDED = Path(__file__).resolve().parent.parent / "lab" / "standin" / "recordings" / "pd"

__all__ = ["serve"]  # a fixture


@pytest.fixture
def common() -> Iterator[Common]:
    """What all attempts of a run share."""
    cluster = Cluster("c", "manual", (Machine("127.0.0.1"),))
    now = datetime.now(timezone.utc)
    window = Window(now - timedelta(hours=1), now)
    made = Common(cluster, window, SecretRegister(), lambda machine: LocalHost(machine.name))
    yield made
    made.close()


def attempt(common: Common, seconds: float = 5.0) -> AttemptDoors:
    """The doors of one attempt."""
    return AttemptDoors(common, Deadline(seconds))


def read(source: Get, doors: Doors) -> tuple[bytes, ItemError | None]:
    """The bytes, and why there are no more."""
    got = bytearray()
    try:
        [part] = source.open(doors)
        for chunk in part.chunks:
            assert isinstance(chunk, bytes) and len(chunk) <= HELD + 64 * KIB
            got += chunk
    except ItemError as error:
        return bytes(got), error
    return bytes(got), None


def answering(body: bytes, status: str = "200 OK", kind: str = "application/json") -> Script:
    """A server that answers every request alike."""

    def script(peer: Peer) -> None:
        while peer.head():
            peer.answer(body, status=status, kind=kind)

    return script


def pd(port: int) -> Instance:
    """A PD on this port of loopback."""
    return Instance("pd", "127.0.0.1", port)


# Declarations


def test_a_declaration_does_nothing_and_compares_by_value() -> None:
    first, second = Get(pd(2379), "/x"), Get(pd(2379), "/x")
    assert first == second and hash(first) == hash(second)
    assert first != Get(pd(2380), "/x")
    assert (first.lane, first.what) == ("server:127.0.0.1:2379", "GET http://127.0.0.1:2379/x")
    assert (first.deadline, first.stall) == (20.0, None)
    narrowed = first.narrow(1000)
    assert isinstance(narrowed, Get) and narrowed.cap == 1000


@pytest.mark.parametrize(
    ("instance", "lane", "what"),
    [
        (Instance("tidb", "10.0.1.1", 4000, 10080), "server:10.0.1.1:10080", "GET http://10.0.1.1:10080/s"),
        (Instance("pd", "fd00::1", 2379, tls=True), "server:[fd00::1]:2379", "GET https://[fd00::1]:2379/s"),
        (
            Instance("tikv", "box", 20160, 20180, extra={"address": "127.0.0.2"}),
            "server:127.0.0.2:20180",
            "GET http://127.0.0.2:20180/s",
        ),
    ],
)
def test_an_instance_is_asked_where_it_answers_http(instance: Instance, lane: str, what: str) -> None:
    assert (Get(instance, "/s").lane, Get(instance, "/s").what) == (lane, what)


@pytest.mark.parametrize(
    ("instance", "kind", "reason"),
    [
        (Instance("tidb", "10.0.1.1", 4000), Skip, Reason.NOT_APPLICABLE),
        (Instance("prometheus", "10.0.1.1", 0), Skip, Reason.NOT_APPLICABLE),
        (Instance("pd", "10.0.1.1/evil?", 2379), Failed, Reason.UNSAFE),
    ],
)
def test_the_plan_knows_what_has_no_address(
    common: Common, instance: Instance, kind: type[ItemError], reason: Reason
) -> None:
    source = Get(instance, "/s")
    impossible = source.plan(attempt(common)).impossible
    assert isinstance(impossible, kind) and impossible.reason is reason
    assert source.lane.startswith("server:") and source.what


def test_planning_contacts_nobody(common: Common, serve: Serve) -> None:
    server = serve(answering(b"{}"))
    estimate = Get(pd(server.port), "/").plan(attempt(common))
    assert (estimate.size, estimate.impossible, server.connections) == (None, None, 0)


# Answers


def test_data_is_given_and_the_exchange_is_on_record(common: Common, serve: Serve) -> None:
    server, doors = serve(answering(b'{"a": "b"}')), attempt(common)
    common.shared(Access, lambda: Access(web={"pd": Account("reader", Secret("a-long-password"))}))
    assert read(Get(pd(server.port), "/x", query=(("a", "b c"),)), doors) == (b'{"a": "b"}', None)
    [ran] = doors.done
    assert (ran.kind, ran.what) == ("http", f"GET http://127.0.0.1:{server.port}/x?a=b+c")
    assert (ran.where, ran.whom) == (f"127.0.0.1:{server.port}", "reader")
    assert ran.outcome == "200 OK application/json 10 B"
    assert 0 < ran.seconds < 5
    assert next(secret.value.reveal() for secret in common.secrets.since(0)) == "a-long-password"


def test_a_post_sends_what_it_should(common: Common, serve: Serve) -> None:
    heads: list[bytes] = []

    def script(peer: Peer) -> None:
        heads.append(peer.head())
        peer.answer(b"{}")

    server = serve(script)
    source = Get(pd(server.port), "/v3/kv/range", method="POST", body='{"key": "AA=="}')
    assert read(source, attempt(common)) == (b"{}", None)
    assert heads[0].startswith(b"POST /v3/kv/range ") and heads[0].endswith(b'{"key": "AA=="}')


@pytest.mark.parametrize(
    ("expect", "body", "kind", "error", "reason"),
    [
        ("json", b"<html><title>It works</title></html>", "text/html", Failed, Reason.BAD_ANSWER),
        ("json", b"<html><title>It works</title></html>", "application/json", Failed, Reason.BAD_ANSWER),
        ("json", b'"[PD:server:ErrSomething]no"', "application/json", Failed, Reason.BAD_ANSWER),
        ("json", b'{"a": [1, 2', "application/json", Failed, Reason.BAD_ANSWER),
        ("json", b"", "application/json", Skip, Reason.EMPTY),
        ("json", b"null\n", "application/json", Skip, Reason.EMPTY),
        ("json", b"Dashboard is not built.", "text/plain", Failed, Reason.BAD_ANSWER),
        ("value", b"nonsense", "application/json", Failed, Reason.BAD_ANSWER),
        ("text", b"\n<!doctype html><html>", "text/plain", Failed, Reason.BAD_ANSWER),
        ("text", b"# HELP x", "text/html", Failed, Reason.BAD_ANSWER),
        ("text", b"  \n", "text/plain", Skip, Reason.EMPTY),
        ("any", b"", "application/x", Skip, Reason.EMPTY),
    ],
)
def test_success_that_is_no_data_is_a_reason(
    common: Common, serve: Serve, expect: Any, body: bytes, kind: str, error: type[ItemError], reason: Reason
) -> None:
    doors = attempt(common)
    got, ended = read(Get(pd(serve(answering(body, kind=kind)).port), "/x", expect=expect), doors)
    assert got == b"" and isinstance(ended, error) and ended.reason is reason
    assert f"200 OK {kind}" in doors.done[0].outcome and str(reason) in doors.done[0].outcome


@pytest.mark.parametrize(
    ("expect", "body"),
    [("json", b"[]"), ("value", b'"8.5.3"\n'), ("value", b"17"), ("text", b"ok"), ("any", b"\x00\xff<html>")],
)
def test_what_is_expected_is_data(common: Common, serve: Serve, expect: Any, body: bytes) -> None:
    assert read(Get(pd(serve(answering(body)).port), "/x", expect=expect), attempt(common)) == (body, None)


def test_a_long_answer_passes_in_pieces(common: Common, serve: Serve) -> None:
    body = json.dumps([{"id": number, "key": "x" * 100} for number in range(20_000)]).encode()
    assert len(body) > 4 * HELD
    assert read(Get(pd(serve(answering(body)).port), "/regions"), attempt(common)) == (body, None)


def test_of_a_long_answer_that_breaks_off_the_beginning_is_kept(common: Common, serve: Serve) -> None:
    body = b"[" + b"1," * 200_000

    def short(peer: Peer) -> None:
        peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + body)

    def lying(peer: Peer) -> None:
        peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 400001\r\n\r\n" + body + b"1]")

    for script, reason in ((short, Reason.UNREACHABLE), (lying, Reason.BAD_ANSWER)):
        got, error = read(Get(pd(serve(script).port), "/regions"), attempt(common))
        assert got == body and error is not None and error.reason is reason
        assert not error.transient


def test_of_a_short_answer_that_breaks_off_nothing_is_kept(common: Common, serve: Serve) -> None:
    def script(peer: Peer) -> None:
        peer.head()
        peer.send(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"a":')

    got, error = read(Get(pd(serve(script).port), "/x"), attempt(common))
    assert got == b"" and isinstance(error, Retryable)


@pytest.mark.parametrize("cap", [1000, HELD, 3 * HELD + 17])
def test_an_answer_without_end_is_cut_at_the_cap(common: Common, serve: Serve, cap: int) -> None:
    def script(peer: Peer) -> None:
        peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\n\r\n[")
        while True:
            peer.send(b"1," * 10_000)

    got, error = read(Get(pd(serve(script).port), "/x", cap=cap), attempt(common))
    assert len(got) == cap
    assert error is not None and error.reason is Reason.TRUNCATED


def test_an_answer_as_long_as_the_cap_is_whole(common: Common, serve: Serve) -> None:
    body = b"[" + b" " * 998 + b"]"
    assert read(Get(pd(serve(answering(body)).port), "/x", cap=1000), attempt(common)) == (body, None)


def test_the_deadline_and_the_end_of_a_run_hold_while_a_body_trickles(common: Common, serve: Serve) -> None:
    def script(peer: Peer) -> None:
        peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\n\r\n[")
        peer.trickle(b"1,")

    doors, started = attempt(common, 0.4), time.monotonic()
    _, error = read(Get(pd(serve(script).port), "/x"), doors)
    assert error is not None and error.reason is Reason.DEADLINE
    assert time.monotonic() - started < 2
    called_off = threading.Event()
    threading.Timer(0.2, called_off.set).start()
    _, error = read(
        Get(pd(serve(script).port), "/x"), AttemptDoors(common, Deadline(20, cancelled=called_off))
    )
    assert error is not None and error.reason is Reason.INTERRUPTED
    assert time.monotonic() - started < 4


def test_a_server_that_never_ends_its_answers_is_asked_no_more_until_all_else_is_done(
    common: Common, serve: Serve
) -> None:
    def script(peer: Peer) -> None:
        peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n[")
        peer.sleep()

    server = pd(serve(script).port)
    kinds = [type(read(Get(server, f"/{number}"), attempt(common, 0.2))[1]) for number in range(4)]
    assert kinds == [TimedOut, TimedOut, NotAsked, NotAsked]
    common.again()
    kinds = [type(read(Get(server, f"/{number}"), attempt(common, 0.2))[1]) for number in range(2)]
    assert kinds == [TimedOut, NotAsked]


# Servers that are not ready


def test_what_a_server_that_is_not_ready_says_is_known_to_all_items(common: Common, serve: Serve) -> None:
    def script(peer: Peer) -> None:
        while peer.head():
            peer.answer(b"leader is nil", "Retry-After: 7", status="503 Service Unavailable")

    doors, asked = attempt(common), [pd(serve(script).port) for _ in range(2)]
    for server in asked:
        _, error = read(Get(server, "/stores"), doors)
        assert isinstance(error, NotYet) and error.after == 7.0
    assert doors.done[0].outcome == "503 Service Unavailable application/json 13 B: bad_answer"
    with pytest.raises(NotYet, match="leader is nil"):
        list(First(tuple(Get(server, "/members") for server in asked)).open(doors))
    assert len(doors.done) == 2


def test_one_door_serves_all_items_of_a_server(common: Common, serve: Serve) -> None:
    server = serve(answering(b"[]"))
    for path in ("/a", "/b", "/c"):
        assert read(Get(Address("127.0.0.1", server.port), path), attempt(common)) == (b"[]", None)
    assert server.connections == 1


def test_a_server_that_is_down_costs_no_more_than_one_item(common: Common) -> None:
    dead = pd(closed_port())
    kinds = [type(read(Get(dead, f"/{number}"), attempt(common))[1]) for number in range(5)]
    assert kinds == [Retryable] * 3 + [NotAsked] * 2


# What a real PD answered


def _recorded() -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = json.loads((RECORDED / "index.json").read_text())["entries"]
    return [entry for entry in entries if entry["status"] is not None and entry["method"] in ("GET", "POST")]


def _body(entry: dict[str, Any]) -> bytes:
    return (RECORDED / entry["file"]).read_bytes() if entry["file"] else b""


def test_every_recorded_answer_of_pd_is_data_or_a_reason(common: Common, serve: Serve) -> None:
    """With status 200, objects and arrays are data and nothing else is; every other status is a reason."""
    entries = _recorded()
    assert len(entries) > 300

    def script(peer: Peer) -> None:
        while head := peer.head():
            entry = entries[int(head.split()[1][1:])]
            kind = entry["content_type"] or ""
            peer.answer(_body(entry), "Retry-After: 100", status=f"{entry['status']} X", kind=kind)

    server, wrong = serve(script), list[str]()
    for number, entry in enumerate(entries):
        got, error = read(Get(pd(server.port), f"/{number}"), attempt(common))
        body = _body(entry)
        data = entry["status"] == 200 and body.lstrip()[:1] in (b"{", b"[")
        if (got, error) != (body, None) if data else (got, error) == (b"", None) or got:
            wrong.append(
                f"{entry['scenario']} {entry['path']}: {entry['status']} {body[:50]!r} gave {error!r}"
            )
    assert not wrong


@pytest.mark.parametrize(
    ("scenario", "path", "kind", "reason"),
    [
        ("fresh", "/pd/api/v1/stores", Failed, Reason.BAD_ANSWER),
        ("fresh", "/pd/api/v1/hotspot/stores", Failed, Reason.BAD_ANSWER),
        ("noleader", "/pd/api/v1/members", Retryable, Reason.BAD_ANSWER),
        ("noleader", "/pd/api/v1/config", Retryable, Reason.BAD_ANSWER),
        ("election", "/pd/api/v1/stores", Retryable, Reason.BAD_ANSWER),
        ("election", "/pd/api/v1/config", Retryable, Reason.BAD_ANSWER),
        ("healthy", "/pd/api/v1/nosuchpath", Skip, Reason.NOT_APPLICABLE),
        ("healthy", "/pd/api/v2/ms/members/tso", Skip, Reason.NOT_APPLICABLE),
        ("healthy", "/pd/api/v1/store/9999", Skip, Reason.NOT_FOUND),
        ("healthy", "/pd/api/v1/stores/progress?action=removing", Skip, Reason.NOT_FOUND),
        ("healthy", "/pd/api/v1/operators?kind=region", Skip, Reason.EMPTY),
        ("healthy", "/pd/api/v1/ping", Skip, Reason.EMPTY),
        ("healthy", "/resource-manager/api/v1/config", Failed, Reason.BAD_ANSWER),
    ],
)
def test_what_pd_says_instead_of_an_answer_has_its_reason(
    common: Common, serve: Serve, scenario: str, path: str, kind: type[ItemError], reason: Reason
) -> None:
    entry = next(entry for entry in _recorded() if (entry["scenario"], entry["path"]) == (scenario, path))

    def script(peer: Peer) -> None:
        peer.head()
        status = f"{entry['status']} X"
        peer.answer(
            _body(entry), "Retry-After: 100", status=status, kind=entry["content_type"] or "text/plain"
        )

    got, error = read(Get(pd(serve(script).port), path), attempt(common))
    assert got == b"" and isinstance(error, kind) and error.reason is reason


@pytest.mark.soak
def test_memory_does_not_grow_with_the_answer(common: Common, serve: Serve) -> None:
    """Half a gigabyte of regions passes in a few megabytes."""
    region = b'{"id": 1, "start_key": "7480000000000000FF", "peers": [{"id": 2}, {"id": 3}]},' * 1000

    def script(peer: Peer) -> None:
        peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\n\r\n[")
        for _ in range(512 * MIB // len(region)):
            peer.send(region)
        peer.send(b"{}]")

    source = Get(pd(serve(script).port), "/pd/api/v1/regions", cap=1024 * MIB)
    [part] = source.open(AttemptDoors(common, Deadline(None, stall=20)))
    process, size, before, grown = psutil.Process(), 0, 0, 0
    for chunk in part.chunks:
        size += len(chunk) if isinstance(chunk, bytes) else 0
        before = before or process.memory_info().rss
        if size // MIB % 8 == 0:
            grown = max(grown, process.memory_info().rss - before)
    assert size > 500 * MIB and grown < 16 * MIB
