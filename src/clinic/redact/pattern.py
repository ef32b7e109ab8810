"""RE2 behind two typed classes: linear time whatever a hostile node sends, bytes in and bytes out.

google-re2 ships no type stubs, so this is the one module that imports it. Patterns are written as text and matched
as bytes: a character of a pattern stands for its UTF-8 bytes, so only literals may be outside ASCII.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, cast

import re2  # type: ignore[import-untyped]  # the package ships no stubs

MEMORY = 32 << 20
"""Bytes that the automata of one pattern may take before RE2 forgets states and starts anew."""


Spans = Sequence[tuple[int, int]]
NOWHERE = (-1, -1)
"""The span of a group that took no part."""


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

    def span(self, group: int = 0) -> tuple[int, int]:
        """Both; (-1, -1) where it took no part."""
        return self._spans[group]

    def spans(self, start: int, first: int, count: int | None = None) -> Spans:
        """The spans of `count` groups from `first` on (of all that follow when None), counted from `start`."""
        found = self._spans[first : None if count is None else first + count]
        return [(at - start, to - start) if at >= 0 else NOWHERE for at, to in found]

    def first(self, groups: Sequence[int]) -> int:
        """Which of `groups` took part: the index of the first."""
        spans = self._spans
        for index, group in enumerate(groups):
            if spans[group][0] >= 0:
                return index
        raise ValueError("none of these groups took part")


Run = Callable[[bool, bytes, int, int], Spans]
"""Runs a pattern: whether anywhere or only at the start, on what, from where to where. (-1, -1) for no match."""


class _Found(Protocol):
    def span(self, group: int = 0) -> tuple[int, int]: ...


class _Compiled(Protocol):
    groups: int
    groupindex: dict[bytes, int]

    def search(self, text: bytes, pos: int | None = None, endpos: int | None = None) -> _Found | None: ...

    def match(self, text: bytes, pos: int | None = None, endpos: int | None = None) -> _Found | None: ...


class _Options(Protocol):
    max_mem: int
    log_errors: bool
    never_capture: bool
    encoding: object
    Encoding: Any


class _Engine(Protocol):
    error: type[Exception]

    def Options(self) -> _Options: ...

    def compile(self, pattern: bytes, options: _Options) -> _Compiled: ...


_RE2 = cast("_Engine", re2)


class BadPattern(ValueError):
    """A pattern that RE2 can't compile."""


def shortest_way(compiled: _Compiled) -> Run | None:
    """Calls the engine itself, which takes a quarter of the time; None where this version keeps it elsewhere."""
    engine: Callable[[object, bytes, int, int], Spans] | None
    engine = getattr(getattr(compiled, "_regexp", None), "Match", None)
    anchors = getattr(re2, "_Anchor", None)
    if engine is None or anchors is None:
        return None
    anywhere, here = anchors.UNANCHORED, anchors.ANCHOR_START
    return lambda free, data, start, end: engine(anywhere if free else here, data, start, end)


def public_way(compiled: _Compiled) -> Run:
    """Calls what the package documents."""
    groups = range(compiled.groups + 1)

    def run(free: bool, data: bytes, start: int, end: int) -> Spans:
        found = (compiled.search if free else compiled.match)(data, start, end)
        return [found.span(group) for group in groups] if found else [NOWHERE]

    return run


class Pattern:
    """One compiled pattern; any number of threads may use it."""

    def __init__(self, text: str, *, groups: bool = True) -> None:
        """Without `groups` a match tells only where it is, which is much less work. Raises `BadPattern`."""
        options = _RE2.Options()
        options.max_mem = MEMORY
        options.log_errors = False
        options.never_capture = not groups
        options.encoding = options.Encoding.LATIN1
        try:
            compiled = _RE2.compile(text.encode(), options)
        except _RE2.error as error:
            # RE2 says what is wrong, and with which part, in bytes.
            reason = error.args[0] if error.args else ""
            raise BadPattern(
                reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
            ) from error
        self.groups = compiled.groups
        self.names = {name.decode(): index for name, index in compiled.groupindex.items()}
        self._run = shortest_way(compiled) or public_way(compiled)

    def search(self, data: bytes, start: int = 0, end: int | None = None) -> Match | None:
        """The leftmost match in `data[start:end]`; what stands before `start` counts for `\\b` and `^`."""
        stop = len(data) if end is None or end > len(data) else end
        spans = self._run(True, data, start, stop) if start <= stop else (NOWHERE,)
        return Match(spans) if spans[0] != NOWHERE else None

    def match(self, data: bytes, start: int = 0, end: int | None = None) -> Match | None:
        """A match that begins at `start`."""
        stop = len(data) if end is None or end > len(data) else end
        spans = self._run(False, data, start, stop) if start <= stop else (NOWHERE,)
        return Match(spans) if spans[0] != NOWHERE else None

    def full(self, data: bytes) -> bool:
        """Whether all of `data` matches, if it matches as far as it can."""
        match = self.match(data)
        return match is not None and match.end() == len(data)


def quote(data: bytes) -> str:
    """A pattern that matches these very bytes."""
    return "".join(f"\\x{byte:02x}" for byte in data)
