"""`clinic purge`: removes bundles, packages and keys after a yes that somebody typed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

import click

from clinic.cli.bundles import as_data, show
from clinic.cli.output import print_json, say
from clinic.cli.progress import Bars
from clinic.errors import Refused, UsageError
from clinic.read.inventory import Left, What, keys, remove, things
from clinic.units import human_size, parse_duration, plural


@click.command("purge")
@click.argument("places", type=click.Path(path_type=Path), nargs=-1, metavar="[PLACE]...")
@click.option("--older-than", metavar="TIME", help="Only what is older, as in 30d or 12h.")
@click.option(
    "--key", "clusters", multiple=True, metavar="CLUSTER",
    help="Also the key and the names of this cluster, as clinic bundles calls it; repeatable. Not without being named.",
)  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Print what would be removed; remove nothing.")
@click.option("--json", "as_json", is_flag=True, help="With --dry-run: print the list as JSON.")
def command(
    places: tuple[Path, ...], older_than: str | None, clusters: tuple[str, ...], dry_run: bool, as_json: bool
) -> int:
    """Remove bundles and packages at PLACE, and the keys that are named.

    PLACE is a bundle, a package or a directory in which they are; without it the current directory. Temporary
    directories there go as well that a command left which was killed. Only files
    that Clinic wrote go, as the manifest, the journal or the facts beside a package say; others stay and are named.
    The list is shown and the word yes has to be typed at a terminal; no option says it for you. The files are deleted,
    not overwritten: copies elsewhere, backups and what was sent stay.

    \b
    Examples:
      clinic purge clinic-db1-20261125T103000Z
      clinic purge /var/tmp/clinic --older-than 30d
      clinic purge --dry-run
      clinic purge for-support --key 7123456789012345678
    """
    now = datetime.now(timezone.utc)
    found = _chosen(places, older_than, clusters, now)
    if dry_run and as_json:
        print_json([as_data(one, now) for one in found])
        return 0
    if as_json:
        raise UsageError("--json goes with --dry-run", hint="clinic purge --dry-run --json")
    if not found:
        say("There is nothing to remove.")
        return 0
    show(found, now)
    if any(one.what is What.KEY for one in found):
        say("Without its key nobody can turn a cluster's pseudonyms back, in no bundle.", colour="yellow")
    if dry_run:
        say("Nothing was removed.")
        return 0
    if not _agreed(found):
        say("Nothing was removed.")
        return 0
    _remove(found)
    return 0


def _chosen(
    places: Sequence[Path], older_than: str | None, clusters: Sequence[str], now: datetime
) -> list[Left]:
    at = places or (() if clusters else (Path(),))
    least = parse_duration(older_than) if older_than is not None else 0.0
    found = [one for one in things(at) if older_than is None or (one.age(now) or 0.0) > least]
    held = {one.cluster: one for one in keys()} if clusters else {}
    for cluster in clusters:
        if cluster not in held:
            raise UsageError(
                f"there is no key of {cluster!r}", hint="clinic bundles lists the keys that there are"
            )
        found.append(held[cluster])
    return found


def _agreed(found: Sequence[Left]) -> bool:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise Refused(
            "nobody is here to say yes", hint="call it at a terminal; --dry-run shows what would be removed"
        )
    size = human_size(sum(one.size for one in found))
    try:
        answer = click.prompt(
            f"Remove {plural(len(found), 'thing')}, {size}? Type yes", default="", show_default=False
        )
    except click.Abort:
        say()
        return False
    return str(answer).strip() == "yes"


def _remove(found: Sequence[Left]) -> None:
    with Bars() as bars:
        bars.begin("removing", len(found), None)
        left: dict[Path, tuple[str, ...]] = {}
        for one in found:
            bars.started(str(one.path), str(one.path))
            left[one.path] = remove(one)
            bars.ended(str(one.path), "ok")
    say(f"Removed {plural(len(found), 'thing')}, {human_size(sum(one.size for one in found))}.")
    for path, names in left.items():
        for name in names:
            say(f"{path / name} stays: Clinic did not write it.", colour="yellow")
