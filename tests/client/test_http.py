"""What the door to HTTP servers makes of good, broken and hostile ones."""

from __future__ import annotations

import gzip
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.client.servers import Certificates, Peer, Script, Serve, Server, closed_port, silent_port

from clinic.client.account import Account
from clinic.client.address import Address
from clinic.client.http import Web
from clinic.client.tls import Tls
from clinic.deadline import Deadline
from clinic.errors import (
    Cancelled,
    Failed,
    ItemError,
    NotAsked,
    NotYet,
    Partial,
    Retryable,
    Silent,
    Skip,
    TimedOut,
    Unready,
)
from clinic.outcome import Reason
from clinic.secret import Secret

Ask = Callable[..., bytes]


@pytest.fixture
def web(serve: Serve) -> Iterator[Callable[..., Web]]:
    """The door to a server that does what a script says."""
    opened: list[Web] = []

    def open_door(script: Script, **options: object) -> Web:
        server: Server = serve(script, options.pop("context", None))
        address = Address("127.0.0.1", server.port, bool(options.pop("tls_spoken", False)))
        opened.append(Web(address, **options))  # type: ignore[arg-type]  # options of the constructor
        return opened[-1]

    yield open_door
    for one in opened:
        one.close()


def ends(door: Web, seconds: float = 5.0, within: float = 5.0, path: str = "/") -> ItemError:
    """How asking ends when it does not succeed, and that it does so in time."""
    started = time.monotonic()
    with pytest.raises(ItemError) as caught:
        door.fetch(path, Deadline(seconds))
    assert time.monotonic() - started < within
    return caught.value


def replying(data: bytes) -> Script:
    """A server that sends `data` after a request and hangs up."""

    def script(peer: Peer) -> None:
        peer.head()
        peer.send(data)

    return script


def answering(body: bytes, *headers: str, status: str = "200 OK", kind: str = "application/json") -> Script:
    """A server that answers every request alike, on one connection."""

    def script(peer: Peer) -> None:
        while peer.head():
            peer.answer(body, *headers, status=status, kind=kind)

    return script


# An exchange that goes well


def test_an_answer_has_status_type_and_body(web: Callable[..., Web]) -> None:
    door = web(answering(b'{"a": 1}', "X-Other: x", kind="Application/JSON; charset=UTF-8"))
    with door.ask("/x", Deadline(5)) as answer:
        assert (answer.status, answer.phrase, answer.content_type) == (200, "OK", "application/json")
        assert answer.headers["x-other"] == "x"
        assert answer.read() == b'{"a": 1}'
        assert answer.received == 8


def test_what_is_asked_is_what_was_said(web: Callable[..., Web]) -> None:
    heads: list[bytes] = []

    def script(peer: Peer) -> None:
        heads.append(peer.head())
        peer.answer(b"{}")

    door = web(script, account=Account("me", Secret("pass:word")))
    with door.ask(
        "/v3/kv", Deadline(5), method="POST", query=(("a", "b c"), ("a", "&")), body='{"k": 1}'
    ) as answer:
        answer.read()
    [head] = heads
    assert head.startswith(b"POST /v3/kv?a=b+c&a=%26 HTTP/1.1\r\n") and head.endswith(b'\r\n\r\n{"k": 1}')
    lines = {line.lower() for line in head.split(b"\r\n")}
    assert b"accept-encoding: identity" in lines and b"content-type: application/json" in lines
    assert b"authorization: basic bwu6cgfzczp3b3jk" in lines
    assert f"host: {door.address}".encode() in lines
    # A follower of PD then answers for a cluster that it does not know.
    assert not any(line.startswith(b"pd-allow-follower-handle") for line in lines)


def test_connections_are_kept_and_watched(web: Callable[..., Web], serve: Serve) -> None:
    def script(peer: Peer) -> None:
        for _ in range(2):
            peer.head()
            peer.answer(b"[]")
        peer.head()
        peer.sleep()

    server = serve(script)
    with Web(Address("127.0.0.1", server.port)) as door:
        assert door.fetch("/", Deadline(5)) == door.fetch("/", Deadline(5)) == b"[]"
        assert server.connections == 1
        assert ends(door, seconds=0.3, within=2).reason is Reason.DEADLINE
        assert server.connections == 1


