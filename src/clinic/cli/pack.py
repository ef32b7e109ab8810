"""`clinic pack`: a sealed bundle as one file."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path
from shlex import quote
from typing import Any

import click

from clinic.bundle.package import ENDING, Package
from clinic.cli.options import SizeType
from clinic.cli.output import print_json, say
from clinic.cli.progress import Bars
from clinic.cli.reading import terminating
from clinic.formats.certificate import read_certificate
from clinic.read.leakresults import last_result, looked
from clinic.read.leaveout import choose
from clinic.read.open import open_bundle
from clinic.read.pack import AGE, DIAG, PLAIN, default_name, pack
from clinic.units import human_size, plural


@click.command("pack")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The file, or a directory for it.")
@click.option(
    "--recipient", "recipients", multiple=True, metavar="age1...",
    help="Encrypt it to this age recipient; repeatable: the vendor's and your own.",
)  # fmt: skip
@click.option(
    "--to", default="", metavar="DEST", help="In the form that this destination takes, with its keys."
)
@click.option(
    "--cert", type=click.Path(path_type=Path), metavar="FILE",
    help="Make the .diag that the Clinic Server takes, for this certificate (PEM), or for one in diag's info.toml.",
)  # fmt: skip
@click.option(
    "--region", default="", help="Make the .diag for this region of the installed diag's info.toml."
)
@click.option(
    "--without", multiple=True, metavar="PATTERN",
    help="Leave this out: an item, a category, a path, a folder, or a glob; repeatable.",
)  # fmt: skip
@click.option("--split", type=SizeType(), metavar="SIZE", help="In parts of this size, for carrying by hand.")
@click.option(
    "--no-scan",
    is_flag=True,
    help="Don't look for credentials first; whoever is asked to send it reads that.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what it holds as JSON.")
def command(
    bundle: Path, output: Path | None, without: tuple[str, ...], split: int | None, no_scan: bool, as_json: bool,
    **keys: Any,
) -> int:  # fmt: skip
    """Make one file of BUNDLE, which must be sealed, and beside it FILE.json, which says what is inside.

    It is a .tar.zst, which tar and zstd open, or with recipients a .tar.zst.age, which age opens, or with a
    certificate a .diag, which only the Clinic Server opens: diag's files, see clinic convert. Every file is
    held against its digest on the way. The same bundle gives the same bytes until it is encrypted. Nothing is sent.
    A bundle that clinic leaks has not seen is looked through for credentials first; what was found stands in FILE.json.
    With --split the parts are in the directory FILE.parts with SHA256SUMS; clinic join puts them together.

    \b
    Examples:
      clinic pack clinic-db1-20261125T103000Z
      clinic pack clinic-db1-20261125T103000Z --recipient age1vendor... --recipient age1ours...
      clinic pack clinic-db1-20261125T103000Z --cert clinic-server.pem
      clinic pack clinic-db1-20261125T103000Z --to clinic-us
      clinic pack clinic-db1-20261125T103000Z --without log.slow --without '*/tidb_audit*'
      clinic pack clinic-db1-20261125T103000Z --split 2G -o /media/usb
    """
    opened = open_bundle(bundle)
    recipients, key = _keys(**keys)
    out = output or Path()
    if out.is_dir():
        out /= default_name(opened, DIAG if key else AGE if recipients else PLAIN)
    with terminating(), Bars() as bars:
        paths = {file.path for file in choose(opened, without).files}
        leaks = last_result(opened.id) if no_scan else looked(opened, paths, bars)
        made = pack(
            opened, out, recipients=recipients, certificate=key, without=without, split=split, leaks=leaks,
            progress=bars,
        )  # fmt: skip
    where = out.with_name(f"{out.name}.parts") if split is not None else out
    if as_json:
        print_json({"file": str(where), **json.loads(made.to_json())})
    else:
        _show(made, where, bundle, split, key)
    return 0


def _keys(
    recipients: tuple[str, ...], to: str, cert: Path | None, region: str
) -> tuple[tuple[str, ...], str]:
    """Whom it is encrypted to: age recipients, and the certificate for which it becomes a `.diag`."""
    known: tuple[str, ...] = ()
    if to:
        # What knows destinations takes longer to load than a small bundle to pack.
        from clinic.cli.upload_package import container_for
        from clinic.consent.destinations import find_destination

        place = find_destination(to)
        known = place.recipients
        if cert is None and not region and container_for(place, recipients) == DIAG:
            return recipients, place.certificate
    if cert is not None or region:
        from clinic.cluster.discovery.tiup import tiup_home
        from clinic.read.diagregion import certificate

        return (*recipients, *known), certificate(cert, region, tiup_home())
    return (*recipients, *known), ""


def _show(made: Package, place: Path, bundle: Path, split: int | None, key: str) -> None:
    files = sum(kept.files for kept in made.kept)
    parts = f", in parts of {human_size(split)}" if split is not None else ""
    say(f"Packed {bundle} into {place}: {plural(files, 'file')}, {human_size(made.size)}{parts}")
    if key:
        _show_key(key)
    elif made.recipients:
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


def _show_key(key: str) -> None:
    facts = read_certificate(key)
    say(
        f"Only the owner of the certificate {facts.name} can open it: you can't. SHA-256 of it {facts.sha256}"
    )
    if facts.expires < datetime.now(timezone.utc):
        say(f"This certificate expired on {facts.expires:%d %B %Y}.", colour="yellow")


def _leaks(made: Package, bundle: Path) -> str:
    if not made.leaks.checked:
        return f"Nobody has looked for credentials in it yet: clinic leaks {quote(str(bundle))}"
    if made.leaks.found:
        return f"Looks like credentials: {plural(made.leaks.found, 'place')} in {', '.join(made.leaks.files)}"
    return f"No credentials were found in it ({made.leaks.checked}, rules {made.leaks.rules})."
