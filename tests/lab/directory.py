"""The directory of a lab: claimed, locked, emptied, and nothing in it touched that is not a lab's."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path

from tests.lab.servers import PROGRAMS
from tests.lab.state import STATE_FILE, LabError

LOCK_FILE = "lab.lock"
"""Held by the supervisor as long as it lives; that it exists marks a directory as a lab's."""

LOG_FILE = "supervisor.log"


def claim(directory: Path) -> None:
    """Makes `directory`, or takes one that is empty or was a lab's before.

    Raises `LabError` for any other.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if any(directory.iterdir()) and not (directory / LOCK_FILE).exists():
            raise LabError(f"{directory} holds something that is not a lab's; name another with --dir")
        (directory / LOCK_FILE).touch()
        directory.chmod(0o755)  # the servers' own accounts have to pass; what is secret has modes of its own
    except OSError as error:
        raise LabError(f"{directory} can't hold a lab: {error.strerror}") from error


@contextlib.contextmanager
def locked(directory: Path) -> Generator[None, None, None]:
    """Holds the directory for this process; raises `LabError` when another one has it."""
    with (directory / LOCK_FILE).open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LabError(f"another lab is starting or running in {directory}") from error
        yield


def clear(directory: Path) -> None:
    """Removes what an earlier lab left in `directory`."""
    for program in PROGRAMS:
        shutil.rmtree(directory / (program.folder or program.name), ignore_errors=True)
    (directory / STATE_FILE).unlink(missing_ok=True)
    os.truncate(directory / LOG_FILE, 0)


def remove(directory: Path) -> None:
    """Removes a lab's directory, unless it holds something that is not a lab's."""
    clear(directory)
    for name in (LOG_FILE, LOCK_FILE):
        (directory / name).unlink()
    with contextlib.suppress(OSError):
        directory.rmdir()


def root_for_servers(directory: Path) -> Path:
    """Where the servers' own directories go.

    That is `directory`, unless root starts the lab below a directory that the servers' accounts can't
    enter, such as root's home: then it is a new one in the system's temporary directory.
    """
    passable = all(each.stat().st_mode & 0o001 for each in (directory, *directory.parents))
    if passable or os.geteuid() != 0:
        return directory
    root = Path(tempfile.mkdtemp(prefix="clinic-lab-"))
    root.chmod(0o755)
    return root
