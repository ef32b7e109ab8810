"""Progress on a terminal: one bar with items, bytes, rate, time left, and what is slow just now."""

from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from clinic.cli.output import harmless
from clinic.progress import Progress
from clinic.units import human_size

if TYPE_CHECKING:
    from tqdm import tqdm  # what it loads takes longer than many a command

SLOW = 2.0
"""Seconds after which a running item is worth naming."""

REDRAW = 0.1
"""Seconds between two updates: chunks come by the thousand."""


class Bars(Progress):
    """Draws with tqdm on standard error; not at all where that is no terminal."""

    def __init__(self) -> None:
        self._bar: tqdm[Any] | None = None
        self._lock = threading.Lock()
        self._running: dict[str, tuple[float, str]] = {}
        self._size = 0
        self._began = self._shown = 0.0

    def __enter__(self) -> Bars:
        return self

    def __exit__(self, *error: object) -> None:
        self.end()

    def begin(self, title: str, items: int, size: int | None) -> None:
        """Draw a bar of `items`."""
        del size
        self._began = time.monotonic()
        if not sys.stderr.isatty():
            return
        from tqdm import tqdm

        form = "{desc}: {percentage:3.0f}% |{bar:24}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}{postfix}]"
        self._bar = tqdm(total=items, desc=title, file=sys.stderr, leave=False, bar_format=form)

    def started(self, key: str, label: str) -> None:
        """Remember since when `key` runs."""
        with self._lock:
            self._running[key] = (time.monotonic(), label)

    def moved(self, key: str, size: int) -> None:
        """Count bytes and show the rate."""
        del key
        with self._lock:
            self._size += size

    def ended(self, key: str, status: str) -> None:
        """Step the bar on."""
        del status
        with self._lock:
            self._running.pop(key, None)
        if self._bar is not None:
            self._bar.update(1)
        self._show()

    def tick(self) -> None:
        """Draw what changed."""
        self._show()

    def say(self, message: str) -> None:
        """Print a line above the bar."""
        from tqdm import tqdm

        tqdm.write(harmless(message), file=sys.stderr)

    def end(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _show(self) -> None:
        bar, now = self._bar, time.monotonic()
        if bar is None or now - self._shown < REDRAW:
            return
        with self._lock:
            self._shown = now
            rate = self._size / max(now - self._began, 0.001)
            oldest = min(self._running.values(), default=(now, ""))
        slow = f", {harmless(oldest[1])} {now - oldest[0]:.0f} s" if now - oldest[0] > SLOW else ""
        bar.set_postfix_str(f"{human_size(self._size)}, {human_size(rate)}/s{slow}")
