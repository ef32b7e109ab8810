"""The door to the machine that Clinic runs on. Linux only."""

from __future__ import annotations

import errno
import os
import secrets
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cached_property

from clinic.deadline import Deadline
from clinic.errors import Cancelled, Failed, ItemError, Retryable, Skip
from clinic.host.base import FileInfo, Host, Process, Reader
from clinic.host.descendants import MARK, kill, marked, now_in_ticks
from clinic.host.globs import expand, file_info
from clinic.host.orphan_watcher import Watcher
from clinic.host.process import LocalProcess
from clinic.host.reader import open_file
from clinic.host.sudo import sudoers_line
from clinic.host.walk import only_root_can_change, require_owner, shown, user_name, walk
from clinic.outcome import Reason
from clinic.units import KIB

SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
"""Where commands are looked up, whatever the caller's PATH says."""

_SUDO_ANSWERS = 10.0
"""Seconds that sudo may take to say what is allowed: it may have to ask a directory server."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
"""Names of malloc.h."""

_LARGE = 128 * KIB
"""Bytes from which memory is given back at once; glibc raises its own limit of this size each time it is passed."""

_PR_SET_DUMPABLE = 4
"""From linux/prctl.h."""


class LocalHost(Host):
    """Runs commands and reads files here, as whoever runs Clinic. Used by many threads at once."""

    def __init__(self, name: str) -> None:
        """`name` is how the cluster's model calls this machine."""
        self.name = name
        self.user = user_name()
        self._tools: dict[str, str | None] = {}
        self._trusted: dict[str, bool] = {}
        self._allowed: dict[tuple[str, ...], bool] = {}
        self._lock = threading.Lock()
        self._running: set[LocalProcess] = set()
        self._closed = threading.Event()
        self._mark = secrets.token_hex(12)
        self._count = 0
        self._since = now_in_ticks()
        self._watcher = Watcher(self._mark, SYSTEM_PATH)

    @cached_property
    def is_root(self) -> bool:  # type: ignore[override] # asked at first need, since it may cost a call of sudo
        return os.geteuid() == 0 or self._sudo_allows((), Deadline(_SUDO_ANSWERS))

    def may_run_as_root(self, argv: Sequence[str]) -> bool:
        asked = self.is_root and os.geteuid() != 0
        return self._sudo_allows(tuple(argv), Deadline(_SUDO_ANSWERS)) if asked else self.is_root

    def which(self, tool: str) -> str | None:
        if tool not in self._tools:
            self._tools[tool] = _find(tool)
        return self._tools[tool]

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
        command = (self._program(argv, root), *argv[1:])
        if root and os.geteuid() != 0:
            command = self._through_sudo(command, deadline)
        return self._start(command, deadline, stdin, environment or {})

    def stat(self, path: str, deadline: Deadline) -> FileInfo:
        deadline.check()
        with walk(path, follow=False) as place:
            require_owner(place, path)
            return file_info(path, place.info)

    def list(self, pattern: str, deadline: Deadline, *, limit: int = 100_000) -> list[FileInfo]:
        return expand(pattern, deadline, limit)

    def open(self, path: str, deadline: Deadline) -> Reader:
        deadline.check()
        return open_file(path)

    def close(self) -> None:
        with self._lock:
            self._closed.set()
            running = list(self._running)
        for process in running:
            process.kill()
        if self._count:  # What a command started and let go of carries our mark still.
            kill(lambda: marked(f"{MARK}={self._mark}", self._since), self._kill_as_root)
        self._watcher.close()

    # -- what may run

    def _program(self, argv: Sequence[str], root: bool) -> str:
        """The absolute path of what `argv` runs. Raises `Skip` when it is absent, `Failed` when it is unsafe."""
        word = argv[0]
        if any("\0" in part for part in argv):
            raise Failed(Reason.UNSAFE, f"an argument of {shown(word)} has a NUL in it")
        path = word if word.startswith("/") else self.which(word)
        if path is None:
            raise Skip(Reason.TOOL_ABSENT, f"{shown(word)} is not installed on {self.name}")
        if (root or os.geteuid() == 0) and not self._is_trusted(path):
            raise Failed(
                Reason.UNSAFE, f"{shown(path)} is not run as root: others than root could have changed it"
            )
        return path

    def _is_trusted(self, path: str) -> bool:
        if path not in self._trusted:
            try:
                with walk(path) as place:
                    self._trusted[path] = only_root_can_change(place)
            except ItemError as error:
                if error.reason is Reason.NOT_FOUND:
                    raise Skip(Reason.TOOL_ABSENT, error.message) from error
                raise
        return self._trusted[path]

    def _through_sudo(self, command: tuple[str, ...], deadline: Deadline) -> tuple[str, ...]:
        if not self._sudo_allows(command, deadline):
            line = sudoers_line(self.user, command)
            raise Skip(
                Reason.NOT_PERMITTED,
                f"{shown(command[0])} needs root, and {self.user} may not run it with sudo",
                fix=f"add to a file in /etc/sudoers.d, with visudo: {line}",
            )
        return (self.which("sudo") or "sudo", "-n", "--", *command)

    def _sudo_allows(self, command: tuple[str, ...], deadline: Deadline) -> bool:
        """Whether sudo would run `command`, or anything when it is empty, without asking for a password."""
        if command not in self._allowed:
            self._allowed[command] = self._ask_sudo(command, deadline)
        return self._allowed[command]

    def _ask_sudo(self, command: tuple[str, ...], deadline: Deadline) -> bool:
        sudo = self.which("sudo")
        if sudo is None or (command and not self._sudo_allows((), deadline)):
            return False
        question = (sudo, "-n", "-l", *(("--", *command) if command else ()))
        with self._start(question, deadline, b"", {}) as process:
            for _ in process.chunks():
                pass
            return process.status == 0

    # -- running it

    def _start(
        self, command: tuple[str, ...], deadline: Deadline, stdin: bytes, environment: Mapping[str, str]
    ) -> LocalProcess:
        with self._lock:
            if self._closed.is_set():
                raise Cancelled(Reason.INTERRUPTED, "stopped before it began")
            self._count += 1
            mark = f"{self._mark}-{self._count}."
        since = now_in_ticks()
        child = _spawn(command, {**_ENVIRONMENT, **environment, MARK: mark}, bool(stdin))
        self._watcher.add(child.pid)
        process = LocalProcess(
            child, deadline, stdin=stdin, mark=f"{MARK}={mark}", since=since,
            denied=self._kill_as_root, dead=self._forget,
        )  # fmt: skip
        with self._lock:
            self._running.add(process)
        if self._closed.is_set():
            process.kill()
        return process

    def _forget(self, process: LocalProcess) -> None:
        self._watcher.remove(process.pid)
        with self._lock:
            self._running.discard(process)

    def _kill_as_root(self, pids: Sequence[int]) -> None:
        """Kill what sudo started for us, where sudo lets us; else the closed pipes will end it."""
        tool, sudo = self.which("kill"), self.which("sudo")
        command = (tool or "", "-s", "KILL", "--", *map(str, pids))
        if tool is None or sudo is None or not self._sudo_allows(command, Deadline(_SUDO_ANSWERS)):
            return
        with suppress(subprocess.TimeoutExpired):
            subprocess.run(
                (sudo, "-n", "--", *command), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL, env=_ENVIRONMENT, cwd="/", timeout=_SUDO_ANSWERS, check=False,
            )  # fmt: skip


