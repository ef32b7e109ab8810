"""`clinic convert`: a bundle in the form of another tool."""

from __future__ import annotations

from pathlib import Path

import click

from clinic.cli.output import print_json, say
from clinic.cli.progress import Bars
from clinic.cli.reading import identity_option, read_bundle
from clinic.read.diagtree import convert
from clinic.units import human_size, plural


@click.command("convert")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--to", "form", type=click.Choice(["diag"]), required=True, help="The form.")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="The new directory.")
@identity_option
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(bundle: Path, form: str, output: Path, identities: tuple[Path, ...], as_json: bool) -> int:
    """Write what is in BUNDLE as PingCAP's diag would have collected it, so that its tools read it.

    Files stand where diag has them, decompressed; metrics become answers of Prometheus' query API, compressed, as
    diag keeps them. What diag has no place or form for, as native histograms, is left out, and that is said.

    \b
    Examples:
      clinic convert clinic-db1-20261125T103000Z --to diag -o diag-db1
      tiup diag check diag-db1
    """
    del form
    with Bars() as bars:
        tree = convert(read_bundle(bundle, identities), output, progress=bars)
    if as_json:
        print_json(
            {
                "directory": str(output),
                "files": len(tree.files),
                "bytes": tree.size,
                "left_out": tree.homeless,
                "histograms_left_out": tree.histograms,
            }
        )
        return 0
    say(f"Wrote {output}: {plural(len(tree.files), 'file')}, {human_size(tree.size)}")
    if tree.lost:
        say(f"Left out: {tree.lost}", colour="yellow")
    return 0
