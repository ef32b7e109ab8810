"""`clinic clusters`, and the choice of a cluster where a command is about one."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from clinic.cli.output import print_json, say, table
from clinic.cluster.discover import (
    LOCAL,
    Managed,
    Where,
    managed,
    named,
    pd_in_sight,
    read,
    signs,
    tiup_home,
)
from clinic.cluster.model import Cluster
from clinic.errors import Refused, UsageError
from clinic.units import plural

VARIABLE = "CLINIC_CLUSTER"
"""The cluster that is meant where the command line names none: for jobs that run by themselves."""

SHOWN = 3
"""Signs of a cluster that a message holds."""

MOST_SAID = 15
"""Sentences about a cluster that are said before it is collected from."""


@click.command("clusters")
@click.option(
    "--home", default="", metavar="DIR", help="Look in this home, or TIUP_HOME, instead of your own."
)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def command(home: str, as_json: bool) -> int:
    """List the clusters that TiUP manages from this machine, TiDB and DM.

    Reads TiUP's files and contacts nothing. Looked at are TIUP_HOME, else .tiup in your home, under sudo in
    the home of who called it. A cluster of another kind is described to clinic collect by --topology or --pd.

    \b
    Examples:
      clinic clusters
      sudo clinic clusters                    those of the user who called sudo
      clinic clusters --home /home/tidb
      clinic clusters --json | jq '.[].name'
    """
    where = tiup_home(home)
    listed = [_looked_at(one) for one in managed(where)]
    if as_json:
        print_json([_as_json(one) for one in listed])
        return 0
    if listed:
        table(
            ("NAME", "VERSION", "HOSTS", "INSTANCES", "FROM"),
            (_row(one, listed) for one in listed),
            right=(2,),
        )
    else:
        say(f"TiUP manages no cluster here: there is none in {where}.")
    if not listed:
        for line in _in_sight(signs()):
            say(line)
    return 0


@dataclass(frozen=True)
class _Looked:
    """A cluster of TiUP, and what its file says."""

    managed: Managed
    """Where it is."""

    cluster: Cluster | None
    """As its file describes it; None where that can't be read."""

    fault: str = ""
    """Why not."""


def _looked_at(one: Managed) -> _Looked:
    try:
        return _Looked(one, read(one))
    except (UsageError, Refused) as error:
        return _Looked(one, None, error.message)


def _name(one: Managed, among: Iterable[Managed]) -> str:
    """What to type for it: its name, with what tells two of one name apart."""
    twins = sum(other.name == one.name for other in among)
    return one.id if twins > 1 or one.name == LOCAL else one.name


def _row(one: _Looked, among: Sequence[_Looked]) -> tuple[object, ...]:
    name = _name(one.managed, [other.managed for other in among])
    if one.cluster is None:
        return name, "", "", f"can't be read: {one.fault.splitlines()[0]}", one.managed.meta
    hosts, components = len(one.cluster.machines), _components(one.cluster)
    text = ", ".join(f"{component} {count}" for component, count in components.items())
    return name, one.cluster.version, hosts, text, one.managed.meta


def _components(cluster: Cluster) -> dict[str, int]:
    return dict(Counter(instance.component for instance in cluster.instances))


def _as_json(one: _Looked) -> dict[str, Any]:
    cluster = one.cluster
    return {
        "name": one.managed.name,
        "id": one.managed.id,
        "file": str(one.managed.meta),
        "version": cluster.version if cluster else "",
        "hosts": [machine.name for machine in cluster.machines] if cluster else [],
        "components": _components(cluster) if cluster else {},
        "unknown": list(cluster.unknown) if cluster else [],
        "fault": one.fault,
    }


