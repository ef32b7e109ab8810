"""Real processes that look like components: a shell under another name, with the sockets of a server."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from clinic.cluster.discovery.looking import PROC

NOBODY = 65534
"""The account without rights, on every Linux."""

WAIT = "read -r line"
"""What a shell does until its standard input ends, as it does with the test."""


@dataclass(frozen=True)
class Pretender:
    """A process that pretends to be a component."""

    process: subprocess.Popen[bytes]
    """The process."""

    binary: Path
    """Its program."""

    @property
    def pid(self) -> int:
        return self.process.pid


Start = Callable[..., Pretender]


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """An empty directory that every account may enter."""
    with tempfile.TemporaryDirectory(prefix="clinic-cluster-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def pretend(open_folder: Path) -> Iterator[Start]:
    """Starts a copy of the shell as `<root>/bin/<name>` with any arguments; it ends with the test."""
    started: list[subprocess.Popen[bytes]] = []

    def start(
        name: str,
        arguments: Sequence[str | bytes] = (),
        *,
        command: str = "",
        called: str = "",
        code: str = WAIT,
        cwd: Path | None = None,
        listening: Sequence[socket.socket] = (),
        prefix: Sequence[str] = (),
        output: Path | None = None,
        root: Path | None = None,
        account: int | None = None,
    ) -> Pretender:
        cwd = cwd or open_folder
        binary = (root or open_folder) / "bin" / name
        binary.parent.mkdir(exist_ok=True)
        if not binary.exists():
            shutil.copy(_shell(), binary)
        if command:
            # The first argument is a word: for the shell, a file of commands.
            (cwd / command).write_text(code + "\n")
        words = [command] if command else ["-c", code, "sh"]
        log = output.open("ab") if output else None
        process = subprocess.Popen(
            [*prefix, *([called or str(binary)]), *words, *arguments],
            executable=None if prefix else binary,
            stdin=subprocess.PIPE,
            stdout=log or subprocess.DEVNULL,
            stderr=log or subprocess.DEVNULL,
            cwd=cwd,
            pass_fds=[each.fileno() for each in listening],
            user=account,
            group=account,
        )
        if log:
            log.close()
        started.append(process)
        _until_it_runs(process, binary)
        return Pretender(process, binary)

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def listen() -> Iterator[Callable[[], socket.socket]]:
    """Opens a listening socket on loopback."""
    opened: list[socket.socket] = []

    def one() -> socket.socket:
        each = socket.socket()
        opened.append(each)
        each.bind(("127.0.0.1", 0))
        each.listen()
        return each

    yield one
    for each in opened:
        each.close()


@pytest.fixture
def somebody() -> int | None:
    """Who a hostile process runs as: an account without rights, or whoever runs the tests when that is not root."""
    return NOBODY if os.geteuid() == 0 else None


Work = Callable[[], dict[str, Any]]


@pytest.fixture
def forked() -> Callable[[Work], dict[str, Any]]:
    """Does something in a copy of ourselves, which ends with it, and gives what it found."""
    return _forked


@pytest.fixture
def without_rights() -> Callable[[Work], dict[str, Any]]:
    """As `forked`, with no more rights than any account has."""
    if os.geteuid() != 0:
        pytest.skip("not run: only root can become another account")

    def drop_and(work: Work) -> dict[str, Any]:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        return work()

    return lambda work: _forked(lambda: drop_and(work))


def _forked(work: Work) -> dict[str, Any]:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        answer: dict[str, Any] = {}
        try:
            answer = work()
        finally:
            os.write(writing, json.dumps(answer).encode())
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    return dict(json.loads(text))


def _shell() -> str:
    found = shutil.which("bash")
    assert found is not None, "these tests copy bash to have a process with any name and arguments"
    return found


def _until_it_runs(process: subprocess.Popen[bytes], binary: Path) -> None:
    """Wait until the program has replaced the copy of ourselves, or a prefix, that it was started from."""
    deadline = time.monotonic() + 5
    while Path(PROC, str(process.pid), "exe").readlink() != binary:
        assert process.poll() is None, f"{binary} ended with {process.returncode}"
        assert time.monotonic() < deadline, f"{binary} does not start"
        time.sleep(0.002)
