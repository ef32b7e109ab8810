"""A node that is short of something is left alone, and who waits for it says so."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.lab.own_sshd import Serve

from clinic.deadline import Deadline
from clinic.errors import Failed, TimedOut
from clinic.host.ssh import node_load as module
from clinic.host.ssh.host import SSHHost
from clinic.host.ssh.node_load import Gate, Thresholds, strain
from clinic.host.ssh.traffic import Bucket, HostMeter
from clinic.outcome import Reason

CALM = """\
1.50 1.20 1.10 2/345 6789
full avg10=0.00 avg60=0.00 avg300=0.00 total=1
full avg10=12.00 avg60=0.00 avg300=0.00 total=1
MemTotal:       16000000 kB
MemAvailable:    8000000 kB
processor\t: 0
processor\t: 1
processor\t: 2
processor\t: 3
"""
LIMITS = Thresholds(load=4, stalled=40, memory=0.02)


@pytest.mark.parametrize(
    ("said", "short"),
    [
        (CALM, ""),
        (CALM.replace("1.50", "17.00", 1), "its load is 4.2 for each processor"),
        (
            CALM.replace("full avg10=12.00", "full avg10=55.10"),
            "it waits for its disks or memory 55 % of the time",
        ),
        (CALM.replace("8000000", "160000"), "1.0% of its memory is left"),
        ("", ""),
        ("grep: /proc/loadavg: No such file\n", ""),
    ],
)
def test_what_a_node_is_short_of(said: str, short: str) -> None:
    assert strain(said, LIMITS) == short


def test_one_look_counts_for_a_while() -> None:
    answers = [CALM, CALM]
    gate = Gate(lambda _: answers.pop(), LIMITS, "db1")
    for _ in range(10):
        gate.enter(Deadline(5))
    assert len(answers) == 1
    assert gate.paused == 0


def test_work_waits_until_the_node_is_at_ease(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE", 0.01)
    answers = [CALM.replace("1.50", "99.0", 1)] * 3
    gate = Gate(lambda _: answers.pop() if answers else CALM, LIMITS, "db1")
    gate.enter(Deadline(5))
    assert not answers
    assert gate.paused > 0


def test_a_node_that_stays_short_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE", 0.01)
    monkeypatch.setattr(module, "PATIENCE", 0.05)
    gate = Gate(lambda _: CALM.replace("1.50", "99.0", 1), LIMITS, "db1")
    with pytest.raises(Failed, match=r"db1 was left alone: its load is 24\.8") as caught:
        gate.enter(Deadline(5))
    assert caught.value.reason is Reason.SERVER_PROTECTED
    assert "a load of 4 for each processor" in caught.value.fix
    with pytest.raises(TimedOut):
        Gate(lambda _: CALM.replace("1.50", "99.0", 1), LIMITS, "db1").enter(Deadline(0.02))


BUSY = CALM.replace("1.50", "99.0", 1)


def test_a_long_stream_waits_on_its_way_and_that_is_no_stall(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE", 0.02)
    monkeypatch.setattr(module, "EVERY", 0.0)
    answers = [CALM, *[BUSY] * 10]
    waiting: list[str] = []

    def ask(_: Deadline) -> str:
        waiting.append(gate.waiting)
        return answers.pop(0) if answers else CALM

    gate = Gate(ask, LIMITS, "db1")
    hold, deadline = gate.hold(), Deadline(None, stall=0.15)
    for _ in range(3):
        hold(deadline)
    assert not answers
    assert gate.paused >= 0.2
    assert gate.waiting == ""


def test_the_pauses_of_one_stream_are_bounded_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE", 0.02)
    monkeypatch.setattr(module, "EVERY", 0.0)
    monkeypatch.setattr(module, "MOST_HELD", 0.1)
    turns = iter(range(10_000))
    # Every other look finds it at ease: no single pause is long.
    gate = Gate(lambda _: BUSY if next(turns) % 2 else CALM, LIMITS, "db1")
    hold = gate.hold()
    with pytest.raises(Failed, match="was left alone") as caught:
        for _ in range(1000):
            hold(Deadline(5))
    assert caught.value.reason is Reason.SERVER_PROTECTED
    assert "--resume" in caught.value.fix
    gate.hold()(Deadline(5))  # Another stream has its own bound.


def wait_until(done: Callable[[], bool], seconds: float = 30) -> None:
    until = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.mark.lab
def test_nothing_is_taken_from_a_node_that_falls_short_in_the_middle_of_a_file(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can play several users")
    monkeypatch.setattr(module, "PAUSE", 0.05)
    monkeypatch.setattr(module, "EVERY", 0.05)
    load, big = tmp_path / "load", tmp_path / "big"
    load.write_text("0.10 0.10 0.10 1/100 1\n")
    big.write_bytes(os.urandom(24_000_000))
    mount = f"mount --bind {load} /proc/loadavg"
    server = serve(
        f"ForceCommand exec unshare --mount sh -c '{mount} && exec sh -c \"$SSH_ORIGINAL_COMMAND\"'"
    )
    limits = Thresholds(load=16, stalled=101, memory=0)
    host = SSHHost(server.login, lambda: server.home, HostMeter(Bucket(8_000_000)), limits)
    digest, taken = hashlib.sha256(), [0]

    def read() -> None:
        deadline = Deadline(None, stall=30)
        with host.open(str(big), deadline) as reader:
            for data in reader.stream(0, None, deadline):
                digest.update(data)
                taken[0] += len(data)

    thread = threading.Thread(target=read)
    thread.start()
    try:
        wait_until(lambda: taken[0] > 1_000_000)
        load.write_text("99999.0 0.10 0.10 1/100 1\n")
        wait_until(lambda: host.waiting != "")
        before = taken[0]
        time.sleep(0.5)
        assert (taken[0], thread.is_alive()) == (before, True)
        load.write_text("0.10 0.10 0.10 1/100 1\n")
        thread.join(60)
        assert digest.hexdigest() == hashlib.sha256(big.read_bytes()).hexdigest()
        assert host.cost()["ssh_paused"] >= 0.5
        assert host.waiting == ""
    finally:
        host.close()
