"""Finds the part of a log file that holds a window, reading a little of it in a few rounds.

Every round is one call of `read` with many ranges, so that over a network it is one exchange. What is found may be too
much by some entries and is cut exactly afterwards (`cut`); it is never too little where entries are out of order by
less than `slack`, or where one of these is noticed: a grid of probes over the whole file shows a clock that was put
back far, and a denser one before the found beginning and after the found end shows one that was put back less. Where
the grid is out of order the whole file is taken.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from clinic.formats.entries import Entries, Mark
from clinic.formats.logformats import detect
from clinic.formats.timestamp import NANOSECONDS, Clock, goes_back
from clinic.formats.window_cut import FEWEST, Cut
from clinic.units import KIB, MIB

Read = Callable[[Sequence[tuple[int, int]]], list[bytes]]
"""Gives the bytes at each (offset, length), short at the end of the file."""

_HOURS = 3 * 3600 * NANOSECONDS
_ROUNDS = 12
_LOOKED_AT = 2 * MIB
_COARSEST = 16


@dataclass(frozen=True, slots=True)
class Tuning:
    """How much is read where. The defaults suit files of gigabytes; tests make them small."""

    small: int = MIB
    """A file up to this size is taken whole: one round."""

    sample: int = 64 * KIB
    """Bytes of the beginning, by which the format is told."""

    grid: int = 128
    """Most probes over the whole file in the first round."""

    block: int = 4 * KIB
    """Bytes of a probe."""

    fan: int = 16
    """Parts that a stretch is divided into in each round."""

    near: int = 64 * KIB
    """Bytes around an edge below which it is not narrowed further."""

    dense: int = 64
    """Most probes on either side that look for entries of the window beyond the edges, over two steps of the grid."""

    slack: int = 60 * NANOSECONDS
    """How far entries may be out of order unnoticed, nanoseconds."""

    def for_a_time(self, lasts: int) -> Tuning:
        """For a log of so many nanoseconds: with the grid that makes those probes and the dense ones fewest together.

        Over a network each is a process there. A clock that was put back is noticed by the dense ones where they are
        half the slack apart, and by the grid where it is put back further than they reach.
        """
        if lasts <= 0:
            return self
        best = math.ceil(2 * math.sqrt(lasts * 2 / self.slack))
        return replace(self, grid=min(self.grid, max(best, _COARSEST)))


@dataclass(frozen=True)
class Survey:
    """What the first round told of a file."""

    size: int
    """Bytes that count, from the beginning."""

    entries: Entries | None
    """How it is read; None when it is in no known format with times."""

    marks: tuple[Mark, ...] = ()
    """Some of its entries, by offset; the first one among them."""

    ordered: bool = True
    """Whether their times are in order, up to the slack."""

    preamble: int | None = 0
    """Bytes before the first entry that go with it; None when that is unknown."""

    tuning: Tuning = field(default_factory=Tuning)
    """How it was read."""

    @property
    def small(self) -> bool:
        """Whether it is not worth searching."""
        return self.size <= self.tuning.small


def survey(read: Read, size: int, clock: Clock, tuning: Tuning | None = None) -> Survey:
    """Look at a file of `size` bytes in one round."""
    tuning = tuning or Tuning()
    blocks = _blocks(read, _first_round(size, tuning), size)
    first = blocks[0].data
    known = detect(first.lstrip(b"\0")) or detect(blocks[-1].data)
    if known is None or not known.timed:
        known = next(
            (k for k in (detect(b.data, least=FEWEST) for b in blocks) if k is not None and k.timed), None
        )
    if known is None:
        return Survey(size, None, tuning=tuning)
    entries = _all_formats(Entries((known,), clock), blocks)
    marks = tuple(mark for block in blocks if (mark := block.first(entries)) is not None)
    begun = marks[0].at if marks else 0
    preamble = len(first[:begun].lstrip(b"\0")) if begun < len(first) else None
    return Survey(size, entries, marks, _ordered(marks, tuning.slack), preamble, tuning)


def _first_round(size: int, tuning: Tuning) -> list[tuple[int, int]]:
    """The beginning, the grid and the end; the grid only where the file is not small."""
    sample = min(tuning.sample, size)
    parts = tuning.grid if size > tuning.small else 1
    grid = [(at, tuning.block) for at in _spread(0, size, parts) if sample <= at < size - sample]
    return [(0, sample), *grid, (max(sample, size - sample), min(sample, size - sample))]


@dataclass(frozen=True, slots=True)
class _Block:
    """Some bytes of a file, with the one before them where there is one."""

    at: int
    """Offset of the first byte that counts."""

    data: bytes
    """The bytes, from that one on."""

    line_start: bool
    """Whether a line begins with it."""

    final: bool
    """Whether the file ends with it."""

    def first(self, entries: Entries) -> Mark | None:
        """The first entry that begins in it."""
        return next(iter(self.all(entries)), None)

    def all(self, entries: Entries) -> Iterable[Mark]:
        """The entries that begin in it, with offsets in the file."""
        found = entries.all(self.data, line_start=self.line_start, final=self.final)
        return (replace(mark, at=mark.at + self.at) for mark in found)


def _blocks(read: Read, ranges: Sequence[tuple[int, int]], size: int) -> list[_Block]:
    """One round."""
    wanted = [(max(0, at - 1), min(length, size - at) + (at > 0)) for at, length in ranges]
    return [
        _Block(at, data[1:] if at else data, not at or data[:1] in (b"\n", b"\0"), at + length >= size)
        for (at, length), data in zip(ranges, read(wanted), strict=True)
    ]


def _all_formats(entries: Entries, blocks: Sequence[_Block]) -> Entries:
    """With the formats of the parts in which there is no entry in a known one."""
    for block in blocks:
        if block.first(entries) is None:
            entries = entries.plus(detect(block.data, least=FEWEST))
    return entries


def _ordered(marks: Sequence[Mark], slack: int) -> bool:
    latest = 0
    for mark in marks:
        if mark.latest < latest - slack:
            return False
        latest = max(latest, mark.time)
    return True


def find(found: Survey, read: Read, low: int, high: int) -> tuple[int, int]:
    """Where to read for the entries from `low` to `high` (nanoseconds since 1970): from where, and up to where.

    Both are the beginning of an entry, the beginning of the file, or its end.
    """
    entries = found.entries
    if entries is None or not found.ordered or found.small or not found.marks:
        return 0, found.size
    low, high = _widened(entries, low - found.tuning.slack, high + found.tuning.slack)
    search = _Search(found, entries, read, low, high)
    search.narrow()
    return search.extend()


def _widened(entries: Entries, low: int, high: int) -> tuple[int, int]:
    """Far enough to tell the two hours from each other that a clock shows alike, where they are near the window."""
    if goes_back(entries.clock.zone, low - _HOURS, high + _HOURS):
        return low - _HOURS, high + _HOURS
    return low, high


def measure(found: Survey, read: Read, low: int, high: int) -> tuple[int, bool]:
    """How many bytes the entries from `low` to `high` have, and whether that is exact: else it is at most so many.

    Little is read: what is between the edges is not looked at.
    """
    entries = found.entries
    if found.small and entries is not None:
        cut = Cut(entries, low, high)
        for data in read([(0, found.size)]):
            cut.feed(data)
        cut.finish()
        return cut.kept + cut.left_out, True
    if entries is None or not found.ordered or not found.marks:
        return found.size, False
    search = _Search(found, entries, read, low, high)
    search.narrow()
    start, end, sure = search.exact()
    if start >= end:
        return 0, sure
    if start != found.marks[0].at:
        return end - start, sure
    return end - start + (found.preamble or 0), sure and found.preamble is not None


def newest(found: Survey, read: Read, low: int, high: int, room: int) -> tuple[int, int]:
    """From when on there are at most `room` bytes up to `high`, and about how many of the window are before that.

    Only for a file that is searched: in order, and not small.
    """
    assert found.entries is not None
    search = _Search(found, found.entries, read, low, high)
    search.narrow()
    start, end, _ = search.exact()
    if end - start <= room:
        return low, 0
    mark = search.next_from(end - room)
    return (mark.time, mark.at - start) if mark is not None and mark.at < end else (high + 1, end - start)


class _Search:
    """One search: two stretches in which the edges are, made smaller round by round."""

    def __init__(self, found: Survey, entries: Entries, read: Read, low: int, high: int) -> None:
        self._size, self._tuning = found.size, found.tuning
        self._entries, self._read = entries, read
        self._low, self._high = low, high
        self._marks = {mark.at: mark for mark in found.marks}
        self._step = max(found.size // found.tuning.grid, found.tuning.near)
        self.lower = self._lower((0, found.size))
        self.upper = self._upper((0, found.size))

    def narrow(self) -> None:
        """Until both are small or nothing is found inside of them."""
        block, stuck = self._tuning.block, set[tuple[int, int]]()
        for _ in range(_ROUNDS):
            wide = {
                edge
                for edge in (self.lower, self.upper)
                if edge[1] - edge[0] > self._tuning.near and edge not in stuck
            }
            if not wide:
                break
            before = self.lower, self.upper
            points = [self._points(edge, self._low) for edge in wide & {self.lower}]
            points += [self._points(edge, self._high) for edge in wide & {self.upper}]
            self._probe([*dict.fromkeys(point for some in points for point in some)], block)
            self.lower, self.upper = self._lower(self.lower), self._upper(self.upper)
            same = wide & {self.lower, self.upper} & set(before)
            # A long line, or a hole: looked at once more with larger probes, then left as it is.
            stuck |= same if block > self._tuning.block else set()
            block = self._tuning.block * 16 if same else self._tuning.block

    def _points(self, edge: tuple[int, int], time: int) -> list[int]:
        """The points that divide a stretch, more of them about where `time` is if the log grew evenly."""
        (start, end), fan = edge, self._tuning.fan
        first, last = self._marks.get(start), self._marks.get(end)
        if first is None or last is None or not first.time < time <= last.time:
            return _spread(start, end, fan)
        guess = start + (end - start) * (time - first.time) // (last.time - first.time)
        near = [guess + sign * self._tuning.near // 2 * 4**far for far in range(3) for sign in (-1, 1)]
        return sorted({*_spread(start, end, fan // 2), *(point for point in near if start < point < end)})

    def _dense(self, start: int, end: int) -> list[int]:
        """Points half the slack apart, by how long the entries about there took to be written."""
        places = sorted(self._marks)
        first = places[max(0, bisect.bisect_right(places, start) - 1)]
        last = places[min(len(places) - 1, bisect.bisect_left(places, end))]
        lasts = self._marks[last].time - self._marks[first].time
        if lasts <= 0:
            return _spread(start, end, self._tuning.dense)
        needed = 2 * lasts * (end - start) // ((last - first) * self._tuning.slack) + 2
        return _spread(start, end, min(self._tuning.dense, needed))

    def extend(self) -> tuple[int, int]:
        """Where to read, after a look for entries of the window before the one edge and behind the other."""
        begin, end = self.lower[0], self.upper[1]
        for _ in range(_ROUNDS):
            reach = 2 * self._step
            before = self._dense(max(0, begin - reach), begin)
            after = self._dense(end, min(self._size, end + reach))
            self._probe([*before, *after], self._tuning.block)
            marks = sorted(self._marks.values(), key=lambda mark: mark.at)
            earlier = [mark.at for mark in marks if mark.at < begin and mark.latest >= self._low]
            later = [mark.at for mark in marks if mark.at >= end and mark.time <= self._high]
            if not earlier and not later:
                return begin, end
            offsets = [mark.at for mark in marks]
            if earlier:
                place = bisect.bisect_left(offsets, earlier[0])
                begin = offsets[place - 1] if place else 0
            if later:
                place = bisect.bisect_right(offsets, later[-1])
                end = offsets[place] if place < len(offsets) else self._size
        return 0, self._size

    def exact(self) -> tuple[int, int, bool]:
        """The edges to the byte; surely where the entries around both are in order and few enough to look at."""
        stretches = (self.lower, self.upper)
        if any(end - start > _LOOKED_AT for start, end in stretches):
            return self.lower[0], self.upper[1], False
        ranges = [(start, end - start) for start, end in stretches]
        lower, upper = ([*block.all(self._entries)] for block in _blocks(self._read, ranges, self._size))
        start = next((mark.at for mark in lower if mark.latest >= self._low), self.lower[1])
        wanted = [number for number, mark in enumerate(upper) if mark.time <= self._high]
        follower = upper[wanted[-1] + 1 :] if wanted else upper
        end = follower[0].at if follower else self.upper[1]
        return start, end, all(_ordered(marks, 0) for marks in (lower, upper))

    def next_from(self, offset: int) -> Mark | None:
        """The first entry that begins at `offset` or later; None when there is none within a mebibyte."""
        for length in (self._tuning.block, self._tuning.block * 16, MIB):
            self._probe([offset], length)
            later = [at for at in self._marks if at >= offset]
            if later and min(later) - offset <= length:
                return self._marks[min(later)]
        return None

    def _probe(self, points: Sequence[int], length: int) -> None:
        unknown = [(at, min(length, self._size - at)) for at in points if 0 < at < self._size]
        for block in _blocks(self._read, unknown, self._size) if unknown else ():
            mark = block.first(self._entries)
            if mark is not None:
                self._marks[mark.at] = mark

    def _inner(self, edge: tuple[int, int]) -> list[Mark]:
        return sorted(
            (mark for at, mark in self._marks.items() if edge[0] <= at < edge[1]), key=lambda mark: mark.at
        )

    def _lower(self, edge: tuple[int, int]) -> tuple[int, int]:
        """Around the first entry that may belong to the window: the first of several where the times go back."""
        marks = self._inner(edge)
        at = next((number for number, mark in enumerate(marks) if mark.latest >= self._low), len(marks))
        start = marks[at - 1].at if at else edge[0]
        return start, marks[at].at if at < len(marks) else edge[1]

    def _upper(self, edge: tuple[int, int]) -> tuple[int, int]:
        """Around the last entry that may belong to the window: the last of several."""
        marks = self._inner(edge)
        at = next(
            (number for number in range(len(marks) - 1, -1, -1) if marks[number].time <= self._high), -1
        )
        start = marks[at].at if at >= 0 else edge[0]
        return start, marks[at + 1].at if at + 1 < len(marks) else edge[1]


def _spread(start: int, end: int, parts: int) -> list[int]:
    """The points that divide a stretch into `parts`."""
    return sorted({start + (end - start) * number // parts for number in range(1, parts)} - {start, end})
