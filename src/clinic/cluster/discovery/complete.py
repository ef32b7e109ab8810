"""A cluster that was described by a file or by a few addresses, completed by what its servers and this machine know.

Everything that may hang happens at once and is given up in time: a cluster whose servers are all dead is here after
some 4 seconds, one with a PD that stalls or names dead servers after some 11.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from clinic.client.address import Address
from clinic.client.tls import Tls
from clinic.cluster.discovery import addresses, processes
from clinic.cluster.discovery.in_parallel import Aside, together
from clinic.cluster.discovery.layout import laid_out
from clinic.cluster.discovery.merge import Names, merge, named
from clinic.cluster.discovery.on_this_machine import at_home
from clinic.cluster.discovery.pd import Answers, combine, read_pd
from clinic.cluster.discovery.processes import Findings, Mask
from clinic.cluster.discovery.queries import Sql, ask_pds, ask_sql, dial
from clinic.cluster.discovery.tiup_defaults import DM_KINDS, TIDB_KINDS
from clinic.cluster.discovery.view import View, placed, why
from clinic.cluster.model import Cluster, Instance, Machine
from clinic.errors import ItemError, Unreachable, UsageError
from clinic.units import plural

FIRST_SECONDS = 7.0
"""For all that is done first, at once."""

SECOND_SECONDS = 4.0
"""For what needs the answers to that."""

NAME_SECONDS = 3.0
"""For the IP addresses of all hosts that are given by name."""

MOST_SAID = 12
"""Servers that can't be reached, a sentence each; the rest is counted."""

_SO_FAR = "what is known so far"
"""What SQL is compared with: a file, PD, or both."""

_SECURED = frozenset(kind.component for kind in (*TIDB_KINDS, *DM_KINDS) if kind.secured)


@dataclass(frozen=True, slots=True)
class Asking:
    """How the servers are asked."""

    mask: Mask
    """Masks command lines."""

    tls: Tls = field(default_factory=Tls)
    """Files for those that speak TLS."""

    sql: Sql | None = None
    """Asks a SQL server; None where there is no account."""


@dataclass(frozen=True, slots=True)
class _First:
    """What came of the first round."""

    answers: list[Answers]
    """What PD answered."""

    down: Mapping[Address, ItemError]
    """Where nobody takes a connection."""

    names: Mapping[str, frozenset[str]]
    """IP addresses of hosts."""

    here: Findings
    """The processes of this machine."""

    late: tuple[str, ...]
    """What did not come to an end."""


def complete(cluster: Cluster, asking: Asking, *, source: str = "") -> Cluster:
    """`cluster` with everything that its servers and this machine know besides.

    `source` names the file that it was read from; without one it is only a few addresses that a person named: then
    it raises `UsageError` for PDs of different clusters, and `Unreachable` where none of the addresses answers.
    """
    first = _first(cluster, asking)
    names = Names(first.names)
    view, strangers = _asked(first.answers, first.down)
    if strangers and not source:
        raise UsageError(
            f"the PDs that were named are of different clusters: {'; '.join(strangers)}",
            hint="name the PDs of one cluster with --pd",
        )
    found = merge(cluster, _secured(view, cluster), names, source=source) if view is not None else cluster
    found = replace(
        found, differences=(*found.differences, *strangers), unknown=(*found.unknown, *first.late)
    )
    if not source and not found.id:
        _require_anybody(found, first.down)
    said, down, resolved = _second(found, first, asking, tried=_doors(cluster.instances))
    if said is not None:
        found = merge(found, _secured(said, cluster), Names(resolved), source=_SO_FAR)
    found = _with_local(found, resolved)
    found = laid_out(at_home(found, first.here, resolved))
    return replace(found, unknown=(*found.unknown, *_unreachable(found, down)))


def _require_anybody(found: Cluster, down: Mapping[Address, ItemError]) -> None:
    silent = [down[address].message for address in _doors(found.instances) if address in down]
    if len(silent) == len(_doors(found.instances)):
        raise Unreachable(
            f"nothing can be reached of what was named: {'; '.join(silent[:3])}",
            hint="check the addresses; clinic collect local takes this machine alone",
        )


def door(instance: Instance) -> Address | None:
    """Where to see whether an instance is there: the port of its HTTP API, else the one for clients.

    A SQL server counts connections that say nothing, so its own port is the second choice.
    """
    return placed(instance.extra.get("address") or instance.host, instance.status_port or instance.port)


def _client(instance: Instance) -> Address | None:
    address = placed(instance.extra.get("address") or instance.host, instance.port)
    return replace(address, tls=instance.tls) if address is not None else None


def _of(cluster: Cluster, component: str) -> list[Address]:
    found = (_client(one) for one in cluster.instances if one.component == component)
    return [address for address in found if address is not None]


def _doors(instances: Iterable[Instance]) -> list[Address]:
    return [address for one in instances if (address := door(one)) is not None]


def _hosts(cluster: Cluster) -> set[str]:
    """Every name and address by which its machines are called."""
    called = {machine.name for machine in cluster.machines}
    return called | {machine.login["address"] for machine in cluster.machines if "address" in machine.login}


