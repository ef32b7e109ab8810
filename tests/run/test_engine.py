"""The scheduler and its attempts: order, bounds, retries, stuck threads, what raises, what stops."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.run.bench import CLUSTER, WINDOW, Action, Bench, Doing, bench, giving, text

from clinic.cluster.model import Machine
from clinic.collector import Item, Stage
from clinic.errors import Failed, Retryable
from clinic.host.base import Host
from clinic.host.local import LocalHost
from clinic.outcome import Reason, Status
from clinic.run.doors import Common
from clinic.run.engine import Bounds, Engine
from clinic.secret import SecretRegister
from clinic.source.base import Chunk, Doors, Ran

__all__ = ["bench"]  # a fixture


def test_what_comes_is_written_and_recorded(bench: Bench) -> None:
    def action(doors: Doors) -> Iterator[Chunk]:
        doors.ran(Ran("command", "true", "here", "me", "exit 0", 0.1))
        yield b"hello "
        yield b"there\n"

    ran = bench.run(Item("a.txt", Doing(action)))
    record = ran.records["a"]
    assert record.status is Status.OK
    assert record.plain == 12
    assert record.actions[0].what == "true"
    assert text(ran, "a.txt") == "hello there\n"


def test_a_source_that_raises_what_nobody_expected_costs_only_itself(bench: Bench) -> None:
    ran = bench.run(
        Item("bad.txt", Doing(giving(b"some\n", ZeroDivisionError("division by zero")))),
        Item("good.txt", Doing(giving(b"fine\n"))),
    )
    assert ran.records["good"].status is Status.OK
    bad = ran.records["bad"]
    assert (bad.status, bad.reason) == (Status.PARTIAL, Reason.COLLECTOR_ERROR)
    assert "ZeroDivisionError: division by zero at bench.py" in bad.message
    assert text(ran, "bad.txt") == "some\n"


def test_what_may_succeed_in_a_moment_is_tried_again_and_the_tries_are_on_record(bench: Bench) -> None:
    tries: list[float] = []

    def action(doors: Doors) -> Iterator[Chunk]:
        del doors
        tries.append(time.monotonic())
        if len(tries) < 3:
            yield b"never kept"
            raise Retryable(Reason.UNREACHABLE, "connection refused")
        yield b"at last\n"

    ran = bench.run(Item("a.txt", Doing(action)))
    record = ran.records["a"]
    assert record.status is Status.OK
    assert [attempt.reason for attempt in record.attempts] == [Reason.UNREACHABLE] * 2
    assert text(ran, "a.txt") == "at last\n"


def test_what_fails_for_good_is_not_tried_again(bench: Bench) -> None:
    calls: list[int] = []

    def action(doors: Doors) -> Iterator[Chunk]:
        calls.append(1)
        yield from giving(Failed(Reason.BAD_ANSWER, "no", fix="do this"))(doors)

    record = bench.run(Item("a.txt", Doing(action))).records["a"]
    assert (record.status, record.reason, record.fix, len(calls)) == (
        Status.FAILED,
        Reason.BAD_ANSWER,
        "do this",
        1,
    )


def test_retries_end_with_the_last_failure(bench: Bench) -> None:
    record = bench.run(Item("a.txt", Doing(giving(Retryable(Reason.UNREACHABLE, "refused"))))).records["a"]
    assert record.status is Status.FAILED
    assert len(record.attempts) == 2


def test_a_thread_that_never_comes_back_is_given_up_and_what_it_writes_later_is_lost(bench: Bench) -> None:
    release = threading.Event()

    def action(doors: Doors) -> Iterator[Chunk]:
        del doors
        yield b"early\n"
        release.wait(30)
        yield b"late\n"

    ran = bench.run(
        Item("stuck.txt", Doing(action, seconds=0.3)),
        Item("good.txt", Doing(giving(b"fine\n"))),
        bounds=Bounds(grace=0.3),
    )
    assert ran.seconds < 5
    assert ran.records["stuck"].status is Status.TIMED_OUT
    release.set()
    time.sleep(0.2)
    assert not (ran.directory / "stuck.txt").exists()
    assert text(ran, "good.txt") == "fine\n"


def test_a_slow_stream_meets_its_deadline_and_keeps_what_came(bench: Bench) -> None:
    def action(doors: Doors) -> Iterator[Chunk]:
        del doors
        while True:
            yield b"line\n"
            time.sleep(0.05)

    ran = bench.run(Item("slow.txt", Doing(action, seconds=0.4)))
    record = ran.records["slow"]
    assert (record.status, record.reason) == (Status.TIMED_OUT, Reason.DEADLINE)
    assert text(ran, "slow.txt").startswith("line\nline\n")
    assert record.files[0].reason is Reason.DEADLINE


def test_nothing_else_starts_before_what_teaches_the_redactor_has_ended(bench: Bench) -> None:
    order: list[str] = []

    def noting(name: str, seconds: float) -> Action:
        def action(doors: Doors) -> Iterator[Chunk]:
            del doors
            order.append(f"{name} begins")
            time.sleep(seconds)
            yield b"x\n"
            order.append(f"{name} ends")

        return action

    bench.run(
        Item("late.txt", Doing(noting("late", 0))),
        Item("learn1.txt", Doing(noting("learn1", 0.2)), stage=Stage.LEARN),
        Item("learn2.txt", Doing(noting("learn2", 0.1)), stage=Stage.LEARN),
    )
    assert order.index("late begins") > max(order.index("learn1 ends"), order.index("learn2 ends"))


@pytest.mark.parametrize(("lane", "most"), [("host:here", 4), ("server:here:9090", 2)])
def test_lanes_are_bounded(bench: Bench, lane: str, most: int) -> None:
    lock, running, peak = threading.Lock(), [0], [0]

    def action(doors: Doors) -> Iterator[Chunk]:
        del doors
        with lock:
            running[0] += 1
            peak[0] = max(peak[0], running[0])
        time.sleep(0.05)
        with lock:
            running[0] -= 1
        yield b"x\n"

    bench.run(*(Item(f"{n}.txt", Doing(action, on=lane)) for n in range(12)))
    assert peak[0] == most


def test_a_folder_keeps_what_it_can_and_names_what_it_could_not(bench: Bench) -> None:
    calls: list[int] = []

    def action(doors: Doors) -> Iterator[Chunk]:
        del doors
        calls.append(1)
        if len(calls) == 2:
            raise Failed(Reason.READ_ERROR, "Input/output error")
        yield b"data\n"

    source = Doing(action, parts=("/var/log/a.log", "/var/log/b.log", "../../etc/c.log"))
    ran = bench.run(Item("logs", source, folder=True))
    record = ran.records["logs"]
    assert (record.status, record.reason) == (Status.PARTIAL, Reason.SOME_FILES)
    assert record.missing == ("/var/log/b.log: Input/output error",)
    assert len(record.files) == 2
    assert all(file.path.startswith("logs/") and ".." not in file.path.split("/") for file in record.files)


def test_a_host_that_cannot_be_opened_costs_only_its_items(tmp_path: Path) -> None:
    calls: list[str] = []

    def connect(machine: Machine) -> Host:
        calls.append(machine.name)
        raise Failed(Reason.UNREACHABLE, "no route")

    common = Common(CLUSTER, WINDOW, SecretRegister(), connect)
    for _ in range(3):
        with pytest.raises(Failed, match="no route"):
            common.host("here")
    assert calls == ["here"]
    with pytest.raises(Failed, match="no host 'there'"):
        common.host("there")


def test_what_is_shared_is_made_once_whoever_asks_and_closed_at_the_end() -> None:
    class Connection:
        closed = False

        def close(self) -> None:
            self.closed = True

    made: list[Connection] = []

    def make() -> Connection:
        time.sleep(0.05)
        made.append(Connection())
        return made[-1]

    common = Common(CLUSTER, WINDOW, SecretRegister(), lambda machine: LocalHost(machine.name))
    got: list[Any] = []
    threads = [threading.Thread(target=lambda: got.append(common.shared("sql", make))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert all(one is made[0] for one in got)
    common.close()
    assert made[0].closed


def test_a_secret_that_is_learned_late_is_masked_in_what_was_written_before(bench: Bench) -> None:
    secret = "Zq8-late-Phrase"

    def teaching(doors: Doors) -> Iterator[Chunk]:
        time.sleep(0.3)
        doors.secrets.learn(secret, source="a prompt")
        yield b"x\n"

    ran = bench.run(
        Item("first.txt", Doing(giving(f"connect {secret} now\n".encode()))),
        Item("second.txt", Doing(teaching)),
    )
    assert secret not in text(ran, "first.txt")
    for path in ran.directory.rglob("*"):
        assert not path.is_file() or secret.encode() not in path.read_bytes()


def test_stop_lets_running_items_end_and_begins_no_other(bench: Bench) -> None:
    def action(doors: Doors) -> Iterator[Chunk]:
        del doors
        time.sleep(0.4)
        yield b"x\n"

    def watch(engine: Engine) -> None:
        threading.Timer(0.2, engine.stop).start()

    ran = bench.run(*(Item(f"{n}.txt", Doing(action)) for n in range(12)), watch=watch)
    statuses = [record.status for record in ran.records.values()]
    assert statuses.count(Status.OK) == 4
    assert statuses.count(Status.CANCELLED) == 8
    assert ran.engine.interrupted
