"""`clinic unpack`: the bundle that a package holds."""

from __future__ import annotations

from pathlib import Path

import click

from clinic.cli.output import print_json, say
from clinic.cli.progress import Bars
from clinic.cli.reading import key_option, terminating
from clinic.read.diagfile import is_diag, unpack_diag
from clinic.read.unpack import default_directory, unpack
from clinic.units import plural


@click.command("unpack")
@click.argument("package", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The new directory.")
@click.option(
    "--identity", "identities", multiple=True, type=click.Path(path_type=Path), metavar="FILE",
    help="The age identity that opens an encrypted package; repeatable.",
)  # fmt: skip
@key_option
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(
    package: Path, output: Path | None, identities: tuple[Path, ...], key: Path | None, as_json: bool
) -> int:
    """Make a directory of the bundle in PACKAGE, every byte of it held against its manifest.

    A .diag, for which --key is needed, is no bundle: its files become what diag collected.
    A package that was changed, is cut short, or was made to harm is refused, and nothing of it stays. The other
    commands read a package as it is: it needs no unpacking for them.

    \b
    Examples:
      clinic unpack clinic-db1-20261125T103000Z.tar.zst
      clinic unpack clinic-db1-20261125T103000Z.tar.zst.age --identity key.txt -o case-12345
    """
    if is_diag(package):
        return _diag(package, output or Path(f"{package.stem}.unpacked"), key, as_json)
    out = output if output is not None else default_directory(package)
    with terminating(), Bars() as bars:
        bundle = unpack(package, out, identities=identities, progress=bars)
    if as_json:
        print_json({"bundle": str(out), "id": bundle.id, "complete": bundle.manifest.complete})
        return 0
    say(f"Unpacked {package} into {out}: {plural(len(bundle.files()), 'file')}, each as it was sealed.")
    say(f"Bundle id {bundle.id}")
    say(f"Next: clinic inspect {out}")
    return 0


def _diag(package: Path, out: Path, key: Path | None, as_json: bool) -> int:
    with terminating(), Bars() as bars:
        facts = unpack_diag(package, out, key, bars)
    if as_json:
        print_json({"directory": str(out), "files": len(facts.files), "metadata": dict(facts.metadata)})
        return 0
    say(f"Unpacked {package} into {out}: {plural(len(facts.files), 'file')}")
    return 0
