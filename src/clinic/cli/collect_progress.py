"""What a collection shows while it runs: bars and a line for each machine at work, or a line of JSON for each event."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from tqdm import tqdm

from clinic.cli.output import harmless, say_event
from clinic.cli.progress import Bars
from clinic.cli.tally import HostState, Tally
from clinic.progress import Progress
from clinic.units import human_size, plural

MOST_LINES = 8
"""Machines that have a line at once, however many there are; a low terminal has fewer."""

SPARED = 6
"""Lines of the terminal that they leave to everything else."""

REDRAW = 0.5
"""Seconds between two updates of these lines."""

EVERY = 1.0
"""Seconds between two lines of JSON that say how far it is."""


class HostBars(Bars):
    """The bar of the whole, and below it a line for each machine at work where there are several."""

    def __init__(self) -> None:
        super().__init__()
        self._tally = Tally()
        self._lines: list[tqdm[Any]] = []
        self._several = 0
        self._drawn = 0.0

    def places(self, hosts: Mapping[str, str]) -> None:
        """Know the machines."""
        self._tally.places(hosts)
        self._several = len(set(hosts.values()))

    def begin(self, title: str, items: int, size: int | None) -> None:
        """Draw the bar, and make room for the lines."""
        super().begin(title, items, size)
        self._tally.begin(items, size)
        if self._several < 2 or not sys.stderr.isatty():
            return
        room = shutil.get_terminal_size().lines - SPARED
        for number in range(max(0, min(MOST_LINES, self._several, room))):
            line = tqdm(position=number + 1, file=sys.stderr, leave=False, bar_format="{desc}", total=1)
            self._lines.append(line)

    def waits(self, host: str, why: str) -> None:
        """Note it for the line of the machine."""
        self._tally.waits(host, why)

    def started(self, key: str, label: str) -> None:
        """Note it for the line of its machine, too."""
        super().started(key, label)
        self._tally.started(key, harmless(label))

    def moved(self, key: str, size: int) -> None:
        """Count it for its machine, too."""
        super().moved(key, size)
        self._tally.moved(key, size)

    def ended(self, key: str, status: str) -> None:
        """Count it for its machine, too."""
        self._tally.ended(key)
        super().ended(key, status)

    def tick(self) -> None:
        """Draw what changed."""
        super().tick()
        now = time.monotonic()
        if self._lines and now - self._drawn >= REDRAW:
            self._drawn = now
            width = shutil.get_terminal_size().columns - 1
            texts = lines(self._tally.hosts(), len(self._lines))
            for number, line in enumerate(self._lines):
                line.set_description_str(texts[number][:width] if number < len(texts) else "")

    def end(self) -> None:
        """Take bar and lines away."""
        for line in reversed(self._lines):
            line.close()
        self._lines.clear()
        super().end()


def lines(hosts: list[HostState], most: int) -> list[str]:
    """A line for each machine at work; where there are more than `most`, the last one counts the rest."""
    active = [one for one in hosts if one.running or one.waits]
    if len(active) <= most:
        return [_line(one) for one in active]
    more = len(active) - most + 1
    return [*(_line(one) for one in active[: most - 1]), f"  and {plural(more, 'more machine')} at work"]


def _line(one: HostState) -> str:
    doing = f"waits, {one.waits}" if one.waits else f"{one.running[0]} {one.since:.0f} s"
    return f"  {harmless(one.host)}: {one.done}/{one.items} items, {human_size(one.size)}; {harmless(doing)}"


class CollectEvents(Progress):
    """A line of JSON on standard error for each event, and one a second for how far it is: docs/progress.md."""

    def __init__(self) -> None:
        self._tally = Tally()
        self._told = 0.0

    def __enter__(self) -> CollectEvents:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def places(self, hosts: Mapping[str, str]) -> None:
        """Know the machines."""
        self._tally.places(hosts)

    def begin(self, title: str, items: int, size: int | None) -> None:
        """A step begins."""
        self._tally.begin(items, size)
        hosts = {one.host: one.items for one in self._tally.hosts()}
        say_event("begin", title=title, items=items, bytes_expected=size, hosts=hosts)

    def started(self, key: str, label: str) -> None:
        """An item is begun."""
        self._tally.started(key, label)
        say_event(
            "item", state="started", path=key, id=label.partition(" ")[0], host=self._tally.host_of(key)
        )

    def moved(self, key: str, size: int) -> None:
        """Bytes came."""
        self._tally.moved(key, size)

    def ended(self, key: str, status: str) -> None:
        """An item is over."""
        size = self._tally.ended(key)
        say_event("item", state=status, path=key, host=self._tally.host_of(key), bytes=size)

    def waits(self, host: str, why: str) -> None:
        """Work on a machine waits, or goes on."""
        self._tally.waits(host, why)
        say_event("pause", host=host, why=why)

    def tick(self) -> None:
        """Once a second, say how far it is."""
        now = time.monotonic()
        if now - self._told >= EVERY:
            self._told = now
            say_event("progress", **self._far(), hosts=[_as_json(one) for one in self._tally.hosts()])

    def say(self, message: str) -> None:
        """Something that a person would read."""
        say_event("said", message=message)

    def end(self) -> None:
        """The step is over."""
        say_event("end", **self._far())

    def _far(self) -> dict[str, Any]:
        tally = self._tally
        left, seconds = tally.left, tally.seconds
        return {
            "items_done": tally.done, "items": tally.items, "bytes": tally.size,
            "bytes_expected": tally.expected, "bytes_per_second": round(tally.size / seconds),
            "seconds": round(seconds, 1), "seconds_left": round(left, 1) if left is not None else None,
        }  # fmt: skip


def _as_json(one: HostState) -> dict[str, Any]:
    return {
        "host": one.host, "items": one.items, "items_done": one.done, "running": list(one.running),
        "bytes": one.size, "waits": one.waits,
    }  # fmt: skip
