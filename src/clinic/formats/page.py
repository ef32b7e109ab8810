"""Text that fits a page and steers no terminal: columns counted as they are shown, nothing unprintable."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

COLUMNS = 100
"""Columns of the page."""


def plain(text: str) -> str:
    """`text` in one line of printable characters; the others are written out, as `\\x1b`."""
    return shown(" ".join(text.split()))


def shown(line: str) -> str:
    """`line` with its blanks as they are and what can't be printed written out."""
    if line.isprintable():
        return line
    return "".join(char if char.isprintable() else _written(char) for char in line)


def _written(char: str) -> str:
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def width(text: str) -> int:
    """Columns that a terminal needs for `text`: two for the wide characters of East Asia, none for marks."""
    if text.isascii():
        return len(text)
    return sum(_columns(char) for char in text)


def _columns(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def cut(text: str, columns: int = COLUMNS) -> str:
    """`text` in at most `columns`, with three dots where something is left out."""
    if width(text) <= columns:
        return text
    kept, left = "", columns - 3
    for char in text:
        left -= _columns(char)
        if left < 0:
            break
        kept += char
    return kept.rstrip() + "..."


def wrap(text: str, columns: int) -> Iterator[str]:
    """`text` in lines of at most `columns`, broken at blanks where there are any."""
    line = ""
    for word in text.split():
        longer = f"{line} {word}" if line else word
        if width(longer) <= columns:
            line = longer
            continue
        if line:
            yield line
        while width(word) > columns:
            head = _head(word, columns)
            yield head
            word = word[len(head) :]  # noqa: PLW2901 - what is left of the word is the word
        line = word
    if line:
        yield line


def bounded(indent: str, text: str, columns: int, most: int | None = None) -> Iterator[str]:
    """`text` in at most `most` lines that begin with `indent`, all but the first with two more blanks.

    What does not go into them is cut off, and three dots say so.
    """
    lines = list(wrap(text, columns - len(indent) - 2))
    if most is not None and len(lines) > most:
        lines[most - 1 :] = [cut(" ".join(lines[most - 1 :]), columns - len(indent) - 2)]
    for number, line in enumerate(lines):
        yield f"{indent}{'  ' if number else ''}{line}"


def _head(word: str, columns: int) -> str:
    """The beginning of `word` in at most `columns`, at least one character."""
    left = columns
    for index, char in enumerate(word):
        left -= _columns(char)
        if left < 0 and index:
            return word[:index]
    return word


def some(names: list[str], shown: int) -> str:
    """`a, b, c and 7 more`."""
    rest = len(names) - shown
    listed = ", ".join(names[:shown])
    return f"{listed} and {rest} more" if rest > 0 else listed
