"""The entries of one log file in a bundle: only the stretches that may hold what is wanted are read and told apart."""

from __future__ import annotations

import itertools
import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import BinaryIO, Protocol

from clinic.bundle.member import Stretches
from clinic.formats.entries import Entries, Mark
from clinic.formats.logentry import Format
from clinic.formats.logformats import FORMATS, detect
from clinic.formats.seekable import FRAME
from clinic.formats.timestamp import Clock
from clinic.read.logfiles import LogFile, LogLine, Wanted, spans
from clinic.read.needle import LevelNeedle, Needle
from clinic.read.open import Opened
from clinic.redact.pattern import Pattern
from clinic.units import KIB, MIB

PIECE = MIB
"""Bytes that are read at once where it is not known where entries begin."""

LARGEST_ENTRY = 16 * MIB
"""Bytes of an entry beyond which it is given as it is, without its end."""

LARGEST_SPAN = 2 * FRAME
"""Bytes of a stretch beyond which it is read in pieces."""

AHEAD = 8
"""Stretches of a file that are looked through ahead of what is shown, while little is found in them."""

FEW = 16
"""Little is what so many times would be no more than the stretch."""

ROOM = 64 * MIB
"""Bytes that the first files which are read at once share; further ones take less and less."""

SMALLEST_SPAN = 256 * KIB
"""Bytes of a stretch, if not of a minute, below which unpacking a frame up to it costs too much."""

Found = bytes | list[LogLine]

WORKERS = min(4, os.cpu_count() or 1)
"""Threads that unpack and search: both are done without Python's lock."""


class Search(Protocol):
    """Tells what is meant, in one entry and in many."""

    def matches(self, text: bytes) -> bool: ...

    def in_many(self, data: bytes) -> Pattern | None: ...


