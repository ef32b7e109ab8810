"""How a secret ends: readers that follow it over any number of chunks in constant memory.

Every decision of a reader depends on the bytes alone, never on where a chunk ended: it waits until it has seen
enough behind a candidate.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, Protocol

from clinic.redact.pattern import Pattern

AHEAD = 160
"""Bytes that must be known behind the end of a value before it counts as its end."""

MULTI_LINE_LIMIT = 1 << 20
"""Bytes after which a secret over many lines that has no end is withheld with a marker."""

_LONGEST_RUN = 4096


class Step(NamedTuple):
    """What one look at the data gave."""

    end: int
    """Everything before it belongs to the secret, or is in `out`."""

    done: bool
    """Whether the secret ends there."""

    out: bytes = b""
    """What takes the place of the bytes, where a reader makes that itself."""

    withheld: bool = False
    """Whether that is a marker, because they could not be cleared."""


class Reader(Protocol):
    """Follows one secret to its end. One object serves one secret."""

    def step(self, data: bytes, start: int, final: bool) -> Step:
        """Read on from `start`; `final` says that nothing comes after `data`."""
        ...


@dataclass(slots=True)
class Exactly:
    """A secret whose length is known."""

    length: int
    """Bytes."""

    def step(self, data: bytes, start: int, final: bool) -> Step:
        return Step(min(start + self.length, len(data)), True)


@dataclass(slots=True)
class Until:
    """A secret that goes on until a pattern is found."""

    pattern: Pattern
    """What comes after the secret; it must not need more than `AHEAD` bytes."""

    inclusive: bool = False
    """Whether what was found belongs to the secret."""

    def step(self, data: bytes, start: int, final: bool) -> Step:
        safe = len(data) if final else max(start, len(data) - AHEAD)
        match = self.pattern.search(data, start)
        if match is None or (match.start() > safe and not final):
            return Step(safe, final)
        return Step(match.end() if self.inclusive else match.start(), True)


@dataclass(slots=True)
class While:
    """A secret that goes on as long as a pattern matches, such as the inside of a quoted string."""

    pattern: Pattern
    """Matches any number of whole tokens; it stops before one that is cut."""

    first: int = 0
    """Bytes at its beginning that belong to it whatever they are."""

    def step(self, data: bytes, start: int, final: bool) -> Step:
        start, self.first = start + self.first, 0
        match = self.pattern.match(data, start)
        end = match.end() if match else start
        if final or len(data) - end >= AHEAD:
            return Step(end, True)
        return Step(_before_backslashes(data, start, end), False)


@dataclass(frozen=True, slots=True)
class Literal:
    """A quoted string over lines in a log, where what cuts a long statement may cut its closing quote as well."""

    inside: Pattern
    """What the string may hold."""

    line: Pattern
    """How a line begins that can't be part of it."""

    def step(self, data: bytes, start: int, final: bool) -> Step:
        step = While(self.inside).step(data, start, final)
        at = data.find(b"\n", start, step.end)
        while at >= 0:
            if not final and len(data) - at <= AHEAD:
                return Step(at, False)
            if self.line.match(data, at + 1):
                return Step(at, True)
            at = data.find(b"\n", at + 1, step.end)
        return step


def _before_backslashes(data: bytes, start: int, end: int) -> int:
    """A place to go on from: a run of backslashes means something only as a whole."""
    last = end
    while last > start and data[last - 1] == 0x5C:
        last -= 1
    if end - last > _LONGEST_RUN:
        # Whole groups of 64 change nothing about what the rest of the run means.
        last = end - (end - last) % 64 - 64
    return last


