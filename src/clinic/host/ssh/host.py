"""The door to another machine, as `LocalHost` is the one to this."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from clinic.deadline import Deadline
from clinic.errors import Failed, ItemError, Skip, TimedOut
from clinic.formats.compressed import Packing
from clinic.host.base import FileInfo, Host, Process, Reader
from clinic.host.ssh.command_line import Login
from clinic.host.ssh.connection import Connection, Facts
from clinic.host.ssh.files import Answer, Files
from clinic.host.ssh.node_load import LOOK, Gate, Thresholds
from clinic.host.ssh.process import SSHProcess
from clinic.host.ssh.quoting import command, script
from clinic.host.ssh.reader import LARGEST, Hands, open_file
from clinic.host.ssh.traffic import HostMeter
from clinic.host.walk import shown
from clinic.outcome import Reason
from clinic.units import KIB, human_size

LONGEST_INPUT = 64 * KIB
"""Most bytes that a command's standard input may have."""

_SUDO_ANSWERS = 10.0
"""Seconds that sudo may take to say what is allowed: it may have to ask a directory server."""

_LOOK_SECONDS = 20.0


class SSHHost(Host):
    """Runs commands and reads files on another machine, as whoever logs in there. Used by many threads at once."""

    def __init__(
        self, login: Login, sockets: Callable[[], Path], meter: HostMeter, limits: Thresholds | None = None
    ) -> None:
        """Logs in. `sockets` gives the run's directory for control sockets. Raises `Failed`, `Retryable`, `Skip`.

        Where the node is past `limits`, nothing new is begun on it.
        """
        self.name = login.name
        self.become_root = f"log in at {self.name} as root"
        self._meter = meter
        self._connection = Connection(login, sockets, meter)
        self.facts: Facts = self._connection.open()
        self.user = self.facts.user
        self._files = Files(self._ask, self.name, self.user, self.facts.uid)
        self._lock = threading.RLock()
        self._tools: dict[str, str] | None = None
        self._trusted: dict[str, bool] = {}
        self._allowed: dict[tuple[str, ...], bool] = {}
        self._gate = Gate(self._ask_strain, limits or Thresholds(), self.name)
        try:
            self._ahead = self._meet()
        except ItemError:
            self._connection.close()
            raise

    @property
    def is_root(self) -> bool:  # type: ignore[override] # asked at first need, since it may cost a call of sudo
        return self.facts.uid == 0 or self._sudo_allows((), Deadline(_SUDO_ANSWERS))

    def may_run_as_root(self, argv: Sequence[str]) -> bool:
        return self.facts.uid == 0 or self._sudo_allows(tuple(argv), Deadline(_SUDO_ANSWERS))

    @property
    def ahead(self) -> float:
        return self._ahead

    def _meet(self) -> float:
        """Ask how it is and for its time, in one question; seconds that its clock is ahead."""
        before = time.time()
        try:
            answer = self._ask(script(b"date +%s.%N; cut_; " + LOOK), Deadline(_LOOK_SECONDS))
        except TimedOut:
            raise  # It has fallen silent, and every item would wait for it.
        except ItemError:
            return 0.0
        clock, *state = answer.parts
        self._gate.heard(b"".join(state).decode("ascii", "replace"))
        return _ahead(clock.decode("ascii", "replace"), before, answer.came)

    def _ask_strain(self, deadline: Deadline) -> str:
        return self._ask(script(LOOK), deadline).data.decode("ascii", "replace")

    @property
    def waiting(self) -> str:
        return self._gate.waiting

    def cost(self) -> dict[str, float]:
        meter = self._meter
        return {
            "ssh_connections": self._connection.connections, "ssh_requests": meter.requests,
            "ssh_received": meter.received, "ssh_sent": meter.sent, "clock_ahead": self._ahead,
            "ssh_paused": round(self._gate.paused, 3), "ssh_cpu_seconds": round(self._connection.spent(), 3),
        }  # fmt: skip

    def which(self, tool: str) -> str | None:
        return self._which(tool, Deadline(_LOOK_SECONDS))

    def _which(self, tool: str, deadline: Deadline) -> str | None:
        if not tool or "/" in tool or "\0" in tool:
            return None
        with self._lock:
            if self._tools is None:
                self._tools = parse_tools(os.fsdecode(self._ask(script(b"tools_"), deadline).data))
            return self._tools.get(tool)

    def run(
        self,
        argv: Sequence[str],
        deadline: Deadline,
        *,
        stdin: bytes = b"",
        root: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> Process:
        deadline.check()
        if len(stdin) > LONGEST_INPUT:
            text = f"standard input of {human_size(len(stdin))} is more than a command over SSH is given"
            raise Failed(Reason.UNSAFE, text)
        line = (self._program(argv, root, deadline), *argv[1:])
        if root and self.facts.uid != 0:
            line = self._through_sudo(line, deadline)
        self._gate.enter(deadline)
        return SSHProcess(self._connection, command(line, environment or {}, stdin), deadline)

    def stat(self, path: str, deadline: Deadline) -> FileInfo:
        return self._files.stat(path, deadline)

    def list(self, pattern: str, deadline: Deadline, *, limit: int = 100_000) -> list[FileInfo]:
        return self._files.matching(pattern, deadline, limit)

    def open(self, path: str, deadline: Deadline) -> Reader:
        return open_file(path, self._files, self._hands, deadline)

    def close(self) -> None:
        self._connection.close()

    # -- small requests and big streams

    def _ask(self, body: bytes, deadline: Deadline) -> Answer:
        pieces, size, came = list[bytes](), 0, 0.0
        with SSHProcess(self._connection, body, deadline) as process:
            separator = process.separator
            for data in process.chunks():
                came = came or time.time()
                pieces.append(data)
                size += len(data)
                if size > LARGEST:
                    raise Failed(Reason.BAD_ANSWER, f"{self.name} answers a small question without an end")
        return Answer(b"".join(pieces), process.status, process.stderr, separator, came)

    def _stream(self, argv: Sequence[str], deadline: Deadline) -> Process:
        """With little claim to the node's processors and disks."""
        self._gate.enter(deadline)
        gentle = [*(["nice", "-n", "19"] if "nice" in self.facts.tools else [])]
        gentle += ["ionice", "-c", "2", "-n", "7"] if "ionice" in self.facts.tools else []
        return SSHProcess(self._connection, command([*gentle, *argv], {}, b""), deadline, self._gate.hold())

    @property
    def _hands(self) -> Hands:
        return Hands(self._ask, self._stream, self._connection.hush, self._packing)

    @property
    def _packing(self) -> Packing | None:
        order = (("zstd", Packing.ZSTD), ("gzip", Packing.GZIP))
        return next((packing for tool, packing in order if tool in self.facts.tools), None)

    # -- what may run

    def _program(self, argv: Sequence[str], root: bool, deadline: Deadline) -> str:
        """The absolute path of what `argv` runs. Raises `Skip` when it is absent, `Failed` when it is unsafe."""
        name = argv[0]
        if any("\0" in part for part in argv):
            raise Failed(Reason.UNSAFE, f"an argument of {shown(name)} has a NUL in it")
        path = name if name.startswith("/") else self._which(name, deadline)
        if path is None:
            raise Skip(Reason.TOOL_ABSENT, f"{shown(name)} is not installed on {self.name}")
        if (root or self.facts.uid == 0) and not self._is_trusted(path, deadline):
            raise Failed(
                Reason.UNSAFE, f"{shown(path)} is not run as root: others than root could have changed it"
            )
        return path

    def _is_trusted(self, path: str, deadline: Deadline) -> bool:
        """Whether root alone could have made it, or could swap it or anything on the way to it."""
        if path not in self._trusted:
            self._trusted[path] = self._files.only_root_can_change(path, deadline)
        return self._trusted[path]

    def _through_sudo(self, line: tuple[str, ...], deadline: Deadline) -> tuple[str, ...]:
        if not self._sudo_allows(line, deadline):
            raise Skip(
                Reason.NOT_PERMITTED,
                f"{shown(line[0])} needs root, and {self.user} may not run it with sudo on {self.name}",
                fix=self.sudo_fix(line),
            )
        return (self.which("sudo") or "sudo", "-n", "--", *line)

    def _sudo_allows(self, line: tuple[str, ...], deadline: Deadline) -> bool:
        """Whether sudo would run `line`, or anything when it is empty, without asking for a password."""
        with self._lock:
            if line not in self._allowed:
                self._allowed[line] = self._ask_sudo(line, deadline)
            return self._allowed[line]

    def _ask_sudo(self, line: tuple[str, ...], deadline: Deadline) -> bool:
        sudo = self.which("sudo")
        if sudo is None or (line and not self._sudo_allows((), deadline)):
            return False
        question = (sudo, "-n", "-l", *(("--", *line) if line else ()))
        return self._ask(command(question, {}, b""), deadline).status == 0


def parse_tools(said: str) -> dict[str, str]:
    """Where each tool is, by what `tools_` prints: a directory, what is in it, what of that can't be run."""
    found: dict[str, str] = {}
    directory = ""
    for line in said.splitlines():
        name = line.rstrip("/")
        if line.startswith("/"):
            directory = line
        elif line == name:
            found.setdefault(name, f"{directory}{name}")
        elif found.get(name) == f"{directory}{name}":
            del found[name]
    return found


def _ahead(said: str, before: float, after: float) -> float:
    """How far a clock is ahead that said this at some time between two; 0 where that explains the difference."""
    whole, _, fraction = said.strip().partition(".")
    if not whole.isdecimal():
        return 0.0
    # Without a fraction it is somewhere in that second.
    exact = fraction.isdecimal()
    ahead = int(whole) + (float(f"0.{fraction}") if exact else 0.5) - (before + after) / 2
    return round(ahead, 3) if abs(ahead) > (after - before) / 2 + (0.0 if exact else 0.5) else 0.0
