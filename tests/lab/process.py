"""Start a server's process, wait until it is ready, see it and its descendants end."""

from __future__ import annotations

import ctypes
import os
import subprocess
import threading
import time
from collections.abc import Iterable
from pathlib import Path

import psutil
from tests.lab.machines.network import NAMESPACES, inside
from tests.lab.program import Launch, NotReady, Place, Program, as_user, environment, tool
from tests.lab.state import Identity, LabError, Server

READY_SECONDS = 30
"""How long a server may take until it answers well; on an idle machine all take one or two."""

GRACE_SECONDS = 4
"""How long a server may take to end when it is asked to, before it is killed."""

PAUSE = 0.05
TAIL_LINES = 15
PR_SET_CHILD_SUBREAPER = 36
"""prctl(2): orphans among the descendants become children of this process."""


def adopt_orphans() -> None:
    """From now on every descendant that loses its parent becomes a child of this process."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise LabError(f"prctl(PR_SET_CHILD_SUBREAPER): {os.strerror(ctypes.get_errno())}")


class Running:
    """One server's process and what is known about it."""

    def __init__(self, program: Program, place: Place, launch: Launch) -> None:
        """Starts the process. It dies with the *thread* that calls this, so that has to be the main one."""
        log = launch.log or place.home / f"{program.name}.log"
        command = [*_dying_with_parent(place.user), *_on_its_machine(place, program), *launch.argv]
        log.touch(mode=0o600)
        place.give(log)
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                command,
                cwd=place.home,
                env=environment(place.home),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.program = program
        self._place = place
        self._launch = launch
        self.server = Server(
            name=program.name,
            process=Identity.of(self.process.pid),
            user=place.user,
            argv=tuple(launch.shown or launch.argv),
            host=place.host,
            port=place.port,
            ports=dict(place.ports),
            url=launch.url,
            config=launch.config,
            data=launch.data,
            log=log,
            credentials=launch.credentials,
            files=launch.files,
            holder=place.holder,
        )

    def wait_ready(self, given_up: threading.Event, seconds: float = READY_SECONDS) -> None:
        """Returns when the server answers well.

        Raises `LabError` with the end of its log when it ended, or when `seconds` have passed.
        """
        deadline = time.monotonic() + seconds
        while not given_up.wait(PAUSE):
            if self.process.poll() is not None:
                raise LabError(self._report(f"ended early, with status {self.process.returncode}"))
            try:
                self.program.check(self.server)
            except (NotReady, OSError) as error:
                if time.monotonic() > deadline:
                    raise LabError(self._report(f"was not ready after {seconds:.0f} s: {error}")) from error
            else:
                return

    def again(self) -> Running:
        """The same server in a new process; this one has ended."""
        return Running(self.program, self._place, self._launch)

    def _report(self, what: str) -> str:
        return f"{self.server.name} {what}\nthe end of {self.server.log}:\n{tail(self.server.log)}"


def tail(log: Path) -> str:
    """The last lines of a log, indented."""
    lines = log.read_text(errors="replace").splitlines()[-TAIL_LINES:]
    return "\n".join(f"    {line}" for line in lines) or "    (nothing)"


def stop_all(running: Iterable[Running]) -> None:
    """Ends these servers and every other descendant of this process: asked first, then killed."""
    asked = list(running)
    for each in asked:
        each.process.terminate()
    deadline = time.monotonic() + GRACE_SECONDS
    while any(each.process.poll() is None for each in asked) and time.monotonic() < deadline:
        time.sleep(PAUSE)
    while descendants := psutil.Process().children(recursive=True):
        for process in descendants:
            _kill(process)
        time.sleep(PAUSE)
        reap(asked)


def reap(running: Iterable[Running]) -> None:
    """Collects the children of this process that have ended, adopted ones too."""
    known = {each.process.pid: each.process for each in running}
    while (ended := _ended_child()) is not None:
        if ended in known:
            known[ended].poll()
        else:
            os.waitpid(ended, os.WNOHANG)


def _ended_child() -> int | None:
    try:
        found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    return found.si_pid if found else None


def _kill(process: psutil.Process) -> None:
    try:
        process.kill()
    except psutil.NoSuchProcess:
        return


def _on_its_machine(place: Place, program: Program) -> list[str]:
    """The front of a command line that runs on the machine of its own that a server has, if it has one."""
    if not place.holder:
        return []
    if program.sees_mounts:
        return inside(place.holder, *NAMESPACES)
    # `nsenter` stays between: when it is killed, so is the server.
    return [
        *inside(place.holder, "--net", "--uts", "--ipc", "--pid"),
        tool("setpriv"),
        "--pdeathsig=KILL",
        "--",
    ]


def _dying_with_parent(user: str) -> list[str]:
    """The front of a command line: run as `user`, be killed when the thread that started it ends."""
    switch = as_user(user) or [tool("setpriv"), "--"]
    return [*switch[:-1], "--pdeathsig=KILL", "--"]
