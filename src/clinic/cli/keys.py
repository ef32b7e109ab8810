"""`clinic keys`: the key of a cluster's pseudonyms, to a second control machine."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from clinic.cli.output import say
from clinic.errors import UsageError
from clinic.newfile import NewFile
from clinic.read.keyfile import exported, take_in
from clinic.read.privatemap import PrivateMap
from clinic.smallfile import read_small
from clinic.units import MIB, plural

LARGEST = 256 * MIB
"""Bytes of the longest file that is taken in: some two million names."""


@click.group("keys")
def command() -> None:
    """Carry the key of a cluster's pseudonyms to a second control machine.

    With the same key the same name gets the same pseudonym there, and clinic unmask works there too. Whoever has the
    file can turn the pseudonyms back: carry it as you carry a password, and delete it then.

    \b
    Examples:
      clinic keys export 7123456789012345678 for-db2.json
      clinic keys import for-db2.json
    """


@command.command("export")
@click.argument("cluster")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
def export(cluster: str, file: Path) -> int:
    """Write the key and the names of CLUSTER to the new FILE, 0600; - writes to standard output.

    CLUSTER is what clinic bundles calls it: its id, else its name.

    \b
    Examples:
      clinic keys export 7123456789012345678 for-db2.json
      clinic keys export orders - | age -r age1... > for-db2.age
    """
    data = exported(PrivateMap(cluster))
    if str(file) == "-":
        sys.stdout.buffer.write(data)
        return 0
    if os.path.lexists(file):
        raise UsageError(f"can't write {file}: it is there already", hint="name a new file")
    with NewFile(file) as new:
        new.write(data)
        new.keep()
    say(
        f"{file} can turn every pseudonym of {cluster} back: carry it safely, and delete it then.",
        colour="yellow",
    )
    return 0


@command.command("import")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
def take(file: Path) -> int:
    """Take the key and the names in FILE into your state directory; - reads standard input.

    What is known here already stays. A cluster that has another key here is refused.

    \b
    Examples:
      clinic keys import for-db2.json
      age -d -i key.txt for-db2.age | clinic keys import -
    """
    private, names = take_in(sys.stdin.buffer.read() if str(file) == "-" else read_small(file, LARGEST))
    say(f"The key of {private.directory.name} is here, with {plural(names, 'name')}.")
    return 0
