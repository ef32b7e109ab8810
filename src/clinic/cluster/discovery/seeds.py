"""A cluster of which a person names a few addresses; the rest is asked from it. Pure but for a look at TLS files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from clinic.client.address import Address, read_url
from clinic.client.tls import Tls
from clinic.cluster.discovery.addresses import check_host, parse_address
from clinic.cluster.discovery.tidb import STATUS_PORT
from clinic.cluster.model import Cluster, Instance, Machine
from clinic.errors import UsageError


@dataclass(frozen=True, slots=True)
class Seeds:
    """A few addresses from which the rest is asked."""

    pd: tuple[Address, ...] = ()
    """PD servers."""

    tidb: tuple[Address, ...] = ()
    """TiDB servers, at their ports for clients."""

    prometheus: str = ""
    """The URL of a Prometheus, checked."""

    tls: Tls = field(default_factory=Tls)
    """Files for servers that speak TLS."""


def read_seeds(pd: Iterable[str], tidb: Iterable[str], prometheus: str, tls: Tls) -> Seeds:
    """What `--pd`, `--tidb`, `--prometheus`, `--ca`, `--cert` and `--key` say. Raises `UsageError`."""
    require_files(tls)
    if prometheus:
        try:
            check_host(read_url(prometheus)[0].host)
        except ValueError as error:
            hint = "write it as http://HOST:9090; an account is given with --prometheus-user, or a token"
            raise UsageError(f"--prometheus: {error}", hint=f"{hint} with --prometheus-token-file") from error
    seeds = Seeds(
        pd=tuple(_seed("--pd", text, 2379, tls) for text in _split(pd)),
        tidb=tuple(_seed("--tidb", text, 4000, tls) for text in _split(tidb)),
        prometheus=prometheus,
        tls=tls,
    )
    if not (seeds.pd or seeds.tidb or prometheus):
        raise UsageError("--pd and --tidb name no server", hint="write it as --pd HOST:2379")
    return seeds


def require_files(tls: Tls) -> None:
    """Raise `UsageError` for a file of `tls` that is not there, and for a certificate without its key."""
    if (tls.cert is None) != (tls.key is None):
        raise UsageError("--cert and --key go together", hint="give both, or neither")
    for option, path in (("--ca", tls.ca), ("--cert", tls.cert), ("--key", tls.key)):
        if path is not None and not path.is_file():
            raise UsageError(f"{option}: there is no file {path}", hint="check the path")


def _split(values: Iterable[str]) -> list[str]:
    """PD's addresses stand in many places separated by commas, and are pasted as they are."""
    return list(dict.fromkeys(word.strip() for value in values for word in value.split(",") if word.strip()))


def _seed(option: str, text: str, port: int, tls: Tls) -> Address:
    try:
        found = parse_address(text, port)
    except ValueError as error:
        raise UsageError(f"{option}: {error}", hint=f"write it as {option} HOST:{port}") from error
    return replace(found, tls=found.tls or tls != Tls())


def seeded(seeds: Seeds) -> Cluster:
    """What is known of a cluster from a few addresses alone; at least one."""
    instances = [Instance("pd", one.host, one.port, tls=one.tls) for one in seeds.pd]
    instances += [Instance("tidb", one.host, one.port, tls=one.tls) for one in seeds.tidb]
    if seeds.prometheus:
        address, path = read_url(seeds.prometheus)
        url = {"url": seeds.prometheus.rstrip("/")} if path != "/" else {}
        host = check_host(address.host)
        instances.append(Instance("prometheus", host, address.port, tls=address.tls, extra=url))
    return Cluster(
        name=f"{instances[0].component}-{instances[0].id}",
        deployed="manual",
        machines=tuple(Machine(host) for host in dict.fromkeys(one.host for one in instances)),
        instances=tuple(instances),
        tls=seeds.tls,
    )


def status_doors(seeds: Seeds) -> list[Address]:
    """Where the HTTP APIs of the named TiDB servers usually are."""
    return [Address(one.host, STATUS_PORT, one.tls) for one in seeds.tidb]


def settled(cluster: Cluster) -> Cluster:
    """`cluster` once everything was asked: named by its id, with the usual status port where none was told."""
    guessed = [one for one in cluster.instances if one.component == "tidb" and not one.status_port]
    instances = tuple(
        replace(one, status_port=STATUS_PORT) if one in guessed else one for one in cluster.instances
    )
    said = [f"nobody told the status port of tidb {one.id}: {STATUS_PORT} is a guess" for one in guessed]
    name = f"tidb-{cluster.id}" if cluster.id else cluster.name
    return replace(cluster, name=name, instances=instances, unknown=(*cluster.unknown, *said))
