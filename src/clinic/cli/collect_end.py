"""The last lines of a run: what was collected, what is missing and why, where it is, what to type next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from clinic.bundle.manifest import Run
from clinic.bundle.record import Record
from clinic.cli.output import print_json, say
from clinic.outcome import Reason, Status
from clinic.read.heading import window_text
from clinic.run.footprint import CONTROL
from clinic.run.session import Result
from clinic.units import human_duration, human_size, plural

_REACHED = ("ssh_connections", "ssh_requests", "ssh_received", "ssh_cpu_seconds", "ssh_paused")

SHOWN = 12
"""Reasons for which items are missing that the end names; the rest is counted, `clinic inspect` has them all."""

NAMED = 3
"""How many items or places that ended alike are named."""


def show(result: Result, *, as_json: bool) -> None:
    """Print how the run ended."""
    if as_json:
        print_json(_as_json(result))
        return
    records = result.sealed.manifest.records
    say()
    if result.unchanged:
        say("Nothing was left to do: the bundle is as it was.")
    say(_collected(records), bold=True)
    nothing = not any(record.files for record in records)
    _show_missing([record for record in records if record.incomplete or nothing])
    _show_denied([record for record in records if record.reason is Reason.NOT_PERMITTED])
    say(_place(result))
    _show_reached(result.sealed.manifest.footprint)
    say(f"Bundle id {result.sealed.bundle_id}")
    again = any(record.status is Status.CANCELLED for record in records)
    say(f"Next: clinic {'collect --resume' if again else 'inspect'} {result.sealed.path}")
    if result.fault is not None:
        say(f"{result.fault.message} (exit code {result.fault.exit_code}).", colour="yellow")
    say(_headline(result.sealed.manifest.run))


def _headline(run: Run) -> str:
    """The first line of the run once more: cluster, hosts, window; what scrolled away is what people look for."""
    cluster = run.cluster
    version = f", {cluster.version}" if cluster.version else ""
    hosts = plural(len(cluster.machines), "host")
    return f"Cluster {cluster.name} ({cluster.deployed}{version}), {hosts}; window {window_text(run)}"


def _collected(records: Sequence[Record]) -> str:
    count = Counter(record.status for record in records)
    parts = [f"{count[status]} {str(status).replace('_', ' ')}" for status in Status if count[status]] or [
        "none"
    ]
    plain = sum(record.plain for record in records)
    return f"Collected {plural(len(records), 'item')}: {', '.join(parts)}; {human_size(plain)} before compression."


def _show_missing(missing: Sequence[Record]) -> None:
    if not missing:
        return
    say("Incomplete or missing:", colour="yellow")
    alike: dict[tuple[object, ...], list[Record]] = {}
    for record in missing:
        alike.setdefault((record.status, record.reason, record.message, record.fix), []).append(record)
    shown = sorted(alike.values(), key=len, reverse=True)[:SHOWN]
    for records in shown:
        first = records[0]
        say(f"  {_which(records)}: {first.status} ({first.reason}) {first.message}")
        if first.fix:
            say(f"    fix: {first.fix}")
    rest = len(missing) - sum(map(len, shown))
    if rest:
        say(f"  and {rest} more: clinic inspect lists them all")


def _which(records: Sequence[Record]) -> str:
    """One item and its place; of several that ended alike how many, where, and some of their names."""
    if len(records) == 1:
        return f"{records[0].entry.id} {_where(records[0])}"
    ids = tuple(dict.fromkeys(record.entry.id for record in records))
    places = tuple(dict.fromkeys(map(_where, records)))
    hosts = tuple(dict.fromkeys(record.entry.host for record in records))
    return f"{plural(len(records), 'item')} of {_some(places if len(hosts) > 1 else hosts)} ({_some(ids)})"


def _where(record: Record) -> str:
    return record.entry.instance or record.entry.host


def _some(names: Sequence[str]) -> str:
    """The first of them, and how many more there are."""
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")


def _show_denied(denied: Sequence[Record]) -> None:
    """One line for everything that more rights would bring."""
    if denied:
        fixes = Counter(record.fix for record in denied if record.fix)
        fix = f": {fixes.most_common(1)[0][0]}" if fixes else ""
        say(f"Not permitted: {plural(len(denied), 'item')} left out{fix}")


def _place(result: Result) -> str:
    manifest = result.sealed.manifest
    cost = manifest.footprint[CONTROL]
    return (
        f"Bundle {result.sealed.path}: {human_size(sum(record.stored for record in manifest.records))} on disk, "
        f"{human_duration(cost['seconds'])}, {cost['cpu_seconds']:.1f} s of CPU. Nothing was sent."
    )


def _show_reached(footprint: Mapping[str, Mapping[str, float]]) -> None:
    """What the hosts were asked for over SSH, all and the one that it cost most: is it us who slow them down?"""
    hosts = {name: cost for name, cost in footprint.items() if "ssh_requests" in cost}
    if not hosts:
        return
    total = {key: sum(cost.get(key, 0) for cost in hosts.values()) for key in _REACHED}
    most = max(hosts, key=lambda name: hosts[name].get("ssh_cpu_seconds", 0))
    connections, requests, received, spent, paused = (total[key] for key in _REACHED)
    say(
        f"Over SSH: {plural(len(hosts), 'host')}, {plural(int(connections), 'connection')}, "
        f"{plural(int(requests), 'request')}, {human_size(int(received))} received; {spent:.1f} s of CPU there, "
        f"at most {hosts[most].get('ssh_cpu_seconds', 0):.1f} s on {most}; {paused:.0f} s of waiting for them."
    )


def _as_json(result: Result) -> dict[str, Any]:
    sealed, fault = result.sealed, result.fault
    return {
        "bundle": str(sealed.path),
        "id": sealed.bundle_id,
        "exit_code": fault.exit_code if fault is not None else 0,
        "complete": fault is None,
        "message": fault.message if fault is not None else "",
        "statuses": dict(Counter(str(record.status) for record in sealed.manifest.records)),
        "missing": [
            {
                "id": record.entry.id, "host": record.entry.host, "instance": record.entry.instance,
                "status": str(record.status), "reason": str(record.reason), "message": record.message,
                "fix": record.fix,
            }
            for record in sealed.manifest.records
            if record.incomplete
        ],
    }  # fmt: skip