_ENVIRONMENT = {"PATH": SYSTEM_PATH, "LC_ALL": "C", "HOME": "/"}
"""All that a command inherits: no secret of ours, and no home with settings that would change what it does."""


def _spawn(command: tuple[str, ...], environment: Mapping[str, str], feed: bool) -> subprocess.Popen[bytes]:
    try:
        child = subprocess.Popen(
            command, stdin=subprocess.PIPE if feed else subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, bufsize=0, cwd="/", env=environment, umask=0o077, start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        raise _cannot_start(command[0], error) from error
    _no_core(child.pid)
    return child


def _cannot_start(program: str, error: OSError) -> ItemError:
    said = f"{shown(program)} can't be started: {error.strerror}"
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return Skip(Reason.TOOL_ABSENT, said)
    if error.errno in (errno.EACCES, errno.EPERM):
        return Skip(Reason.NOT_PERMITTED, said)
    if error.errno in (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE):
        return Retryable(Reason.READ_ERROR, said)
    return Failed(Reason.READ_ERROR, said)


def _no_core(pid: int) -> None:
    import resource  # Linux only; readers of bundles import this package elsewhere too

    with suppress(OSError):  # It is over already, or runs as another user by now: sudo turns them off itself.
        resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0))


def _find(tool: str) -> str | None:
    if not tool or "/" in tool or "\0" in tool:
        return None
    for directory in SYSTEM_PATH.split(":"):
        path = f"{directory}/{tool}"
        if os.access(path, os.X_OK) and os.path.isfile(path):  # noqa: PTH113 - a Path costs more than the look
            return path
    return None


def slim() -> None:
    """Memory that is freed goes back to the system: glibc otherwise keeps a heap for each of many threads.

    A fourth less of it is held by a run (mallopt(3)); other C libraries have no such switch and keep less.
    """
    import ctypes

    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)
        mallopt(_M_MMAP_THRESHOLD, _LARGE)
        mallopt(_M_TRIM_THRESHOLD, _LARGE)


def harden() -> None:
    """No core dumps, no tracing by other processes of this user, no file of ours readable by others.

    The limit alone does not stop a core that is piped to a program (core(5)), so the process is made not
    dumpable as well (PR_SET_DUMPABLE, prctl(2)); commands become dumpable again when they are executed, and
    inherit the limit. Where a system lacks one of these, the others still hold. Costs 3 ms.
    """
    os.umask(0o077)
    if sys.platform != "linux":
        return
    import ctypes
    import resource  # Linux only; readers of bundles run elsewhere too

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
