"""Which files a log consists of, and which of these may hold something of the window."""

from __future__ import annotations

import glob
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from clinic.deadline import Deadline
from clinic.errors import Failed, ItemError, Skip
from clinic.formats.rotation import family, is_of, overlapping, stem
from clinic.formats.timestamp import NANOSECONDS
from clinic.host.base import FileInfo, FileKind, Host

LISTED = 500_000
"""Most names that are looked at for one log."""

FEW = 16
"""Rotated files of one kind up to which each is looked at: more are told apart by the times of a few."""

First = Callable[[FileInfo], int | None]
"""Tells when the first entry of a file was written, nanoseconds since 1970; None when that can't be told."""


@dataclass(frozen=True)
class Log:
    """The files of one log."""

    path: str
    """What its writer writes to."""

    files: tuple[FileInfo, ...]
    """That one and what it was rotated into, the one that changed first first."""

    refused: ItemError | None = None
    """Why some could not be seen."""

    crowded: bool = False
    """Whether there are more than were looked at."""

    @property
    def rotated(self) -> bool:
        """Whether there are rotated files."""
        return any(info.path != self.path for info in self.files)


def look_for(host: Host, path: str, deadline: Deadline) -> Log:
    """The files of the log that is written to `path`; that there is none is no error."""
    found, refused = _listed(host, glob.escape(stem(path)) + "*", deadline)
    crowded = len(found) >= LISTED
    if crowded:
        # What was left out sorts last, and the file that is written now is among that.
        found += _listed(host, glob.escape(path), deadline)[0]
    files = {info.path: info for info in found if is_of(info.path, path)}
    return Log(path, _in_order(files.values()), refused, crowded)


def look_at(host: Host, pattern: str, deadline: Deadline) -> list[Log]:
    """Every file that matches a glob as a log of its own."""
    found, refused = _listed(host, pattern, deadline)
    logs = [Log(info.path, (info,)) for info in _in_order(found)]
    return logs if refused is None else [*logs, Log(pattern, (), refused)]


def _listed(host: Host, pattern: str, deadline: Deadline) -> tuple[list[FileInfo], ItemError | None]:
    try:
        found = host.list(pattern, deadline, limit=LISTED)
    except (Skip, Failed) as error:
        return [], error
    return [info for info in found if info.kind is not FileKind.DIRECTORY], None


def _in_order(files: Iterable[FileInfo]) -> tuple[FileInfo, ...]:
    return tuple(sorted(files, key=lambda info: (info.mtime, info.path)))


def reaching(log: Log, low: int, high: int, first: First) -> list[FileInfo]:
    """The files of `log` that may have entries from `low` to `high`, nanoseconds since 1970 by the node's clock.

    What was changed before that has none. Of many rotated files the first entries tell, and few are asked for.
    """
    families: dict[str, list[FileInfo]] = {}
    for info in log.files:
        # A link tells its own time, not that of what it names.
        if info.kind is not FileKind.FILE or info.mtime * NANOSECONDS >= low:
            families.setdefault(family(info.path), []).append(info)
    chosen: list[FileInfo] = []
    for files in families.values():
        if len(files) <= FEW:
            chosen += files
        else:
            within = overlapping([partial(first, info) for info in files], low, high)
            chosen += files[within.start : within.stop]
    return list(_in_order(chosen))
