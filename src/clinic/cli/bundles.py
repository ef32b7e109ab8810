"""`clinic bundles`: what Clinic has left on this machine, and how old it is."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import click

from clinic.cli.output import print_json, say, table
from clinic.read.inventory import Left, What, keys, things
from clinic.units import human_duration, human_size


@click.command("bundles")
@click.argument("places", type=click.Path(path_type=Path), nargs=-1, metavar="[PLACE]...")
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
def command(places: tuple[Path, ...], as_json: bool) -> int:
    """List bundles, packages and keys on this machine, and their age.

    PLACE is a bundle, a package or a directory in which they are; without it the current directory, where
    clinic collect writes unless it is told otherwise. Keys of pseudonyms are in your state directory. What Clinic did
    not make is not listed.

    \b
    Examples:
      clinic bundles
      clinic bundles /var/tmp/clinic ~/for-support
      clinic bundles --json
    """
    found = [*things(places or (Path(),)), *keys()]
    now = datetime.now(timezone.utc)
    if as_json:
        print_json([as_data(one, now) for one in found])
    elif found:
        show(found, now)
        say("clinic purge removes what you name.")
    else:
        say("There are no bundles, packages or keys.")
    return 0


def show(found: Iterable[Left], now: datetime) -> None:
    """Print the table."""
    heads = ("WHAT", "CLUSTER", "AGE", "SIZE", "REPLACED", "WHERE")
    table(heads, (_row(one, now) for one in found), right=(2, 3))


def _row(one: Left, now: datetime) -> tuple[str, ...]:
    age = one.age(now)
    replaced = f"{one.names} names" if one.what is What.KEY else one.privacy
    shown = human_duration(age) if age is not None else "?"
    return str(one.what), one.cluster, shown, human_size(one.size), replaced, str(one.path)


def as_data(one: Left, now: datetime) -> dict[str, Any]:
    """One thing for a script."""
    return {
        "what": str(one.what), "path": str(one.path), "cluster": one.cluster, "created": one.created,
        "age_seconds": one.age(now), "size": one.size, "privacy": one.privacy, "names": one.names,
    }  # fmt: skip
