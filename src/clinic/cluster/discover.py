"""How a cluster is found: one function for each way, each giving a `Cluster` that says what it could not learn."""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from clinic.client.account import Account
from clinic.client.tls import Tls
from clinic.cluster.discovery.complete import Asking, complete
from clinic.cluster.discovery.hosts import only_hosts, with_hosts
from clinic.cluster.discovery.manual import read_topology
from clinic.cluster.discovery.processes import Mask, find
from clinic.cluster.discovery.queries import ask_tidbs, with_account
from clinic.cluster.discovery.seeds import Seeds, read_seeds, require_files, seeded, settled, status_doors
from clinic.cluster.discovery.signs import signs
from clinic.cluster.discovery.tiup import Managed, choose, managed, read, tiup_home
from clinic.cluster.discovery.view import address_of
from clinic.cluster.model import Cluster, Instance, Machine
from clinic.errors import UsageError
from clinic.home import require_trusted
from clinic.kinds import Content
from clinic.redact import Redactor
from clinic.yamlfile import load

__all__ = [
    "LOCAL", "Managed", "Mask", "Where", "discover", "discover_local", "learning", "machine_name", "managed", "named",
    "pd_in_sight", "read", "signs", "tiup_home",
]  # fmt: skip

LONGEST_NAME = 64
"""HOST_NAME_MAX of Linux."""

LOCAL = "local"
"""What stands for this machine where a cluster's name is asked for."""

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class Where:
    """Which cluster is meant, and how it is found. Without anything: this machine."""

    cluster: str = LOCAL
    """`local`, or a cluster of TiUP as `NAME`, `cluster/NAME` or `dm/NAME`; empty where the rest says it."""

    home: str = ""
    """A home, or a TIUP_HOME, in which TiUP's clusters are; empty for the usual one."""

    topology: str = ""
    """A YAML file of Clinic's own that describes the cluster."""

    pd: tuple[str, ...] = ()
    """Addresses of PD."""

    tidb: tuple[str, ...] = ()
    """Addresses of TiDB."""

    prometheus: str = ""
    """URL of Prometheus."""

    ca: str = ""
    """File with the CA's certificate."""

    cert: str = ""
    """File with our certificate."""

    key: str = ""
    """File with its key."""

    hosts: tuple[str, ...] = ()
    """Machines outside a topology, `[user@]host[:port]`."""

    @property
    def only_hosts(self) -> bool:
        """Whether nothing is named but machines."""
        return bool(self.hosts) and not (self.manual or self.cluster or self.home)

    @property
    def manual(self) -> bool:
        """Whether the cluster is described by options."""
        return bool(self.topology or self.pd or self.tidb or self.prometheus)

    @property
    def tls(self) -> Tls:
        """The files that were named."""
        return Tls(*(Path(text) if text else None for text in (self.ca, self.cert, self.key)))

    def values(self) -> dict[str, str | tuple[str, ...]]:
        """As a bundle keeps it, so that a resumed run finds the same cluster."""
        return {
            "cluster": self.cluster, "home": self.home, "topology": self.topology, "pd": self.pd, "tidb": self.tidb,
            "prometheus": self.prometheus, "ca": self.ca, "cert": self.cert, "key": self.key,
            "hosts": self.hosts,
        }  # fmt: skip

    @classmethod
    def of(cls, values: Mapping[str, object]) -> Where:
        """What `values()` gave, read back; this machine where a bundle does not say."""
        texts = {name: value for name in cls().values() if isinstance(value := values.get(name), str)}
        return cls(
            cluster=texts.get("cluster", LOCAL), home=texts.get("home", ""), topology=texts.get("topology", ""),
            pd=_words(values.get("pd")), tidb=_words(values.get("tidb")), prometheus=texts.get("prometheus", ""),
            ca=texts.get("ca", ""), cert=texts.get("cert", ""), key=texts.get("key", ""),
            hosts=_words(values.get("hosts")),
        )  # fmt: skip


def _words(value: object) -> tuple[str, ...]:
    items = cast("Sequence[object]", value) if isinstance(value, tuple | list) else ()
    return tuple(map(str, items))


def machine_name(host_name: str) -> str:
    """`host_name` as a machine's name: fit for a path, never empty, never hidden, never an option."""
    return _UNSAFE.sub("-", host_name).lstrip(".-")[:LONGEST_NAME] or "localhost"


def learning(redactor: Redactor) -> Mask:
    """A mask for command lines that also learns what it masks, so that it is masked wherever else it stands."""

    def mask(words: Sequence[str]) -> tuple[str, ...]:
        if not words:
            return ()
        stream = redactor.stream(Content.ARGV, learn=True)
        raw = "".join(f"{word}\0" for word in words).encode("utf-8", "surrogateescape")
        clean = stream.feed(raw) + stream.finish()
        return tuple(clean.decode("utf-8", "replace").removesuffix("\0").split("\0"))

    return mask


