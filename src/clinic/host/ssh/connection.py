"""The one connection to a node: its first shell, further ones as they are needed, and a new one where it was lost."""

from __future__ import annotations

import random
import secrets
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from clinic.deadline import Deadline
from clinic.errors import Cancelled, ItemError, Retryable, Skip, TimedOut
from clinic.host.ssh.command_line import Login, arguments, command, environment, parse_settings
from clinic.host.ssh.refusal import OWN_FAILURE, is_passing, no_shell, refusal, shown
from clinic.host.ssh.script import BOOT
from clinic.host.ssh.shell import LEAVE, Ended, Meter, RemoteShell
from clinic.outcome import Reason

SHELLS = 5
"""Most shells of one connection: one for each item that runs on a host at once, and one. sshd allows ten."""

PATIENCE = 0.05
"""Seconds that a busy shell is waited for before another one is started."""

LOGIN_SECONDS = 60.0
"""For a connection, its login and the first answer; more where a person may be asked."""

ASKING_SECONDS = 180.0

PER_JUMP = 8
"""Logins at once through one jump host: sshd turns more than ten away that have not ended (MaxStartups)."""

_jumps: dict[str, threading.BoundedSemaphore] = {}
_jumps_lock = threading.Lock()
_SPENT_SECONDS = 2.0
_TRIES = 4
_RECONNECTS = 2
"""How often a lost connection is made anew in one run."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a node says of itself when the connection is made."""

    uid: int
    """Number of the account."""

    user: str
    """Its name."""

    tools: frozenset[str]
    """Which of those that matter to us there are."""


class Connection:
    """Used by many threads at once."""

    def __init__(self, login: Login, sockets: Callable[[], Path], meter: Meter) -> None:
        """`sockets` gives the directory for control sockets."""
        self._login = login
        self._sockets = sockets
        self._meter = meter
        self._changed = threading.Condition()
        self._mark = secrets.token_hex(8)
        self._free: list[RemoteShell] = []
        self._all: list[RemoteShell] = []
        self._most = SHELLS
        self._count = 0
        self._connecting = threading.Lock()
        self._master: RemoteShell | None = None
        self._dead: ItemError | None = None
        self._closed = False
        self._control = Path()
        self._settings: dict[str, tuple[str, ...]] = {}
        self.connections = 0
        """How many were made."""

    def open(self) -> Facts:
        """Log in. Raises `Failed`, `Retryable`, `Skip`."""
        self._settings = settings_of(self._login)
        return self._log_in()

    def _log_in(self) -> Facts:
        self._control = self._sockets() / secrets.token_hex(4)
        deadline = Deadline(ASKING_SECONDS if self._login.prompts else LOGIN_SECONDS)
        for number in range(1, _TRIES + 1):
            try:
                with _jump_room(self._settings):
                    shell, said = self._start(deadline, master=True)
            except Retryable as error:
                if number == _TRIES or not is_passing(error.message):
                    raise
                deadline.pause(random.uniform(0.1, 0.4 * 2**number))
            else:
                with self._changed:
                    lost, self._master = self._master, shell
                    self._free.append(shell)
                    self._changed.notify_all()
                    given_back = lost is not None and lost not in self._all
                if lost is not None and given_back:
                    lost.close()
                self.connections += 1
                return parse_facts(said)
        raise AssertionError("the last try returns")

    # -- shells

    def take(self, deadline: Deadline) -> RemoteShell:
        """A shell for one command, to be given back. Raises `ItemError`."""
        patient = False
        while True:
            deadline.check()
            with self._changed:
                if self._closed:
                    raise Cancelled(Reason.INTERRUPTED, "stopped before it began")
                alive, room = self._alive, len(self._all) < self._most
                if alive and self._free:
                    return self._free.pop()
                if alive and not (room and patient):
                    self._changed.wait(min(PATIENCE, deadline.wait()) if room else deadline.wait())
                    patient = True
                    continue
            if alive:
                return self._another(deadline)
            self._connect_anew(deadline)

    def _another(self, deadline: Deadline) -> RemoteShell:
        try:
            return self._start(deadline, master=False)[0]
        except ItemError:
            with self._changed:
                if not self._all:
                    raise
                # The server allows no more of them on one connection: those that there are must do.
                self._most = len(self._all)
            return self.take(deadline)

    def give(self, shell: RemoteShell) -> None:
        """It is free again, or broken: then it is ended. The first one carries the connection and stays."""
        with self._changed:
            unwanted = shell.broken or self._closed
            if not unwanted:
                self._free.append(shell)
            elif shell in self._all:
                self._all.remove(shell)
            keep = shell is self._master and shell.is_alive and not self._closed
            self._changed.notify_all()
        if unwanted and not keep:
            shell.close()

    def hush(self, pid: int) -> None:
        """Kill one process of ours there, in passing: what holds a file open."""
        master = self._master
        if master is not None and master.is_alive:
            master.hush(pid)

    def spent(self) -> float:
        """Seconds of processor that our shells and commands have taken there; of what is busy or gone, nothing."""
        with self._changed:
            idle, self._free = self._free, []
        total, deadline = 0.0, Deadline(_SPENT_SECONDS)
        for shell in idle:
            try:
                total += shell.spent(deadline)
            except Ended:
                continue
            except ItemError:
                break  # The node is silent: the others would only wait for it, too.
        for shell in idle:
            self.give(shell)
        return total

    def silent(self, error: ItemError) -> TimedOut:
        """What to raise where a node that had answered says nothing any more."""
        return TimedOut(
            error.reason if isinstance(error, TimedOut) else Reason.DEADLINE,
            f"{error.message}, and {self._login.name} no longer answers over SSH",
            fix="clinic collect --resume BUNDLE takes what is missing once it can be reached again",
        )

    def lost(self, shell: RemoteShell) -> Retryable:
        """What to raise where the streams of `shell` ended in the middle."""
        said = shown(shell.tail.decode(errors="replace"))
        return Retryable(
            Reason.UNREACHABLE,
            f"the connection to {self._login.name} was lost" + (f": {said}" if said else ""),
            fix="clinic collect --resume BUNDLE takes what is missing once it can be reached again",
        )

    def _start(self, deadline: Deadline, *, master: bool) -> tuple[RemoteShell, bytes]:
        with self._changed:
            self._count += 1
            mark = f"{self._mark}-{self._count}"
        words = command(self._login, self._settings, self._control, BOOT, master=master)
        shell = RemoteShell(_spawn(words, self._login), secrets.token_hex(12), mark, self._meter)
        try:
            said = shell.greet(deadline, self._control.exists)
        except (Ended, ItemError) as error:
            inside = self._control.exists()
            status = shell.close(None if isinstance(error, Ended) else time.monotonic())
            if isinstance(error, Ended):
                raise refusal(self._login, shell.said, status) from error
            raise self._unanswered(error, shell.said, inside=inside, master=master) from error
        with self._changed:
            self._all.append(shell)
        return shell, said

    def _unanswered(self, error: ItemError, said: str, *, inside: bool, master: bool) -> ItemError:
        """What it means that no shell answered in time: with the login done, that none is there."""
        if error.reason is Reason.INTERRUPTED:
            return error
        if not master:
            return self.silent(error)
        if inside or error.reason is Reason.BAD_ANSWER:
            return no_shell(self._login, said or "nothing answers")
        return refusal(self._login, f"{error.message}; {said}", OWN_FAILURE)

    # -- a connection that was lost

    @property
    def _alive(self) -> bool:
        return self._master is not None and self._master.is_alive

    def _connect_anew(self, deadline: Deadline) -> None:
        while not self._connecting.acquire(timeout=deadline.wait()):
            deadline.check()
        try:
            if self._dead is not None:
                raise self._dead
            if self._alive:
                return
            with self._changed:
                dead, self._free = self._free, []
                self._all = [shell for shell in self._all if shell not in dead]
            for shell in dead:
                shell.close()
            if self.connections > _RECONNECTS:
                raise Retryable(
                    Reason.UNREACHABLE, f"the connection to {self._login.name} was lost again and again"
                )
            self._log_in()
        except ItemError as error:
            self._dead = error
            raise
        finally:
            self._connecting.release()

    # -- the end

    def close(self) -> None:
        """End every shell: each kills what it runs. Safe to call twice."""
        with self._changed:
            self._closed = True
            shells = list(dict.fromkeys(one for one in (self._master, *self._all) if one is not None))
            self._all, self._free = [], []
            self._changed.notify_all()
        for shell in reversed(shells):
            shell.end_input()
        until = time.monotonic() + LEAVE
        for shell in reversed(shells):
            shell.close(until)


