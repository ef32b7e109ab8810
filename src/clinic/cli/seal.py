"""`clinic seal`: make a bundle of what a run left that was cut short."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from clinic.cli.output import print_json, say
from clinic.outcome import Status
from clinic.read.open import open_bundle
from clinic.units import plural


@click.command("seal")
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(directory: Path, as_json: bool) -> int:
    """Seal what a run left in DIRECTORY when it was killed or the machine went down.

    Items that had not ended are recorded as cancelled. Nothing is collected; clinic collect --resume does
    that, before or after. A bundle that is sealed already is left as it is.

    \b
    Examples:
      clinic seal clinic-db1-20261125T103000Z
      clinic seal clinic-db1-20261125T103000Z --json
    """
    from clinic.run.session import seal_unfinished  # Linux only

    before = open_bundle(directory)
    identity = before.id if before.sealed else seal_unfinished(directory).bundle_id
    after = open_bundle(directory)
    count = Counter(record.status for record in after.records)
    if as_json:
        print_json(
            {
                "bundle": str(directory),
                "id": identity,
                "sealed_now": not before.sealed,
                "complete": after.complete,
                "status": {str(status): number for status, number in count.items()},
            }
        )
        return 0
    if before.sealed:
        say(f"{directory} is sealed already.")
    else:
        held = sum(bool(record.files) for record in after.records)
        say(
            f"Sealed {directory}: {held} of {plural(len(after.records), 'item')}, {count[Status.CANCELLED]} cancelled."
        )
    say(f"Bundle id {identity}")
    say(
        f"Next: clinic inspect {directory}"
        if after.complete
        else f"Next: clinic collect --resume {directory}"
    )
    return 0
