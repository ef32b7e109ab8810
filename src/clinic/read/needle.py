"""What is searched for in logs: in one entry, and in the bytes of many, so that few of them need be told apart."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from clinic.errors import UsageError
from clinic.formats.logentry import Format, words_for
from clinic.redact.pattern import BadPattern, Pattern, quote

_TIED = re.compile(r"(?<!\[)\^|\$")
"""What may hold at the edges of an entry; with `(?m)` also at those of lines, among which they are."""

_HARD = re.compile(r"\\[Az]|\(\?\w*-")
"""What does not become true of lines by `(?m)`."""

_LEVEL = re.compile(rb"\(\?P<l>[^()]*\)")


class Needle:
    """A regular expression that an entry has to match somewhere, or one of some values that it has to name."""

    def __init__(self, pattern: str, also: Callable[[bytes], bool] | None = None, values: str = "") -> None:
        """`also` says what else is meant; all of that matches the regular expression `values`.

        Raises `UsageError` where `pattern` is no regular expression.
        """
        self._exact = _compiled(pattern)
        self._also = also
        self._tied = _TIED.search(pattern) is not None
        self._raw: Pattern | None = None
        if not _HARD.search(pattern):
            self._raw = _compiled(f"(?m:{pattern})|{values}" if values else f"(?m:{pattern})")

    def matches(self, text: bytes) -> bool:
        """Whether an entry is meant."""
        return self._exact.search(text) is not None or (self._also is not None and self._also(text))

    def in_many(self, data: bytes) -> Pattern | None:
        """What is found wherever an entry in `data` is meant, if not only there; None where nothing can tell."""
        if self._raw is None or (self._tied and (b"\0" in data or b"\r\n" in data)):
            return None
        return self._raw


class LevelNeedle:
    """Finds entries of some levels in a format: not only those, but each of them."""

    def __init__(self, known: Format, levels: frozenset[str]) -> None:
        self._raw = _of_level(known, levels)

    def matches(self, text: bytes) -> bool:
        """All entries are meant whose levels are: whoever cuts them out looks at that."""
        del text
        return True

    def in_many(self, data: bytes) -> Pattern | None:
        """What is found in `data` wherever an entry is of the levels."""
        return self._raw if b"\0" not in data else None


@lru_cache(maxsize=64)
def _of_level(known: Format, levels: frozenset[str]) -> Pattern | None:
    words = "|".join(map(re.escape, words_for(levels))).encode()
    text, number = _LEVEL.subn(b"(?i:" + words + b")", known.level)
    try:
        return Pattern("(?m)" + text.replace(rb"\A", b"^").decode(), groups=False) if number == 1 else None
    except BadPattern:
        return None


def _compiled(pattern: str) -> Pattern:
    try:
        return Pattern(pattern, groups=False)
    except BadPattern as error:
        raise UsageError(
            f"{pattern!r} is no regular expression: {error}", hint="RE2's syntax is understood"
        ) from None


def naming(values: list[bytes]) -> str:
    """A regular expression for fields with one of these values."""
    return r"[=:][\s\x0b]*\"?(?:" + "|".join(map(quote, values)) + r")\b"
