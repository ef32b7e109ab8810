"""Connections end with the attempt that they serve, and servers that are down are remembered."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import closing

import pytest
from tests.client.servers import Peer, Serve, closed_port, silent_port

from clinic.client import wire
from clinic.client.address import Address
from clinic.client.wire import Cut, Reach, dial
from clinic.deadline import Deadline
from clinic.errors import Cancelled, Failed, NotAsked, Retryable, TimedOut
from clinic.outcome import Reason


def stalling(peer: Peer) -> None:
    """Accepts, and that is all."""
    peer.sleep()


def test_the_next_address_of_a_name_is_tried_when_one_refuses(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, resolve = serve(stalling), socket.getaddrinfo

    def several(host: str, port: int, **options: int) -> list[object]:
        """As a name with two addresses is resolved; nobody listens on the first."""
        dead = resolve("127.0.0.2", port, type=socket.SOCK_STREAM)
        return [
            *dead,
            *resolve("127.0.0.1" if host == "two.example" else host, port, type=socket.SOCK_STREAM),
        ]

    monkeypatch.setattr(socket, "getaddrinfo", several)
    with closing(dial(Address("two.example", server.port), Deadline(5))) as made:
        assert made.getpeername() == ("127.0.0.1", server.port)
        assert made.getblocking()


def test_a_resolver_that_hangs_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = threading.Event()

    def hang(*_: object, **__: object) -> list[object]:
        ended.wait(10)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    started = time.monotonic()
    with pytest.raises(TimedOut):
        dial(Address("slow.example", 80), Deadline(0.3))
    assert time.monotonic() - started < 2
    ended.set()


def test_a_connection_that_is_being_made_is_left_when_the_run_is_called_off() -> None:
    full, port = silent_port()
    called_off = threading.Event()
    threading.Timer(0.2, called_off.set).start()
    started = time.monotonic()
    with closing(full), closing(socket.create_connection(("127.0.0.1", port))), pytest.raises(Cancelled):
        dial(Address("127.0.0.1", port), Deadline(30, cancelled=called_off))
    assert time.monotonic() - started < 1


def test_a_socket_that_is_watched_wakes_at_the_deadline_and_not_before(serve: Serve) -> None:
    server = serve(stalling)
    with Cut(Deadline(0.3)) as cut, closing(dial(Address("127.0.0.1", server.port), Deadline(5))) as made:
        cut.watch(made)
        started = time.monotonic()
        assert made.recv(1) == b""
        assert 0.2 < time.monotonic() - started < 2
        with pytest.raises(TimedOut):
            cut.check()


def test_what_is_watched_after_the_cut_is_cut_at_once(serve: Serve) -> None:
    server = serve(stalling)
    with Cut(Deadline(0.1)) as cut, closing(dial(Address("127.0.0.1", server.port), Deadline(5))) as made:
        time.sleep(0.4)
        cut.watch(made)
        started = time.monotonic()
        assert made.recv(1) == b""
        assert time.monotonic() - started < 1


def test_a_socket_outlives_the_watch_when_all_is_well(serve: Serve) -> None:
    def echo(peer: Peer) -> None:
        peer.send(peer.connection.recv(10))

    server = serve(echo)
    with closing(dial(Address("127.0.0.1", server.port), Deadline(5))) as made:
        with Cut(Deadline(5), first=5) as cut:
            cut.watch(made)
            cut.answered()
        made.sendall(b"x")
        assert made.recv(1) == b"x"


def test_the_beginning_of_an_answer_may_have_a_bound_of_its_own() -> None:
    with Cut(Deadline(5), first=0.05) as cut:
        time.sleep(0.1)
        with pytest.raises(TimedOut, match=r"within 0\.05 s"):
            cut.check()
        cut.answered()
        cut.check()


def test_a_server_that_is_down_is_tried_again_after_a_while(
    monkeypatch: pytest.MonkeyPatch, serve: Serve
) -> None:
    reach = Reach(Address("127.0.0.1", closed_port()))
    for _ in range(wire.FAILURES):
        with pytest.raises(Retryable):
            reach.dial(Deadline(5))
    with pytest.raises(Failed, match="in vain") as caught:
        reach.dial(Deadline(5))
    assert caught.value.reason is Reason.UNREACHABLE
    monkeypatch.setattr(wire, "DOWN_SECONDS", 0.0)
    reach.address = Address("127.0.0.1", serve(stalling).port)
    reach.dial(Deadline(5)).close()
    monkeypatch.undo()
    reach.require_up()


def test_a_server_that_was_silent_once_is_asked_nothing_until_all_else_is_done_and_then_not_for_long() -> (
    None
):
    reach = Reach(Address("127.0.0.1", 1))
    assert reach.begin(12.0) == 12.0
    reach.silent(time.monotonic())
    with pytest.raises(NotAsked, match="did not answer in time"):
        reach.require_up()
    reach.again()
    reach.require_up()
    assert reach.begin(12.0) == wire.SHORT_SECONDS
    reach.answered()
    assert reach.begin(12.0) == 12.0


def test_one_question_too_much_for_a_server_that_answers_others_says_nothing_of_it() -> None:
    reach = Reach(Address("127.0.0.1", 1))
    asked = time.monotonic()
    reach.answered()
    reach.silent(asked)
    reach.require_up()