def _jump_room(settings: Mapping[str, Sequence[str]]) -> AbstractContextManager[object]:
    """Room for a login through the jump host that is configured; any number where there is none."""
    jump = " ".join(settings.get("proxyjump", ()))
    if not jump or jump == "none":
        return nullcontext()
    with _jumps_lock:
        return _jumps.setdefault(jump.partition(",")[0], threading.BoundedSemaphore(PER_JUMP))


def parse_facts(said: bytes) -> Facts:
    """What the loop's first words say."""
    lines = [line.split("=", 1) for line in said.decode("utf-8", "replace").splitlines() if "=" in line]
    pairs = [(line[0], line[1]) for line in lines]
    values = dict(pairs)
    return Facts(
        uid=int(uid) if (uid := values.get("uid", "")).isdecimal() else -1,
        user=values.get("user") or uid,
        tools=frozenset(value for name, value in pairs if name == "tool"),
    )


def settings_of(login: Login) -> dict[str, tuple[str, ...]]:
    """What the user's own configuration says of this machine."""
    words = [login.client, "-G", *arguments(login), "--", login.target]
    child = _spawn(words, login)
    out, err = child.communicate()
    if child.returncode:
        text = shown(err.decode(errors="replace"))
        raise refusal(login, text, OWN_FAILURE)
    return parse_settings(out.decode(errors="replace"))


def _spawn(words: Sequence[str], login: Login) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0,
            env=environment(login), start_new_session=True,
        )  # fmt: skip
    except FileNotFoundError as error:
        raise Skip(
            Reason.TOOL_ABSENT,
            f"{words[0]} is not installed here, and nothing else logs in at other machines",
            fix="apt install openssh-client or dnf install openssh-clients",
        ) from error
    except OSError as error:
        raise Retryable(Reason.READ_ERROR, f"{words[0]} can't be started: {error.strerror}") from error
