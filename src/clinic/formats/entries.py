"""The entries of one log file: where they begin and when they were written, found in pieces of its bytes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from functools import cached_property

from clinic.formats.logentry import Format, Head
from clinic.formats.time_pattern import between
from clinic.formats.timestamp import NANOSECONDS, Clock, moment_of, offset_of

_NEVER = rb"(?!)"
_REACH = 4096
_FIRST, _LAST = -62135596800, 253402300799
"""The years 1 and 9999, seconds since 1970: the bounds of what four digits of a year can say."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Where an entry begins, and when it was written."""

    at: int
    """Offset of its first byte."""

    time: int
    """Nanoseconds since 1970."""

    latest: int
    """The same; later where the node's clock showed this time twice, since it was put back."""


@dataclass(frozen=True)
class Entries:
    """How one file is read: its formats, and the clock that its times are told by."""

    formats: tuple[Format, ...]
    """Those that were seen in it; several where its writer was set up anew. All with times."""

    clock: Clock = field(default_factory=Clock)
    """The node's."""

    def plus(self, other: Format | None) -> Entries:
        """The same for a file that has entries in a further format; itself where that is nothing new."""
        if other is None or not other.timed or other in self.formats:
            return self
        return Entries((*self.formats, other), self.clock)

    @cached_property
    def _heads(self) -> tuple[Head, ...]:
        return tuple(head for known in self.formats for head in known.heads)

    @cached_property
    def _any(self) -> bytes:
        return b"(?:" + b"|".join(head.bare for head in self._heads) + b")"

    @cached_property
    def _scan(self) -> Scan:
        return Scan(self._any)

    def begins(self, data: bytes, at: int = 0, *, final: bool = False) -> Mark | None:
        """The entry whose first line begins at `at`, where one does and its time is there in full.

        `final` says that the file ends with `data`; else a head that ends with it may be a part of one.
        """
        for head in self._heads:
            match = head.compiled.match(data, at)
            if match is not None and (final or match.end() < len(data)):
                found = moment_of(match, self.clock)
                return Mark(at, *found) if found is not None else None
        return None

    def all(
        self, data: bytes, start: int = 0, *, line_start: bool, final: bool = False, scan: Scan | None = None
    ) -> Iterator[Mark]:
        """The entries that begin in `data` from `start` on, which is the beginning of a line or not.

        With `scan` only those that it is meant to find.
        """
        if line_start and (mark := self.begins(data, start, final=final)) is not None:
            yield mark
        pattern = (scan or self._scan).of(data)
        for match in pattern.finditer(data, start):
            mark = self.begins(data, match.start() + 1, final=final)
            if mark is not None:
                yield mark

    def after(self, data: bytes, start: int) -> Mark | None:
        """The first entry that begins behind `start` in `data`, which ends where an entry does and holds no NUL."""
        marks = (
            self.begins(data, one.start() + 1, final=True) for one in self._scan.plain.finditer(data, start)
        )
        return next((mark for mark in marks if mark is not None), None)

    def first(self, data: bytes, *, line_start: bool, final: bool = False) -> Mark | None:
        """The first entry that begins in `data`."""
        return next(self.all(data, line_start=line_start, final=final), None)

    def last(self, data: bytes, *, line_start: bool, final: bool = False) -> Mark | None:
        """The last entry that begins in `data`."""
        reach = _REACH
        while True:
            start = max(0, len(data) - reach)
            places = [match.start() + 1 for match in self._scan.of(data).finditer(data, start)]
            if line_start and start == 0:
                places.insert(0, 0)
            for place in reversed(places):
                if (mark := self.begins(data, place, final=final)) is not None:
                    return mark
            if start == 0:
                return None
            reach *= 8

    def zone_in(self, data: bytes, at: int) -> bytes:
        """The zone as the entry that begins at `at` writes it; empty when it does not."""
        for head in self._heads:
            match = head.compiled.match(data, at)
            if match is not None:
                return match.groupdict().get("z") or b""
        return b""

    def outside(self, low: int, high: int, zone: bytes) -> Scan:
        """Finds the entries that may be outside of `low` to `high`: all but most of those inside, for speed."""
        inside = (_seconds(-(-low // NANOSECONDS), (high + 1) // NANOSECONDS - 1),)
        return Scan(self._any, self._texts(inside, zone))

    def inside(self, low: int, high: int, zone: bytes) -> Scan:
        """Finds the entries that may be inside of `low` to `high`: all but most of those outside, for speed."""
        before = _seconds(_FIRST, low // NANOSECONDS - 1)
        after = _seconds(high // NANOSECONDS + 1, _LAST)
        return Scan(self._any, self._texts((before, after), zone))

    def _texts(self, spans: tuple[_Seconds, ...], zone: bytes) -> bytes:
        """A pattern for beginnings of lines that tell a time within one of `spans` in the usual zone."""
        patterns = [
            re.escape(head.before)
            + b"(?:"
            + b"|".join(_text_range(head.layout, span, zone) for span in spans)
            + b")"
            for head in self._heads
            if head.layout and zone
        ]
        return b"|".join(patterns) or _NEVER


_Seconds = tuple[int, int]


def _seconds(first: int, last: int) -> _Seconds:
    """A span of seconds with a day of room for zones on either side of what can be written."""
    least, most = _FIRST + 86400, _LAST - 86400
    return min(max(first, least), most + 1), max(min(last, most), least - 1)


def _text_range(layout: str, span: _Seconds, zone: bytes) -> bytes:
    if span[0] > span[1]:
        return _NEVER
    first, last = (_written(layout, second + offset_of(zone)) for second in span)
    return between(first, last).encode() + rb"(?:\.\d{1,9})? ?" + re.escape(zone)


def _written(layout: str, second: int) -> str:
    moment = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=second)
    # strftime does not pad the year everywhere.
    return moment.strftime(layout.replace("%Y", f"{moment.year:04}"))


class Scan:
    """A pattern for beginnings of entries inside of longer texts."""

    def __init__(self, heads: bytes, but: bytes = _NEVER) -> None:
        """`heads` is what an entry begins with; those that begin with `but` are passed over."""
        self._tail = (b"(?!" + but + b")" if but != _NEVER else b"") + heads
        self.plain = re.compile(rb"\n" + self._tail)
        """The pattern for texts without NUL bytes."""
        self._zeros: re.Pattern[bytes] | None = None

    def of(self, data: bytes) -> re.Pattern[bytes]:
        """The pattern to search `data` with. NUL bytes are rare, and looking for both costs thrice as much."""
        if b"\0" not in data:
            return self.plain
        if self._zeros is None:
            # Of a run of NUL bytes only the last one is tried: there may be gigabytes of them.
            self._zeros = re.compile(rb"(?:\n|\0(?!\0))" + self._tail)
        return self._zeros
