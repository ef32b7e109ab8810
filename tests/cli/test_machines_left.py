"""What stays on machines and here when a run is cut short, or a machine falls silent: nothing."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.lab.machines.machines import Machines

from clinic.bundle.reader import Bundle
from clinic.host.ssh.directory import make
from clinic.outcome import Reason, Status

pytestmark = pytest.mark.lab
Clinic = Callable[..., Any]
Declared = Callable[..., Path]

SECONDS = 60
"""How long something may take to be there or to be gone; usually it is a second."""


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A runtime directory of the test's own, with a short path: control sockets are there and nowhere else."""
    path = Path(tempfile.mkdtemp(dir="/tmp", prefix="ct-"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(path))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory in which every account may write."""
    path = Path(tempfile.mkdtemp(prefix="clinic-test-", dir="/var/tmp"))
    path.chmod(0o777)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def reach_all(machines: Machines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str | Path]:
    """The words that lead to every machine, to one of them through the jump host as ssh_config says."""
    known = machines.write_known_hosts(tmp_path / "known_hosts")
    config = machines.write_ssh_config(tmp_path / "ssh_config", known)
    wrapper = tmp_path / "bin" / "ssh"
    wrapper.parent.mkdir()
    wrapper.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {config} "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{wrapper.parent}:{os.environ['PATH']}")
    hosts = [word for name in machines.names for word in ("--host", machines.address(name))]
    return [*hosts, "--known-hosts", known, "--max-load", "100000"]


def ours(runtime: Path) -> list[str]:
    """The processes of this machine that have to do with the run's control sockets."""
    found: list[str] = []
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = each.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(runtime) in line:
            found.append(line)
    return found


def until(met: Callable[[], bool]) -> bool:
    """Whether it is so within a while."""
    end = time.monotonic() + SECONDS
    while not (so := met()) and time.monotonic() < end:
        time.sleep(0.1)
    return so


def running(machines: Machines) -> Mapping[str, list[str]]:
    """What runs on each machine."""
    return {name: sorted(machines.processes(name).values()) for name in machines.names}


def sleepers(machines: Machines, nap: str) -> int:
    """On how many machines all the sleepers of the two items are there."""
    return sum(
        sum(title.endswith(f"sleep {nap}") and "sh -c" not in title for title in titles) >= 4
        for titles in running(machines).values()
    )


@pytest.mark.parametrize("signals", [(signal.SIGINT, signal.SIGINT), (signal.SIGKILL,)])
def test_a_run_that_is_cut_short_leaves_nothing_on_any_machine(
    declared: Declared, machines: Machines, reach_all: list[str | Path], runtime: Path,
    tmp_path: Path, signals: tuple[signal.Signals, ...],
) -> None:  # fmt: skip
    nap = str(3_600_000 + os.getpid())
    line = f"setsid sleep {nap} & exec sleep {nap}"
    collector = declared(
        [{"path": f"{n}.txt", "command": ["sh", "-c", line], "deadline": "10m"} for n in "ab"]
    )
    before, written = running(machines), machines.written()
    words = [
        "collect",
        "-y",
        "--collector",
        collector,
        "-i",
        "made",
        "-o",
        "b",
        "--concurrency",
        "64",
        *reach_all,
    ]
    argv = [sys.executable, "-m", "clinic", *map(str, words)]
    with subprocess.Popen(
        argv, cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as run:
        everywhere = until(lambda: sleepers(machines, nap) == len(machines.names) or run.poll() is not None)
        for number in signals:
            run.send_signal(number)
            time.sleep(0.5)
        said = run.communicate(timeout=SECONDS)[0].decode()
    assert everywhere and run.returncode == (-signal.SIGKILL if signal.SIGKILL in signals else 130), said
    assert until(lambda: running(machines) == before), running(machines)
    assert machines.written() == written
    assert until(lambda: not ours(runtime)), ours(runtime)
    # What it could not remove itself goes with the next run.
    next_run = [make()] if signal.SIGKILL in signals else []
    assert list(runtime.iterdir()) == next_run


def test_a_machine_that_falls_silent_costs_its_items_alone_and_nothing_stays(
    clinic: Clinic, declared: Declared, machines: Machines, reach_all: list[str | Path], runtime: Path,
    place: Path, tmp_path: Path,
) -> None:  # fmt: skip
    dead, alive = "tikv-1", "tidb-2"
    line = f"hostname; [ `hostname` = {alive} ] || {{ touch {place}/begun; sleep 600; }}"
    collector = declared(
        [{"path": f"{n}.txt", "command": ["sh", "-c", line], "deadline": "5s"} for n in "abcdef"]
    )
    before = running(machines)

    def cut() -> None:
        until((place / "begun").exists)
        machines.cut(dead)

    cutter = threading.Thread(target=cut)
    cutter.start()
    hosts = [word for name in (dead, alive) for word in ("--host", machines.address(name))]
    try:
        options = reach_all[2 * len(machines.names) :]
        words = ["-y", "--collector", collector, "-i", "made", "-o", "b", *hosts, *options]
        ended = clinic("collect", *words, timeout=240)
    finally:
        cutter.join()
        machines.heal(dead)
    assert ended.code == 3, ended.err
    assert f"of {machines.address(dead)}" in ended.out
    assert f"{machines.address(dead)} no longer answers over SSH" in ended.out
    records = Bundle.open(tmp_path / "b").manifest.records
    lost = [one for one in records if one.entry.host == machines.address(dead)]
    assert {one.status for one in records if one not in lost} == {Status.OK}
    assert len(lost) == 6
    assert {one.reason for one in lost} <= {Reason.DEADLINE, Reason.UNREACHABLE}
    kept = [one for one in lost if one.files]
    assert all((tmp_path / "b" / file.path).read_text() == f"{dead}\n" for one in kept for file in one.files)
    assert ours(runtime) == []
    assert list(runtime.iterdir()) == []
    assert until(lambda: running(machines) == before), running(machines)
