"""The lines of a log inside the window: of the file that is written now and of those it was rotated into."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from clinic.errors import ItemError
from clinic.formats.logindexer import LogIndexer
from clinic.source.base import Doors, Estimate, HostFiles, Part, Source
from clinic.source.log.attempt import Reading
from clinic.source.log.choice import LogChoice
from clinic.source.patterns import require_words


def index() -> LogIndexer:
    """What makes the index of a log file while it is written: the observer of an item of logs."""
    return LogIndexer()


@dataclass(frozen=True)
class LogWindow(LogChoice, HostFiles):
    """What one or more logs say of the window, a file each: entries whose own time is inside, whole or not at all.

    A file in no known format is taken by the time of its last change, as it is or, when it is large, its head and
    tail; one whose name says `stderr` always is, since what a crash leaves has no times.
    """

    def __post_init__(self) -> None:
        require_words((*self.logs, *self.patterns), "logs and patterns")

    @property
    def what(self) -> str:
        return self.named

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
