"""What commands print: tables that fit the terminal, text made harmless, JSON."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click

_TURNING = (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x2028, 0x2029)
"""Characters that turn the direction of writing or break a line: a name could be made to look like another."""

_HARMLESS = {
    **{code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))},
    **{code: f"\\u{code:04x}" for code in _TURNING},
}
_HARMLESS_JSON = {code: f"\\u{code:04x}" for code in (*range(127, 160), *_TURNING)}
"""JSON itself spells out the others."""
_HARMLESS_LINE = {code: text for code, text in _HARMLESS.items() if code not in (9, 10)}


def harmless(text: str, *, lines: bool = False) -> str:
    """`text` with control characters written out: a node's data must not steer the reader's terminal."""
    return text.translate(_HARMLESS_LINE if lines else _HARMLESS)


_events = threading.Event()
"""Set in a command that prints events on standard error: then every line there is one."""


def speak_in_events(*, yes: bool) -> None:
    """Print every further line on standard error as an event in JSON, for a program that reads them, or no longer."""
    if yes:
        _events.set()
    else:
        _events.clear()


def say(text: str = "", *, err: bool = False, colour: str | None = None, bold: bool = False) -> None:
    """Print a line, made harmless. A reader that went away, or a full disk behind it, decides nothing."""
    _print(click.style(harmless(text, lines=True), fg=colour, bold=bold or None), err)


def _print(text: str, err: bool) -> None:
    if err and _events.is_set():
        text = json_text({"event": "said", "message": click.unstyle(text)})
    _echo(text, err)


def say_event(event: str, **more: object) -> None:
    """Print an event on standard error; a reader that went away decides nothing."""
    _echo(json_text({"event": event, **more}), True)


def _echo(text: str, err: bool) -> None:
    global _lost  # noqa: PLW0603 # there is one standard output
    try:
        click.echo(text, err=err)
    except OSError as error:
        _lost = _lost or (error.errno == errno.ENOSPC and not err)
        hush(err=err)


_lost = False


def is_lost() -> bool:
    """Whether something of standard output was not printed for lack of room."""
    return _lost


def hush(*, err: bool) -> None:
    """Send what is still printed to a stream that is broken to nowhere, so that it fails only once."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, (sys.stderr if err else sys.stdout).fileno())
    os.close(nowhere)


def table(
    heads: Sequence[str], rows: Iterable[Sequence[object]], *, right: Sequence[int] = (), err: bool = False
) -> None:
    """Print `rows` in columns; those numbered in `right` are set to the right, the last one takes what is left."""
    texts = [[harmless(str(cell)) for cell in row] for row in rows]
    widths = [max([len(head), *(len(row[index]) for row in texts)]) for index, head in enumerate(heads)]
    terminal = (sys.stderr if err else sys.stdout).isatty()
    total = shutil.get_terminal_size((120, 24)).columns if terminal else 10_000
    for number, row in enumerate([list(heads), *texts]):
        cells = [
            cell.rjust(width) if index in right else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        line = "  ".join(cells).rstrip()
        shown = line if len(line) <= total else line[: total - 1] + "…"
        _print(click.style(shown, bold=True) if number == 0 else shown, err)


def say_readable(level: str, stays: Mapping[str, str], *, err: bool = False) -> None:
    """Print what `clinic.redact.readable` says of a bundle, a line for each category."""
    say(f"What stays readable at privacy level {level}, credentials masked:", err=err)
    for category, text in stays.items():
        say(f"  {category:<12}  {text}", err=err)


def print_json(data: Any) -> None:
    """Print `data` as JSON for a script."""
    click.echo(json_text(data, indent=2))


def json_text(data: Any, *, indent: int | None = None) -> str:
    """`data` as JSON that can be looked at: what could steer a terminal is spelled out inside of its texts."""
    return json.dumps(data, indent=indent, ensure_ascii=False).translate(_HARMLESS_JSON)