def _resolve(hosts: Iterable[str]) -> dict[str, frozenset[str]]:
    found, _ = together(hosts, addresses.resolve, NAME_SECONDS)
    return {host: frozenset(ips) for host, ips in found.items()}


def _first(cluster: Cluster, asking: Asking) -> _First:
    until = time.monotonic() + FIRST_SECONDS
    pds = _of(cluster, "pd")
    answers = Aside("PD was not asked to the end", lambda: ask_pds(pds, asking.tls))
    down = Aside("who can be reached is not known", lambda: dial(_doors(cluster.instances)))
    names = Aside("names of hosts were not looked up", lambda: _resolve(_hosts(cluster)))
    here = Aside("the processes of this machine were not looked at", lambda: processes.find(asking.mask, ""))
    return _First(
        answers=answers.result(until, []),
        down=down.result(until, {}),
        names=names.result(until, {}),
        here=here.result(until, Findings(())),
        late=tuple(text for task in (answers, down, names, here) for text in task.failures),
    )


def _asked(answers: list[Answers], down: Mapping[Address, ItemError]) -> tuple[View | None, tuple[str, ...]]:
    """What PD says, None where there is none to ask; and the PDs of other clusters, a sentence each."""
    if not answers:
        return None, ()
    ours, strangers = combine(answers)
    view = read_pd(ours)
    mute = [one for one in answers if one.silence is not None and replace(one.asked, tls=False) not in down]
    if ours.silence is None:
        said = tuple(f"pd at {one.asked} answers nothing: {why(one.silence)}" for one in mute if one.silence)
        view = replace(view, unknown=(*view.unknown, *said))
    return view, tuple(
        f"pd {asked} is of the cluster {found}, not of {view.id}" for asked, found in strangers
    )


def _secured(view: View, cluster: Cluster) -> View:
    """`view` with TLS for every instance that has it in a cluster of which PD speaks it."""
    if not any(one.tls for one in (*cluster.instances, *view.instances) if one.component == "pd"):
        return view
    secured = (replace(one, tls=one.tls or one.component in _SECURED) for one in view.instances)
    return replace(view, instances=tuple(secured))


def _second(
    found: Cluster, first: _First, asking: Asking, *, tried: Iterable[Address]
) -> tuple[View | None, dict[Address, ItemError], dict[str, frozenset[str]]]:
    """What SQL says, where nobody takes a connection, the IP addresses of all hosts."""
    until = time.monotonic() + SECOND_SECONDS
    doors = set(_doors(found.instances)) - set(tried)
    down = Aside("", lambda: dial(doors))
    names = Aside("", lambda: _resolve(_hosts(found) - set(first.names)))
    view: View | None = None
    if asking.sql is not None:
        ask = asking.sql
        servers = _sql_servers(found, first.down)
        said = Aside("", lambda: ask_sql(servers, ask))
        late = View("SQL", unknown=("SQL did not say in time which instances there are",))
        view = said.result(until, late)
    return view, {**first.down, **down.result(until, {})}, {**first.names, **names.result(until, {})}


def _sql_servers(found: Cluster, down: Mapping[Address, ItemError]) -> list[Address]:
    """The TiDB servers, those whose HTTP API can't be reached last: it may be switched off."""
    tidbs = [one for one in found.instances if one.component == "tidb"]
    tidbs.sort(key=lambda one: door(one) in down)
    return [address for one in tidbs if (address := _client(one)) is not None]


def _with_local(found: Cluster, names: Mapping[str, frozenset[str]]) -> Cluster:
    """`found` with the machines that are this one marked."""
    own = addresses.own_addresses()

    def marked(machine: Machine) -> Machine:
        called = {machine.name, machine.login.get("address", machine.name)}
        ips = {ip for name in called for ip in names.get(name, frozenset({name}))}
        return replace(machine, local=machine.local or addresses.is_own(ips, own))

    return replace(found, machines=tuple(map(marked, found.machines)))


def _unreachable(found: Cluster, down: Mapping[Address, ItemError]) -> Iterable[str]:
    """A sentence for each machine of which nothing answers, and one for each component of which some do not."""
    dead: list[str] = []
    single: dict[str, list[tuple[Instance, str]]] = defaultdict(list)
    for machine in found.machines:
        here = [
            (one, address) for one in found.instances if one.host == machine.name and (address := door(one))
        ]
        silent = [(one, down[address].message) for one, address in here if address in down]
        if silent and len(silent) == len(here) and not any("refused" in why for _, why in silent):
            count = plural(len(here), "instance")
            dead.append(f"{machine.name} is down: none of its {count} can be reached ({silent[0][1]})")
        else:
            for one, why in silent:
                single[one.component].append((one, why))
    yield from dead[:MOST_SAID]
    if len(dead) > MOST_SAID:
        yield f"{len(dead) - MOST_SAID} more hosts are down"
    for component, instances in single.items():
        yield f"{component} can't be reached at {named([one for one, _ in instances])}: {instances[0][1]}"
