"""Whether bytes are the shape they should be, found while they pass: JSON that is whole, text that is no web page."""

from __future__ import annotations

import re
from typing import Literal

Expect = Literal["json", "value", "text", "any"]
"""An object or array, any JSON value, text that is no web page, or whatever comes."""

DEEPEST = 1000
"""Levels of nesting beyond which it is no answer but an attack."""

_TYPES = {
    "json": (
        "json",
        "octet-stream",
        "text/plain",
    ),  # PD gives its regions as octet-stream, old servers JSON as text
    "text": ("text/", "json", "octet-stream", "openmetrics"),
}
_PAGE = re.compile(rb"(?i)\s*(?:<!doctype\s+html|<html|<head|<body|<\?xml)")
_SPACE = b" \t\r\n"
_OUTSIDE = b'0123456789+-.eE,:{}[] \t\r\n"' + b"truefalsn"
"""All that may stand outside of strings: numbers, separators, brackets, `true`, `false`, `null`."""

_NO_BRACKETS = bytes(set(range(256)) - set(b"{}[]"))
_ESCAPE = re.compile(rb"(?s)\\.")
_LONGEST_SCALAR = 4096


def wrong_type(expect: Expect, content_type: str) -> str:
    """Why an answer of this media type can't be what is expected; empty when it can."""
    if expect == "any" or not content_type:
        return ""
    kind = "text" if expect == "text" else "json"
    known = any(word in content_type for word in _TYPES[kind]) and content_type != "text/html"
    return "" if known else f"it is {content_type[:60]}, not {kind}"


def is_page(beginning: bytes) -> bool:
    """Whether it begins as a web page."""
    return _PAGE.match(beginning) is not None


class Json:
    """Follows JSON as it passes, in constant memory: its brackets match and it ends where they are closed.

    Numbers and commas are not looked at closely; what cuts or replaces an answer never leaves the brackets whole.
    """

    def __init__(self, *, scalars: bool) -> None:
        """`scalars` allows a bare string, number, boolean or null."""
        self._scalars = scalars
        self._open = bytearray()
        self._begun = False
        self._closed = False
        self._in_string = False
        self._carried = b""
        self._is_scalar = False
        self._scalar = b""
        self.wrong = ""
        """Why it is no JSON, as soon as that is known."""

    def feed(self, data: bytes) -> None:
        """The next bytes."""
        if not self._begun:
            data = data.lstrip(_SPACE)
            self._begin(data)
        if self.wrong or not data:
            return
        if not self._is_scalar:
            self._follow(data)
        elif len(self._scalar) <= _LONGEST_SCALAR:
            self._scalar += data
        elif not self._scalars:
            self.wrong = "it is no JSON object or array"

    def finish(self) -> str:
        """Why the whole is no JSON; empty when it is."""
        if self.wrong:
            return self.wrong
        if not self._begun:
            return "it is empty"
        if not self._is_scalar:
            return "" if self._closed else "it ends in the middle"
        if not _parses(self._scalar):
            return "it is no JSON"
        return "" if self._scalars or self.null else "it is no JSON object or array"

    @property
    def null(self) -> bool:
        """Whether it is `null`: the server has none of what was asked for."""
        return self._scalar.strip(_SPACE) == b"null"

    def _begin(self, data: bytes) -> None:
        self._begun = bool(data)
        self._is_scalar = data[:1] not in (b"{", b"[")
        if is_page(data[:200]):
            self.wrong = "it is a web page, not JSON"

    def _follow(self, data: bytes) -> None:
        outside = self._outside(data)
        if outside.translate(None, _OUTSIDE):
            self.wrong = "it is no JSON"
            return
        last = outside.rstrip(_SPACE)[-1:]
        if self._closed:
            self.wrong = "more follows its end" if last else ""
            return
        brackets = outside.translate(None, _NO_BRACKETS)
        for at, bracket in enumerate(brackets, 1):
            if bracket in b"{[":
                self._open.append(bracket + 2)  # in ASCII the one that closes it
            elif self._open.pop() != bracket:
                self.wrong = "its brackets do not match"
                return
            if not self._open:
                self._closed = True
                self.wrong = "" if at == len(brackets) and bracket == last[0] else "more follows its end"
                return
        if len(self._open) > DEEPEST:
            self.wrong = f"it is nested deeper than {DEEPEST} levels"

    def _outside(self, data: bytes) -> bytes:
        """What is not in strings. A backslash at the end waits for what it escapes."""
        data = self._carried + data
        self._carried = b""
        if b"\\" in data:
            data = _ESCAPE.sub(b"", data)
            if data.endswith(b"\\"):
                data, self._carried = data[:-1], b"\\"
        pieces = data.split(b'"')
        first = 1 if self._in_string else 0
        self._in_string ^= len(pieces) % 2 == 0
        return b" ".join(pieces[first::2])


def _parses(text: bytes) -> bool:
    import json

    if len(text) > _LONGEST_SCALAR:
        return text[:1] == b'"'
    try:
        found: object = json.loads(text)
    except ValueError:
        return False
    return not isinstance(found, (dict, list))