class LogReader:
    """Reads the logs of a bundle, several at once. Use it as a context manager."""

    def __init__(self, opened: Opened, wanted: Wanted, needle: Needle | None) -> None:
        """Entries that `needle` does not find are left out."""
        self._opened = opened
        self._wanted = wanted
        self._needle = needle
        self._pool = ThreadPoolExecutor(WORKERS, "clinic-logs")
        self._reading = 0

    def entries(self, file: LogFile) -> Iterator[LogLine]:
        """The wanted entries of a file, in the order of the file."""
        found = spans(file, self._wanted, max(SMALLEST_SPAN, ROOM // (self._reading + 1)))
        if not found:
            return
        stretches = self._opened.stretches(file.path) if file.index is not None else None
        self._reading += 1
        if stretches is None:
            with self._opened.member(file.path) as stream:
                yield from self._from_beginning(file, stream, found)
        else:
            with stretches:
                yield from self._in_stretches(file, stretches, found)
        self._reading -= 1

    def _from_beginning(
        self, file: LogFile, stream: BinaryIO, found: Sequence[tuple[int, int]]
    ) -> Iterator[LogLine]:
        """`stream` gives its plain bytes from the beginning."""
        at = 0
        cutter: _Cutter | None = None
        for start, end in found:
            at += _skip(stream, start - at)
            first = b""
            if cutter is None:
                # What is looked at to tell the format are the first bytes of the first stretch.
                first = stream.read(min(PIECE, end - start))
                cutter = self._cutter(file, first)
            rest = _limited(stream, end - at - len(first))
            yield from cutter.of_pieces(itertools.chain((first,), rest))
            at = end

    def _in_stretches(
        self, file: LogFile, source: Stretches, found: Sequence[tuple[int, int]]
    ) -> Iterator[LogLine]:
        start, end = found[0]
        cutter = self._cutter(file, b"" if _told(file) else source.read(start, min(end, start + PIECE)))
        waiting = iter(found)
        ahead: deque[tuple[int, int, Future[Found] | None]] = deque()
        few = False
        while True:
            for start, end in itertools.islice(waiting, max(0, (AHEAD if few else 1) - len(ahead))):
                small = end - start <= LARGEST_SPAN
                ahead.append(
                    (start, end, self._pool.submit(cutter.look, source, start, end) if small else None)
                )
            if not ahead:
                return
            start, end, job = ahead.popleft()
            if job is None:
                yield from cutter.of_pieces(_pieces(source, start, end))
                continue
            result = job.result()
            few = not isinstance(result, bytes) and FEW * sum(len(line.text) for line in result) < end - start
            yield from cutter.of_whole(result) if isinstance(result, bytes) else result

    def _cutter(self, file: LogFile, sample: bytes) -> _Cutter:
        return _Cutter(file, sample, self._wanted, self._needle)

    def __enter__(self) -> LogReader:
        return self

    def __exit__(self, *error: object) -> None:
        self._pool.shutdown(cancel_futures=True)


def _skip(stream: BinaryIO, size: int) -> int:
    left = size
    while left > 0 and (data := stream.read(min(PIECE, left))):
        left -= len(data)
    return size - max(left, 0)


def _limited(stream: BinaryIO, size: int) -> Iterator[bytes]:
    while size > 0 and (data := stream.read(min(PIECE, size))):
        size -= len(data)
        yield data


def _pieces(source: Stretches, start: int, end: int) -> Iterator[bytes]:
    return (source.read(at, min(at + PIECE, end)) for at in range(start, end, PIECE))


def _told(file: LogFile) -> Format | None:
    name = file.index.log if file.index is not None else ""
    return next((known for known in FORMATS if known.name == name and known.timed), None)


class _Cutter:
    """Tells the entries of one file apart, and which are wanted."""

    def __init__(self, file: LogFile, sample: bytes, wanted: Wanted, needle: Needle | None) -> None:
        self._file = file
        self._wanted = wanted
        known = _told(file) or detect(sample.lstrip(b"\0"))
        self._format = known if known is not None and known.timed else None
        self._entries = Entries((self._format,), Clock(file.zone)) if self._format is not None else None
        self._search: Search | None = needle
        if needle is None and wanted.levels and self._format is not None:
            self._search = LevelNeedle(self._format, wanted.levels)

    def look(self, source: Stretches, start: int, end: int) -> Found:
        """What is wanted of a stretch; all of it where nothing is searched for. For the threads that look ahead."""
        data = source.read(start, end)
        return list(self.of_whole(data)) if self._search is not None else data

    def of_whole(self, data: bytes) -> Iterator[LogLine]:
        """The wanted entries in `data`, which begins with one and ends where one does."""
        if self._entries is None:
            return
        pattern = self._search.in_many(data) if self._search is not None else None
        if pattern is None or b"\0" in data:
            yield from self._of_all(self._entries, data)
            return
        at = 0
        while (
            at < len(data) and (found := pattern.search(data, at)) is not None and found.start() < len(data)
        ):
            mark = self._beginning(data, found.start(), at)
            following = self._entries.after(data, found.start())
            at = following.at if following is not None else len(data)
            if mark is not None and (line := self._line(data, mark, at)) is not None:
                yield line

    def _of_all(self, entries: Entries, data: bytes) -> Iterator[LogLine]:
        marks = entries.all(data, line_start=True, final=True)
        for mark, following in itertools.pairwise(itertools.chain(marks, (Mark(len(data), 0, 0),))):
            if (line := self._line(data, mark, following.at)) is not None:
                yield line

    def _beginning(self, data: bytes, place: int, least: int) -> Mark | None:
        """The entry that the byte at `place` belongs to, which does not begin before `least`."""
        assert self._entries is not None
        while place >= least:
            start = data.rfind(b"\n", least, place) + 1 or least
            if (mark := self._entries.begins(data, start, final=True)) is not None:
                return mark
            place = start - 1
        return None

    def of_pieces(self, pieces: Iterator[bytes]) -> Iterator[LogLine]:
        """The wanted entries in `pieces`, which begin where an entry does."""
        if self._entries is None:
            return
        held = b""
        for piece in pieces:
            held += piece
            last = self._entries.last(held, line_start=True)
            whole = last.at if last is not None else 0
            if not whole and len(held) > LARGEST_ENTRY:
                whole = len(held)
            yield from self.of_whole(held[:whole])
            held = held[whole:]
        yield from self.of_whole(held)

    def _line(self, data: bytes, mark: Mark, end: int) -> LogLine | None:
        """The entry at `mark`, if it is wanted."""
        assert self._format is not None
        if not self._wanted.low <= mark.time <= self._wanted.high:
            return None
        text = data[mark.at : end].strip(b"\0").rstrip(b"\r\n")
        level = self._format.level_of(text)
        if self._wanted.levels and (level.value if level is not None else "") not in self._wanted.levels:
            return None
        if self._search is not None and not self._search.matches(text):
            return None
        return LogLine(mark.time, level, self._file, text)
