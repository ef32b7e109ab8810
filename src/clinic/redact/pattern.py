"""RE2 behind two typed classes: linear time whatever a hostile node sends, bytes in and bytes out.

google-re2 ships no type stubs, so this is the one module that imports it. Patterns are written as text and matched
as bytes: a character of a pattern stands for its UTF-8 bytes, so only literals may be outside ASCII.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, cast

import re2  # type: ignore[import-untyped]  # the package ships no stubs

MEMORY = 32 << 20
"""Bytes that the automata of one pattern may take before RE2 forgets states and starts anew."""


class Match:
    """Where a pattern was found."""

    __slots__ = ("_spans",)

    def __init__(self, spans: Sequence[tuple[int, int]]) -> None:
        self._spans = spans

    def start(self, group: int = 0) -> int:
        """The first byte of a group, -1 where it took no part."""
        return self._spans[group][0]

    def end(self, group: int = 0) -> int:
        """The byte after a group, -1 where it took no part."""
        return self._spans[group][1]

    def first(self, groups: Sequence[int]) -> int:
        """Which of `groups` took part: the index of the first."""
        spans = self._spans
        for index, group in enumerate(groups):
            if spans[group][0] >= 0:
                return index
        raise ValueError("none of these groups took part")


class _Found(Protocol):
    def span(self, group: int = 0) -> tuple[int, int]: ...


class _Compiled(Protocol):
    groups: int
    groupindex: dict[bytes, int]

    def search(self, text: bytes, pos: int | None = None, endpos: int | None = None) -> _Found | None: ...

    def match(self, text: bytes, pos: int | None = None, endpos: int | None = None) -> _Found | None: ...

    def fullmatch(self, text: bytes, pos: int | None = None, endpos: int | None = None) -> _Found | None: ...


class _Options(Protocol):
    max_mem: int
    log_errors: bool
    encoding: object
    Encoding: Any


class _Engine(Protocol):
    error: type[Exception]

    def Options(self) -> _Options: ...

    def compile(self, pattern: bytes, options: _Options) -> _Compiled: ...


_RE2 = cast("_Engine", re2)


class BadPattern(ValueError):
    """A pattern that RE2 can't compile."""


class Pattern:
    """One compiled pattern; any number of threads may use it."""

    def __init__(self, text: str) -> None:
        """Raises `BadPattern`."""
        options = _RE2.Options()
        options.max_mem = MEMORY
        options.log_errors = False
        options.encoding = options.Encoding.LATIN1
        try:
            self._compiled = _RE2.compile(text.encode(), options)
        except _RE2.error as error:
            raise BadPattern(f"{error}: {text[:200]}") from error
        self.groups = self._compiled.groups
        self.names = {name.decode(): index for name, index in self._compiled.groupindex.items()}

    def search(self, data: bytes, start: int = 0, end: int | None = None) -> Match | None:
        """The leftmost match in `data[start:end]`; what stands before `start` counts for `\\b` and `^`."""
        return self._match(self._compiled.search(data, start, end))

    def match(self, data: bytes, start: int = 0, end: int | None = None) -> Match | None:
        """A match that begins at `start`."""
        return self._match(self._compiled.match(data, start, end))

    def full(self, data: bytes) -> bool:
        """Whether all of `data` matches."""
        return self._compiled.fullmatch(data) is not None

    def _match(self, found: _Found | None) -> Match | None:
        if found is None:
            return None
        # `span` asks the engine for the number of groups at each call; with a hundred groups that is most of the time.
        spans = getattr(found, "_spans", None)
        return Match(spans if spans is not None else [found.span(group) for group in range(self.groups + 1)])


def quote(data: bytes) -> str:
    """A pattern that matches these very bytes."""
    return "".join(f"\\x{byte:02x}" for byte in data)