def named(where: Where, found: Sequence[Managed], name: str) -> Where:
    """`where` with the cluster of TiUP that `name` means, as a resumed run finds it again. Raises `UsageError`."""
    if name == LOCAL:
        return Where(LOCAL, hosts=where.hosts)
    chosen = choose(found, name)
    return replace(where, cluster=chosen.id, home=str(chosen.home.absolute()))


def pd_in_sight() -> tuple[str, ...]:
    """The addresses of PD that the processes of this machine name, for a command to type."""
    texts = [
        one.extra.get(key, "")
        for one in find(tuple, "").instances
        for key in (("advertise",) if one.component == "pd" else ("pd", "path"))
        if one.component == "pd" or one.extra.get("store", "tikv") == "tikv"
    ]
    found = (address_of(word.strip(), 2379) for text in texts for word in text.split(",") if word.strip())
    return tuple(dict.fromkeys(str(address) for address in found if address is not None))


def discover(where: Where, mask: Mask, *, account: Account | None = None, offline: bool = False) -> Cluster:
    """The cluster that `where` means, with the machines that are named besides; within 12 s, whatever is dead.

    `account` is for SQL servers; without one none is asked. With `offline` nothing is contacted. Raises `UsageError`,
    `Refused` for files of others, `Unreachable` where nothing is known but addresses that do not answer.
    """
    if where.only_hosts:
        return only_hosts(where.hosts)
    found = _discovered(where, mask, account, offline)
    return with_hosts(found, where.hosts) if where.hosts else found


def _discovered(where: Where, mask: Mask, account: Account | None, offline: bool) -> Cluster:
    if where.manual:
        return (
            _described(where, mask, account, offline)
            if where.topology
            else _seeded(where, mask, account, offline)
        )
    if where.cluster == LOCAL:
        return discover_local(mask)
    found = choose(managed(tiup_home(where.home)), where.cluster)
    return _completed(read(found), where, mask, account, offline, source="TiUP's meta.yaml")


def discover_local(mask: Mask) -> Cluster:
    """This machine, and the database and monitoring processes that run on it. Contacts nothing.

    `mask` gives a command line with its credentials masked: `learning(redactor)`, or `redactor.argv`.
    """
    name = machine_name(socket.gethostname())
    found = find(mask, name)
    return Cluster(
        name=name,
        deployed="local",
        machines=(Machine(name, local=True),),
        instances=found.instances,
        unknown=found.unknown,
        differences=found.differences,
    )


def _completed(
    cluster: Cluster, where: Where, mask: Mask, account: Account | None, offline: bool, *, source: str
) -> Cluster:
    """A cluster that a file describes; TLS files that were named count for more than those that came with it."""
    require_files(where.tls)
    if where.tls != Tls():
        cluster = replace(cluster, tls=where.tls)
    return (
        cluster
        if offline
        else complete(cluster, Asking(mask, cluster.tls, with_account(account, cluster.tls)), source=source)
    )


def _described(where: Where, mask: Mask, account: Account | None, offline: bool) -> Cluster:
    path = Path(where.topology).expanduser()
    if not path.is_file():
        raise UsageError(f"there is no file {path}", hint="check the path given with --topology")
    require_trusted(path)
    return _completed(read_topology(load(path)), where, mask, account, offline, source=path.name)


def _seeded(where: Where, mask: Mask, account: Account | None, offline: bool) -> Cluster:
    seeds = read_seeds(where.pd, where.tidb, where.prometheus, where.tls)
    cluster = seeded(seeds)
    if offline:
        return cluster
    if not seeds.pd:
        cluster = _with_pd(cluster, seeds)
    return settled(complete(cluster, Asking(mask, seeds.tls, with_account(account, seeds.tls))))


def _with_pd(cluster: Cluster, seeds: Seeds) -> Cluster:
    """`cluster` with the PDs that its TiDB servers use."""
    pds, servers, said = ask_tidbs(status_doors(seeds), seeds.tls)
    known = {(one.host, one.port): one for one in servers}
    instances = [known.pop((one.host, one.port), one) for one in cluster.instances]
    instances += [Instance("pd", one.host, one.port, tls=one.tls) for one in pds]
    instances += known.values()
    hosts = dict.fromkeys(one.host for one in instances)
    unknown = said if not pds else []
    return replace(
        cluster,
        machines=tuple(Machine(host) for host in hosts),
        instances=tuple(instances),
        unknown=(*cluster.unknown, *unknown),
    )
