"""`clinic unmask`: support's answer with the real names in it, made here."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from clinic.cli.output import print_json, say
from clinic.read.privatemap import PrivateMap
from clinic.read.unmask import unmask
from clinic.smallfile import read_small
from clinic.units import MIB

LARGEST = 64 * MIB
"""Bytes of the longest answer."""


@click.command("unmask")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--json", "as_json", is_flag=True, help="Print the text and the names as JSON.")
def command(file: Path, as_json: bool) -> int:
    """Turn the pseudonyms in FILE back into the real names; - reads standard input.

    It uses the private maps in your state directory. Nothing is sent, and FILE stays as it is.

    \b
    Examples:
      clinic unmask answer.txt
      clinic unmask - < answer.txt
      clinic unmask answer.txt --json
    """
    text, used = unmask(_read(file), PrivateMap.all_names())
    if as_json:
        print_json({"text": text, "names": used})
        return 0
    say(text.rstrip("\n"))
    return 0


def _read(file: Path) -> str:
    if str(file) == "-":
        return sys.stdin.buffer.read().decode("utf-8", "replace")
    return read_small(file, LARGEST).decode("utf-8", "replace")
