"""The log files of a bundle: whose they are, of which kind, when they begin, and their entries as a stream."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timezone
from typing import BinaryIO

from clinic.bundle.record import FileEntry, Record
from clinic.formats.coverage import read_told, read_zone
from clinic.formats.entries import Entries, Mark
from clinic.formats.logentry import Format, Level
from clinic.formats.logformats import FORMATS, detect
from clinic.formats.logindex import MINUTE, LogIndex
from clinic.formats.timestamp import NANOSECONDS, Clock
from clinic.read.indexes import INDEX
from clinic.read.open import Opened
from clinic.units import MIB

LARGEST_INDEX = 64 * MIB
"""Bytes of an index beyond which it is not read: that of a month has three."""

PIECE = MIB
"""Bytes that are read at once."""

LARGEST_ENTRY = 16 * MIB
"""Bytes of an entry beyond which it is given as it is, without its end."""

SLACK = 2
"""Minutes around the wanted ones that are read too: entries are not strictly in order."""


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
    """Its index, where it has one."""

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
    """All log files of the bundle; those in no format with times are left out."""
    indexes = {file.name for file in opened.files() if file.name.endswith(INDEX)}
    for record in opened.records:
        name, _, kind = record.entry.id.partition(".")
        if name not in ("log", "journal") or record.entry.content != "log":
            continue
        for file in record.files:
            if not file.name.endswith(INDEX):
                yield _log_file(opened, record, file, kind if name == "log" else "journal", indexes)


def _log_file(opened: Opened, record: Record, file: FileEntry, kind: str, indexes: set[str]) -> LogFile:
    told = next((one.outcome for one in record.actions if _same(one.what, file.name)), "")
    seen, zone = read_told(told), read_zone(told)
    index = _index(opened, file.name + INDEX) if file.name + INDEX in indexes else None
    return LogFile(
        file.name, kind, record.entry.instance, record.entry.host, file.plain, zone or timezone.utc,
        seen.first if seen is not None else 0, index,
    )  # fmt: skip


def _same(path: str, name: str) -> bool:
    """Whether the record's action on `path` is about the file called `name`: its path has a folder for the kind."""
    last = name.rpartition("/")[2]
    return path.rpartition("/")[2].removesuffix(".gz").removesuffix(".zst") == last


def _index(opened: Opened, path: str) -> LogIndex | None:
    """An index that is none is as good as no index: all can be read without."""
    with opened.member(path) as stream:
        data = stream.read(LARGEST_INDEX + 1)
    if len(data) > LARGEST_INDEX:
        return None
    try:
        return LogIndex.from_json(data)
    except ValueError:
        return None


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


def spans(file: LogFile, wanted: Wanted) -> list[tuple[int, int]]:
    """The stretches of its plain bytes that may hold what is wanted, in order; all of it without an index."""
    if file.index is None:
        return [(0, file.size)]
    offset = file.zone.utcoffset(None) if file.index.local else None
    ahead = int(offset.total_seconds()) * NANOSECONDS if offset is not None else 0
    rows = file.index.minutes
    found: list[tuple[int, int]] = []
    for row, following in zip(rows, [*rows[1:], None], strict=True):
        end = following.offset if following is not None else file.size
        start = row.start * MINUTE - ahead
        inside = wanted.low - SLACK * MINUTE <= start <= wanted.high + SLACK * MINUTE
        if not inside or (wanted.levels and not wanted.levels & row.levels.keys()):
            continue
        if found and found[-1][1] >= row.offset:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((row.offset, end))
    return found


# -- its entries


def entries(file: LogFile, stream: BinaryIO, wanted: Wanted) -> Iterator[LogLine]:
    """The wanted entries of a file, in the order of the file. `stream` gives its plain bytes from the beginning."""
    at = 0
    reader: _Entries | None = None
    for start, end in spans(file, wanted):
        at += _skip(stream, start - at)
        reader = reader or _Entries(file, stream.read(min(PIECE, end - start)))
        # What was looked at to tell the format are the first bytes of the first stretch.
        first, reader.sample = reader.sample, b""
        at += len(first)
        rest = _limited(stream, end - at)
        for line in reader.of(_chained(first, rest)):
            if wanted.low <= line.time <= wanted.high and (
                not wanted.levels or (line.level.value if line.level else "") in wanted.levels
            ):
                yield line
        at = end


def _skip(stream: BinaryIO, size: int) -> int:
    left = size
    while left > 0 and (data := stream.read(min(PIECE, left))):
        left -= len(data)
    return size - max(left, 0)


def _limited(stream: BinaryIO, size: int) -> Iterator[bytes]:
    while size > 0 and (data := stream.read(min(PIECE, size))):
        size -= len(data)
        yield data


def _chained(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    if first:
        yield first
    yield from rest


class _Entries:
    """Tells entries apart in the bytes of one file."""

    def __init__(self, file: LogFile, sample: bytes) -> None:
        self.sample = sample
        self._file = file
        self._format = _format(file, sample)
        clock = Clock(file.zone)
        self._entries = Entries((self._format,), clock) if self._format is not None else None

    def of(self, pieces: Iterator[bytes]) -> Iterator[LogLine]:
        """The entries in `pieces`, which begin where an entry does."""
        if self._entries is None:
            return
        held = b""
        for piece in pieces:
            held += piece
            marks = list(self._entries.all(held, line_start=True))
            yield from self._lines(held, marks)
            if marks and (marks[-1].at or len(held) <= LARGEST_ENTRY):
                held = held[marks[-1].at :]
            elif len(held) > LARGEST_ENTRY:
                yield from self._lines(held, [*marks, Mark(len(held), 0, 0)])
                held = b""
        marks = list(self._entries.all(held, line_start=True, final=True))
        yield from self._lines(held, [*marks, Mark(len(held), 0, 0)])

    def _lines(self, data: bytes, marks: Sequence[Mark]) -> Iterator[LogLine]:
        """All that lie between two of `marks`."""
        assert self._format is not None
        for mark, following in itertools.pairwise(marks):
            text = data[mark.at : following.at].strip(b"\0").rstrip(b"\r\n")
            yield LogLine(mark.time, self._format.level_of(text), self._file, text)


def _format(file: LogFile, sample: bytes) -> Format | None:
    name = file.index.log if file.index is not None else ""
    found = next((known for known in FORMATS if known.name == name), None) or detect(sample.lstrip(b"\0"))
    return found if found is not None and found.timed else None
