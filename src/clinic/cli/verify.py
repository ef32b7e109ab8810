"""`clinic verify`: every byte of a bundle against its manifest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from clinic.bundle.record import FileEntry
from clinic.bundle.verify import content_defects, defects
from clinic.cli.output import print_json, say
from clinic.cli.progress import Bars
from clinic.cli.reading import identity_option, key_option, read_bundle
from clinic.cli.show_diag import check
from clinic.errors import BadBundle
from clinic.progress import Progress
from clinic.read.diagfile import is_diag
from clinic.read.open import Opened, is_package, is_unsealed, open_bundle
from clinic.units import human_size, plural


@click.command("verify")
@click.argument("bundle", type=click.Path(path_type=Path))
@identity_option
@key_option
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(bundle: Path, identities: tuple[Path, ...], key: Path | None, as_json: bool) -> int:
    """Check that BUNDLE is exactly what its manifest says, byte for byte.

    Reads every file. Each defect is one line, and the exit code is then 6. The id that is printed at the
    end stands for every byte of the bundle: compare it with the sender's. An unfinished bundle is checked
    as far as it goes, and is not good either. A package is checked as the bundle that is in it.

    \b
    Examples:
      clinic verify clinic-db1-20261125T103000Z
      clinic verify clinic-db1-20261125T103000Z --json
      clinic verify clinic-db1-20261125T103000Z.tar.zst.age --identity key.txt
    """
    if is_diag(bundle):
        return check(bundle, key, as_json)
    if not is_package(bundle):
        return _verify(bundle, bundle, as_json)
    try:
        opened = read_bundle(bundle, identities)  # every byte is held against the manifest on the way
    except BadBundle as error:
        if not as_json:
            raise
        print_json(_as_json(None, bundle, True, (error.message,)))
        return error.exit_code
    return _good(opened, bundle, as_json)


def _verify(root: Path, named: Path, as_json: bool) -> int:
    """Check the directory `root` of what was named so."""
    unsealed = is_unsealed(root)
    with Bars() as bars:
        found = _unsealed_defects(root, bars) if unsealed else defects(root, bars)
    if found and as_json:
        print_json(_as_json(None, named, not unsealed, found))
        return BadBundle.exit_code
    for defect in found:
        say(defect, colour="red")
    if found:
        raise BadBundle(f"{named}: {plural(len(found), 'defect')}")
    return _good(open_bundle(root), named, as_json)


def _good(opened: Opened, named: Path, as_json: bool) -> int:
    """Say that nothing is wrong with what was named so."""
    if as_json:
        print_json(_as_json(opened, named, opened.sealed, ()))
        return 0 if opened.sealed else BadBundle.exit_code
    checked = _checked(opened)
    if not opened.sealed:
        raise BadBundle(
            f"{named} is not sealed, so nobody can say whether it is whole; what is there is good: {checked}",
            hint=f"clinic collect --resume {named} completes it, clinic seal {named} seals what there is",
        )
    say(f"Good: {checked}; nothing is missing, changed or added.", colour="green")
    say(f"Bundle id {opened.id}")
    return 0


def _unsealed_defects(path: Path, progress: Progress) -> tuple[str, ...]:
    """What is wrong with the files that a run left which did not come to its end."""
    return tuple(content_defects(path, _files(open_bundle(path)), progress))


def _files(opened: Opened) -> tuple[FileEntry, ...]:
    """The files that are checked; what was made from others is made anew when an unsealed one is sealed."""
    if opened.sealed:
        return opened.files()
    return tuple(file for record in opened.records for file in record.files)


def _checked(opened: Opened) -> str:
    files = _files(opened)
    stored, held = sum(file.stored for file in files), sum(file.plain for file in files)
    return f"{plural(len(files), 'file')}, {human_size(stored)} on disk, {human_size(held)} once decompressed"


def _as_json(opened: Opened | None, named: Path, sealed: bool, found: tuple[str, ...]) -> dict[str, Any]:
    """`good` says it all; `id`, `complete`, `files`, `stored` and `plain` are null where there are defects."""
    files = _files(opened) if opened is not None else ()
    return {
        "bundle": str(named),
        "good": opened is not None and opened.sealed,
        "sealed": sealed,
        "id": opened.id or None if opened is not None else None,
        "complete": opened.complete if opened is not None else None,
        "files": len(files) if opened is not None else None,
        "stored": sum(file.stored for file in files) if opened is not None else None,
        "plain": sum(file.plain for file in files) if opened is not None else None,
        "defects": list(found),
    }
