"""The door to a real sshd, for the tests of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from tests.lab.own_sshd import Serve, Sshd

from clinic.deadline import Deadline
from clinic.host.base import Process
from clinic.host.ssh.host import SSHHost


@pytest.fixture(scope="session")
def sshd(serve: Serve) -> Sshd:
    """A server that lets the caller's own account in."""
    return serve()


@pytest.fixture
def node(sshd: Sshd) -> Iterator[SSHHost]:
    """The door to it."""
    host = sshd.door()
    yield host
    host.close()


def login_shell(serve: Serve, shell: str, first: str = "true") -> Sshd:
    """A server whose login shell is `shell`, and runs `first` before what it is asked for."""
    return serve(f'ForceCommand {first}; exec {shell} -c "$SSH_ORIGINAL_COMMAND"')


@pytest.fixture
def ask() -> Callable[..., tuple[int, bytes, str]]:
    """Runs a command on a host to its end: status, standard output, end of standard error."""

    def ask(host: SSHHost, *argv: str, seconds: float = 10, **options: object) -> tuple[int, bytes, str]:
        with host.run(argv, Deadline(seconds), **options) as process:  # type: ignore[arg-type]  # passed on
            output = drained(process)
            return process.status, output, process.stderr

    return ask


def drained(process: Process) -> bytes:
    """All that a process says."""
    return b"".join(process.chunks())
