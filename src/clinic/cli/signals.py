"""Ctrl-C, SIGTERM and a lost terminal while collecting: the first lets running items end, the second stops at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

from clinic.progress import Progress

if TYPE_CHECKING:
    from clinic.run.engine import Engine  # which a command that only reads does not need


def aside(say: Callable[[str], None], message: str) -> None:
    """Say it while a signal is handled: that may have come in the middle of a write, and none can begin within it."""
    threading.Thread(target=say, args=(message,), daemon=True).start()


class _Handler:
    """Counts signals and hands them to the engine."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._engine: Engine | None = None
        self._count = 0

    def watch(self, engine: Engine) -> None:
        """Signals go to `engine` from now on, also one that came before."""
        self._engine = engine
        if self._count:
            engine.stop()

    def __call__(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._count += 1
        if self._engine is None:
            return
        if self._count == 1:
            self._engine.stop()
            aside(
                self._progress.say,
                "Stopping: running items may end, then the bundle is sealed. Once more stops at once.",
            )
        else:
            self._engine.cancel()


@contextmanager
def handling(handler: Callable[[int, FrameType | None], object]) -> Generator[None]:
    """Within it `handler` hears SIGINT, SIGTERM and SIGHUP; the last not under nohup, which says to go on."""
    numbers = [signal.SIGINT, signal.SIGTERM]
    hang_up = getattr(signal, "SIGHUP", None)  # which Windows lacks
    if hang_up is not None and signal.getsignal(hang_up) is not signal.SIG_IGN:
        numbers.append(hang_up)
    earlier = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, action in earlier.items():
            signal.signal(number, action)


@contextmanager
def stopping(progress: Progress) -> Generator[Callable[[Engine], None]]:
    """Within it SIGINT, SIGTERM and SIGHUP stop the engine that is handed to what it yields."""
    handler = _Handler(progress)
    with handling(handler):
        yield handler.watch
