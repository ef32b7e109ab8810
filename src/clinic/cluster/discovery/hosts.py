"""Machines that are named one by one, without a topology: `[user@]host[:port]`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from clinic.client.address import read_address
from clinic.cluster.discovery.addresses import check_host
from clinic.cluster.model import Cluster, Machine
from clinic.errors import UsageError

_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\\-]{0,63}\$?\Z")
_PORT = 22


def read_host(text: str) -> Machine:
    """The machine that `[user@]host[:port]` names. Raises `UsageError`."""
    user, at, place = text.strip().rpartition("@")
    try:
        address = read_address(place, port=_PORT)
        name = check_host(address.host)
    except ValueError as error:
        raise UsageError(f"{text!r} is no host: {error}", hint="write [user@]host[:port]") from error
    if at and not _USER.match(user):
        raise UsageError(f"{text!r} is no host: {user!r} is no account", hint="write [user@]host[:port]")
    given = re.search(r"[^:]:\d+\Z", place) is not None
    login = {
        "address": name,
        **({"user": user} if user else {}),
        **({"port": str(address.port)} if given else {}),
    }
    return Machine(name, login=login)


def with_hosts(cluster: Cluster, texts: Sequence[str]) -> Cluster:
    """`cluster` with the machines that `texts` name, each once; one that it has already is logged in at as named."""
    machines = _apart([read_host(text) for text in dict.fromkeys(texts)])
    named = {machine.name: machine for machine in machines}
    kept = [
        replace(one, login={**_told(one), **named.pop(one.name).login}) if one.name in named else one
        for one in cluster.machines
    ]
    return replace(cluster, machines=(*kept, *named.values()))


def _told(machine: Machine) -> dict[str, str]:
    """How to log in, without how TiUP does: somebody named the machine to be logged in at."""
    return {key: text for key, text in machine.login.items() if key != "executor"}


def only_hosts(texts: Sequence[str]) -> Cluster:
    """A cluster of nothing but these machines."""
    return with_hosts(Cluster("hosts", "manual", ()), texts)


def _apart(machines: Iterable[Machine]) -> list[Machine]:
    """Those of one address but several ports are told apart by the port."""
    several = list(machines)
    count = Counter(machine.name for machine in several)
    return [
        replace(one, name=f"{one.name}-{one.login.get('port', _PORT)}") if count[one.name] > 1 else one
        for one in several
    ]
