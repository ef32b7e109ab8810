"""The rules over a stream: finds where a secret opens, follows it to its end, writes the mask, and fails closed.

Constant memory: what is kept is `REACH` bytes ahead of the place that is looked at, because a rule may need them, and
`BEHIND` bytes before it, because a rule may still mask them. What comes out never depends on how the input was cut.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from clinic.redact.pattern import Pattern
from clinic.redact.readers import AHEAD, Exactly, Step
from clinic.redact.rule import Hit, Program, Take
from clinic.redact.text import HANDLERS
from clinic.redact.variants import strings_in
from clinic.redact.view import BEHIND, MASK, REACH, Dialect, Opening, View, may_begin_scalar, may_end_scalar

FAILED_CLOSED = "failed_closed"
"""What withheld parts are counted under."""

GAP = "after a gap"
_LEARNABLE = 64 * 1024


class Stage(Protocol):
    """One step of the way from the source's bytes to the bundle's."""

    def feed(self, data: bytes) -> bytes:
        """What can be passed on after `data` came."""
        ...

    def gap(self) -> bytes:
        """What can be passed on when bytes are missing after those that came."""
        ...

    def finish(self) -> bytes:
        """The rest."""
        ...


@dataclass
class Tally:
    """What was masked in a stream, and who is told of it."""

    counts: Counter[str] = field(default_factory=Counter[str])
    """Hits by rule."""

    learn: Callable[[bytes], object] | None = None
    """Is told each value that was masked because of what stood before it."""


def marker(withheld: int, note: str) -> bytes:
    """What stands in place of bytes that could be neither cleared nor masked."""
    return f"[clinic: {withheld} bytes withheld, {note}]".encode()


@dataclass(slots=True)
class _Open:
    """The secret that is being read."""

    rule: str
    """Which opened it."""

    opening: Opening
    """How it is read and masked."""

    alone: bool
    """Whether a plain YAML scalar may begin where it begins."""

    resume: int = 0
    """Where to go on if it turns out to be empty."""

    length: int = 0
    """Bytes of it so far."""

    sample: bytearray = field(default_factory=bytearray)
    """The first of them, to be learned."""

    written: int = 0
    """Bytes that its reader wrote itself."""


class Scanner:
    """Applies the rules to one stream."""

    def __init__(
        self, program: Program, dialect: Dialect, tally: Tally, again: Callable[[bytes], bytes] | None = None
    ) -> None:
        """`again` redacts what is found packed inside; without it, that is taken as it is."""
        self._program = program
        self._dialect = dialect
        self._tally = tally
        self._again = again or bytes
        self._data = b""
        self._at = 0
        self._kept = 0
        self._floor = 0
        self._open: _Open | None = None
        self._long_way = dialect.yaml or dialect.fixed
        self._out: list[bytes] = []

    def feed(self, data: bytes) -> bytes:
        self._data = self._data + data if self._data else data
        return self._run(final=False)

    def finish(self) -> bytes:
        return self._run(final=True)

    def gap(self) -> bytes:
        """Ends what came, and then withholds everything until a line can't be inside a secret."""
        out = self._run(final=True, cut=True)
        self._data, self._at, self._kept, self._floor = b"", 0, 0, 0
        self._open = _Open("", Opening(0, self._doubt(), b"", note=GAP), False)
        return out

    def _doubt(self, first: int = -1) -> Proof:
        """Withholds until a line can't be inside a secret; at least `first` bytes and the rest of their line."""
        return Proof(self._dialect.proof, self._dialect.resume, fresh=first < 0, first=max(first, 0))

    def _run(self, final: bool, cut: bool = False) -> bytes:
        while self._advance(final):
            pass
        if final and self._open is not None:
            # No reader may leave anything behind the end; one that does is not to be trusted with the rest.
            self._out.append(self._marker(len(self._data) - self._at, f"rule {self._open.rule} did not end"))
            self._tally.counts[FAILED_CLOSED] += 1
            self._at = self._kept = self._floor = len(self._data)
            self._open = None
        if cut:
            self._withhold_last_word()
        self._write_to(len(self._data) if final else max(self._kept, self._at - BEHIND))
        # One byte before what is kept tells whether a line or a word begins there.
        drop = max(0, self._kept - 1)
        if drop:
            self._data = self._data[drop:]
            self._at -= drop
            self._kept -= drop
            self._floor = max(self._floor - drop, 1)
            if self._open is not None:
                self._open.resume -= drop
        out = b"".join(self._out)
        self._out.clear()
        return out

    def _advance(self, final: bool) -> bool:
        """One hit, or one step of an open secret; whether there may be more."""
        if self._open is not None:
            return self._follow(self._open, final)
        limit = len(self._data) if final else len(self._data) - REACH
        if self._at >= limit:
            return False
        hit = self._program.search(self._data, self._at)
        if hit is None or hit.start >= limit:
            self._at = limit
            return False
        opening = self._try(hit, final)
        if opening is None or opening.start < self._kept:
            self._at = hit.start + 1
        elif not self._mask_at_once(hit.rule.name, opening):
            self._begin(hit, opening)
        return True

    def _mask_at_once(self, rule: str, opening: Opening) -> bool:
        """Masks a secret whose end is known and in sight, which most are: the long way takes twice the time."""
        reader, start = opening.reader, opening.start
        if not isinstance(reader, Exactly):
            return False
        length, end = reader.length, start + reader.length
        plain = opening.mask is MASK and not (opening.note or opening.limit or self._long_way)
        if not plain or not length or end > len(self._data):
            return False
        sample = self._data[start:end]
        self._out += (self._data[self._kept : start], MASK)
        self._at = self._kept = self._floor = end
        if sample != MASK:
            self._tally.counts[rule] += 1
            if self._tally.learn is not None:
                self._tally.learn(sample[:_LEARNABLE])
        return True

    def _try(self, hit: Hit, final: bool) -> Opening | None:
        view = View(self._data, self._floor, final, self._dialect, self._again)
        try:
            return HANDLERS[hit.rule.take](view, hit)
        except Exception:  # noqa: BLE001 - whatever goes wrong in a rule, what it looked at must not pass
            start = max(self._kept, hit.start - BEHIND)
            if hit.rule.take is not Take.PAIR_REVERSED:
                # Only that one looks at lines before its own.
                start = max(start, self._data.rfind(b"\n", start, hit.start) + 1)
            return Opening(start, self._doubt(hit.end - start), b"", note=f"rule {hit.rule.name} failed")

    def _begin(self, hit: Hit, opening: Opening) -> None:
        before = self._data[max(self._floor, opening.start - BEHIND) : opening.start]
        alone = self._dialect.yaml and opening.mask == MASK and may_begin_scalar(before)
        self._write_to(opening.start)
        self._at = opening.start
        self._open = _Open(hit.rule.name, opening, alone, hit.start + 1)

    def _follow(self, current: _Open, final: bool) -> bool:
        opening = current.opening
        try:
            step = opening.reader.step(self._data, self._at, final)
        except Exception:  # noqa: BLE001 - the rest of the line is withheld instead of passed
            note = f"rule {current.rule} failed"
            self._open = _Open(current.rule, Opening(self._at, self._doubt(0), b"", note=note), False)
            return True
        taken = self._data[self._at : step.end]
        current.length += len(taken)
        if len(current.sample) < _LEARNABLE:
            current.sample += taken[: _LEARNABLE - len(current.sample)]
        if step.out:
            self._out.append(step.out)
            current.written += len(step.out)
        if step.withheld:
            self._tally.counts[FAILED_CLOSED] += 1
        self._at = self._kept = self._floor = step.end
        if step.done:
            self._close(current)
        elif opening.limit and current.length > opening.limit:
            self._out.append(self._marker(current.length, f"rule {current.rule} found no end"))
            self._tally.counts[FAILED_CLOSED] += 1
            self._open = _Open("", Opening(self._at, self._doubt(), b"", note=GAP), False)
        return step.done

    def _close(self, current: _Open) -> None:
        self._open = None
        opening = current.opening
        if not current.length:
            self._at = max(self._at, min(current.resume, len(self._data)))
            return
        if opening.note:
            self._out.append(self._marker(current.length, opening.note))
            if opening.note != GAP:
                # A gap was counted when it came.
                self._tally.counts[FAILED_CLOSED] += 1
            ended = self._data[self._at - 1 : self._at] == b"\n"
            if ended and isinstance(opening.reader, Proof) and not self._dialect.fixed:
                self._out.append(b"\n")
            return
        mask = opening.mask
        if current.alone and may_end_scalar(self._data, self._at):
            mask = b'"' + MASK + b'"'
        self._out.append(b"*" * current.length if self._dialect.fixed else mask)
        if bytes(current.sample) == MASK or (current.written and not self._masked(current)):
            return
        self._tally.counts[current.rule] += 1
        if self._tally.learn is not None and opening.teaches:
            sample = bytes(current.sample)
            for secret in strings_in(sample) if current.written else (sample,):
                self._tally.learn(secret)

    def _masked(self, current: _Open) -> bool:
        return bytes(current.sample) != b"".join(self._out)[-current.written :]

    def _marker(self, length: int, note: str) -> bytes:
        return b"*" * length if self._dialect.fixed else marker(length, note)

    def _withhold_last_word(self) -> None:
        """A word that is cut by a gap may be the beginning of a secret that no rule could know yet."""
        rest = self._data[self._kept :]
        word = len(rest) - max(rest.rfind(blank) for blank in (b" ", b"\n", b"\t", b"\r", b"\0")) - 1
        if word:
            self._write_to(len(self._data) - word)
            self._out.append(self._marker(word, "cut by a gap"))
            self._kept = len(self._data)

    def _write_to(self, end: int) -> None:
        if end > self._kept:
            self._out.append(self._data[self._kept : end])
            self._kept = end


@dataclass(slots=True)
class Proof:
    """Withholds lines until one can't be inside a secret."""

    pattern: Pattern
    """What such a line looks like."""

    resume: Pattern | None = None
    """What proves the same in the middle of a line."""

    fresh: bool = True
    """Whether the next byte begins a line, or is the first that is seen at all."""

    first: int = 0
    """Bytes that are withheld whatever they are."""

    def step(self, data: bytes, start: int, final: bool) -> Step:
        at, self.first = min(start + self.first, len(data)), 0
        while True:
            if self.fresh:
                if not final and len(data) - at < REACH:
                    return Step(at, False)
                if self.pattern.match(data, at, min(len(data), at + REACH)):
                    return Step(at, True)
                self.fresh = False
            line_end = data.find(b"\n", at)
            found = (
                self.resume.search(data, at, line_end if line_end >= 0 else len(data))
                if self.resume
                else None
            )
            if found is not None:
                return Step(found.start() + 1, True)
            if line_end < 0:
                return Step(len(data) if final or not self.resume else max(at, len(data) - AHEAD), final)
            at, self.fresh = line_end + 1, True
