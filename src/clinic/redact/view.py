"""What a rule sees of the stream at one place, and what it answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from clinic.redact.keys import Kind
from clinic.redact.pattern import Pattern
from clinic.redact.readers import Reader
from clinic.secret import MASK as MASK_TEXT

MASK = MASK_TEXT.encode()
"""What stands in place of a secret."""

BEHIND = 512
"""Bytes before a place that a rule may look at, and that are not written yet, so it may still mask them."""

REACH = 4096
"""Bytes after a place that a rule may look at."""


@dataclass(frozen=True, slots=True)
class Opening:
    """Where a secret begins, and who follows it to its end."""

    start: int
    """The first byte that is masked; it may be up to `BEHIND` before the place where the rule was tried."""

    reader: Reader
    """Finds the end."""

    mask: bytes = MASK
    """What takes its place."""

    note: str = ""
    """If not empty, a marker with the number of bytes and this text takes its place instead of the mask."""

    teaches: bool = True
    """Whether what is masked may be learned; not where other values stand among the secrets."""

    limit: int = 0
    """Bytes after which it is withheld with a marker; 0 for a secret that may be of any length."""


@dataclass(frozen=True, slots=True)
class Key:
    """A name that ends like a secret's, in front of what may be its value."""

    name: bytes
    """All of it, without quotes."""

    kind: Kind
    """What it says its value is."""

    start: int
    """Its first byte, or that of its opening quote."""

    quote: bytes
    """The quote around it with the backslashes before it, empty where there is none."""

    sign: bytes
    """What separates it from its value."""

    after: int
    """The byte after that sign."""


@dataclass(frozen=True, slots=True)
class View:
    """The bytes around a place."""

    data: bytes
    """What is in memory of the stream."""

    floor: int
    """Bytes before it are out of sight: written already, or part of a secret."""

    final: bool
    """Whether the stream ends with `data`."""

    dialect: Dialect
    """How the content is read."""

    again: Callable[[bytes], bytes]
    """Redacts what was found packed inside."""

    def before(self, at: int, longest: int = BEHIND) -> bytes:
        """What stands before `at`, at most `longest` bytes."""
        return self.data[max(self.floor, at - longest) : at]

    def line_start(self, at: int) -> int:
        """Where the line of `at` begins, -1 where that is out of sight."""
        lowest = max(self.floor, at - BEHIND)
        found = self.data.rfind(b"\n", lowest, at)
        if found >= 0:
            return found + 1
        return lowest if lowest == 0 or self.data[lowest - 1] == 0x0A else -1


_ALONE_BEFORE = Pattern(r"[:\-,\[{][ \t]+\z|[,\[]\z|:[ \t]*\r?\n[ \t]+\z")
_ALONE_AFTER = Pattern(r"[ \t]{0,100}(?:[\r\n#,\]}]|\z)")


def may_begin_scalar(before: bytes) -> bool:
    """Whether a plain YAML scalar may begin behind `before`, where a bare mask would be an alias."""
    return _ALONE_BEFORE.search(before) is not None


def may_end_scalar(data: bytes, at: int) -> bool:
    """Whether a plain YAML scalar may end at `at`."""
    return _ALONE_AFTER.match(data, at) is not None


Structural = Callable[[View, Key], "Opening | bool"]
"""Opens the value of a key where the format says that it is one: the opening; True where it is one and its value is
no secret; False where this is no place for a key of the format, so that it is read as text."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one kind of content is read."""

    name: str
    """Of the content."""

    structural: Structural
    """Reads keys of the format."""

    bare_end: Pattern
    """What ends an unquoted value inside a text."""

    proof: Pattern
    """What a line looks like that can't be inside a secret; tried where bytes were left out before it."""

    resume: Pattern | None = None
    """The same in the middle of a line, for content that may be one line."""

    entries: bool = False
    """Whether each entry begins with a line that `proof` knows, so that no string goes on over one."""

    yaml: bool = False
    """Whether a mask that stands alone needs quotes to be a string."""

    fixed: bool = False
    """Whether a mask must be as long as what it hides, as in binary content."""


def not_structural(view: View, key: Key) -> Opening | bool:
    """For content without a known format."""
    return False