def test_a_body_in_chunks_and_one_until_the_end_of_the_connection(web: Callable[..., Web]) -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\n[1,\r\n2\r\n2]\r\n0\r\nTrailer: x\r\n\r\n"
    assert web(replying(chunked)).fetch("/", Deadline(5)) == b"[1,2]"
    assert web(replying(b"HTTP/1.0 200 OK\r\n\r\n[1,2]")).fetch("/", Deadline(5)) == b"[1,2]"


def test_each_byte_is_given_when_it_comes(web: Callable[..., Web]) -> None:
    def script(peer: Peer) -> None:
        peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx")
        peer.sleep()

    with web(script).ask("/", Deadline(5)) as answer:
        assert next(answer.chunks()) == b"x"


def test_the_address_may_be_ipv6(serve: Serve) -> None:
    heads: list[bytes] = []

    def script(peer: Peer) -> None:
        heads.append(peer.head())
        peer.answer(b"[]")

    try:
        server = serve(script, host="::1")
    except OSError:
        pytest.skip("not run: this machine has no IPv6 loopback")
    with Web(Address("::1", server.port)) as door:
        assert door.fetch("/", Deadline(5)) == b"[]"
    assert f"Host: [::1]:{server.port}".encode() in heads[0]


# Servers that keep a client waiting


def stalling(peer: Peer) -> None:
    """Accepts, and that is all."""
    peer.sleep()


def trickling(after: bytes, data: bytes, pause: float = 0.05) -> Script:
    """Reads a request, sends `after`, and then `data` over and over, a byte at a time."""

    def script(peer: Peer) -> None:
        peer.head()
        peer.send(after)
        peer.trickle(data, pause)

    return script


OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    "script",
    [
        stalling,
        trickling(b"", b""),
        trickling(b"", b"HTTP/1.1 200 OK\r\n"),
        trickling(OK, b"X-Header: value\r\n"),
        trickling(b"", b"HTTP/1.1 100 Continue\r\n\r\n", pause=0.001),
        trickling(OK + b"Content-Length: 9\r\n\r\n", b""),
        trickling(OK + b"\r\n", b"x"),
        trickling(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"0" * 50),
    ],
    ids="accepts reads trickles-status trickles-headers trickles-100s no-body trickles-body trickles-size".split(),
)
def test_a_server_that_stalls_is_left_at_the_deadline(web: Callable[..., Web], script: Script) -> None:
    error = ends(web(script), seconds=0.25, within=2)
    assert isinstance(error, TimedOut) and error.reason is Reason.DEADLINE


def test_no_byte_for_a_while_is_a_stall(web: Callable[..., Web]) -> None:
    def script(peer: Peer) -> None:
        peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\n\r\nsome")
        peer.sleep()

    started = time.monotonic()
    with pytest.raises(TimedOut) as caught, web(script).ask("/", Deadline(None, stall=0.3)) as answer:
        list(answer.chunks())
    assert caught.value.reason is Reason.STALLED
    assert time.monotonic() - started < 2


def test_a_run_that_is_called_off_waits_for_no_answer(web: Callable[..., Web]) -> None:
    door, called_off = web(stalling), threading.Event()
    threading.Timer(0.2, called_off.set).start()
    started = time.monotonic()
    with pytest.raises(Cancelled):
        door.fetch("/", Deadline(30, cancelled=called_off))
    assert time.monotonic() - started < 2


def test_a_host_that_drops_packets_is_given_up_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clinic.client.wire.CONNECT_SECONDS", 0.3)
    full, port = silent_port()
    with (
        closing(full),
        closing(socket.create_connection(("127.0.0.1", port))),
        Web(Address("127.0.0.1", port)) as door,
    ):
        error = ends(door, seconds=20, within=2)
        assert isinstance(error, Silent) and error.reason is Reason.UNREACHABLE
        assert "within 0.3 s" in error.message
        assert isinstance(ends(door), NotAsked)


# Servers that fill a client


def test_a_body_without_end_is_read_up_to_the_limit(web: Callable[..., Web]) -> None:
    def script(peer: Peer) -> None:
        peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            peer.send(b"x" * 65536)

    with pytest.raises(Failed, match="more than") as caught:
        web(script).fetch("/", Deadline(10), limit=1_000_000)
    assert caught.value.reason is Reason.BAD_ANSWER


