"""Cuts a log that streams by down to the whole entries whose own time is inside a window."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from clinic.formats.entries import Entries, Mark, Scan
from clinic.formats.logentry import SPAN
from clinic.formats.logformats import detect
from clinic.formats.timestamp import NANOSECONDS
from clinic.units import KIB, MIB

PREAMBLE = MIB
"""Most bytes before the first entry of a file that are kept with it: a banner, the end of an entry cut in two."""

SILENCE = 600 * NANOSECONDS
"""Shorter silences are not looked for."""

JITTER = 60 * NANOSECONDS
"""How far back a time may be before it is taken for the second of the two moments that it stands for."""

TRUSTED = 128 * KIB
"""Of a piece so long, whose first and last entry are well inside the window and in order, no other is looked at.

A clock that ran away and came back within it is not noticed: what was written then was written in the window.
"""

FEWEST = 4
"""Entries of a further format that make it one of a file's: fewer may be a text that an entry quotes."""

_ZEROS = bytes(MIB)
_STRANGE = 16 * KIB
_SAMPLE = 32 * KIB
_LOOKS = 64


@dataclass(frozen=True, slots=True)
class Seen:
    """What some entries tell of a log's coverage; nanoseconds since 1970."""

    first: int
    """The earliest."""

    last: int
    """The latest."""

    silence: tuple[int, int] | None = None
    """The longest time between two that follow each other, where it is at least `SILENCE`."""


class Cut:
    """Takes a log's bytes in pieces and gives back those of the window.

    It begins at the beginning of a file or of an entry. Lines before the first entry of a file go with that entry,
    but for leading NUL bytes.
    """

    def __init__(self, entries: Entries, low: int, high: int, *, room: int = 0) -> None:
        """Keeps the entries from `low` to `high`, nanoseconds since 1970, both included.

        With `room` it finds out from when on there are no more than so many bytes: `newest` tells it in the end.
        """
        self._entries = entries
        self._low, self._high = low, high
        self._zone = b""
        self._scans: dict[bool, Scan] = {}
        self._looks = _LOOKS
        self._carry = b""
        self._line_start = True
        self._keeping: bool | None = None
        self._preamble = bytearray()
        self._now: int | None = None
        self._room = room
        self._coverage = Coverage(entries, room)
        self.left_out = 0
        """Bytes before the first kept entry that go with it and were too many to hold."""
        self.kept = 0
        """Bytes given back so far."""

    @property
    def seen(self) -> Seen | None:
        """Of what was kept; None while nothing was."""
        return self._coverage.seen

    def newest(self) -> tuple[int, int]:
        """From when on there are at most `room` bytes to the end of what was kept, and how many are before that."""
        if self.kept <= self._room:
            return self._low, 0
        return self._coverage.step_from(self.kept - self._room) or (self._high + 1, self.kept)

    def feed(self, data: bytes) -> list[bytes]:
        """The next bytes of the log; those of them, and of what was held back, that are to be kept."""
        if not data:
            return []
        line = max(data.rfind(b"\n"), data.rfind(b"\0")) + 1
        # The last line may be a head that is not all there yet; nothing else can be.
        begun = len(data) - line + (0 if line else len(self._carry))
        end = line if begun < SPAN else len(data)
        whole = bool(line) or end == len(data)
        block = b"".join((self._carry, memoryview(data)[:end])) if whole else b""
        self._carry = data[end:] if whole else self._carry + data
        return self._take(block, ends_line=end == line)

    def finish(self) -> list[bytes]:
        """What is left of it when the log ends."""
        rest, self._carry = self._carry, b""
        return self._take(rest, ends_line=False, final=True)

    def _take(self, block: bytes, *, ends_line: bool, final: bool = False) -> list[bytes]:
        if not block:
            return []
        pieces: list[bytes] = []
        if _ZEROS.startswith(block):  # a hole: nothing begins in it
            if self._keeping or self._preamble:
                self._pass(pieces, block, None, None)
        else:
            self._take_lines(pieces, block, final)
        self._line_start = ends_line
        return pieces

    def _take_lines(self, pieces: list[bytes], block: bytes, final: bool) -> None:
        first, last = self._ends(block, self._line_start, final)
        self._look(block[last.at :] if last is not None else block)
        if self._keeping and first is not None and last is not None and self._trusts(len(block), first, last):
            self._now = resolve(last, self._now)
            self._pass(pieces, block, first, last)
        else:
            self._take_exactly(pieces, block, final)

    def _ends(self, data: bytes, line_start: bool, final: bool) -> tuple[Mark | None, Mark | None]:
        """The first and the last entry that begin in `data`."""
        first = self._entries.first(data, line_start=line_start, final=final)
        return first, self._entries.last(
            data, line_start=line_start, final=final
        ) if first is not None else None

    def _trusts(self, size: int, first: Mark, last: Mark) -> bool:
        """Whether everything between two entries far from the window's edges and in order is taken unseen."""
        low, high = self._low + JITTER, self._high - JITTER
        return size >= TRUSTED and low <= first.time <= first.latest <= last.time <= last.latest <= high

    def _take_exactly(self, pieces: list[bytes], block: bytes, final: bool) -> None:
        at, line_start = 0, self._line_start
        while (mark := self._next_change(block, at, line_start, final)) is not None:
            self._pass_some(pieces, block[at : mark.at], line_start)
            if self._keeping is None and self._preamble:
                self._keep(pieces, bytes(self._preamble))
                self._preamble.clear()
            self._keeping = not self._keeping
            at, line_start = mark.at, True
        self._pass_some(pieces, block[at:], line_start)

    def _next_change(self, block: bytes, at: int, line_start: bool, final: bool) -> Mark | None:
        """The next entry that is kept where what is before it is not, or the other way round."""
        for mark in self._entries.all(block, at, line_start=line_start, final=final, scan=self._scan()):
            if not self._zone and (zone := self._entries.zone_in(block, mark.at)):
                self._zone = zone
                self._scans.clear()
            if self._is_inside(mark) != bool(self._keeping):
                return mark
            if self._keeping is None:
                self._keeping = False
                self._preamble.clear()
                self.left_out = 0
        return None

    def _scan(self) -> Scan | None:
        """What finds the entries that may change something; None when that may be any."""
        if self._keeping is None or not self._zone:
            return None
        if self._keeping not in self._scans:
            find = self._entries.outside if self._keeping else self._entries.inside
            self._scans[self._keeping] = find(self._low, self._high, self._zone)
        return self._scans[self._keeping]

    def _is_inside(self, mark: Mark) -> bool:
        self._now = resolve(mark, self._now)
        return self._low <= self._now <= self._high

    def _pass_some(self, pieces: list[bytes], piece: bytes, line_start: bool) -> None:
        if piece:
            self._pass(
                pieces, piece, *(self._ends(piece, line_start, True) if self._keeping else (None, None))
            )

    def _pass(self, pieces: list[bytes], piece: bytes, first: Mark | None, last: Mark | None) -> None:
        """Keep `piece`, hold it until the first entry tells what becomes of it, or let it go."""
        if self._keeping is None:
            self._preamble += piece if self._preamble else piece.lstrip(b"\0")
            if len(self._preamble) > PREAMBLE:
                self.left_out += len(self._preamble)
                self._preamble.clear()
        elif self._keeping:
            if first is not None and last is not None:
                self._coverage.note(piece, first, last, self.kept)
            self._keep(pieces, piece)

    def _keep(self, pieces: list[bytes], piece: bytes) -> None:
        pieces.append(piece)
        self.kept += len(piece)

    def _look(self, strange: bytes) -> None:
        """Notice where the log goes on in another format: its writer was set up anew."""
        if len(strange) < _STRANGE or self._looks == 0 or b"\n" not in strange:
            return
        self._looks -= 1
        entries = self._entries.plus(detect(strange.lstrip(b"\0")[:_SAMPLE], least=FEWEST))
        if entries is not self._entries:
            self._entries = self._coverage.entries = entries
            self._scans.clear()


