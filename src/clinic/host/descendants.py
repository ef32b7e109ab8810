"""A command and everything it started: found in /proc and killed, also what left its group or session.

Three traces lead from a process to the command that it came from: its parents, its session, and a variable in
its environment that children inherit. An orphan that made a session of its own still has the third. (The
alternative, to become the subreaper of all orphans, is a property of the whole process, would hand us zombies of
others, and does not say whose they are.)
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

MARK = "CLINIC_CHILD"
"""The variable that every child carries, with a value that no other command has."""

_ROUNDS = 20
_ENVIRONMENT = 1 << 20
"""How much of an environment is looked at."""


@dataclass(frozen=True, slots=True)
class Kin:
    """One line of the process table: proc_pid_stat(5)."""

    pid: int
    """Its number."""

    zombie: bool
    """Whether it has ended and only waits to be reaped."""

    parent: int
    """Its parent's number; 1, or a subreaper's, for an orphan."""

    group: int
    """Its process group."""

    session: int
    """Its session."""

    started: int
    """When it started, in clock ticks since boot."""


def now_in_ticks() -> int:
    """The present as the process table tells it, in clock ticks since boot."""
    return int(time.clock_gettime(time.CLOCK_BOOTTIME) * os.sysconf("SC_CLK_TCK"))


def look(pid: int) -> Kin | None:
    """What the process table says of `pid`; None when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123 - a Path costs more than the read
            text = file.read(1024)
    except OSError:
        return None
    # The name stands in parentheses and may hold anything, parentheses too.
    words = text[text.rfind(b")") + 2 :].split()
    return Kin(pid, words[0] in (b"Z", b"X"), int(words[1]), int(words[2]), int(words[3]), int(words[19]))


def family(leader: int, mark: str, since: int) -> list[Kin]:
    """The living processes that came from `leader`, which began at tick `since` and marked its children so."""
    table = [kin for kin in _table() if kin.started >= since - 1 and kin.pid != os.getpid()]
    ours = {leader}
    for kin in sorted(table, key=lambda kin: kin.started):
        if {kin.group, kin.session} & {leader} or _carries(kin.pid, mark):
            ours.add(kin.pid)
    before = 0
    while (
        len(ours) != before
    ):  # A child may have a smaller number than its parent, so until nothing is added.
        before = len(ours)
        ours.update(kin.pid for kin in table if kin.parent in ours)
    return [kin for kin in table if kin.pid in ours and not kin.zombie]


def marked(mark: str, since: int) -> list[Kin]:
    """The living processes started since tick `since` whose environment holds `mark`."""
    return [
        kin for kin in _table() if kin.started >= since - 1 and not kin.zombie and _carries(kin.pid, mark)
    ]


def kill(find: Callable[[], list[Kin]], denied: Callable[[list[int]], None]) -> bool:
    """SIGKILL what `find` gives until it gives nothing; whether that came about.

    `denied` gets the numbers of those that we have no right to kill.
    """
    for turn in range(_ROUNDS):
        found = find()
        if not found:
            return True
        refused = [kin.pid for kin in found if not _kill(kin)]
        if refused and turn == 0:
            denied(refused)
        time.sleep(0.001 * (turn + 1))
    return False


def _kill(kin: Kin) -> bool:
    """Whether it is dead, or dying; False when we may not."""
    current = look(kin.pid)
    if current is None or current.started != kin.started:
        return True  # Gone, and its number may be another's by now.
    try:
        os.kill(kin.pid, signal.SIGKILL)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return True


def _table() -> Iterator[Kin]:
    return (kin for kin in map(look, _numbers(os.listdir("/proc"))) if kin is not None)


def _numbers(names: Iterable[str]) -> Iterator[int]:
    return (int(name) for name in names if name.isdecimal())


def _carries(pid: int, mark: str) -> bool:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:  # noqa: PTH123 - a Path costs more than the read
            return mark.encode() in file.read(_ENVIRONMENT)
    except OSError:
        return False  # Another user's, or gone; its parents and session may still tell.
