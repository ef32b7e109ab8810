"""Commands do not outlive a Clinic that was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from clinic.deadline import Deadline
from clinic.host.local import LocalHost
from clinic.host.orphan_watcher import Watcher

Asleep = Callable[[int], int]

SHELLS = [shell for name in ("dash", "bash", "busybox") if (shell := Path("/bin", name)).exists()]
"""Those that this machine has; one of them is its /bin/sh."""

CLINIC = """
import sys, threading, time
from clinic.deadline import Deadline
from clinic.host.local import LocalHost
host = LocalHost("here")
def run(script):
    with host.run(["sh", "-c", script], Deadline(600)) as process:
        for data in process.chunks():
            print(data.decode(), end="", flush=True)
for script in sys.argv[1:]:
    threading.Thread(target=run, args=[script], daemon=True).start()
time.sleep(600)
"""


def test_sigkill_takes_every_command_along(nap: str, asleep: Asleep) -> None:
    """Also what ignores SIGTERM, and what left the group and its parent long ago."""
    scripts = [
        f"trap '' TERM HUP; echo ready; while :; do sleep {nap}; done",
        f"setsid sh -c 'sleep {nap} & sleep {nap}' >/dev/null 2>&1 & echo ready; sleep {nap}",
    ]
    clinic = subprocess.Popen([sys.executable, "-c", CLINIC, *scripts], stdout=subprocess.PIPE)
    assert clinic.stdout is not None
    assert [clinic.stdout.readline(), clinic.stdout.readline()] == [b"ready\n"] * 2
    while sum("sleep" in child.name() for child in psutil.Process(clinic.pid).children(recursive=True)) < 2:
        time.sleep(0.01)
    watchers = [
        child for child in psutil.Process(clinic.pid).children() if child.cmdline()[-1:] == ["clinic-watcher"]
    ]
    assert len(watchers) == 1
    clinic.kill()
    clinic.wait()
    clinic.stdout.close()
    assert asleep(0) == 0
    assert watchers[0].wait(2) is None, "nothing of ours runs on"


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell.name)
def test_any_shell_will_do(
    shell: Path, nap: str, asleep: Asleep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It kills the groups it was not told to forget, and what carries the mark."""
    (tmp_path / "sh").symlink_to(shell)
    monkeypatch.setattr("clinic.host.orphan_watcher._SHELL", str(tmp_path / "sh"))
    groups = [subprocess.Popen(["sleep", nap], start_new_session=True) for _ in range(3)]
    marked = subprocess.Popen(["sleep", nap], start_new_session=True, env={"CLINIC_CHILD": "abc-1."})
    other = subprocess.Popen(["sleep", nap], start_new_session=True, env={"CLINIC_CHILD": "xyz-1."})
    clinic = os.fork()
    if clinic == 0:
        watcher = Watcher("abc", "/usr/bin:/bin")
        for group in groups:
            watcher.add(group.pid)
        watcher.remove(groups[1].pid)
        os._exit(0)
    os.waitpid(clinic, 0)
    assert [group.wait(2) for group in (groups[0], groups[2], marked)] == [-signal.SIGKILL] * 3
    assert asleep(2) == 2
    for left in (groups[1], other):
        left.kill()
        left.wait()


def test_a_peaceful_end_kills_nothing(nap: str, asleep: Asleep) -> None:
    child = subprocess.Popen(["sleep", nap], start_new_session=True)
    watcher = Watcher("abc", "/usr/bin:/bin")
    watcher.add(child.pid)
    watcher.close()
    watcher.close()
    assert asleep(1) == 1
    child.kill()
    child.wait()


def test_a_watcher_that_somebody_killed_is_no_trouble() -> None:
    watcher = Watcher("abc", "/usr/bin:/bin")
    watcher.add(os.getpid())
    [shell] = [one for one in psutil.Process().children() if one.cmdline()[-1:] == ["clinic-watcher"]]
    shell.kill()
    while shell.status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    watcher.remove(os.getpid())
    watcher.add(os.getpid())
    watcher.close()
    assert not shell.is_running()


def test_without_a_shell_commands_run_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clinic.host.orphan_watcher._SHELL", "/no/such/shell")
    host = LocalHost("here")
    with host.run(["echo", "fine"], Deadline(5)) as process:
        assert list(process.chunks()) == [b"fine\n"]
    host.close()
