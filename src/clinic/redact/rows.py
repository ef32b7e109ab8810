"""The rows of an INSERT statement: the values under a secret's column are masked, the others are read as text."""

from __future__ import annotations

from collections.abc import Callable

from clinic.redact.keys import Kind, Where, is_secret, kind_of
from clinic.redact.pattern import Pattern
from clinic.redact.readers import AHEAD, Step, While
from clinic.redact.rule import Hit
from clinic.redact.values import string_in
from clinic.redact.view import MASK, Opening, View

_TOKEN = Pattern(r"\\{0,7}[\"']|[(),;\n]")
_NEXT_ROW = Pattern(r"(?:\s|\\{1,7}[nrt]){0,16},(?:\s|\\{1,7}[nrt]){0,16}\(")
# Between the values: a number, a word such as NULL, the name of a function or variable.
_BARE = Pattern(r"(?:\s|\\{1,7}[nrt])*[@:$?]{0,2}[\w.+\-]*(?:\s|\\{1,7}[nrt])*")
_LONGEST_BARE = 256
_SHORT = 16
_LONGEST = 64 * 1024


class Rows:
    """From behind the first row's bracket to the end of the last row."""

    __slots__ = ("_again", "_column", "_depth", "_kinds", "_lines", "_skipping")

    def __init__(self, kinds: tuple[Kind | None, ...], again: Callable[[bytes], bytes], lines: bool) -> None:
        """`kinds` says by column what its values are, `again` redacts the text of any other; `lines`: may values have more than one."""
        self._kinds = kinds
        self._again = again
        self._lines = lines
        self._column = 0
        self._depth = 1
        # The quote of a long value whose rest comes next and was masked already.
        self._skipping = b""

    def step(self, data: bytes, start: int, final: bool) -> Step:
        at, out = start, bytearray()
        while True:
            if self._skipping:
                rest = While(self._inside()).step(data, at, final)
                at = rest.end
                if not rest.done:
                    return Step(at, final, bytes(out))
                closing = self._skipping if data.startswith(self._skipping, at) else b""
                out += closing
                at, self._skipping = at + len(closing), b""
            if not final and len(data) - at < _LONGEST_BARE + AHEAD:
                return Step(at, False, bytes(out))
            match = _TOKEN.search(data, at, min(len(data), at + _LONGEST_BARE))
            bare = data[at : match.start()] if match else b""
            if match is None or not _BARE.full(bare):
                # This is no row any more: it is read from here on like everything else.
                return Step(at, True, bytes(out))
            token = data[match.start() : match.end()]
            before = len(out)
            out += (self._again(bare) if len(bare) > _SHORT else bare) + token
            start, at = at, match.end()
            if token[-1:] in (b'"', b"'"):
                waits = self._value(data, at, token, final, out)
                if waits < 0:
                    return Step(start, False, bytes(out[:before]))
                at = waits
            elif self._ends(token):
                return Step(at, True, bytes(out))
            elif not self._depth:
                more = _NEXT_ROW.match(data, at)
                if more is None:
                    return Step(at, True, bytes(out))
                out += data[at : more.end()]
                at, self._depth, self._column = more.end(), 1, 0

    def _inside(self, mark: bytes = b"") -> Pattern:
        mark = mark or self._skipping
        return string_in(mark, lines=self._lines, doubled=mark == b"'")

    def _ends(self, token: bytes) -> bool:
        """Counts brackets and columns; whether the statement ends in the middle of a row."""
        self._depth += {b"(": 1, b")": -1}.get(token, 0)
        self._column += token == b"," and self._depth == 1
        return token == b";" or (token == b"\n" and not self._lines)

    def _value(self, data: bytes, at: int, mark: bytes, final: bool, out: bytearray) -> int:
        """Writes the value that begins at `at` and its closing quote: where it ends, -1 where that is out of sight."""
        match = self._inside(mark).match(data, at)
        end = match.end() if match else at
        if not final and len(data) - end < AHEAD:
            if end - at < _LONGEST:
                return -1
            out += MASK
            self._skipping = mark
            return end
        kind = self._kinds[self._column] if self._column < len(self._kinds) else None
        text = data[at:end]
        secret = kind is not None and is_secret(kind, text, Where.STRUCTURE)
        out += MASK if secret else self._again(text)
        closing = mark if data.startswith(mark, end) else b""
        out += closing
        return end + len(closing)


def insert(view: View, hit: Hit) -> Opening | None:
    """`INTO users (name, password) VALUES (`: group 1 is the list of columns."""
    start, end = hit.span(1)
    names = [name.strip(b" \t\r\n`\"'\\") for name in view.data[start:end].split(b",")]
    kinds = tuple(kind_of(name) for name in names)
    if not any(kinds):
        return None
    return Opening(hit.end, Rows(kinds, view.again, not view.dialect.entries), b"", teaches=False)
