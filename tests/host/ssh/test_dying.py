"""A node that dies or falls silent at every stage: what was asked of it ends in time, and nothing stays here."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from tests.lab.own_sshd import AT_EASE, Serve, Sshd
from tests.lab.wire import Wire

from clinic.deadline import Deadline
from clinic.errors import ItemError, Retryable, TimedOut
from clinic.host.ssh.command_line import Login
from clinic.host.ssh.host import SSHHost
from clinic.outcome import Reason
from clinic.units import MIB

pytestmark = pytest.mark.lab

AT_MOST = 60.0
"""Seconds for what takes a few on a machine that is not busy."""

PARTS = (0.0, 0.02, 0.4, 0.7, 0.9)
"""Of the bytes of a login: nothing at all, a banner, and on to the first words of the shell."""

Use = Callable[[SSHHost, str, Callable[[], None]], None]
"""Uses a node and its log of 12 MiB, and has it die in the middle."""


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is waited for at a node that says nothing."""
    monkeypatch.setattr("clinic.host.ssh.connection.LEAVE", 1.0)
    monkeypatch.setattr("clinic.host.ssh.shell.LEAVE", 1.0)
    monkeypatch.setattr("clinic.host.ssh.shell.HUSH", 1.0)


@pytest.fixture
def nothing_left(tmp_path: Path) -> Iterator[Path]:
    """A directory for control sockets; afterwards there is no child, zombie or living, and no thread waits."""
    sockets = tmp_path / "s"
    sockets.mkdir()
    threads = threading.active_count()
    yield sockets
    assert [one for one in psutil.Process().children(recursive=True) if one.name() == "ssh"] == []
    until = time.monotonic() + 5
    while threading.active_count() > threads and time.monotonic() < until:
        time.sleep(0.05)
    assert threading.active_count() <= threads


def through(sshd: Sshd, wire: Wire, sockets: Path) -> tuple[Login, Callable[[], SSHHost]]:
    """How to log in through a wire."""
    known = sockets.parent / f"known-{wire.port}"
    known.write_text(f"[127.0.0.1]:{wire.port} {(sshd.home / 'host_key.pub').read_text()}")
    login = replace(sshd.login, port=str(wire.port), known_hosts=(str(known),))
    return login, lambda: SSHHost(login, lambda: sockets, sshd.meter, AT_EASE)


def read_on(host: SSHHost, log: str, die: Callable[[], None]) -> None:
    """It dies in the middle of a big stream."""
    deadline = Deadline(None)
    with host.open(log, Deadline(20)) as reader:
        for number, _ in enumerate(reader.stream(0, None, deadline)):
            if number == 1:
                die()
                deadline.stall = 1.0


def search(host: SSHHost, log: str, die: Callable[[], None]) -> None:
    """It dies between two ranged reads, as a search makes them."""
    with host.open(log, Deadline(20)) as reader:
        assert len(reader.ranges([(5 * MIB, 100), (7 * MIB, 100)], Deadline(20))) == 2
        die()
        reader.ranges([(6 * MIB, 100)], Deadline(1.0))


def command(host: SSHHost, log: str, die: Callable[[], None]) -> None:
    """It dies while a command runs."""
    del log
    deadline = Deadline(None)
    with host.run(("sh", "-c", "echo x; exec sleep 600"), deadline) as process:
        for data in process.chunks():
            assert data == b"x\n"
            die()
            deadline.stall = 1.0


def listing(host: SSHHost, log: str, die: Callable[[], None]) -> None:
    """It dies before a list is asked for."""
    die()
    host.list(f"{log}*", Deadline(1.0))


USES = (command, read_on, search, listing)


@pytest.fixture
def log(tmp_path: Path) -> str:
    """What compresses badly, so that it takes its time on the way."""
    path = tmp_path / "tidb.log"
    path.write_bytes(os.urandom(12 * MIB))
    return str(path)


def test_a_login_that_falls_silent_at_any_byte_is_given_up(
    sshd: Sshd, nothing_left: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Wire(sshd.port) as wire:
        host = through(sshd, wire, nothing_left)[1]()
        whole = wire.passed
        host.close()
    monkeypatch.setattr("clinic.host.ssh.connection.LOGIN_SECONDS", 3.0)
    monkeypatch.setattr("clinic.host.ssh.host._LOOK_SECONDS", 3.0)

    def attempt(part: float) -> ItemError:
        with Wire(sshd.port, int(part * whole)) as wire:
            with pytest.raises(ItemError) as caught:
                through(sshd, wire, nothing_left)[1]()
            return caught.value

    began = time.monotonic()
    with ThreadPoolExecutor(len(PARTS)) as pool:
        errors = list(pool.map(attempt, PARTS))
    assert time.monotonic() - began < AT_MOST
    assert [error.reason for error in errors[:3]] == [Reason.UNREACHABLE] * 3
    for error in errors:
        assert error.reason in (Reason.UNREACHABLE, Reason.BAD_ANSWER, Reason.DEADLINE)
        assert "node" in error.message
        assert error.fix
    assert sshd.left() == []


@pytest.mark.parametrize("use", USES)
def test_a_node_that_falls_silent_costs_what_was_asked_and_leaves_nothing_here(
    sshd: Sshd, nothing_left: Path, log: str, use: Use
) -> None:
    with Wire(sshd.port) as wire:
        host = through(sshd, wire, nothing_left)[1]()
        began = time.monotonic()
        with pytest.raises(TimedOut) as caught:
            use(host, log, wire.cut)
        assert "node no longer answers over SSH" in caught.value.message
        assert "--resume" in caught.value.fix
        with pytest.raises(ItemError) as later:
            host.run(("true",), Deadline(1.0)).close()
        assert later.value.reason in (Reason.DEADLINE, Reason.UNREACHABLE)
        host.close()
        assert time.monotonic() - began < AT_MOST
    assert sshd.left() == []


@pytest.mark.parametrize("use", USES)
def test_a_node_that_dies_costs_what_was_asked_and_leaves_nothing_here(
    serve: Serve, nothing_left: Path, log: str, use: Use
) -> None:
    server = serve()
    host = SSHHost(server.login, lambda: nothing_left, server.meter, AT_EASE)
    try:
        with pytest.raises(Retryable) as caught:
            use(host, log, server.kill_servers)
        assert caught.value.reason is Reason.UNREACHABLE
        with pytest.raises(Retryable) as later:
            host.run(("true",), Deadline(20))
        assert later.value.reason is Reason.UNREACHABLE
    finally:
        host.close()
    assert server.left() == []


@pytest.mark.parametrize("silent", [True, False])
def test_a_node_that_is_gone_at_the_end_does_not_hold_it_up(
    serve: Serve, nothing_left: Path, log: str, silent: bool
) -> None:
    """With all that a host may have open: shells that are busy, some that are idle, a file."""
    server = serve()
    with Wire(server.port) as wire:
        host = through(server, wire, nothing_left)[1]()
        reader = host.open(log, Deadline(20))
        busy = [host.run(("sleep", "600"), Deadline(600)) for _ in range(4)]
        (wire.cut if silent else server.kill_servers)()
        began = time.monotonic()
        host.cost()
        host.close()
        reader.close()
        for process in busy:
            process.close()
        assert time.monotonic() - began < AT_MOST
    if silent:
        server.kill_servers()
    assert server.left() == []