@lru_cache(maxsize=256)
def inside_quotes(quote: str, depth: int = 0, *, lines: bool = False, doubled: bool = False) -> Pattern:
    """The inside of a quoted string.

    `depth` is how many backslashes stand before its quotes (1 for JSON inside a JSON string, 3 for one more), `lines`
    whether it may hold line ends, `doubled` whether a doubled quote is a quote inside.
    """
    stop = "" if lines else r"\n"
    plain = rf"[^{quote}\\{stop}]"
    twice = rf"|{quote}{quote}" if doubled else ""
    if depth == 0:
        escaped = "." if lines else r"[^\n]"
        return Pattern(rf"(?s:(?:{plain}|\\{escaped}{twice})*)")
    if depth == 1:
        return Pattern(rf"(?s:(?:{plain}|\\[^{quote}\\{stop}]|\\\\(?:\\.|[^\\{quote}{stop}]){twice})*)")
    return Pattern(rf"(?s:(?:{plain}|\\{{{depth + 1},}}{quote}?|\\{{1,{depth}}}[^{quote}\\{stop}])*)")


@dataclass(slots=True)
class Indented:
    """The lines that are indented deeper than a YAML key: a block scalar, or a list of secrets."""

    indent: int
    """Of the key."""

    dashes: bool = False
    """Whether a line at the same depth that begins with a dash belongs to it."""

    def step(self, data: bytes, start: int, final: bool) -> Step:
        at = start
        while True:
            line_end = data.find(b"\n", at)
            if line_end < 0:
                return Step(len(data), final)
            if not final and len(data) - line_end <= self.indent + AHEAD:
                return Step(line_end, False)
            if not self._belongs(data[line_end + 1 : line_end + 1 + self.indent + AHEAD]):
                # The line end itself is layout and stays.
                return Step(line_end - (line_end > at and data[line_end - 1] == 0x0D), True)
            at = line_end + 1

    def _belongs(self, text: bytes) -> bool:
        line = text.lstrip(b"\r\n")
        depth = len(line) - len(line.lstrip(b" "))
        if not line.strip():
            # Only blank lines in sight: what comes behind them may be more of the secret.
            return len(text) >= AHEAD
        return depth > self.indent or (
            self.dashes and depth == self.indent and line[depth : depth + 2] == b"- "
        )


_TOKENS = {False: Pattern(r'["\[\]{}]'), True: Pattern(r"[\"'#\[\]{}]")}
_STRING = inside_quotes('"')
_INSIDE = {b'"': _STRING, b"'": Pattern(r"[^'\n]*"), b"#": Pattern(r"[^\n]*")}
_COLON = Pattern(r'"[ \t\r\n]{0,64}:')
_LONGEST_KEY = 2048


@dataclass(slots=True)
class Container:
    """A JSON or TOML array or object whose strings are all secrets: they are masked, its shape stays."""

    mask: bytes
    """What stands in place of each string."""

    toml: bool = False
    """Whether it may hold strings in single quotes, and comments, which are masked too."""

    depth: int = 0
    """Open brackets so far."""

    skipping: bytes = b""
    """What began the string or comment whose rest comes next and was masked already."""

    def step(self, data: bytes, start: int, final: bool) -> Step:
        at, out = start, bytearray()
        while True:
            if self.skipping:
                rest = While(_INSIDE[self.skipping]).step(data, at, final)
                at = rest.end
                if not rest.done:
                    return Step(at, final, bytes(out))
                self.skipping = b""
                out += data[at : at + 1]
                at += 1
            match = _TOKENS[self.toml].search(data, at)
            if match is None:
                return Step(len(data), final, bytes(out + data[at:]))
            token, found = data[match.start() : match.end()], match.end()
            out += data[at : found - 1]
            at = found - 1
            if token in _INSIDE:
                key_end = self._key_end(data, found) if token == b'"' else None
                if key_end is None and not final and len(data) - at < _LONGEST_KEY * 2:
                    return Step(at, False, bytes(out))
                if key_end is None:
                    self.skipping = token
                out += data[at:key_end] if key_end is not None else token + self.mask
                at = key_end if key_end is not None else found
                continue
            self.depth += 1 if token in b"[{" else -1
            out += token
            at = found
            if self.depth <= 0:
                return Step(at, True, bytes(out))

    @staticmethod
    def _key_end(data: bytes, inside: int) -> int | None:
        """Where a string that begins before `inside` ends, if it is a key."""
        match = _STRING.match(data, inside, min(len(data), inside + _LONGEST_KEY))
        colon = _COLON.match(data, match.end()) if match else None
        return colon.end() if colon else None
