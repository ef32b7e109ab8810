"""Sizes, durations and counts, read from what people type and written the way people read."""

from __future__ import annotations

import re

from clinic.errors import UsageError

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB

_SIZE = re.compile(r"(?i)^\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?\s*$")
_SCALE = {"": 1, "k": KIB, "m": MIB, "g": GIB, "t": 1024 * GIB}
_DURATION_PART = re.compile(
    r"(?i)(\d+(?:\.\d+)?)\s*"
    r"(milliseconds?|ms|seconds?|secs?|s|minutes?|mins?|m|hours?|hrs?|h|days?|d|weeks?|w)(?![a-z])"
)
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


def parse_size(text: str) -> int:
    """Bytes meant by `text`: `512`, `64K`, `1.5 GiB`. All units are powers of 1024.

    Raises `UsageError` when it is not a size.
    """
    match = _SIZE.match(text)
    if match is None:
        raise UsageError(f"{text!r} is not a size", hint="write a number with K, M, G or T, as in 500M")
    return int(float(match[1]) * _SCALE[match[2].lower()])


def parse_duration(text: str) -> float:
    """Seconds meant by `text`: `90s`, `1h30m`, `2 hours`, `1d`.

    Raises `UsageError` when it is not a duration.
    """
    rest = _DURATION_PART.sub("", text).strip(" ,")
    parts = _DURATION_PART.findall(text)
    if rest or not parts:
        raise UsageError(f"{text!r} is not a duration", hint="write it as 90s, 15m, 4h, 1h30m or 2 days")
    return sum(float(number) * _SECONDS[_unit(name)] for number, name in parts)


def _unit(name: str) -> str:
    lowered = name.lower()
    return "ms" if lowered.startswith(("ms", "milli")) else lowered[0]


def human_size(count: int | float) -> str:
    """`count` bytes for people: `0 B`, `17.3 KiB`, `2.0 GiB`."""
    size = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(size) < KIB:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= KIB
    return f"{size:.1f} TiB"


def human_duration(seconds: float) -> str:
    """`seconds` for people: `0.4 s`, `12 s`, `3 min 05 s`, `2 h 10 min`, `1 d 3 h`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def plural(count: int, noun: str, many: str | None = None) -> str:
    """`1 item`, `2 items`; `many` for a noun whose plural is not made with an s."""
    return f"{count:,} {noun if count == 1 else many or noun + 's'}"
