"""What lies in directories, without its content: names, types, modes, owners, sizes, times."""

from __future__ import annotations

import csv
import io
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone

from clinic.errors import ItemError, Partial
from clinic.host.base import FileInfo
from clinic.kinds import Content
from clinic.source.base import Doors, Estimate, Part, Ran, Source
from clinic.source.patterns import find_all, require_words
from clinic.units import plural

HEADER = ("path", "type", "mode", "uid", "gid", "size", "modified")
"""The columns. Owners are numeric; the size of a link is that of its text; the time is UTC."""

_ROWS_AT_ONCE = 500
_ROW = 96
"""Bytes of a row, for the estimate."""


@dataclass(frozen=True)
class Listing(Source):
    """A table (CSV) of everything that matches, links themselves and not what they name."""

    host: str
    """Name of the machine."""

    patterns: tuple[str, ...]
    """Absolute paths and globs (`*`, `?`, `[...]`); a path that comes from elsewhere needs `glob.escape`."""

    def __post_init__(self) -> None:
        require_words(self.patterns, "patterns")

    @property
    def lane(self) -> str:
        return f"host:{self.host}"

    @property
    def what(self) -> str:
        return "list " + " ".join(self.patterns)

    def plan(self, doors: Doors) -> Estimate:
        """A guess from the number of entries."""
        try:
            found, _ = find_all(doors.host(self.host), self.patterns, doors.deadline)
        except ItemError as error:
            return Estimate(None, impossible=error)
        return Estimate(_ROW * (len(found) + 1))

    def open(self, doors: Doors) -> Iterator[Part]:
        yield Part(self._chunks(doors), content=Content.CSV)

    def _chunks(self, doors: Doors) -> Iterator[bytes]:
        host, started, outcome = doors.host(self.host), time.monotonic(), ""
        try:
            found, refusal = find_all(host, self.patterns, doors.deadline)
            outcome = plural(len(found), "entry", "entries")
        except ItemError as error:
            outcome = str(error.reason)
            raise
        finally:
            doors.ran(Ran("list", self.what, self.host, host.user, outcome, time.monotonic() - started))
        yield _table([HEADER])
        for at in range(0, len(found), _ROWS_AT_ONCE):
            yield _table([_row(info) for info in found[at : at + _ROWS_AT_ONCE]])
        if refusal is not None:
            raise Partial(refusal.reason, refusal.message, fix=refusal.fix)


def _row(info: FileInfo) -> tuple[str, ...]:
    changed = datetime.fromtimestamp(info.mtime, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    return (
        info.path, info.kind.value, f"{info.mode:04o}", str(info.uid), str(info.gid), str(info.size), changed
    )  # fmt: skip


def _table(rows: list[tuple[str, ...]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return os.fsencode(text.getvalue())
