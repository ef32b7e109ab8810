"""Looking at processes, and at files that they name, without getting stuck where they are stuck.

Reading a command line waits for a lock of the process's memory, which one that hangs in the kernel may never
release; that is what makes `ps` hang on a node with a dead disk. Looking at a file on a dead NFS mount hangs too.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterable
from functools import partial
from typing import Generic, TypeVar

from clinic.errors import ClinicError, ItemError
from clinic.guard import guarded

Key = TypeVar("Key", bound=Hashable)
Answer = TypeVar("Answer")
T = TypeVar("T")

PATIENCE = 2.0
"""Seconds that one look may take; it usually takes a thousandth of one."""

LEAST_PATIENCE = 0.25
"""Where one after the other is stuck, each is waited for half as long as the one before, but at least so long."""


def patiently(
    keys: Iterable[Key], look: Callable[[Key], Answer], patience: float = PATIENCE
) -> tuple[dict[Key, Answer], dict[Key, str]]:
    """What `look` says of each of `keys`; and why of those of which it says nothing.

    One thread looks. When it is stuck for `patience` seconds, less with each time, another one goes on with the rest;
    the stuck one is a daemon and does nothing more if it ever comes back. A look that raises costs its own key only.
    """
    todo = deque(keys)
    answers: dict[Key, Answer] = {}
    failures: dict[Key, str] = {}
    while todo:
        looker = _Looker(todo, look)
        looker.start()
        while looker.is_alive() and not looker.overdue(patience):
            looker.join(min(patience, 0.1))
        for key in looker.abandon():
            failures[key] = f"no answer within {patience:g} s: it or a file system that it uses is stuck"
            patience = max(patience / 2, min(patience, LEAST_PATIENCE))
        answers.update(looker.answers)
        failures.update(looker.failures)
    return answers, failures


class _Looker(threading.Thread, Generic[Key, Answer]):
    """Takes key after key from `todo` until there is none, or until it is abandoned."""

    def __init__(self, todo: deque[Key], look: Callable[[Key], Answer]) -> None:
        super().__init__(daemon=True, name="discovery")
        self._todo = todo
        self._look = look
        self._lock = threading.Lock()
        self._since = time.monotonic()
        self._current: list[Key] = []
        self._abandoned = False
        self.answers: dict[Key, Answer] = {}
        self.failures: dict[Key, str] = {}

    def overdue(self, patience: float) -> bool:
        """Whether it has been at one key for longer than `patience` seconds."""
        return time.monotonic() - self._since > patience

    def abandon(self) -> list[Key]:
        """The key that it is still at, if there is one; what it says from now on does not count."""
        with self._lock:
            self._abandoned = True
            return self._current

    def run(self) -> None:
        """Look at one after the other."""
        while self._next():
            key = self._current[0]
            try:
                answer = guarded(partial(self._look, key))
            except (ClinicError, ItemError) as error:
                self._end(self.failures, key, error.message)
            else:
                self._end(self.answers, key, answer)

    def _next(self) -> bool:
        with self._lock:
            if self._abandoned or not self._todo:
                return False
            self._since = time.monotonic()
            self._current = [self._todo.popleft()]
            return True

    def _end(self, ends: dict[Key, T], key: Key, end: T) -> None:
        with self._lock:
            if not self._abandoned:
                ends[key] = end
                self._current = []
