"""What is shown while several machines are collected from: lines for people, events for programs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.cli.terminal import type_at_terminal
from tests.lab.own_sshd import Serve, Sshd

from clinic.cli.collect_progress import lines
from clinic.cli.tally import HostState, Tally

Clinic = Callable[..., Any]
SLOW = ["sh", "-c", "for n in 1 2 3; do head -c 1000 /dev/zero | tr '\\0' x; sleep 1; done"]


@pytest.fixture(scope="module")
def two(serve: Serve) -> tuple[Sshd, Sshd]:
    """Two servers on one address, which are two machines."""
    return serve(), serve()


def words(two: tuple[Sshd, Sshd], collector: Path) -> list[str]:
    """Collects a slow item from each of them."""
    hosts = [word for one in two for word in ("--host", f"{one.login.user}@127.0.0.1:{one.port}")]
    known = [word for one in two for word in ("--known-hosts", one.login.known_hosts[0])]
    keys = [word for one in two for word in ("--ssh-option", f"IdentityFile={one.login.key}")]
    chosen = ["--collector", str(collector), "-i", "made", "-o", "b", "--max-load", "100000"]
    return ["collect", "-y", *chosen, *hosts, *known, *keys]


def state(name: str, *running: str, waits: str = "") -> HostState:
    return HostState(name, 5, 2, running, 3.2, 2048, waits)


def test_a_line_says_how_far_a_machine_is() -> None:
    assert lines([state("db1", "log.std db1"), state("db2"), state("db3", waits="its load is 99")], 8) == [
        "  db1: 2/5 items, 2.0 KiB; log.std db1 3 s",
        "  db3: 2/5 items, 2.0 KiB; waits, its load is 99",
    ]


def test_a_hundred_machines_have_a_few_lines() -> None:
    shown = lines([state(f"db{number}", "x") for number in range(100)], 8)
    assert len(shown) == 8
    assert shown[-1] == "  and 93 more machines at work"


def left(tally: Tally) -> float:
    """Seconds that are left; -1 where nobody knows."""
    return -1 if tally.left is None else tally.left


def test_the_time_left_goes_by_bytes_else_by_items() -> None:
    tally = Tally()
    tally.places({"a": "db1", "b": "db1", "c": "db2"})
    tally.begin(3, 1000)
    assert left(tally) == -1
    time.sleep(0.01)
    tally.started("a", "a")
    tally.moved("a", 250)
    assert left(tally) == pytest.approx(3 * tally.seconds, rel=0.5)
    tally.moved("a", 5000)  # More than was expected: only the items tell anything now.
    assert left(tally) == -1
    assert tally.ended("a") == 5250
    assert left(tally) == pytest.approx(2 * tally.seconds, rel=0.5)
    assert [(one.host, one.items, one.done) for one in tally.hosts()] == [("db1", 2, 1), ("db2", 1, 0)]


@pytest.mark.lab
def test_every_line_for_a_program_is_an_event(
    clinic: Clinic, two: tuple[Sshd, Sshd], declared: Callable[..., Path]
) -> None:
    collector = declared([{"path": "slow.txt", "command": SLOW}, {"path": "no.txt", "file": "/nonexistent"}])
    ended = clinic(*words(two, collector), "--json-progress")
    events = [json.loads(line) for line in ended.err.splitlines()]
    assert {one["event"] for one in events} == {"said", "begin", "item", "progress", "end"}
    hosts = [f"127.0.0.1-{one.port}" for one in two]
    [begin] = [one for one in events if one["event"] == "begin"]
    assert (begin["items"], begin["hosts"]) == (4, dict.fromkeys(hosts, 2))
    items = [one for one in events if one["event"] == "item"]
    slow = [(one["host"], one["state"], one.get("bytes")) for one in items if "slow" in one["path"]]
    assert sorted(slow, key=str) == sorted(
        [(host, *end) for host in hosts for end in (("started", None), ("ok", 3000))], key=str
    )
    assert {one["id"] for one in items if one["state"] == "started"} >= {"made.slow"}
    assert len([one for one in items if one["state"] == "skipped"]) == 2
    far = [one for one in events if one["event"] == "progress"]
    assert len(far) >= 2
    assert {one["host"] for one in far[0]["hosts"]} == set(hosts)
    assert any("made.slow" in label for one in far for host in one["hosts"] for label in host["running"])
    assert events[-1] == {**events[-1], "event": "end", "items_done": 4, "bytes": 6000}


@pytest.mark.lab
def test_at_a_terminal_every_machine_at_work_has_a_line(
    two: tuple[Sshd, Sshd], declared: Callable[..., Path], tmp_path: Path, clinic: Clinic
) -> None:
    collector = declared([{"path": "slow.txt", "command": SLOW}])
    _, shown = type_at_terminal(tmp_path, words(two, collector))
    for one in two:
        assert f"127.0.0.1-{one.port}: 0/1 items" in shown
    quiet = clinic(*words(two, collector)[:-1], words(two, collector)[-1], "-o", "c")
    assert "items, " not in quiet.err


@pytest.mark.lab
def test_at_a_terminal_events_are_printed_and_nothing_is_asked_or_drawn(
    two: tuple[Sshd, Sshd], declared: Callable[..., Path], tmp_path: Path
) -> None:
    chosen = [word for word in words(two, declared([{"path": "slow.txt", "command": SLOW}])) if word != "-y"]
    code, shown = type_at_terminal(tmp_path, [*chosen, "--json-progress", "--json"])
    assert code == 0
    assert "Collect?" not in shown
    assert "0/1 items" not in shown
    assert '{"event": "end"' in shown
