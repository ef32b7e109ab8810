"""A temporary directory that is gone at the end, also when a signal comes while it is made or removed.

Its process holds a lock on it. What a process left that was killed has none, and the next one of its kind removes it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import stat
import tempfile
import threading
from collections.abc import Generator
from pathlib import Path

from clinic.home import calling_user

_SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]  # Windows lacks the last


@contextlib.contextmanager
def scratch(prefix: str, place: Path | None = None) -> Generator[Path]:
    """A new private directory below `place`, by default where the system wants such things.

    Others there with this prefix whose processes were killed are removed first.
    """
    where = Path(place or tempfile.gettempdir())
    sweep(where, prefix)
    made: Path | None = None
    lock: int | None = None
    try:
        with _undisturbed():
            while lock is None:
                made = Path(tempfile.mkdtemp(prefix=prefix, dir=where))
                lock = held(made)
        assert made is not None
        yield made
    finally:
        with _undisturbed():
            if made is not None:
                shutil.rmtree(made, ignore_errors=True)
            if lock is not None and lock >= 0:
                os.close(lock)


def held(folder: Path) -> int | None:
    """Lock the directory `folder`: what to close at its end, -1 where there are no locks; None where it is gone."""
    if os.name != "posix":
        return -1
    import fcntl  # which Windows lacks

    try:
        number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(number), folder.lstat()):
            return number
    except OSError:
        pass  # another one took it for left, or removed it
    os.close(number)
    return None


def left(place: Path, prefix: str) -> list[Path]:
    """Private directories of this account in `place` that begin so, and that no process holds."""
    try:
        found = [Path(entry.path) for entry in os.scandir(place) if entry.name.startswith(prefix)]
    except OSError:
        return []
    return [path for path in sorted(found) if _is_left(path)]


def _is_left(path: Path) -> bool:
    if os.name != "posix":
        return False
    try:
        facts = path.lstat()
    except OSError:
        return False
    ours = {os.geteuid(), *(calling_user() or ())[:1]}
    if facts.st_uid not in ours or facts.st_mode != stat.S_IFDIR | 0o700:
        return False
    number = held(path)
    if number is not None:
        os.close(number)
    return number is not None


def sweep(place: Path, prefix: str) -> None:
    """Remove the directories that are `left`. What can't be removed stays."""
    for path in left(place, prefix):
        number = held(path)
        if number is not None:
            shutil.rmtree(path, ignore_errors=True)
            os.close(number)


@contextlib.contextmanager
def _undisturbed() -> Generator[None]:
    """Signals that end a command wait until this is over. Only the main thread hears of any."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    earlier = {number: signal.signal(number, lambda number, _: came.append(number)) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, action in earlier.items():
            signal.signal(number, action)
        for number in came[:1]:
            signal.raise_signal(number)
