"""What `clinic collect` shows before it begins: the plan, what it costs, and the question."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from clinic.cli.collect_options import Options
from clinic.cli.output import print_json, say, say_readable, table
from clinic.cli.ssh import say_ways
from clinic.cluster.model import Machine
from clinic.errors import DiskFull
from clinic.plan import Plan, Planned, stored_size
from clinic.redact.privacy import Level
from clinic.redact.readable import readable
from clinic.run.prepare import Ready, hosts_of
from clinic.units import human_size, plural


def headline(plan: Plan) -> str:
    """The first and the last line of a run: cluster, window, hosts."""
    cluster = plan.target.cluster
    named = f"{cluster.name} ({cluster.deployed}{', ' + cluster.version if cluster.version else ''})"
    return f"Cluster {named}, {plural(len(cluster.machines), 'host')}; window {plan.target.window}"


def show(ready: Ready, options: Options) -> None:
    """Print the whole plan: the dry run."""
    if options.as_json:
        print_json(_as_json(ready, options))
        return
    plan = ready.plan
    say(headline(plan))
    say()
    table(("ITEM", "WHERE", "ESTIMATE", "NOTES", "READS"), (_row(one) for one in plan.items), right=(2,))
    for record in plan.broken:
        say(f"{record.entry.id}: {record.message}", colour="red")
    say()
    say(_totals(plan))
    say(_contacted(ready))
    if ready.looked:
        say_ways(options.ssh, _machines(plan))
    say_readable(options.privacy, _readable(plan, options))
    say("Nothing was collected. The names under ITEM, and globs of them, go into --include and --exclude.")


def _readable(plan: Plan, options: Options) -> dict[str, str]:
    """What of each category of the plan whoever gets the bundle can read."""
    categories = {planned.entry.category for planned in plan.items}
    return readable(Level(options.privacy), categories, literals=options.no_sql_literals)


def _row(planned: Planned) -> tuple[str, ...]:
    entry = planned.entry
    return entry.id, entry.instance or entry.host, _estimate(planned), _notes(planned), entry.what


def _estimate(planned: Planned) -> str:
    estimate = planned.estimate
    if estimate.impossible is not None:
        return "-"
    if estimate.size is None:
        return "?"
    return f"{'' if estimate.exact else '~'}{human_size(estimate.size)}"


def _notes(planned: Planned) -> str:
    found = [planned.entry.sensitivity]
    if planned.entry.foreign:
        found.append("third party")
    if planned.estimate.impossible is not None:
        found.append(str(planned.estimate.impossible.reason))
    return ", ".join(found)


def _totals(plan: Plan) -> str:
    guessed = sum(one.estimate.size is None and one.estimate.impossible is None for one in plan.items)
    unknown = (
        f" (a guess for {plural(guessed, 'command')} whose output is not known before)" if guessed else ""
    )
    return f"{plural(len(plan.items), 'item')}, about {human_size(plan.size)} before compression{unknown}."


def _machines(plan: Plan) -> list[Machine]:
    """Those that something is to be read on."""
    return [one for one in plan.target.cluster.machines if one.name in hosts_of(plan)]


def _contacted(ready: Ready) -> str:
    if not ready.looked:
        return "Contacted nothing: estimates are left out."
    places = ", ".join(lane.partition(":")[2] for lane in ready.plan.contacted) or "nothing"
    return f"Contacted, to see what is there and how large it is: {places}. No content was read."


def _as_json(ready: Ready, options: Options) -> dict[str, Any]:
    plan = ready.plan
    return {
        "cluster": plan.target.cluster.name,
        "window": {"from": plan.target.window.start.isoformat(), "to": plan.target.window.end.isoformat()},
        "contacted": list(plan.contacted) if ready.looked else [],
        "machines": [
            {"name": one.name, "local": one.local, "reached": options.ssh.way(one)} for one in _machines(plan)
        ]
        if ready.looked
        else [],
        "privacy": options.privacy,
        "readable": _readable(plan, options),
        "items": [_item_json(planned) for planned in plan.items],
        "broken": [{"collector": record.entry.id, "message": record.message} for record in plan.broken],
    }


def _item_json(planned: Planned) -> dict[str, Any]:
    entry, impossible = planned.entry, planned.estimate.impossible
    return {
        "id": entry.id, "path": entry.path, "host": entry.host, "instance": entry.instance,
        "category": entry.category, "sensitivity": entry.sensitivity, "what": entry.what,
        "estimate": entry.estimate, "exact": entry.exact, "foreign": entry.foreign,
        "impossible": str(impossible.reason) if impossible is not None else None,
        "fix": impossible.fix if impossible is not None else "",
    }  # fmt: skip


def check_room(plan: Plan, directory: Path, keep_free: int) -> int:
    """Free bytes where the bundle goes. Raises `DiskFull` when the plan's estimate does not fit."""
    existing = next(
        parent for parent in (directory.absolute(), *directory.absolute().parents) if parent.exists()
    )
    free = shutil.disk_usage(existing).free
    need = sum(stored_size(planned) for planned in plan.items) + keep_free
    if need > free:
        raise DiskFull(
            f"{existing} has {human_size(free)} free; the bundle may need {human_size(need - keep_free)}, "
            f"and {human_size(keep_free)} are to stay free",
            hint="name another directory with -o, a limit with --max-size, or less room to spare with --keep-free",
        )
    return free


def agreed(ready: Ready, directory: Path, keep_free: int, options: Options) -> bool:
    """Show the table of hosts and categories and ask, where there is somebody to ask; else go on."""
    free = check_room(ready.plan, directory, keep_free)
    if options.as_json:
        return True
    say(headline(ready.plan), err=True)
    if options.yes or options.json_progress or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return True
    table(("HOST", "CATEGORY", "ITEMS", "ESTIMATE"), _by_host(ready.plan.items), right=(2, 3), err=True)
    say(f"{_totals(ready.plan)} Free in {directory.absolute().parent}: {human_size(free)}.", err=True)
    say_ways(options.ssh, _machines(ready.plan), err=True)
    say_readable(options.privacy, _readable(ready.plan, options), err=True)
    say("This writes a directory on this machine. It sends nothing.", err=True)
    try:
        return click.confirm("Collect?", default=True, err=True)
    except click.Abort:
        say("", err=True)
        return False


def _by_host(items: Iterable[Planned]) -> list[tuple[str, ...]]:
    groups: dict[tuple[str, str], list[Planned]] = {}
    for planned in items:
        groups.setdefault((planned.entry.host, planned.entry.category), []).append(planned)
    return [
        (host, category, str(len(group)), f"~{human_size(sum(one.size for one in group))}")
        for (host, category), group in sorted(groups.items())
    ]