def resolve(mark: Mark, before: int | None) -> int:
    """When an entry was written, given when the one before it was: that tells which of two hours it is."""
    if mark.latest != mark.time and before is not None and mark.time < before - JITTER:
        return mark.latest
    return mark.time


class Coverage:
    """Collects when the entries of a log were written, from no more of them than it takes."""

    def __init__(self, entries: Entries, room: int = 0) -> None:
        """With `room` it remembers where some of the entries in the last so many bytes begin."""
        self.entries = entries
        """How the log is read."""
        self.seen: Seen | None = None
        """What was found so far."""
        self._now: int | None = None
        self._room = room
        self._steps: deque[tuple[int, int]] = deque()

    def note(self, piece: bytes, first: Mark, last: Mark, offset: int) -> None:
        """The next bytes, at `offset` in what was kept of the log, with the first and the last entry in them."""
        self._one(first)
        if self._room or last.time - first.time >= SILENCE or last.time != last.latest:
            self._step(offset + first.at)
            for mark in self.entries.all(piece, first.at + 1, line_start=False, final=True):
                self._one(mark)
                self._step(offset + mark.at)
        elif last.at != first.at:
            self._one(last)

    def step_from(self, offset: int) -> tuple[int, int] | None:
        """When the first entry known to begin at `offset` or later was written, and where it begins."""
        return next(((time, at) for at, time in self._steps if at >= offset), None)

    def _step(self, at: int) -> None:
        """Remember an entry, one for each 64th of the room: of what is before the last so many bytes, none."""
        if (
            self._room
            and self._now is not None
            and (not self._steps or at - self._steps[-1][0] >= self._room // 64)
        ):
            self._steps.append((at, self._now))
        while self._steps and self._steps[0][0] < at - self._room:
            self._steps.popleft()

    def _one(self, mark: Mark) -> None:
        before, now = self._now, resolve(mark, self._now)
        self._now = now
        if self.seen is None:
            self.seen = Seen(now, now)
            return
        silence = self.seen.silence
        if before is not None and now - before >= SILENCE:
            longest = silence[1] - silence[0] if silence is not None else 0
            silence = (before, now) if now - before > longest else silence
        self.seen = Seen(min(self.seen.first, now), max(self.seen.last, now), silence)
