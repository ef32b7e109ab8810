"""What an upload shows while it runs: a bar of bytes with rate and time left, or a line of JSON for each event."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

import click

from clinic.cli.output import harmless
from clinic.progress import Progress
from clinic.upload.flow import RESUMED

if TYPE_CHECKING:
    from tqdm import tqdm  # what it loads takes longer than many a command

EVERY = 1.0
"""Seconds between two lines of JSON."""


class ByteBar(Progress):
    """Draws with tqdm on standard error; not at all where that is no terminal."""

    def __init__(self) -> None:
        self._bar: tqdm[Any] | None = None

    def begin(self, title: str, items: int, size: int | None) -> None:
        """Draw a bar of bytes."""
        del items
        self.end()
        if not sys.stderr.isatty():
            return
        from tqdm import tqdm

        self._bar = tqdm(
            total=size, desc=title, unit="B", unit_scale=True, unit_divisor=1024, file=sys.stderr, leave=False,
        )  # fmt: skip

    def moved(self, key: str, size: int) -> None:
        """Go on by so much; what went in an earlier run says nothing of the rate."""
        if self._bar is None:
            return
        if key == RESUMED:
            self._bar.initial += size
            self._bar.n += size
            self._bar.refresh()
        else:
            self._bar.update(size)

    def say(self, message: str) -> None:
        """Print a line above the bar."""
        from tqdm import tqdm

        tqdm.write(harmless(message), file=sys.stderr)

    def end(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


class Events(Progress):
    """One line of JSON on standard error for each event, and once a second for the bytes."""

    def __init__(self) -> None:
        self._size: int | None = None
        self._at = 0
        self._told = 0.0

    def begin(self, title: str, items: int, size: int | None) -> None:
        """A step begins."""
        del items
        self._size, self._at = size, 0
        self._tell(title, bytes=0, of=size)

    def moved(self, key: str, size: int) -> None:
        """Bytes went."""
        self._at += size
        now = time.monotonic()
        if now - self._told >= EVERY:
            self._told = now
            self._tell("moved", bytes=self._at, of=self._size)

    def say(self, message: str) -> None:
        """Something that a person would read."""
        self._tell("said", message=harmless(message))

    def end(self) -> None:
        """The step is over."""
        self._tell("ended", bytes=self._at, of=self._size)

    def _tell(self, event: str, **more: object) -> None:
        click.echo(json.dumps({"event": event, **more}), err=True)
