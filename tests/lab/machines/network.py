"""Machines made of namespaces: each has a network, processes, mounts and a name of its own, on one switch.

A machine lives as long as the process that holds it, and that dies with the thread that made it: nothing is
left behind, not even when that is killed.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from tests.lab.program import SYSTEM_PATH, tool
from tests.lab.state import LabError

HOLD = "trap : TERM; while :; do sleep 1000 & wait; done"
"""The first process of a machine: it adopts orphans, and waits for them."""

NAMESPACES = ("--net", "--uts", "--ipc", "--pid", "--mount")
ENVIRONMENT = {"PATH": SYSTEM_PATH, "LC_ALL": "C"}
"""What commands on a machine see of the caller's: nothing."""

READY_SECONDS = 10
COMMAND_SECONDS = 20


def obstacle() -> str | None:
    """Why there can be no machines here; None when nothing is in the way."""
    return None if os.geteuid() == 0 else "only root can make machines of namespaces"


class Network:
    """A switch, this machine as `PREFIX.0.1` on it, and any number of machines."""

    def __init__(self, prefix: str) -> None:
        """Makes the switch; `prefix` is the first half of all addresses."""
        self._prefix = prefix
        self._held: list[subprocess.Popen[bytes]] = []
        self.machines: dict[str, int] = {}
        self._switch = self._hold("switch")
        own = f"lab{os.getpid()}"
        ip(f"link add {own} type veth peer name uplink netns {self._switch}")
        ip(f"addr add {prefix}.0.1/16 dev {own}")
        ip(f"link set {own} up")
        ip("link add switch type bridge", self._switch)
        ip("link set switch up", self._switch)
        ip("link set uplink master switch up", self._switch)

    def add(self, name: str, address: str) -> int:
        """A machine called `name`, and the process that holds it."""
        pid = self._hold(name)
        port = f"m{len(self.machines)}"
        ip(f"link add {port} type veth peer name eth0 netns {pid}", self._switch)
        ip(f"link set {port} master switch up", self._switch)
        for words in (f"addr add {address}/16 dev eth0", "link set eth0 up", "link set lo up"):
            ip(words, pid)
        self.machines[name] = pid
        return pid

    def close(self) -> None:
        """Ends all of them, with everything that runs there."""
        for held in self._held:
            held.kill()
            held.wait()

    def _hold(self, name: str) -> int:
        argv = [
            *(tool("setpriv"), "--pdeathsig=KILL", "--", tool("unshare"), *NAMESPACES),
            *("--fork", "--kill-child", "--mount-proc", "--", tool("bash"), "-c", f"hostname {name}; {HOLD}"),
        ]
        held = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
            env=ENVIRONMENT,
        )
        self._held.append(held)
        return _first_process(held, name)


def _first_process(held: subprocess.Popen[bytes], name: str) -> int:
    """The child of `unshare` once it has said its name: the namespaces are there then."""
    until = time.monotonic() + READY_SECONDS
    while time.monotonic() < until and held.poll() is None:
        children = Path(f"/proc/{held.pid}/task/{held.pid}/children").read_text().split()
        if children and _hostname(int(children[0])) == name:
            return int(children[0])
        time.sleep(0.01)
    held.kill()
    said = held.stderr.read().decode(errors="replace") if held.stderr else ""
    raise LabError(f"the machine {name} could not be made: {said.strip() or 'it did not start in time'}")


def _hostname(pid: int) -> str:
    argv = [tool("nsenter"), f"--target={pid}", "--uts", "--", tool("hostname")]
    return subprocess.run(
        argv, check=False, capture_output=True, text=True, timeout=COMMAND_SECONDS
    ).stdout.strip()


def inside(pid: int, *namespaces: str) -> list[str]:
    """The front of a command line that runs on the machine held by `pid`."""
    return [tool("nsenter"), f"--target={pid}", *namespaces, "--"]


def on_machine(pid: int, argv: Sequence[str], *namespaces: str) -> str:
    """What a command prints that runs there; raises `LabError` with what it said where it fails."""
    done = subprocess.run(
        [*inside(pid, *namespaces), *argv],
        check=False,
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        env=ENVIRONMENT,
    )
    if done.returncode != 0:
        raise LabError(f"{' '.join(argv)} ended with status {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def ip(words: str, pid: int | None = None) -> None:
    """Run ip(8), here or in the network of the machine held by `pid`."""
    argv = [tool("ip"), *words.split()]
    on_machine(pid or os.getpid(), argv, "--net")
