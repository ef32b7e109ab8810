"""`clinic pack`: a sealed bundle as one file."""

from __future__ import annotations

import json
from pathlib import Path
from shlex import quote

import click

from clinic.bundle.package import ENDING, Package
from clinic.cli.options import SizeType
from clinic.cli.output import print_json, say
from clinic.cli.progress import Bars
from clinic.cli.reading import terminating
from clinic.read.leakresults import last_result
from clinic.read.open import open_bundle
from clinic.read.pack import default_name, pack
from clinic.units import human_size, plural


@click.command("pack")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The file, or a directory for it.")
@click.option(
    "--recipient", "recipients", multiple=True, metavar="age1...",
    help="Encrypt it to this age recipient; repeatable: the vendor's and your own.",
)  # fmt: skip
@click.option(
    "--without", multiple=True, metavar="PATTERN",
    help="Leave this out: an item, a category, a path, a folder, or a glob; repeatable.",
)  # fmt: skip
@click.option("--split", type=SizeType(), metavar="SIZE", help="In parts of this size, for carrying by hand.")
@click.option("--json", "as_json", is_flag=True, help="Print what it holds as JSON.")
def command(
    bundle: Path, output: Path | None, recipients: tuple[str, ...], without: tuple[str, ...],
    split: int | None, as_json: bool,
) -> int:  # fmt: skip
    """Make one file of BUNDLE, which must be sealed, and beside it FILE.json, which says what is inside.

    It is a .tar.zst, which tar and zstd open, or with recipients a .tar.zst.age, which age opens. Every file is
    held against its digest on the way. The same bundle gives the same bytes until it is encrypted. Nothing is sent.
    With --split the parts are in the directory FILE.parts with SHA256SUMS; clinic join puts them together.

    \b
    Examples:
      clinic pack clinic-db1-20261125T103000Z
      clinic pack clinic-db1-20261125T103000Z --recipient age1vendor... --recipient age1ours...
      clinic pack clinic-db1-20261125T103000Z --without log.slow --without '*/tidb_audit*'
      clinic pack clinic-db1-20261125T103000Z --split 2G -o /media/usb
    """
    opened = open_bundle(bundle)
    out = output or Path()
    if out.is_dir():
        out /= default_name(opened, encrypted=bool(recipients))
    with terminating(), Bars() as bars:
        made = pack(
            opened, out, recipients=recipients, without=without, split=split, leaks=last_result(opened.id),
            progress=bars,
        )  # fmt: skip
    place = out.with_name(f"{out.name}.parts") if split is not None else out
    if as_json:
        print_json({"file": str(place), **json.loads(made.to_json())})
    else:
        _show(made, place, bundle, split)
    return 0


def _show(made: Package, place: Path, bundle: Path, split: int | None) -> None:
    files = sum(kept.files for kept in made.kept)
    parts = f", in parts of {human_size(split)}" if split is not None else ""
    say(f"Packed {bundle} into {place}: {plural(files, 'file')}, {human_size(made.size)}{parts}")
    if made.recipients:
        say(f"Only these can open it: {', '.join(made.recipients)}")
    else:
        say("It is not encrypted: whoever has it can read it.", colour="yellow")
    if made.left_out:
        say(f"Left out: {', '.join(made.left_out)}. What is left is a bundle of its own.")
    if not made.complete:
        say(f"Incomplete: {plural(len(made.missing), 'thing is', 'things are')} missing.", colour="yellow")
        say(f"  each with its reason: clinic inspect {quote(str(bundle))} --missing")
    say(_leaks(made, bundle))
    say(f"SHA-256   {made.sha256}")
    say(f"Bundle id {made.bundle}")
    beside = place / (made.name + ENDING) if split is not None else Path(f"{place}{ENDING}")
    say(f"{beside} says what is inside.")


def _leaks(made: Package, bundle: Path) -> str:
    if not made.leaks.checked:
        return f"Nobody has looked for credentials in it yet: clinic leaks {quote(str(bundle))}"
    if made.leaks.found:
        return f"Looks like credentials: {plural(made.leaks.found, 'place')} in {', '.join(made.leaks.files)}"
    return f"No credentials were found in it ({made.leaks.checked}, rules {made.leaks.rules})."
