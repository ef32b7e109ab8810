"""The index of a log file: entries by minute and level, where they begin, and what is said most often."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from clinic.formats.timestamp import NANOSECONDS

FORMAT = "clinic-logindex/1"
"""Name and major version of the file."""

MINUTE = 60 * NANOSECONDS
"""In nanoseconds."""


@dataclass(frozen=True, slots=True)
class Minute:
    """What was written in one minute, or in the part of it that is in one frame of the stored file."""

    start: int
    """Minutes since 1970, UTC; by the node's own clock where the index says so."""

    offset: int
    """Where its first entry begins in the plain bytes of the file."""

    levels: Mapping[str, int]
    """Entries by level; those that tell none are under an empty name."""

    first: int = 0
    """When its first entry in the order of the file was written, milliseconds into the minute."""

    last: int = 59_999
    """The same for its last one."""

    @property
    def entries(self) -> int:
        """How many entries."""
        return sum(self.levels.values())


@dataclass(frozen=True, slots=True)
class Template:
    """A message that comes again and again; what varies in it is `<*>`."""

    text: str
    """Its beginning."""

    level: str
    """How grave it is; empty when it does not say."""

    count: int
    """How often it came, or a little less: the rarest are forgotten on the way. Of many it is an estimate."""


@dataclass(frozen=True, slots=True)
class LogIndex:
    """What is known of a file without reading it again."""

    log: str
    """Name of its format; empty when it is in none that is known."""

    size: int
    """Plain bytes."""

    minutes: tuple[Minute, ...] = ()
    """In the order of the file, each once or, where a frame ended or clocks went back, again.

    An entry stands behind the offset of its row, and before that of the third row from there.
    """

    templates: tuple[Template, ...] = ()
    """The most frequent first."""

    local: bool = False
    """Whether its times are the node's own, without a zone, written as if they were UTC."""

    @property
    def entries(self) -> int:
        """How many entries."""
        return sum(minute.entries for minute in self.minutes)

    @property
    def levels(self) -> Counter[str]:
        """Entries by level."""
        total: Counter[str] = Counter()
        for minute in self.minutes:
            total.update(minute.levels)
        return total

    def to_json(self) -> bytes:
        """One line for each minute and message, so that people can read it."""
        rows = [[one.start, one.offset, dict(one.levels), one.first, one.last] for one in self.minutes]
        said = [[one.count, one.level, one.text] for one in self.templates]
        head = {
            "format": FORMAT,
            "log": self.log,
            "size": self.size,
            "entries": self.entries,
            "local": self.local,
        }
        body = json.dumps(head, ensure_ascii=False)[1:-1]
        return f'{{{body},\n"minutes": [\n{_lines(rows)}],\n"templates": [\n{_lines(said)}]}}\n'.encode()

    @classmethod
    def from_json(cls, data: bytes) -> LogIndex:
        """The index that `to_json` wrote. Raises `ValueError` for anything else."""
        try:
            found = json.loads(data)
            if found["format"] != FORMAT:
                raise ValueError(f"an index of the format {found['format']!r}")
            minutes = tuple(
                # Rows had no times once.
                Minute(
                    int(start),
                    int(offset),
                    {str(level): int(count) for level, count in levels.items()},
                    *map(int, times),
                )
                for start, offset, levels, *times in found["minutes"]
            )
            said = tuple(
                Template(str(text), str(level), int(count)) for count, level, text in found["templates"]
            )
            return cls(str(found["log"]), int(found["size"]), minutes, said, bool(found["local"]))
        except (KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError(f"no index of a log: {error}") from error


def _lines(rows: Iterable[object]) -> str:
    return ",\n".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows)