def test_a_packed_answer_is_not_unpacked(web: Callable[..., Web]) -> None:
    bomb = gzip.compress(b"0" * 10_000_000)
    error = ends(web(answering(bomb, "Content-Encoding: gzip")))
    assert isinstance(error, Failed) and "packed (gzip)" in error.message


def test_headers_without_end_are_refused(web: Callable[..., Web]) -> None:
    def many(peer: Peer) -> None:
        peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\n")
        while True:
            peer.send(b"X-A: b\r\n" * 1000)

    def long(peer: Peer) -> None:
        peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\nX-A: ")
        while True:
            peer.send(b"b" * 65536)

    for script in (many, long):
        error = ends(web(script))
        assert isinstance(error, Failed) and error.reason is Reason.BAD_ANSWER


# Servers that mislead a client


def test_a_redirect_to_another_server_is_not_followed(web: Callable[..., Web], serve: Serve) -> None:
    elsewhere = serve(answering(b"[]"))
    for target in (
        f"http://127.0.0.1:{elsewhere.port}/x",
        f"//localhost:{elsewhere.port}/",
        "http://u:pw9@h/",
        "file:///etc",
    ):
        error = ends(web(answering(b"", f"Location: {target}", status="302 Found")))
        assert isinstance(error, Failed) and error.reason is Reason.BAD_ANSWER
        assert "pw9" not in error.message
    assert elsewhere.connections == 0


def test_redirects_within_the_server_are_followed_three_times(web: Callable[..., Web]) -> None:
    def script(peer: Peer) -> None:
        while head := peer.head():
            number = int(head.split()[1][1:])
            if number < 3:
                peer.answer(b"x" * 100_000, f"Location: /{number + 1}", status="307 Temporary Redirect")
            else:
                peer.answer(b"[3]")

    assert web(script).fetch("/0", Deadline(5)) == b"[3]"

    def circle(peer: Peer) -> None:
        while peer.head():
            peer.answer(b"", "Location: /again", status="302 Found")

    assert "more than 3 times" in ends(web(circle)).message


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"SSH-2.0-OpenSSH_9.2p1 Debian\r\n", "does not speak HTTP"),
        (b"J\x00\x00\x00\x0a8.0.11-TiDB-v8.5.3\x00", "does not speak HTTP"),
        (b"\x00\x01\x02\xff\xfe" * 100, "does not speak HTTP"),
        (b"\x15\x03\x01\x00\x02\x02\x46", "speaks TLS"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nabcde",
            "does not answer in HTTP",
        ),
        (b"HTTP/1.1 999999 OK\r\n\r\n", "does not speak HTTP"),
    ],
    ids="ssh mysql noise tls-alert two-lengths wild-status".split(),
)
def test_garbage_is_named(web: Callable[..., Web], data: bytes, words: str) -> None:
    error = ends(web(replying(data)))
    assert isinstance(error, Failed) and error.reason is Reason.BAD_ANSWER
    assert words in error.message and error.message.isprintable()


