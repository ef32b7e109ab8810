"""What /proc shows of one process: bounded reads, nothing that waits for more than it must, nothing interpreted.

A process that ends meanwhile raises `FileNotFoundError` or `ProcessLookupError`.
"""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass

from clinic.cluster.discovery.argv import MOST_BYTES, split
from clinic.cluster.discovery.component_type import Component
from clinic.cluster.discovery.describe import identify
from clinic.cluster.discovery.reach import Account
from clinic.units import KIB

PROC = "/proc"

_LOG = re.compile(r"\.(?:log|err)\Z")
_NO_LOG = re.compile(r"/(?:\d+|tc|ddl_recovery|ddl_recovery-backup)\.log\Z")
"""RocksDB's journals, and what MariaDB keeps for its own recovery: no text."""

MOST_LOGS = 32
"""Open log files that are kept of one process."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """A process that is one of the components."""

    pid: int
    """Its process."""

    component: Component
    """What it is."""

    exe: str
    """Its program as the kernel names it; empty where that is hidden from us."""


@dataclass(frozen=True, slots=True)
class Descriptors:
    """What a process holds open."""

    visible: bool = False
    """Whether we may see that at all."""

    sockets: tuple[int, ...] = ()
    """Inodes of its sockets, lowest descriptor first."""

    logs: tuple[str, ...] = ()
    """Files that look like logs, and where its standard output and error go."""


def sight(pid: int) -> Sighting | None:
    """What component process `pid` is; None when it is none, a kernel thread, a zombie, or gone.

    Looks at the program's name, and at no more of the command line than the name in it.
    """
    try:
        exe = link(pid, "exe")
        argv = split(read(pid, "cmdline", 4 * KIB))
        name = "" if exe else comm(pid)
    except OSError:
        return None
    return _sighting(pid, name, exe, argv)


def glimpse(pid: int) -> Sighting | None:
    """As `sight`, without the command line: what can be seen of a process that hangs in the kernel."""
    try:
        exe = link(pid, "exe")
        return _sighting(pid, comm(pid), exe, ())
    except OSError:
        return None


def _sighting(pid: int, name: str, exe: str, argv: tuple[str, ...]) -> Sighting | None:
    component = identify(name, exe, argv)
    return None if component is None else Sighting(pid, component, exe)


def comm(pid: int) -> str:
    """The name that the kernel shows for the process."""
    return read(pid, "comm", 64).decode("utf-8", "replace").rstrip("\n")


def command_line(pid: int) -> tuple[tuple[str, ...], bool]:
    """Its arguments, and whether there are more than are looked at."""
    raw = read(pid, "cmdline", MOST_BYTES + 1)
    return split(raw), len(raw) > MOST_BYTES


def account(pid: int) -> Account:
    """Whose rights it has: effective user and groups, as proc_pid_status(5) lists them."""
    text = read(pid, "status", 64 * KIB).decode("ascii", "replace")
    fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    groups = frozenset(int(word) for word in fields["Groups"].split())
    return Account(int(fields["Uid"].split()[1]), groups | {int(fields["Gid"].split()[1])})


def cgroups(pid: int) -> str:
    """Its control groups, in the format of cgroups(7); empty where we may not see them."""
    with contextlib.suppress(PermissionError):
        return read(pid, "cgroup", 16 * KIB).decode("utf-8", "replace")
    return ""


def descriptors(pid: int) -> Descriptors:
    """What it holds open, as far as we may see."""
    folder = f"{PROC}/{pid}/fd"
    try:
        numbers = sorted(map(int, os.listdir(folder)))
    except PermissionError:
        return Descriptors()
    sockets: list[int] = []
    logs: dict[str, None] = {}
    for number in numbers:
        target = _target(f"{folder}/{number}")
        if target.startswith("socket:["):
            sockets.append(int(target[8:-1]))
        elif target.startswith("/") and _is_log(number, target) and len(logs) < MOST_LOGS:
            logs[target] = None
    return Descriptors(True, tuple(sockets), tuple(logs))


def _target(path: str) -> str:
    try:
        return os.readlink(path)  # noqa: PTH115 - a socket's link is no path, and there may be thousands
    except OSError:
        return ""  # Closed since it was listed.


def _is_log(number: int, target: str) -> bool:
    if target.startswith("/dev/") or target.endswith(" (deleted)"):
        return False
    return number in (1, 2) or (_LOG.search(target) is not None and _NO_LOG.search(target) is None)


def link(pid: int, name: str) -> str:
    """Where a link in its directory of /proc leads; empty when we may not see it."""
    try:
        return os.readlink(f"{PROC}/{pid}/{name}")  # noqa: PTH115 - what it says need not be a path
    except PermissionError:
        return ""


def read(pid: int, name: str, most: int) -> bytes:
    """The first `most` bytes of a file in its directory of /proc."""
    file = os.open(f"{PROC}/{pid}/{name}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(file, most)
    finally:
        os.close(file)
