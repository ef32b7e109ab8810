"""Real processes, real files, real users: what the tests of the doors to a machine share."""

from __future__ import annotations

import fcntl
import grp
import os
import pickle
import pwd
import resource
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from clinic.deadline import Deadline
from clinic.errors import ItemError
from clinic.host.base import Process
from clinic.host.local import LocalHost

LOADED = (fcntl, grp, pwd, resource)
"""Before a child becomes another user, who may not read where Python lies."""

NOBODY = pwd.getpwnam("nobody")


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """The times that a command is left to end by itself, shortened: what is told apart stays the same."""
    monkeypatch.setattr("clinic.host.process.GRACE", 0.1)
    monkeypatch.setattr("clinic.host.process.HELD", 0.15)


@pytest.fixture
def here() -> Iterator[LocalHost]:
    """The door to this machine."""
    host = LocalHost("here")
    yield host
    host.close()


@pytest.fixture
def ask(here: LocalHost) -> Callable[..., tuple[int, bytes, str]]:
    """Runs a command to its end: exit status, standard output, end of standard error."""

    def ask(*argv: str, seconds: float = 10, **options: Any) -> tuple[int, bytes, str]:
        with here.run(argv, Deadline(seconds), **options) as process:
            output = b"".join(process.chunks())
            return process.status, output, process.stderr

    return ask


@pytest.fixture
def drain() -> Callable[[Process], bytes]:
    """Reads all that a process says."""
    return lambda process: b"".join(process.chunks())


@pytest.fixture
def nap(request: pytest.FixtureRequest) -> Iterator[str]:
    """A length for `sleep` that no other process has, by which the test finds it again."""
    length = f"{3600 + os.getpid() % 1000}.{abs(hash(request.node.nodeid)) % 10**8:08d}"
    yield length
    for process in _sleepers(length):
        process.kill()


@pytest.fixture
def asleep(nap: str) -> Callable[[int], int]:
    """How many processes sleep that long, after a moment for those that should not or do not yet."""

    def asleep(expected: int) -> int:
        until = time.monotonic() + 2
        while len(alive := _sleepers(nap)) != expected and time.monotonic() < until:
            time.sleep(0.01)
        return len(alive)

    return asleep


def _sleepers(length: str) -> list[psutil.Process]:
    found: list[psutil.Process] = []
    for process in psutil.process_iter(["cmdline", "status"]):
        line: list[str] = process.info["cmdline"] or []
        if line[-2:] == ["sleep", length] and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory of root's that every user may enter, in a place of which that is true as well."""
    path = Path(tempfile.mkdtemp(prefix="clinic-test-", dir="/var/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def two_users() -> None:
    """Skips where the test can't play a second user."""
    if os.geteuid() != 0:
        pytest.skip("only root can play several users")


@pytest.fixture
def as_nobody(two_users: None) -> Callable[..., Any]:
    """Calls a function in a child that has become the user `nobody`; gives or raises what it does.

    An `ItemError` is given as (reason, message, fix). `prepare` is called in the child while it is root.
    """
    del two_users

    def as_nobody(call: Callable[[], Any], prepare: Callable[[], None] = lambda: None) -> Any:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            _answer(prepare, call, writing)
        os.close(writing)
        with open(reading, "rb") as pipe:
            answer = pipe.read()
        os.waitpid(child, 0)
        result = pickle.loads(answer)
        if isinstance(result, BaseException):
            raise result
        return result

    return as_nobody


def _answer(prepare: Callable[[], None], call: Callable[[], object], writing: int) -> None:
    """The child's whole life: it must never return into pytest."""
    result: object = None
    try:
        prepare()
        os.setgroups([])
        os.setgid(NOBODY.pw_gid)
        os.setuid(NOBODY.pw_uid)
        result = call()
    except ItemError as error:
        result = (error.reason, error.message, error.fix)
    except BaseException as error:  # noqa: BLE001 - whatever it was, the test has to see it
        result = error
    finally:
        with open(writing, "wb") as pipe:
            pipe.write(pickle.dumps(result))
        os._exit(0)
