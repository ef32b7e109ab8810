"""One log file: what it is, how much of it belongs to the window, and those bytes."""

from __future__ import annotations

import posixpath
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from types import TracebackType
from typing import TYPE_CHECKING

from clinic.deadline import Deadline
from clinic.errors import Partial, Skip
from clinic.formats.compressed import BadPacking, Packing, packing_of, unpack
from clinic.formats.entries import Entries
from clinic.formats.logformats import detect
from clinic.formats.search import Survey, Tuning, find, measure, newest, survey
from clinic.formats.timestamp import NANOSECONDS, Clock
from clinic.formats.window_cut import Cut, Seen
from clinic.host.base import Host, Reader
from clinic.outcome import Reason
from clinic.source.base import Chunk, Estimate, Gap
from clinic.units import GIB, KIB, MIB, human_size

if TYPE_CHECKING:
    from typing_extensions import Self  # in typing itself only from 3.11

SAMPLE = 64 * KIB
"""Plain bytes at the beginning of a file by which its format is told."""

UNTIMED = 16 * MIB
"""Most bytes of a file that is in no known format with times: beyond it the head and the tail."""

EXPANDED = 64 * GIB
"""Most plain bytes that a compressed file is followed to."""

LIKELY_RATIO = 20
"""Plain bytes for a compressed one, at most: what gzip and zstd make of logs is 6 to 15."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is wanted of each file."""

    low: int
    """From when on, nanoseconds since 1970 by the node's clock."""

    high: int
    """Up to when."""

    clock: Callable[[int], Clock]
    """The node's clock, for a file that changed last at a time in nanoseconds since 1970."""


