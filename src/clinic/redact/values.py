"""Where the value after a key begins and ends in a text of no known format."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from clinic.redact.keys import Kind, Where, is_secret
from clinic.redact.pattern import Pattern, quote
from clinic.redact.readers import (
    AHEAD,
    MULTI_LINE_LIMIT,
    Exactly,
    Indented,
    Reader,
    Until,
    While,
    inside_quotes,
)
from clinic.redact.view import Key, Opening, View

PEEK = 256
"""Bytes of a value that are looked at to decide whether it is a secret."""

QUOTE = r"\\{0,15}[\"'`]"
"""RE2: a quote with the backslashes that nesting puts before it."""

UNSEEN = r"(?:\xc2\xa0|\\{1,7}(?:u00a0|xa0)|(?:\x1b|\\{1,7}(?:u001b|x1b|033|e))\[[\d;]{0,16}[mK])"
"""RE2: a no-break blank or the colours of a terminal, also as a string writes them."""

# Closing brackets and commas end a value only at the end of a word: passwords hold them too.
_BARE_END = (
    r"[\s\x00\x1b]|\\{1,7}(?:u001b|x1b|033)\[|[,;)\]}>]{1,8}(?:[\s\x00]|\z)|[,;)\]}>]{0,8}\\{0,15}[\"'`]+(?:[\s,;:)\]}>&|.\\]|\z)"
    r"|[,;]\s?\\{0,15}[\"'`]|[,;&|]\s?\w[\w.\-]{0,63}[\"'`]?\s?(?:=|: ?)[^\s]|\\[nr]|</|%26\w|&quot;"
)
BARE_END = Pattern(_BARE_END)
"""What ends an unquoted value in a text."""

BARE_END_IN_JSON = Pattern(_BARE_END + r"|\\{0,15}\"")
"""The same inside a JSON string, which no bare quote can be part of."""

QUERY_END = Pattern(r"[\s\x00&#\"'<>\\]|[)\]}>,;]{1,8}(?:[\s\x00]|\z)")
"""What ends the value of a parameter in an address."""

_LINE_END = Pattern(r"[\r\n\x00\x1b]|\\[nr]|[\"'`](?:[\s,;:)\]}>]|\z)|\s#")
_QUOTED = Pattern(rf"[ \t]{{0,64}}(?:[bBrRuU]{{0,2}}|[\w\[\]&*.:]{{0,32}}\()({QUOTE}|&quot;|&#39;|%22|%27)")
_TAG = Pattern(r"![\w/!]{0,32}[ \t]{1,16}")
_ENTITY_ENDS = {
    b"&quot;": Pattern(r"&quot;|[\"<\n]"),
    b"&#39;": Pattern(r"&#39;|['<\n]"),
    b"%22": Pattern(r"%22|[\s\"'&]"),
    b"%27": Pattern(r"%27|[\s\"'&]"),
}
_CONTAINER = Pattern(r"\{\s*(?:\\{0,15}[\"']|[\w.\-]{1,64}\s?[:=]|\}|\z)|\[\s*\]")
_LIST_END = Pattern(r"\]|[\r\n]|\\n")
_LINE_LEAD = Pattern(r"(?:\A|\n|\\n)[ \t]*(?:[-#;>*|]+[ \t]*)?\z")
_BLOCK = Pattern(r"[ \t]{0,64}[|>][+\-]?\d?[+\-]?[ \t]{0,64}\r?\n([ ]{1,128})")


@dataclass(frozen=True, slots=True)
class Value:
    """A value that may be a secret."""

    start: int
    """Its first byte, inside its quotes."""

    text: bytes
    """As much of it as is looked at."""

    reader: Reader
    """Finds its end."""

    whole: bool = False
    """Whether it surely ends with a quote, not with its line."""


@lru_cache(maxsize=64)
def string_in(mark: bytes, *, lines: bool = False, doubled: bool = False) -> Pattern:
    """What a string behind the quote `mark` may hold."""
    return inside_quotes(chr(mark[-1]), len(mark) - 1, lines=lines, doubled=doubled)


def quoted(view: View, start: int, mark: bytes, *, lines: bool = False, doubled: bool = False) -> Value:
    """The value that begins at `start` behind the quote `mark`."""
    if mark in _ENTITY_ENDS:
        return until(view, start, _ENTITY_ENDS[mark])
    return inside(view, start, string_in(mark, lines=lines, doubled=doubled))


def inside(view: View, start: int, pattern: Pattern) -> Value:
    """The value that begins at `start` and goes on as long as `pattern` matches."""
    limit = min(len(view.data), start + PEEK)
    match = pattern.match(view.data, start, limit)
    end = match.end() if match else start
    # A line end within sight is the end of a cut string; a key block has its line ends at every 64 bytes.
    whole = view.data[end : end + 1] not in (b"\n", b"")
    return Value(
        start, view.data[start:end], Exactly(end - start) if end < limit - 32 else While(pattern), whole
    )


def until(view: View, start: int, end: Pattern) -> Value:
    """The value that begins at `start` and goes on until `end`."""
    limit = min(len(view.data), start + PEEK)
    match = end.search(view.data, start, min(len(view.data), limit + AHEAD))
    if match is None or match.start() > limit:
        return Value(start, view.data[start:limit], Until(end))
    return Value(start, view.data[start : match.start()], Exactly(match.start() - start))


def exactly(view: View, start: int, end: int) -> Value:
    """The value between two places."""
    return Value(start, view.data[start:end][:PEEK], Exactly(end - start))


def quote_at(view: View, at: int) -> tuple[bytes, int] | None:
    """The quote that a value begins with at `at`, and the first byte inside; what wraps a literal is skipped."""
    match = _QUOTED.match(view.data, at)
    return (view.data[match.start(1) : match.end(1)], match.end(1)) if match else None


def skip_space(view: View, at: int) -> int:
    """The first byte from `at` on that is no blank, and no YAML tag."""
    blanks = view.data[at : at + 64]
    at += len(blanks) - len(blanks.lstrip(b" \t"))
    tag = _TAG.match(view.data, at) if view.data[at : at + 1] == b"!" else None
    return tag.end() if tag else at


def text_value(view: View, key: Key) -> Opening | None:
    """Opens the value of a key in a text, if it is a secret."""
    if key.sign == b":" and view.data[key.after : key.after + 1] == b":":
        return None
    many = _many_quotes(view, key)
    if many is not None:
        return many
    own = quote_at(view, key.after)
    # A quote is written as %22 only where the sign before it is written as %3D.
    if own is not None and (own[0][:1] != b"%" or key.sign[:1] == b"%"):
        value = quoted(view, own[1], own[0], doubled=own[0] == b"'")
        return opening(key.kind, over_lines(view, value, own[0]) or value, Where.ASSIGN)
    return _bare(view, key, skip_space(view, key.after))


_NEW_LINE = Pattern(r"[ \t]*(?:[\w.\"'@/\-]{1,128}[ \t]*[=:]|\S+[ \t]+\S+[ \t]+\S|[\[{<#]|\d{4}[/\-])")
_BEHIND_QUOTE = Pattern(r"[\s,;)\]}]|\z")


def over_lines(view: View, value: Value, mark: bytes) -> Value | None:
    """A quoted value that goes on in the next lines, where these can be nothing else and its quote is closed there."""
    end = value.start + len(value.text)
    if view.data[end : end + 1] != b"\n" or mark not in (b'"', b"'"):
        return None
    longer = quoted(view, value.start, mark, lines=True)
    end = value.start + len(longer.text)
    if view.data[end : end + 1] != mark or not _BEHIND_QUOTE.match(view.data, end + 1):
        return None
    more = longer.text.split(b"\n")[1:]
    return longer if not any(_NEW_LINE.match(line + b"\n") for line in more) else None


_THREE = Pattern(r"\"{3}|'{3}|(?:\\\"){3}")


@lru_cache(maxsize=64)
def _closing(quotes: bytes, lines: bool) -> Pattern:
    return Pattern(quote(quotes) + ("" if lines else r"|[\r\n]"))


def _many_quotes(view: View, key: Key) -> Opening | None:
    """A value in three quotes, or in the doubled quotes of a table's cell."""
    start = skip_space(view, key.after)
    if view.data[start : start + 1] not in (b'"', b"'", b"\\"):
        return None
    three = _THREE.match(view.data, start)
    if three is not None:
        value = until(view, three.end(), _closing(view.data[start : three.end()], True))
        secret = opening(key.kind, value, Where.ASSIGN)
        return Opening(value.start, value.reader, limit=MULTI_LINE_LIMIT) if secret else None
    half = key.quote[: len(key.quote) // 2]
    if not half or key.quote != half * 2 or not view.data.startswith(key.quote, start):
        return None
    return opening(key.kind, until(view, start + len(key.quote), _closing(key.quote, False)), Where.ASSIGN)


_JSON_NUMBER = Pattern(r"(\d{1,64}|\*\*\*)\s{0,16}[,}\]]")


def _bare(view: View, key: Key, start: int) -> Opening | None:
    data, lead = view.data, view.data[key.start - 1 : key.start] if key.start > view.floor else b""
    first = data[start : start + 1]
    if first in (b"{", b"[") and _CONTAINER.match(data, start):
        return None
    where, on_line = _where(view, key)
    if first == b"[" and data[start + 1 : start + 2] in (b'"', b"'", b"\\", b"*"):
        return opening(key.kind, until(view, start + 1, _LIST_END), where)
    number = _JSON_NUMBER.match(data, start) if key.quote and key.sign == b":" else None
    if number is not None:
        return opening(key.kind, exactly(view, start, number.end(1)), where)
    if lead in (b'"', b"'") and not key.quote and key.sign in (b"=", b":") and start == key.after:
        return opening(key.kind, quoted(view, start, _enclosing(view, key.start)), where)
    if lead in (b"?", b"&") and key.sign == b"=":
        return opening(key.kind, until(view, start, QUERY_END), where)
    if on_line:
        return _line(view, key, start, where)
    return opening(key.kind, until(view, start, view.dialect.bare_end), where)


def _line(view: View, key: Key, start: int, where: Where) -> Opening | None:
    """The value of a line that looks like YAML."""
    block = _BLOCK.match(view.data, key.after)
    if block is not None:
        return Opening(block.end(), Indented(block.end(1) - block.start(1) - 1))
    end = _LINE_END if key.kind in (Kind.PASSWORD, Kind.SECRET) else view.dialect.bare_end
    return opening(key.kind, until(view, start, end), where)


def _enclosing(view: View, at: int) -> bytes:
    """The quote that ends at `at`, with the backslashes before it."""
    first = at - 1
    while first > view.floor and at - first < 16 and view.data[first - 1] == 0x5C:
        first -= 1
    return view.data[first:at]


def _where(view: View, key: Key) -> tuple[Where, bool]:
    """What an unquoted value stands behind, and whether its key begins a line."""
    parted = view.data[key.after : key.after + 1] in (b" ", b"\t", b"") or view.data[key.after - 1] != 0x3A
    if key.sign != b":" or key.quote or not parted:
        return Where.ASSIGN, False
    before = view.before(key.start, 128)
    starts_line = len(before) < 128 and view.line_start(key.start) == key.start - len(before)
    lead = _LINE_LEAD.search(before)
    if lead is not None and (lead.start() > 0 or before[:1] in (b"\n", b"\\") or starts_line):
        return Where.LINE, True
    # No sentence has a word like `smtp_auth_secret` or `clientSecret`.
    is_name = any(sign in key.name for sign in (b"_", b"-", b".")) or key.name[1:].lower() != key.name[1:]
    return (Where.LINE if is_name else Where.PROSE), False


_KEY_BLOCK = Pattern(r"[\s\"'\\]{0,16}-----BEGIN[ +%]")


def opening(kind: Kind, value: Value, where: Where) -> Opening | None:
    """Opens a value if it is a secret. A PEM block over lines has a rule of its own, which knows where it ends."""
    in_block = not value.whole and b"-----BEGIN" in value.text and _KEY_BLOCK.match(value.text)
    if in_block or not is_secret(kind, value.text, where):
        return None
    return Opening(value.start, value.reader)
