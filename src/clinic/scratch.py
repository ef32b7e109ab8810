"""A temporary directory that is gone at the end, also when a signal comes while it is made or removed."""

from __future__ import annotations

import contextlib
import shutil
import signal
import tempfile
import threading
from collections.abc import Generator
from pathlib import Path

_SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]  # Windows lacks the last


@contextlib.contextmanager
def scratch(prefix: str, place: Path | None = None) -> Generator[Path]:
    """A new private directory below `place`, by default where the system wants such things."""
    made: str | None = None
    try:
        with _undisturbed():
            made = tempfile.mkdtemp(prefix=prefix, dir=place)
        yield Path(made)
    finally:
        with _undisturbed():
            if made is not None:
                shutil.rmtree(made, ignore_errors=True)


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