def choose(where: Where) -> Where:
    """The one cluster that is meant, asked for where there is somebody to ask.

    `where` is what the command line says; its `cluster` is empty where that names none. Raises `UsageError` where
    nobody can be asked and there are several, or none of TiUP's and one in sight.
    """
    if where.manual or where.only_hosts:
        return _described(where)
    name = where.cluster or os.environ.get(VARIABLE, "")
    if name == LOCAL:
        return _this_machine(where)
    found = managed(tiup_home(where.home))
    if name:
        return named(where, found, name)
    if len(found) > 1:
        return named(where, found, _ask_which(found))
    if found:
        return named(where, found, found[0].id)
    if where.home:
        raise UsageError(
            f"TiUP manages no cluster in {tiup_home(where.home)}",
            hint="name the home of the user who runs TiUP",
        )
    _require_nothing_in_sight()
    return _this_machine(where)


def _described(where: Where) -> Where:
    if where.cluster or where.home:
        raise UsageError(
            "--topology, --pd, --tidb and --prometheus describe a cluster; CLUSTER and --home name one of TiUP's",
            hint="use one or the other",
        )
    if where.topology and (where.pd or where.tidb or where.prometheus):
        raise UsageError(
            "--topology describes the whole cluster", hint="put the addresses into the file, or leave it out"
        )
    return where


def _this_machine(where: Where) -> Where:
    if where.home or where.ca or where.cert or where.key:
        raise UsageError(
            f"--home, --ca, --cert and --key go with a cluster, and {LOCAL!r} is this machine alone",
            hint="name the cluster, or leave the options out",
        )
    return Where(LOCAL, hosts=where.hosts)


def _somebody() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def _ask_which(found: Sequence[Managed]) -> str:
    names = [_name(one, found) for one in found]
    if not _somebody():
        raise UsageError(
            f"TiUP manages {plural(len(found), 'cluster')} here: {', '.join(names)}",
            hint=f"say which: clinic collect {names[0]}; this machine alone: clinic collect {LOCAL}",
        )
    for number, name in enumerate((*names, LOCAL), 1):
        say(f"  {number}  {name}{' (this machine alone)' if name == LOCAL else ''}", err=True)
    chosen: int = click.prompt("Which", type=click.IntRange(1, len(names) + 1), err=True)
    return (*names, LOCAL)[chosen - 1]


def _require_nothing_in_sight() -> None:
    """Go on where no cluster is in sight, or somebody says that this machine alone is meant."""
    seen = signs()
    if not seen:
        return
    lines = _in_sight(seen)
    home = tiup_home()
    if not _somebody():
        raise UsageError(
            f"a TiDB cluster is in sight, and TiUP manages none in {home}: " + "; ".join(_shown(seen)),
            hint=lines[-1].strip(),
        )
    say(f"TiUP manages no cluster in {home}, and one is in sight here:", err=True)
    for line in lines:
        say(line, err=True)
    if not click.confirm("Collect from this machine alone?", default=None, err=True):
        raise UsageError("nothing was collected", hint=lines[-1].strip())


def _shown(seen: Sequence[str]) -> list[str]:
    more = [f"and {len(seen) - SHOWN} more signs"] if len(seen) > SHOWN else []
    return [*seen[:SHOWN], *more]


def _in_sight(seen: Sequence[str]) -> list[str]:
    """What is in sight, a line each, and as the last one what to type."""
    if not seen:
        return []
    whole = " ".join(f"--pd {address}" for address in pd_in_sight()[:SHOWN]) or "--pd HOST:PORT"
    return [
        *(f"  {sign}" for sign in _shown(seen)),
        f"the whole cluster: clinic collect {whole}, or --home DIR of the user who runs TiUP; "
        f"this machine alone: clinic collect {LOCAL}",
    ]


def beware(cluster: Cluster) -> None:
    """Say where two sources of a cluster differ, and what could not be learned of it."""
    sentences = [*cluster.differences, *cluster.unknown] if cluster.deployed != LOCAL else []
    for sentence in sentences[:MOST_SAID]:
        say(f"  beware: {sentence}", err=True, colour="yellow")
    if len(sentences) > MOST_SAID:
        say(
            f"  beware: {len(sentences) - MOST_SAID} more like these; the bundle's manifest has them all",
            err=True,
        )


def absolute(path: str) -> str:
    """`path` as a bundle can keep it, so that a resumed run finds it from anywhere."""
    return str(Path(path).expanduser().absolute()) if path else ""
