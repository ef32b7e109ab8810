"""The lines of a log inside the window: of the file that is written now and of those it was rotated into."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass, replace

from clinic.errors import ItemError
from clinic.source.base import Doors, Estimate, Part, Source
from clinic.source.logreading import Reading
from clinic.source.patterns import require_words

STALL = 30.0
"""Seconds without a byte after which a file counts as stuck: a dead file server."""


@dataclass(frozen=True)
class LogWindow(Source):
    """What one or more logs say of the window, a file each: entries whose own time is inside, whole or not at all.

    A file in no known format is taken by the time of its last change, as it is or, when it is large, its head and
    tail; one whose name says `stderr` always is, since what a crash leaves has no times.
    """

    host: str
    """Name of the machine that they are on."""

    logs: tuple[str, ...]
    """Absolute paths of the files that are written now. What they were rotated into is found beside them."""

    _: KW_ONLY
    """What follows is given by name."""

    patterns: tuple[str, ...] = ()
    """Absolute globs; each file that matches is a log of its own."""

    below: str = ""
    """A directory: files in it are named by their path below it, others by their absolute one."""

    silence: float = 0.0
    """Seconds that an instance is never silent while it runs: a longer silence is on record. 0 when it may be."""

    started: float = 0.0
    """When the instance started, seconds since 1970 by its host's clock; 0 when that is unknown."""

    running: bool = False
    """Whether it runs now."""

    ahead: float = 0.0
    """Seconds that the host's clock is ahead of this machine's."""

    limit: int = 1000
    """Most files to take of one log, those that changed last; more of them is on record."""

    room: int | None = None
    """Most plain bytes to take in all: the newest, and what is left out is on record."""

    def __post_init__(self) -> None:
        require_words((*self.logs, *self.patterns), "logs and patterns")

    @property
    def lane(self) -> str:
        return f"host:{self.host}"

    @property
    def what(self) -> str:
        return " ".join((*self.logs, *self.patterns))

    @property
    def deadline(self) -> float | None:
        return None

    @property
    def stall(self) -> float | None:
        return STALL

    def plan(self, doors: Doors) -> Estimate:
        """Both edges of the window are found in each file, and what is between them is not read."""
        try:
            return Reading(self, doors).estimate()
        except ItemError as error:
            return Estimate(None, impossible=error)

    def open(self, doors: Doors) -> Iterator[Part]:
        return Reading(self, doors).parts()

    def narrow(self, size: int) -> Source:
        """The newest `size` bytes."""
        return replace(self, room=size if self.room is None else min(size, self.room))
