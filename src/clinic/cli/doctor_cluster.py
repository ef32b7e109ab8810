"""`clinic doctor --cluster`: every machine of a cluster before an incident: its host key, its login, its rights."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from clinic.bundle.record import Record
from clinic.cli.clusters import beware, choose
from clinic.cli.hostkeys import people
from clinic.cli.login import is_attended
from clinic.cli.output import print_json, say, table
from clinic.cli.ssh import say_ways
from clinic.cluster.discover import Where
from clinic.errors import Incomplete, ItemError
from clinic.host.base import Host
from clinic.outcome import Reason
from clinic.plan import Selection
from clinic.read.missing import is_missing
from clinic.run.attempt import waiting
from clinic.run.prepare import Ready, Steering, prepare
from clinic.run.reach import Ssh
from clinic.units import plural
from clinic.window import resolve

_NOTABLE = 1.0
"""Seconds that a clock is off from which on it is shown."""


@dataclass(frozen=True)
class Visit:
    """What came of one machine."""

    name: str
    """As the cluster calls it."""

    way: str
    """How it is reached."""

    user: str = ""
    """Who logs in."""

    root: bool = False
    """Whether root's rights are at hand there for all that needs them."""

    ahead: float = 0.0
    """Seconds that its clock is ahead."""

    error: ItemError | None = None
    """Why nobody gets in."""

    blocked: tuple[Record, ...] = ()
    """What can't be had there, as the records that it would have."""

    @property
    def denied(self) -> list[Record]:
        """What lacks a right."""
        return [record for record in self.blocked if record.reason is Reason.NOT_PERMITTED]


def run(where: Where, ssh: Ssh, collectors: tuple[str, ...], *, as_json: bool) -> int:
    """Visit every machine, say what stands in the way; the exit code."""
    steering = Steering(Selection(), collectors=collectors, where=choose(where), ssh=ssh)
    ready = prepare(steering, resolve(None, None), people=people(attended=is_attended(yes=as_json)))
    try:
        machines = ready.plan.target.cluster.machines
        visits = [_visit(ready, machine.name, ssh.way(machine)) for machine in machines]
    finally:
        ready.common.close()
    if as_json:
        print_json([_as_json(visit) for visit in visits])
    else:
        beware(ready.plan.target.cluster)
        say_ways(ssh, machines)
        _show(visits)
    good = not any(visit.error is not None or visit.denied for visit in visits)
    return 0 if good else Incomplete.exit_code


def _visit(ready: Ready, name: str, way: str) -> Visit:
    try:
        host: Host = ready.common.host(name)
    except ItemError as error:
        return Visit(name, way, error=error)
    lane = f"host:{name}"
    planned = [one for one in ready.plan.items if one.item.source.lane == lane]
    blocked = [
        waiting(one, one.estimate.impossible) for one in planned if one.estimate.impossible is not None
    ]
    root = host.is_root and not any(one.lacks_root for one in planned)
    return Visit(name, way, host.user, root, host.ahead, blocked=tuple(filter(is_missing, blocked)))


def _show(visits: Sequence[Visit]) -> None:
    table(("HOST", "LOGIN", "ROOT", "CLOCK", "NOT PERMITTED"), map(_row, visits))
    for visit in visits:
        if visit.error is not None:
            say(f"{visit.name}: {visit.error.message}", colour="yellow")
            say(f"  fix: {visit.error.fix}")
    for visit in visits:
        if visit.denied:
            say()
            say(f"{visit.name} does not permit {plural(len(visit.denied), 'item')}:", bold=True)
            table(("ITEM", "FIX"), _fixes(visit.denied))
    say()
    reached = sum(visit.error is None for visit in visits)
    say(f"{reached} of {plural(len(visits), 'machine')} can be logged in at. Nothing was collected or sent.")


def _row(visit: Visit) -> tuple[str, ...]:
    if visit.error is not None:
        return visit.name, f"no: {visit.error.reason}", "", "", ""
    clock = f"{visit.ahead:+.1f} s" if abs(visit.ahead) >= _NOTABLE else "right"
    return visit.name, visit.user, "yes" if visit.root else "no", clock, str(len(visit.denied) or "nothing")


def _fixes(denied: Iterable[Record]) -> Iterable[tuple[str, str]]:
    """Each fix once, with the items that it brings."""
    found: dict[str, list[str]] = {}
    for record in denied:
        found.setdefault(record.fix or record.message, []).append(record.entry.id)
    return ((", ".join(dict.fromkeys(ids)), fix) for fix, ids in found.items())


def _as_json(visit: Visit) -> dict[str, Any]:
    error = visit.error
    return {
        "host": visit.name,
        "reached": visit.way,
        "user": visit.user,
        "root": visit.root,
        "clock_ahead": visit.ahead,
        "reason": str(error.reason) if error is not None else None,
        "message": error.message if error is not None else "",
        "fix": error.fix if error is not None else "",
        "blocked": [
            {
                "id": record.entry.id,
                "reason": str(record.reason),
                "message": record.message,
                "fix": record.fix,
            }
            for record in visit.blocked
        ],
    }
