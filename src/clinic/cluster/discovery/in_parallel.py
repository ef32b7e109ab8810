"""Many things at once, each of which may hang, and an end that comes in time whatever hangs."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Hashable, Iterable
from functools import partial
from typing import Generic, TypeVar

from clinic.errors import ClinicError, Failed, ItemError, TimedOut
from clinic.guard import guarded
from clinic.outcome import Reason

Key = TypeVar("Key", bound=Hashable)
Answer = TypeVar("Answer")

MOST = 64
"""Threads at once: nearly all of them only wait."""


GRACE = 0.5
"""Seconds for the others once enough have answered."""

_SLICE = 0.02


def together(
    keys: Iterable[Key],
    look: Callable[[Key], Answer],
    seconds: float,
    *,
    most: int = MOST,
    enough: Callable[[Collection[Key]], bool] | None = None,
) -> tuple[dict[Key, Answer], dict[Key, ItemError]]:
    """What `look` says of each of `keys`, and why it says nothing of the others; after `seconds` at the latest.

    Once `enough` says that the keys with an answer will do, the others have `GRACE` seconds left.
    The threads are daemons: a name service that never answers can't be interrupted, and must not keep us here.
    """
    work = _Work(deque(dict.fromkeys(keys)), look)
    threads = [
        threading.Thread(target=work.run, daemon=True, name=f"discovery-{number}")
        for number in range(min(most, len(work.todo)))
    ]
    started = time.monotonic()
    until = started + seconds
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads) and (left := until - time.monotonic()) > 0:
        if enough is not None and enough(work.answered()):
            until, enough = min(until, time.monotonic() + GRACE), None
        time.sleep(min(left, _SLICE))
    return work.end(f"no answer within {time.monotonic() - started:.1f} s")


class _Work(Generic[Key, Answer]):
    """Keys that are looked at by several threads, until there are none or it is called off."""

    def __init__(self, todo: deque[Key], look: Callable[[Key], Answer]) -> None:
        self.todo = todo
        self._keys = tuple(todo)
        self._look = look
        self._lock = threading.Lock()
        self._answers: dict[Key, Answer] = {}
        self._failures: dict[Key, ItemError] = {}
        self._over = False

    def run(self) -> None:
        """Look at one key after the other."""
        while True:
            with self._lock:
                if self._over or not self.todo:
                    return
                key = self.todo.popleft()
            self._one(key)

    def _one(self, key: Key) -> None:
        try:
            answer = guarded(partial(self._look, key))
        except ClinicError as error:
            self._fail(key, Failed(Reason.COLLECTOR_ERROR, error.message, fix=error.hint))
        except ItemError as error:
            self._fail(key, error)
        else:
            with self._lock:
                if not self._over:
                    self._answers[key] = answer

    def _fail(self, key: Key, error: ItemError) -> None:
        with self._lock:
            if not self._over:
                self._failures[key] = error

    def answered(self) -> Collection[Key]:
        """The keys that have an answer so far."""
        with self._lock:
            return tuple(self._answers)

    def end(self, late: str) -> tuple[dict[Key, Answer], dict[Key, ItemError]]:
        """What came of it, in the order of the keys; what comes from now on does not count."""
        with self._lock:
            self._over = True
            answers = {key: self._answers[key] for key in self._keys if key in self._answers}
            failures = {
                key: self._failures.get(key, TimedOut(Reason.DEADLINE, late))
                for key in self._keys
                if key not in self._answers
            }
        return answers, failures


class Aside(Generic[Answer]):
    """Something that is done meanwhile, by a thread that nobody has to wait for."""

    def __init__(self, what: str, call: Callable[[], Answer]) -> None:
        """`what` begins the sentence that says why there is no result."""
        self._what = what
        self._work = _Work(deque([what]), lambda _: call())
        self._thread = threading.Thread(target=self._work.run, daemon=True, name="discovery")
        self._thread.start()
        self.failures: tuple[str, ...] = ()
        """Why there is no result, once that was asked for."""

    def result(self, until: float, otherwise: Answer) -> Answer:
        """What came of it by `until`, a time of the monotonic clock; `otherwise` where that is nothing."""
        self._thread.join(max(0.0, until - time.monotonic()))
        answers, failures = self._work.end("it took too long")
        self.failures = tuple(f"{self._what}: {error.message}" for error in failures.values())
        return answers.get(self._what, otherwise)
