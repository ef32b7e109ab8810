"""A pattern for all the times between two, so that lines far from a window's edges are told apart at the speed of C."""

from __future__ import annotations

import re
from collections.abc import Callable

_Range = Callable[[int], tuple[int, int]]


def between(low: str, high: str) -> str:
    """A regular expression for every text from `low` to `high`, both included.

    They have the same length, digits at the same places and the same characters at the others: then their order as
    texts is their order as times. Nothing matches when `low` is greater.
    """
    if low > high:
        return r"(?!)"
    if not low:
        return ""
    if low[0] == high[0]:
        return re.escape(low[0]) + between(low[1:], high[1:])
    first, last = int(low[0]), int(high[0])
    choices = [low[0] + _from(low[1:]), high[0] + _to(high[1:])]
    if last - first > 1:
        choices.insert(0, _digits(first + 1, last - 1) + _any(low[1:]))
    return f"(?:{'|'.join(choices)})"


def _from(low: str) -> str:
    """Every text of this shape that is not before `low`."""
    return _half(low, lambda digit: (digit + 1, 9))


def _to(high: str) -> str:
    """Every text of this shape that is not after `high`."""
    return _half(high, lambda digit: (0, digit - 1))


def _half(text: str, others: _Range) -> str:
    if not text:
        return ""
    if not text[0].isdigit():
        return re.escape(text[0]) + _half(text[1:], others)
    same = text[0] + _half(text[1:], others)
    first, last = others(int(text[0]))
    if first > last:
        return same
    return f"(?:{_digits(first, last)}{_any(text[1:])}|{same})"


def _digits(first: int, last: int) -> str:
    return str(first) if first == last else f"[{first}-{last}]"


def _any(text: str) -> str:
    return "".join(r"[0-9]" if char.isdigit() else re.escape(char) for char in text)
