"""What a log format is: how the first line of an entry is recognised, when it was written and how grave it is.

An entry is its first line and everything up to the next one. A line begins after a newline or after NUL bytes: those
stand in a file that was truncated while its writer kept its place, and where a machine lost its power.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache

SPAN = 8192
"""Bytes of a line within which its time stands, if anywhere."""

_LEVEL_WITHIN = 512


class Level(str, enum.Enum):
    """How grave an entry is, whatever its format calls it."""

    TRACE = "trace"
    DEBUG = "debug"
    INFO = "info"
    WARN = "warn"
    ERROR = "error"
    FATAL = "fatal"
    """The process ends, or something as bad."""

    def __str__(self) -> str:
        return str(self.value)


_WORDS = {
    Level.TRACE: "trace t",
    Level.DEBUG: "debug dbug d",
    Level.INFO: "info information notice note system log i n",
    Level.WARN: "warn warning w",
    Level.ERROR: "error eror err e",
    Level.FATAL: "fatal critical crit panic dpanic emerg alert c f",
}
_LEVELS = {word.encode(): level for level, words in _WORDS.items() for word in words.split()}


def level_called(word: bytes) -> Level | None:
    """The level that some format writes like this; None where none does."""
    return _LEVELS.get(word.lower())


def words_for(levels: Collection[str]) -> list[str]:
    """What formats write for these levels."""
    return [word for level, words in _WORDS.items() if level.value in levels for word in words.split()]


@dataclass(frozen=True, slots=True)
class Head:
    """One shape of an entry's first line."""

    pattern: bytes
    """Regular expression for its beginning, with the groups of `moment`. It takes at most `SPAN` bytes of one line."""

    before: bytes = b""
    """What stands before the time, where that is always the same and `layout` is given."""

    layout: str = ""
    """The time down to seconds as strftime writes it, where such texts sort as the times do and a zone follows."""

    @property
    def compiled(self) -> re.Pattern[bytes]:
        """The pattern, for the beginning of a line."""
        return _compiled(self.pattern)

    @property
    def bare(self) -> bytes:
        """The pattern without names for its groups: several may then stand in one."""
        return re.sub(rb"\(\?P<\w+>", b"(?:", self.pattern)


@lru_cache(maxsize=256)
def _compiled(pattern: bytes) -> re.Pattern[bytes]:
    return re.compile(pattern)


@dataclass(frozen=True, slots=True)
class Format:
    """One way to write a log."""

    name: str
    """For records."""

    heads: tuple[Head, ...]
    """The shapes of its entries' first lines."""

    level: bytes = b""
    """Regular expression whose group `l` is the level, looked for from the beginning of an entry."""

    timed: bool = True
    """Whether its entries have times. What a crash leaves on standard error has none."""

    def level_of(self, entry: bytes) -> Level | None:
        """How grave an entry is that begins with these bytes; None when it does not say."""
        found = _compiled(self.level).search(entry, 0, _LEVEL_WITHIN) if self.level else None
        return level_called(found["l"]) if found is not None else None
