"""How far a collection has come: items, bytes, rate and time left, of all machines and of each."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HostState:
    """How far one machine has come."""

    host: str
    """Its name."""

    items: int
    """Items on it."""

    done: int
    """Of those that have ended."""

    running: tuple[str, ...]
    """What runs now, the longest first, by the labels of the items."""

    since: float
    """Seconds that the first of these runs."""

    size: int
    """Plain bytes that came."""

    waits: str
    """What it is short of while work on it waits for that; empty while none does."""


class Tally:
    """Adds up what a run says of itself. Used from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._began = time.monotonic()
        self._hosts: Mapping[str, str] = {}
        self._running: dict[str, tuple[float, str]] = {}
        self._of_host: Counter[str] = Counter()
        self._done: Counter[str] = Counter()
        self._sizes: Counter[str] = Counter()
        self._of_item: Counter[str] = Counter()
        self._waits: dict[str, str] = {}
        self.items = 0
        """Items of the step."""
        self.expected: int | None = None
        """Plain bytes that they were estimated at."""

    def places(self, hosts: Mapping[str, str]) -> None:
        """Which machine each item is on."""
        self._hosts = dict(hosts)
        self._of_host = Counter(hosts.values())

    def begin(self, items: int, expected: int | None) -> None:
        """The step starts."""
        self._began = time.monotonic()
        self.items, self.expected = items, expected

    def host_of(self, key: str) -> str:
        """The machine of an item; empty for what is on none."""
        return self._hosts.get(key, "")

    def started(self, key: str, label: str) -> None:
        """An item runs."""
        with self._lock:
            self._running[key] = (time.monotonic(), label)

    def moved(self, key: str, size: int) -> None:
        """Bytes came."""
        with self._lock:
            self._sizes[self.host_of(key)] += size
            self._of_item[key] += size

    def ended(self, key: str) -> int:
        """An item is over; the plain bytes that came of it."""
        with self._lock:
            self._running.pop(key, None)
            self._done[self.host_of(key)] += 1
            return self._of_item.pop(key, 0)

    def waits(self, host: str, why: str) -> None:
        """Work on a machine waits, or goes on."""
        with self._lock:
            self._waits.pop(host, None)
            if why:
                self._waits[host] = why

    @property
    def done(self) -> int:
        """Items that have ended."""
        return sum(self._done.values())

    @property
    def size(self) -> int:
        """Plain bytes that came."""
        return sum(self._sizes.values())

    @property
    def seconds(self) -> float:
        """Since the begin."""
        return max(time.monotonic() - self._began, 0.001)

    @property
    def left(self) -> float | None:
        """Seconds that the rest may take, by the bytes that were expected, else by items; None while nobody knows."""
        size, done = self.size, self.done
        if self.expected is not None and 0 < size < self.expected:
            return (self.expected - size) * self.seconds / size
        return (self.items - done) * self.seconds / done if done else None

    def hosts(self) -> list[HostState]:
        """Every machine, by name."""
        now = time.monotonic()
        with self._lock:
            running: dict[str, list[tuple[float, str]]] = {}
            for key, one in self._running.items():
                running.setdefault(self.host_of(key), []).append(one)
            return [
                HostState(
                    host, items, self._done[host],
                    tuple(label for _, label in sorted(running.get(host, ()))),
                    now - min((since for since, _ in running.get(host, ())), default=now),
                    self._sizes[host], self._waits.get(host, ""),
                )
                for host, items in sorted(self._of_host.items())
            ]  # fmt: skip
