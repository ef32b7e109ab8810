"""`clinic logs`: all logs of a bundle as one, in the order of time."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import click

from clinic.cli.output import harmless, hush, json_text
from clinic.cli.reading import identity_option, key_option, read_bundle
from clinic.formats.coverage import shown
from clinic.formats.logentry import Level
from clinic.formats.timestamp import FOREVER, nanoseconds
from clinic.read.logfiles import LogLine
from clinic.read.logs import GRAVE, Choice, merged
from clinic.window import parse_moment

_COLOURS = {Level.WARN: "yellow", Level.ERROR: "red", Level.FATAL: "bright_red"}
_AT_ONCE = 200


@click.command("logs")
@click.argument("bundle", type=click.Path(path_type=Path))
@identity_option
@key_option
@click.option("-f", "--from", "start", metavar="TIME", help="Entries from this time on: RFC 3339, or -4h.")
@click.option("-t", "--to", "end", metavar="TIME", help="Entries up to this time.")
@click.option("--level", type=click.Choice(GRAVE), help="This grave or graver.")
@click.option("--grep", "pattern", default="", metavar="REGEX", help="Entries that match, whole.")
@click.option(
    "--instance",
    "instances",
    multiple=True,
    metavar="NAME",
    help="Of this instance, host or component; repeatable.",
)
@click.option(
    "--type", "kinds", multiple=True, metavar="KIND", help="Of this kind: std, error, slow ...; repeatable."
)
@click.option(
    "--follow-entry",
    "follow",
    is_flag=True,
    help="Also what shares a connection, transaction, region or trace with an entry that --grep finds.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def command(
    bundle: Path, identities: tuple[Path, ...], key: Path | None, as_json: bool, **chosen: Any
) -> int:
    """Show the logs in BUNDLE as one: the entries of all instances, in the order of time.

    An entry of several lines is whole. Each begins with the time in UTC and the instance. What could steer
    a terminal is written out. A time without a zone is this machine's.

    \b
    Examples:
      clinic logs clinic-db1-20261125T103000Z --level error
      clinic logs clinic-db1-20261125T103000Z --from 2026-11-25T10:30 --type slow --instance tidb
      clinic logs clinic-db1-20261125T103000Z --grep 'Duplicate entry' --follow-entry
      clinic logs clinic-db1-20261125T103000Z --json | jq -r .text
      clinic logs clinic-db1-20261125T103000Z.tar.zst.age --identity key.txt
      clinic logs diag-db1-fqGzMPLCgT1.diag --key key.pem --level error
    """
    choice = _choice(**chosen)
    show = _as_json if as_json else _as_text(sys.stdout.isatty())
    _print(merged(read_bundle(bundle, identities, key), choice), show)
    return 0


def _choice(start: str | None, end: str | None, level: str | None, **rest: Any) -> Choice:
    now = datetime.now(timezone.utc)
    low = nanoseconds(parse_moment(start, now)) if start else 0
    high = nanoseconds(parse_moment(end, now, day_end=True)) if end else FOREVER
    return Choice(low, high, level or "", **rest)


def _as_json(line: LogLine) -> str:
    found = {
        "time": shown(line.time), "level": str(line.level or ""), "instance": line.file.instance,
        "host": line.file.host, "type": line.file.kind, "file": line.file.path,
        "text": line.text.decode("utf-8", "backslashreplace"),
    }  # fmt: skip
    return json_text(found)


def _as_text(colours: bool) -> Callable[[LogLine], str]:
    def show(line: LogLine) -> str:
        text = harmless(line.text.decode("utf-8", "backslashreplace"), lines=True)
        colour = _COLOURS.get(line.level) if colours and line.level is not None else None
        begin = f"{shown(line.time)} {harmless(line.file.source)} {line.file.kind}: "
        return begin + (click.style(text, fg=colour) if colour else text)

    return show


def _print(lines: Iterator[LogLine], show: Callable[[LogLine], str]) -> None:
    """Some at once: a line each would cost as much as finding it. A reader that went away ends it."""
    try:
        while block := [show(line) for line in itertools.islice(lines, _AT_ONCE)]:
            click.echo("\n".join(block))
    except BrokenPipeError:
        hush(err=False)
