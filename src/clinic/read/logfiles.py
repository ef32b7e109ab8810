"""The log files of a bundle: whose they are, of which kind, when they begin, and where in them is what is wanted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timezone

from clinic.bundle.names import INDEX
from clinic.bundle.record import FileEntry, Record
from clinic.formats import seekable
from clinic.formats.coverage import read_told, read_zone
from clinic.formats.entries import Entries
from clinic.formats.logentry import Level
from clinic.formats.logformats import detect
from clinic.formats.logindex import MINUTE, LogIndex, Minute
from clinic.formats.timestamp import NANOSECONDS, Clock
from clinic.read.fromdiag import UNKNOWN
from clinic.read.open import Opened
from clinic.units import KIB, MIB

LARGEST_INDEX = 64 * MIB
"""Bytes of an index beyond which it is not read: that of a month has three."""

_BEGINNING = 64 * KIB
"""Bytes in which the first entry of a log is looked for."""

AFTER = 2
"""Rows of an index after one that is meant in which its entries may stand."""


@dataclass(frozen=True, slots=True)
class LogFile:
    """One log file in the bundle."""

    path: str
    """Its name in the bundle, without the ending of a compression."""

    kind: str
    """`std`, `slow`, `error` ..., or `journal`."""

    instance: str
    """The instance that wrote it; empty for one of a machine."""

    host: str
    """The machine."""

    size: int
    """Plain bytes."""

    zone: timezone = timezone.utc
    """The node's zone, for times that name none."""

    first: int = 0
    """When its first entry was written, nanoseconds since 1970, as the record says; 0 when that is unknown."""

    index: LogIndex | None = None
    """Its index, once it was read, where it has one."""

    indexed: bool = False
    """Whether there is an index to be read."""

    @property
    def source(self) -> str:
        """What it is called beside its lines: the instance, else the machine."""
        return self.instance or self.host


@dataclass(frozen=True, slots=True)
class LogLine:
    """One entry, of one line or of many."""

    time: int
    """When it was written, nanoseconds since 1970."""

    level: Level | None
    """How grave it is; None when it does not say."""

    file: LogFile
    """Where it stands."""

    text: bytes
    """The entry as it is in the bundle, without the last newline."""


def log_files(opened: Opened) -> Iterator[LogFile]:
    """All log files of the bundle, without their indexes; those in no format with times are left out."""
    indexes = {file.name for file in opened.files() if file.name.endswith(INDEX)}
    for record in opened.records:
        name, _, kind = record.entry.id.partition(".")
        if name not in ("log", "journal") or record.entry.content != "log":
            continue
        for file in record.files:
            if not file.name.endswith(INDEX):
                found = _log_file(record, file, kind if name == "log" else "journal")
                if opened.foreign:
                    found = replace(found, size=UNKNOWN)
                yield replace(found, indexed=file.name + INDEX in indexes)


def _log_file(record: Record, file: FileEntry, kind: str) -> LogFile:
    told = next((one.outcome for one in record.actions if _same(one.what, file.name)), "")
    seen, zone = read_told(told), read_zone(told)
    return LogFile(
        file.name, kind, record.entry.instance, record.entry.host, file.plain, zone or timezone.utc,
        seen.first if seen is not None else 0,
    )  # fmt: skip


def _same(path: str, name: str) -> bool:
    """Whether the record's action on `path` is about the file called `name`: its path has a folder for the kind."""
    last = name.rpartition("/")[2]
    return path.rpartition("/")[2].removesuffix(".gz").removesuffix(".zst") == last


def with_index(opened: Opened, file: LogFile) -> LogFile:
    """The same with its index. One that is none, or of other bytes, is as good as no index: all can be read without."""
    if not file.indexed:
        return file if file.first else replace(file, first=_first(opened, file))
    with opened.member(file.path + INDEX) as stream:
        data = stream.read(LARGEST_INDEX + 1)
    try:
        index = LogIndex.from_json(data) if len(data) <= LARGEST_INDEX else None
    except ValueError:
        return file
    fits = (
        index is not None
        and index.size == file.size
        and all(0 <= row.offset <= file.size for row in index.minutes)
    )
    return replace(file, index=index) if fits else file


def _first(opened: Opened, file: LogFile) -> int:
    """When the first entry was written of a file of which no record says it; 0 when its beginning tells no time."""
    with opened.member(file.path) as stream:
        sample = stream.read(_BEGINNING)
    known = detect(sample)
    if known is None or not known.timed:
        return 0
    mark = next(Entries((known,), Clock(file.zone)).all(sample, line_start=True, final=True), None)
    return mark.time if mark is not None else 0


# -- which bytes of it are wanted


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries are wanted."""

    low: int
    """From when on, nanoseconds since 1970."""

    high: int
    """Up to when."""

    levels: frozenset[str] = frozenset()
    """Only these; all when empty."""


def spans(file: LogFile, wanted: Wanted, most: int = 2 * seekable.FRAME) -> list[tuple[int, int]]:
    """The stretches of its plain bytes that may hold what is wanted, in order, each from one frame of the stored ones.

    They are of no more than `most` bytes, if not of one row of the index.

    All of it in one without an index; else each begins with an entry and ends where one does.
    """
    if file.index is None:
        return [(0, file.size)]
    rows = sorted(file.index.minutes, key=lambda row: row.offset)
    read: set[int] = set()
    for number, row in enumerate(rows):
        if _is_meant(row, file, wanted):
            read.update(range(number, min(len(rows), number + AFTER + 1)))
    found: list[tuple[int, int]] = []
    for number in sorted(read):
        start, end = rows[number].offset, rows[number + 1].offset if number + 1 < len(rows) else file.size
        before, reached = found[-1] if found else (0, -1)
        if reached == start and before // seekable.FRAME == start // seekable.FRAME and end - before <= most:
            found[-1] = (before, end)
        else:
            found.append((start, end))
    return found


def _is_meant(row: Minute, file: LogFile, wanted: Wanted) -> bool:
    offset = file.zone.utcoffset(None) if file.index is not None and file.index.local else None
    start = row.start * MINUTE - (int(offset.total_seconds()) * NANOSECONDS if offset is not None else 0)
    inside = start <= wanted.high and start + MINUTE > wanted.low
    return inside and (not wanted.levels or not wanted.levels.isdisjoint(row.levels))
