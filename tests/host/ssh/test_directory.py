"""The directory of control sockets is private and goes with the run; what a killed run left, the next one removes."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.lab.own_sshd import Sshd

from clinic.host.ssh.directory import make

_MAKE = "from clinic.host.ssh.directory import make; import time; print(make(), flush=True); time.sleep(100)"
_HOLD = """
import sys, time
from pathlib import Path
from clinic.deadline import Deadline
from clinic.host.ssh.directory import make
from clinic.host.ssh.host import SSHHost
from clinic.host.ssh.command_line import Login
from clinic.host.ssh.traffic import Bucket, HostMeter
port, key, known, log, nap, user = sys.argv[1:]
directory = make()
options = ("GlobalKnownHostsFile=/dev/null",)
login = Login("node", "127.0.0.1", user=user, port=port, key=key, key_only=True, options=options, known_hosts=(known,))
host = SSHHost(login, lambda: directory, HostMeter(Bucket(None)))
reader = host.open(log, Deadline(20))
processes = [host.run(("sh", "-c", f"setsid sleep {nap} & exec sleep {nap}"), Deadline(20)) for _ in range(2)]
print(directory, flush=True)
time.sleep(100)
"""


@pytest.fixture
def here(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A runtime directory of the test's own, with a short path."""
    del tmp_path_factory
    import tempfile

    path = Path(tempfile.mkdtemp(dir="/tmp", prefix="ct-"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(path))
    return path


def started(program: str, *words: str) -> tuple[subprocess.Popen[str], Path]:
    """A process that runs `program`, and the directory that it says it made."""
    child = subprocess.Popen([sys.executable, "-c", program, *words], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    return child, Path(child.stdout.readline().strip())


def killed(child: subprocess.Popen[str]) -> None:
    """End it as nothing can be prepared for."""
    child.send_signal(signal.SIGKILL)
    child.communicate()


def test_what_a_killed_run_left_is_removed_and_what_a_living_one_has_is_not(here: Path) -> None:
    dead, left = started(_MAKE)
    alive, kept = started(_MAKE)
    assert stat.S_IMODE(left.stat().st_mode) == 0o700
    assert left.parent == here
    killed(dead)
    foreign = here / "clinic-ssh-x"
    foreign.mkdir()
    again = make()
    assert sorted(here.iterdir()) == sorted([kept, foreign, again])
    killed(alive)


def test_a_runtime_directory_of_others_is_not_used(here: Path) -> None:
    here.chmod(0o755)
    made = make()
    assert made.parent != here
    made.rmdir()


@pytest.mark.lab
def test_sigkill_leaves_nothing_on_the_node_and_the_next_run_nothing_here(
    here: Path, sshd: Sshd, nap: str, asleep: Callable[[int], int], tmp_path: Path
) -> None:
    (tmp_path / "log").write_bytes(bytes(1 << 20))
    login = sshd.login
    child, directory = started(
        _HOLD, login.port, login.key, login.known_hosts[0], str(tmp_path / "log"), nap, login.user
    )
    assert asleep(4) == 4
    assert directory.parent == here
    assert os.listdir(directory)
    killed(child)
    assert sshd.left() == []
    assert asleep(0) == 0
    assert os.listdir(directory) == []
    made = make()
    assert list(here.iterdir()) == [made]
