"""`clinic join`: a package from its parts."""

from __future__ import annotations

from pathlib import Path

import click

from clinic.cli.output import print_json, say
from clinic.cli.progress import Bars
from clinic.cli.reading import terminating
from clinic.read.joining import join
from clinic.units import human_size


@click.command("join")
@click.argument("parts", metavar="DIR|PART", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The file, or a directory for it.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(parts: Path, output: Path | None, as_json: bool) -> int:
    """Put the parts of a package together that clinic pack --split made.

    DIR is the directory in which they are, with SHA256SUMS. Parts that are missing or damaged are named, all at once.

    \b
    Examples:
      clinic join clinic-db1-20261125T103000Z.tar.zst.parts
      clinic join /media/usb/clinic-db1-20261125T103000Z.tar.zst.001 -o /data
    """
    with terminating(), Bars() as bars:
        made, size = join(parts, output or Path(), progress=bars)
    if as_json:
        print_json({"file": str(made), "size": size})
        return 0
    say(f"Joined {made}: {human_size(size)}, every part as it was made.")
    say(f"Next: clinic verify {made}")
    return 0
