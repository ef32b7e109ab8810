"""`clinic drift`: which settings differ, between file and running instance and between instances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from clinic.cli.output import print_json, say, table
from clinic.cli.reading import identity_option, key_option, read_bundle
from clinic.errors import UsageError
from clinic.read.drift import Drift, Pending, Uneven, find_drift
from clinic.units import plural

LONGEST = 60
"""Characters of a value that are shown; --json has all."""


@click.command("drift")
@click.argument("bundle", type=click.Path(path_type=Path))
@identity_option
@key_option
@click.option(
    "--all", "everything", is_flag=True, help="Also addresses, paths and names, which differ anyway."
)
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON, in a stable shape.")
def command(
    bundle: Path, identities: tuple[Path, ...], key: Path | None, everything: bool, as_json: bool
) -> int:
    """Show which settings in BUNDLE differ from each other.

    First what stands in a configuration file and does not run so: changed and not reloaded, changed at run
    time, or unknown to this version. Then what is not the same on all instances of a component, versions
    included. Masked credentials are not compared.

    \b
    Examples:
      clinic drift clinic-db1-20261125T103000Z
      clinic drift clinic-db1-20261125T103000Z --all
      clinic drift clinic-db1-20261125T103000Z --json | jq .uneven
    """
    found = find_drift(read_bundle(bundle, identities, key))
    if not found.compared:
        raise UsageError(
            f"{bundle} holds no configuration to compare",
            hint="collect it: clinic collect --include config,variables,versions",
        )
    if as_json:
        print_json(asdict(found))
    else:
        _show(found, everything)
    return 0


def _show(found: Drift, everything: bool) -> None:
    pending = [one for one in found.pending if everything or not one.place]
    uneven = [one for one in found.uneven if everything or not one.place]
    _show_pending(pending)
    _show_uneven(uneven)
    compared = ", ".join(f"{number} {component}" for component, number in sorted(found.compared.items()))
    say(f"Compared: {compared}.")
    hidden = len(found.pending) + len(found.uneven) - len(pending) - len(uneven)
    if hidden:
        say(
            f"{plural(hidden, 'address, path or name differs', 'addresses, paths or names differ')} too: --all."
        )
    for line in found.unread:
        say(f"Not read: {line}", colour="yellow")


def _show_pending(pending: Sequence[Pending]) -> None:
    say("In the file, and not running so", bold=True)
    if not pending:
        say("  nothing")
    else:
        rows = [
            (
                one.component,
                one.instance,
                one.name,
                _value(one.written),
                _value(one.running, "(unknown to it)"),
            )
            for one in pending
        ]
        table(("COMPONENT", "INSTANCE", "SETTING", "FILE", "RUNNING"), rows)
    say()


def _show_uneven(uneven: Sequence[Uneven]) -> None:
    say("Not the same on all instances", bold=True)
    if not uneven:
        say("  nothing")
    else:
        rows = [
            (one.component, one.source, one.name, _value(value, "(not there)"), " ".join(instances))
            for one in uneven
            for value, instances in one.values
        ]
        table(("COMPONENT", "IN", "SETTING", "VALUE", "INSTANCES"), rows)
    say()


def _value(text: str | None, absent: str = "") -> str:
    if text is None:
        return absent
    shown = text if text else '""'
    return shown if len(shown) <= LONGEST else shown[: LONGEST - 1] + "…"