def test_a_body_that_ends_too_early_is_no_whole_one(web: Callable[..., Web]) -> None:
    length = web(replying(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[1"))
    chunks = web(replying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[1\r\n"))
    nothing = web(replying(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"))
    assert isinstance(ends(length), Partial)
    assert isinstance(ends(chunks), Partial)
    assert isinstance(ends(nothing), Retryable)


def test_what_follows_a_body_is_not_part_of_it(web: Callable[..., Web]) -> None:
    door = web(replying(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]garbage"))
    assert door.fetch("/", Deadline(5)) == b"[]"


def test_a_connection_that_is_reset_may_be_tried_again(web: Callable[..., Web]) -> None:
    def script(peer: Peer) -> None:
        peer.head()
        peer.reset()

    error = ends(web(script))
    assert isinstance(error, Retryable) and error.reason is Reason.UNREACHABLE
    assert "closed the connection" in error.message


# Refusals


@pytest.mark.parametrize(
    ("status", "body", "kind", "reason", "words"),
    [
        ("401 Unauthorized", b"", Skip, Reason.NOT_PERMITTED, "401 Unauthorized"),
        ("403 Forbidden", b'{"message": "no"}', Skip, Reason.NOT_PERMITTED, "403 Forbidden: no"),
        ("404 Not Found", b"404 page not found\n", Skip, Reason.NOT_APPLICABLE, "404"),
        ("404 Not Found", b"<html><title>404</title>", Skip, Reason.NOT_APPLICABLE, "404"),
        ("404 Not Found", b'"[PD:core:ErrStoreNotFound]store 9"', Skip, Reason.NOT_FOUND, "store 9"),
        ("400 Bad Request", b'{"error": "bad", "code": 3}', Failed, Reason.BAD_ANSWER, "400 Bad Request: bad"),
        ("500 Internal Server Error", b'{"msg": "x\\u001b[31m"}', Failed, Reason.BAD_ANSWER, ": x [31m"),
        ("500 Internal Server Error", b"PANIC " + b"y" * 5000, Failed, Reason.BAD_ANSWER, "PANIC"),
        ("500 Internal Server Error", b'"leader is nil"', NotYet, Reason.BAD_ANSWER, "leader"),
        ("502 Bad Gateway", b"", Retryable, Reason.BAD_ANSWER, "502"),
        ("503 Service Unavailable", b"redirect finds no leader", NotYet, Reason.BAD_ANSWER, "no leader"),
        ("429 Too Many Requests", b"", NotYet, Reason.BAD_ANSWER, "429"),
        ("400 Bad Request", b"Client sent an HTTP request to an HTTPS server.", Failed, Reason.BAD_ANSWER, "TLS"),
        ("304 Not Modified", b"", Failed, Reason.BAD_ANSWER, "304"),
    ],
)  # fmt: skip
def test_a_status_becomes_a_reason(
    web: Callable[..., Web], status: str, body: bytes, kind: type[ItemError], reason: Reason, words: str
) -> None:
    error = ends(web(answering(body, status=status)), path="/a?b=c")
    assert type(error) is kind and error.reason is reason
    assert words in error.message and "GET http://127.0.0.1:" in error.message
    assert error.message.isprintable() and len(error.message) < 450


def test_a_refusal_that_trickles_is_still_a_refusal(web: Callable[..., Web]) -> None:
    def script(peer: Peer) -> None:
        peer.head()
        peer.send(b"HTTP/1.1 500 Internal Server Error\r\n\r\n")
        peer.trickle(b"words ")

    error = ends(web(script), seconds=0.5, within=2)
    assert isinstance(error, Failed) and "500 Internal Server Error: words" in error.message


def test_a_server_that_is_not_ready_is_waited_for_and_not_for_ever(
    web: Callable[..., Web], monkeypatch: pytest.MonkeyPatch
) -> None:
    door = web(answering(b"no leader", "Retry-After: 7", status="503 Service Unavailable"))
    error = ends(door, path="/a")
    assert isinstance(error, NotYet) and error.after == 7.0
    monkeypatch.setattr("clinic.client.readiness.PATIENCE", 0.0)
    assert isinstance(ends(door, path="/b"), Unready)


def test_a_server_that_is_not_ready_is_not_asked_the_same_again_at_once(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(answering(b"no leader", status="503 Service Unavailable"))
    with Web(Address("127.0.0.1", server.port)) as door:
        assert isinstance(ends(door, path="/a"), NotYet)
        assert isinstance(ends(door, path="/b"), NotYet)
        error = ends(door, path="/a")
        assert isinstance(error, NotYet) and 0 < error.after <= 2
        assert "/a was not asked again, as GET http://" in error.message
        monkeypatch.setattr("clinic.client.readiness.RECENTLY", 0.0)
        error = ends(door, path="/a")
        assert isinstance(error, NotYet) and "not asked again" not in error.message


def test_what_a_server_that_is_not_ready_can_answer_all_the_same_it_answers_soon(
    web: Callable[..., Web], monkeypatch: pytest.MonkeyPatch
) -> None:
    """PD without a leader says so after 3 s, question by question; who its members are it says at once."""

    def script(peer: Peer) -> None:
        head = peer.head()
        if b"/slow" in head:
            peer.sleep()
        status, body = (
            (b"200 OK", b"[]") if b"/health" in head else (b"503 Service Unavailable", b"no leader")
        )
        peer.send(b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body))

    monkeypatch.setattr("clinic.client.readiness.UNREADY_SECONDS", 0.2)
    door = web(script)
    assert isinstance(ends(door, path="/stores"), NotYet)
    assert door.fetch("/health", Deadline(5)) == b"[]"
    error = ends(door, path="/slow", seconds=20, within=5)
    assert isinstance(error, NotYet)
    assert "/slow was not waited for, as GET" in error.message and "no leader" in error.message


def test_a_password_that_one_server_refuses_is_tried_on_no_other(serve: Serve) -> None:
    account = Account("me", Secret("wrong-password"))
    strict, other = serve(answering(b"", status="401 Unauthorized")), serve(answering(b"[]"))
    with (
        Web(Address("127.0.0.1", strict.port), account=account) as first,
        Web(Address("127.0.0.1", other.port), account=account) as second,
    ):
        assert ends(first).reason is Reason.NOT_PERMITTED
        error = ends(second)
    assert isinstance(error, Skip) and f"refused by 127.0.0.1:{strict.port}" in error.message
    assert "wrong-password" not in error.message + repr(account)
    assert other.connections == 0


# Servers that are not there


def test_a_port_where_nobody_listens() -> None:
    with Web(Address("127.0.0.1", port := closed_port())) as door:
        error = ends(door, within=2)
    assert isinstance(error, Retryable) and error.reason is Reason.UNREACHABLE
    assert f"nothing listens on 127.0.0.1:{port}" in error.message


def test_a_name_that_nobody_knows() -> None:
    with Web(Address("no-such-host.invalid", 80)) as door:
        error = ends(door, seconds=20, within=15)
    assert error.reason is Reason.UNREACHABLE and "no-such-host.invalid is not known" in error.message


def test_a_dead_server_is_not_dialled_for_every_item(monkeypatch: pytest.MonkeyPatch) -> None:
    with Web(Address("127.0.0.1", closed_port())) as door:
        kinds = [type(ends(door)) for _ in range(5)]
        assert kinds == [Retryable] * 3 + [NotAsked] * 2
        monkeypatch.setattr("clinic.client.wire.DOWN_SECONDS", 0.0)
        assert isinstance(ends(door), Retryable)


def test_a_server_that_keeps_silent_costs_less_each_time(
    web: Callable[..., Web], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clinic.client.wire.BEGIN_SECONDS", 0.3)
    monkeypatch.setattr("clinic.client.wire.SHORT_SECONDS", 0.1)
    door = web(stalling)
    error = ends(door)
    assert isinstance(error, Silent) and "no answer within 0.3 s" in error.message
    error = ends(door)
    assert isinstance(error, NotAsked) and error.reason is Reason.UNREACHABLE
    door.again()
    error = ends(door)
    assert isinstance(error, Silent) and "no answer within 0.1 s" in error.message
    assert isinstance(ends(door), NotAsked)


def test_where_another_server_can_be_asked_one_is_left_early_and_not_given_up(
    web: Callable[..., Web],
) -> None:
    door = web(stalling)
    with pytest.raises(Silent), door.exchange("/", Deadline(5), begin=0.1):
        pass
    with pytest.raises(Silent), door.exchange("/", Deadline(5), begin=0.1):
        pass


def test_a_server_that_was_silent_may_take_its_time_once_it_answers(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clinic.client.wire.BEGIN_SECONDS", 0.2)
    monkeypatch.setattr("clinic.client.wire.SHORT_SECONDS", 0.3)
    silent = True

    def script(peer: Peer) -> None:
        peer.head()
        if silent:
            peer.sleep()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[")
        peer.sleep(0.6)
        peer.send(b"]")

    with Web(Address("127.0.0.1", serve(script).port)) as door:
        assert isinstance(ends(door), TimedOut)
        door.again()
        silent = False
        assert door.fetch("/", Deadline(5)) == b"[]"


# TLS


def test_tls_is_verified_against_the_ca_that_is_given(
    web: Callable[..., Web], certificates: Certificates
) -> None:
    def ask(server: str, ca: Path | None) -> ItemError | bytes:
        door = web(answering(b"[]"), context=certificates.context(server), tls_spoken=True, tls=Tls(ca))
        try:
            return door.fetch("/", Deadline(5))
        except ItemError as error:
            return error

    ca = certificates.path("ca.pem")
    assert ask("server", ca) == b"[]"
    for server, trusted, words in (
        ("server", certificates.path("other.pem"), "not signed by the CA in"),
        ("server", None, "not signed by any CA that this system trusts"),
        ("expired", ca, "has expired"),
        ("misnamed", ca, "is for another name"),
    ):
        error = ask(server, trusted)
        assert isinstance(error, Failed) and error.reason is Reason.UNSAFE
        assert words in error.message and error.fix


def test_no_other_list_of_cas_is_added_to_the_one_that_is_given(
    web: Callable[..., Web], certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = Tls(certificates.path("ca.pem")).context()

    def same(_: Tls) -> ssl.SSLContext:
        return context

    monkeypatch.setattr(Tls, "context", same)
    door = web(answering(b"[]"), context=certificates.context(), tls_spoken=True)
    assert door.fetch("/", Deadline(5)) == b"[]"
    assert len(context.get_ca_certs()) == 1


def test_a_client_certificate_that_is_demanded(web: Callable[..., Web], certificates: Certificates) -> None:
    context, ca = certificates.context(demand=True), certificates.path("ca.pem")
    mine = Tls(ca, certificates.path("client.pem"), certificates.path("client.key"))
    assert web(answering(b"[]"), context=context, tls_spoken=True, tls=mine).fetch("/", Deadline(5)) == b"[]"
    error = ends(web(answering(b"[]"), context=context, tls_spoken=True, tls=Tls(ca)))
    assert "client certificate" in error.message + error.fix and "--cert" in error.fix
    foreign = Tls(ca, certificates.path("other.pem"), certificates.path("other.key"))
    assert ends(web(answering(b"[]"), context=context, tls_spoken=True, tls=foreign)).reason in (
        Reason.NOT_PERMITTED, Reason.UNREACHABLE,
    )  # fmt: skip


def test_plain_http_on_a_tls_port_and_the_other_way_round(
    web: Callable[..., Web], certificates: Certificates
) -> None:
    error = ends(web(answering(b"[]"), context=certificates.context()))
    assert "TLS" in error.message + error.fix

    def plain(peer: Peer) -> None:
        peer.connection.recv(65536)
        peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    error = ends(web(plain, tls_spoken=True))
    assert isinstance(error, Failed)
    assert "was asked in TLS and does not speak it" in error.message


def test_a_handshake_that_stalls_ends_at_the_deadline(web: Callable[..., Web]) -> None:
    assert isinstance(ends(web(stalling, tls_spoken=True), seconds=0.25, within=2), TimedOut)


def test_files_for_tls_that_are_not_there_or_no_certificates(web: Callable[..., Web], tmp_path: Path) -> None:
    (tmp_path / "none.pem").write_text("nothing of the kind")
    for tls in (Tls(tmp_path / "absent.pem"), Tls(tmp_path / "none.pem"), Tls(None, tmp_path / "none.pem")):
        error = ends(web(answering(b"[]"), tls_spoken=True, tls=tls))
        assert isinstance(error, Failed) and str(tmp_path) in error.message


# Proxies


def test_a_proxy_of_the_environment_is_not_used(
    web: Callable[..., Web], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "https_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{closed_port()}")
    assert web(answering(b"[]")).fetch("/", Deadline(5)) == b"[]"


def test_a_proxy_that_is_asked_for_is_used(serve: Serve) -> None:
    heads: list[bytes] = []

    def script(peer: Peer) -> None:
        heads.append(peer.head())
        peer.answer(b"[]")

    proxy = serve(script)
    with Web(Address("pd.example", 2379), proxy=f"http://127.0.0.1:{proxy.port}") as door:
        assert door.fetch("/health", Deadline(5)) == b"[]"
    assert heads[0].startswith(b"GET http://pd.example:2379/health HTTP/1.1\r\n")
    with pytest.raises(ValueError, match="must not hold a user") as caught:
        Web(Address("pd.example", 2379), proxy="http://me:secret-word@proxy:3128")
    assert "secret-word" not in str(caught.value)


@pytest.mark.parametrize("path", ["", "x", "http://elsewhere/", "/a b", "/a\r\nX: y", "/ä", "/a#b"])
def test_what_is_no_path_is_not_asked(web: Callable[..., Web], path: str) -> None:
    error = ends(web(answering(b"[]")), path=path)
    assert error.reason is Reason.UNSAFE