class LogFile:
    """A log file, open as long as this is: what was looked at and what is read are the same file."""

    def __init__(self, host: Host, path: str, wanted: Wanted, deadline: Deadline) -> None:
        """Raises what `Host.open` raises, and `Skip` for a file that is compressed in a way that is not read."""
        self.path = path
        self._deadline = deadline
        self._wanted = wanted
        self._reader: Reader = host.open(path, deadline)
        self.info = self._reader.info
        try:
            [raw] = self._reader.ranges([(0, min(SAMPLE, self.info.size))], deadline)
            self.packing = self._packing(raw)
            self.sample = raw if self.packing is None else self._plain_sample()
        except BaseException:
            self._reader.close()
            raise
        self._survey: Survey | None = None
        self.cut: Cut | None = None
        """What cut it, once it was read."""
        self.narrowed = 0
        """Bytes of the window that were left out since there was no room for them."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reader.close()

    @property
    def seen(self) -> Seen | None:
        """What was kept of it, by time."""
        return self.cut.seen if self.cut is not None else None

    def _packing(self, raw: bytes) -> Packing | None:
        packing = packing_of(raw)
        if packing is Packing.OTHER:
            raise Skip(Reason.NOT_APPLICABLE, f"{self.path} is compressed in another way than gzip and zstd")
        return packing

    def _plain_sample(self) -> bytes:
        """What can be had of the beginning; a damaged file tells its damage when it is read."""
        data = b""
        try:
            for piece in self._plain():
                data += piece
                if len(data) >= SAMPLE:
                    break
        except (BadPacking, Partial):
            pass
        return data[:SAMPLE]

    def _plain(self) -> Iterator[bytes]:
        stored = self._stored(0, self.info.size)
        return unpack(self.packing, stored) if self.packing is not None else stored

    def _stored(self, start: int, end: int) -> Iterator[bytes]:
        """The bytes of the file as it is; `Partial` when it has become shorter meanwhile."""
        at = start
        for data in self._reader.stream(start, end, self._deadline):
            yield data
            at += len(data)
        if at < end:
            raise Partial(
                Reason.READ_ERROR,
                f"{self.path} became shorter while it was read: it was truncated or replaced",
            )

    def _read(self, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        return self._reader.ranges(ranges, self._deadline)

    @property
    def _clock(self) -> Clock:
        return self._wanted.clock(int(self.info.mtime * NANOSECONDS))

    @property
    def survey(self) -> Survey:
        """How it is read, from one round of probes; of a compressed file only its beginning tells."""
        if self._survey is None:
            self._survey = self._look()
        return self._survey

    def _look(self) -> Survey:
        size = self.info.size
        if "stderr" in posixpath.basename(self.path):
            # What a crash leaves has no times, and would be taken for a part of the line before it.
            return Survey(size, None)
        if self.packing is None:
            first = self.first()
            lasts = int(self.info.mtime * NANOSECONDS) - first if first is not None else 0
            return survey(self._read, size, self._clock, Tuning().for_a_time(lasts))
        known = detect(self.sample.lstrip(b"\0"))
        return Survey(size, Entries((known,), self._clock) if known is not None and known.timed else None)

    def first(self) -> int | None:
        """When its first entry was written, as its beginning tells without a search; None when it does not."""
        known = detect(self.sample.lstrip(b"\0"))
        if known is None or not known.timed:
            return None
        entries = Entries((known,), self._clock)
        mark = entries.first(self.sample, line_start=True, final=len(self.sample) < SAMPLE)
        return mark.time if mark is not None else None

    @property
    def zone(self) -> str:
        """The node's zone by which its times were told, as `+08:00`; empty where they name their own."""
        entries = self.survey.entries
        mark = entries.first(self.sample, line_start=True) if entries is not None else None
        if entries is None or mark is None or entries.zone_in(self.sample, mark.at):
            return ""
        moment = datetime.fromtimestamp(mark.time / NANOSECONDS, timezone.utc)
        return moment.astimezone(entries.clock.zone).isoformat()[-6:]

    # -- how much of it there is

    def estimate(self) -> Estimate:
        """The plain bytes that are wanted of it: exact, or no more than so many."""
        if self.survey.entries is None:
            size = self._bound() if self.packing is not None else self.info.size
            return Estimate(min(size, UNTIMED), exact=self.packing is None)
        if self.packing is not None:
            return Estimate(self._bound())
        size, exact = measure(self.survey, self._read, self._wanted.low, self._wanted.high)
        return Estimate(size, exact)

    def _bound(self) -> int:
        """Plain bytes of the whole: gzip and zstd may say it (RFC 1952, 2.3.1; RFC 8878, 3.1.1.1)."""
        size = self.info.size
        if self.packing is Packing.GZIP and size >= 18:
            [end] = self._read([(size - 4, 4)])
            said = int.from_bytes(end, "little")
            # It is of the last member only, and modulo 4 GiB.
            return said if size < said < size * 1032 else size * LIKELY_RATIO
        return size * LIKELY_RATIO

    # -- its bytes

    def chunks(self, room: int | None) -> Iterator[Chunk]:
        """What is wanted of it; of more than `room` bytes the newest. Raises `Skip` where there is no room at all."""
        if room is not None and room <= 0:
            raise Skip(Reason.OVER_BUDGET, f"{self.path}: no room was left for it")
        if self.survey.entries is None:
            return self._untimed(min(UNTIMED, room) if room is not None else UNTIMED)
        low, high = self._wanted.low, self._wanted.high
        if room is not None:
            low, self.narrowed = self._later(self.survey.entries, room)
        self.cut = Cut(self.survey.entries, low, high)
        if self.packing is not None:
            return self._timed(self.cut, self._plain())
        start, end = find(self.survey, self._read, low, high)
        return self._timed(self.cut, self._stored(start, end))

    def _later(self, entries: Entries, room: int) -> tuple[int, int]:
        """From when on there is room for what is wanted, and how many bytes are before that."""
        low, high = self._wanted.low, self._wanted.high
        if self.packing is None and self.survey.ordered and not self.survey.small:
            return newest(self.survey, self._read, low, high, room)
        cut = Cut(entries, low, high, room=room)
        for _ in self._kept(cut, self._plain()):
            pass
        return cut.newest()

    def _timed(self, cut: Cut, data: Iterable[bytes]) -> Iterator[Chunk]:
        if self.narrowed:
            yield Gap(self.narrowed)
        gap = False
        for piece in self._kept(cut, data):
            if cut.left_out and not gap:
                gap = True
                yield Gap(cut.left_out)
            yield piece

    def _kept(self, cut: Cut, data: Iterable[bytes]) -> Iterator[bytes]:
        """The bytes of the window. What a damaged or shortened file still had is kept."""
        taken = 0
        try:
            for piece in data:
                self._deadline.check()
                yield from cut.feed(piece)
                taken += len(piece)
                if taken > EXPANDED and self.packing is not None:
                    raise Partial(
                        Reason.TRUNCATED, f"{self.path} expands to more than {human_size(EXPANDED)}"
                    )
        except BadPacking as error:
            yield from cut.finish()
            raise Partial(Reason.READ_ERROR, f"{self.path}: {error}") from error
        except Partial:
            yield from cut.finish()
            raise
        yield from cut.finish()

    def _untimed(self, room: int) -> Iterator[Chunk]:
        size = self.info.size
        try:
            if self.packing is not None:
                yield from _head_and_tail(self._plain(), room)
            elif size <= room:
                yield from self._stored(0, size)
            else:
                yield from self._ends(room)
        except BadPacking as error:
            raise Partial(Reason.READ_ERROR, f"{self.path}: {error}") from error

    def _ends(self, room: int) -> Iterator[Chunk]:
        """The head and the tail, without the lines that are cut in two."""
        size, half = self.info.size, room // 2
        edge = min(SAMPLE, half)
        left, right = self._read([(half - edge, edge), (size - half, edge)])
        head, tail = half - edge + (left.rfind(b"\n") + 1 or edge), size - half + right.find(b"\n") + 1
        yield from self._stored(0, head)
        yield Gap(tail - head)
        yield from self._stored(tail, size)


def _head_and_tail(data: Iterable[bytes], room: int) -> Iterator[Chunk]:
    """All that comes where it fits into `room`, else about its head and its tail."""
    taken, missing, held = 0, 0, deque[bytes]()
    for piece in data:
        if taken + len(piece) <= room // 2:
            taken += len(piece)
            yield piece
            continue
        taken = room
        held.append(piece)
        while sum(map(len, held)) - len(held[0]) > room // 2:
            missing += len(held.popleft())
    if missing:
        yield Gap(missing)
    yield from held
