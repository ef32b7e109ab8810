"""Two descriptions of one cluster made into one: what both know once, what one knows too, and where they differ. Pure.

Nothing is thrown away: an instance that only one of them has is in the result, and a sentence says so.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from clinic.client.address import Address
from clinic.cluster.discovery.addresses import is_ip
from clinic.cluster.discovery.view import View, address_of
from clinic.cluster.model import Cluster, Instance, Machine
from clinic.units import plural

MOST_NAMED = 6
"""Instances that one sentence names."""


@dataclass(frozen=True, slots=True)
class Names:
    """Which names stand for one machine."""

    addresses: Mapping[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])
    """IP addresses of each host, as far as they could be found."""

    def same(self, one: str, other: str) -> bool:
        """Whether two hosts are one, as far as is known."""
        return one == other or bool(self._of(one) & self._of(other))

    def known(self, *hosts: str) -> bool:
        """Whether every one of the hosts is an IP address or has one."""
        return all(self._of(host) - {host} or is_ip(host) for host in hosts)

    def _of(self, host: str) -> frozenset[str]:
        return self.addresses.get(host, frozenset()) | {host}


def merge(cluster: Cluster, view: View, names: Names, *, source: str = "") -> Cluster:
    """`cluster` with what `view` knows besides.

    `source` is what `cluster` was read from where that claims to be complete, as it stands in sentences: only then
    is it a difference that the other one knows more.
    """
    matched, alone = _matches(cluster.instances, view.instances, names)
    instances = tuple(
        _completed(instance, matched[index]) if index in matched else instance
        for index, instance in enumerate(cluster.instances)
    )
    told = (_on_known_host(instance, cluster.machines, names) for instance in alone)
    added, clashes = _apart(cluster.instances, told, view.source)
    known = {machine.name for machine in cluster.machines}
    hosts = dict.fromkeys(instance.host for instance in added if instance.host not in known)
    differences = list(clashes)
    if source:
        pairs = [(cluster.instances[index], other) for index, other in matched.items()]
        lacking = [one for index, one in enumerate(cluster.instances) if index not in matched]
        differences += _set_differences(cluster, view, added, lacking, source)
        differences += _moved(added, lacking, source, view.source)
        differences += _version_differences(pairs, cluster.version, view, source)
    differences += _id_difference(cluster, view)
    return replace(
        cluster,
        machines=(*cluster.machines, *(Machine(host) for host in hosts)),
        instances=(*instances, *added),
        id=cluster.id or view.id,
        version=cluster.version or view.version,
        unknown=(*cluster.unknown, *view.unknown),
        differences=(*cluster.differences, *differences),
    )


def _matches(
    ours: tuple[Instance, ...], theirs: Iterable[Instance], names: Names
) -> tuple[dict[int, Instance], list[Instance]]:
    """Which of `theirs` is which of ours, by its place in `ours`; and those that are none of them."""
    places: dict[tuple[str, int], list[int]] = defaultdict(list)
    for index, instance in enumerate(ours):
        advertised = _advertised(instance)
        for port in {instance.port, *([advertised.port] if advertised is not None else [])}:
            places[instance.component, port].append(index)
    matched: dict[int, Instance] = {}
    alone: list[Instance] = []
    for other in theirs:
        free = (index for index in places[other.component, other.port] if index not in matched)
        found = next((index for index in free if _is(ours[index], other, names)), None)
        if found is None:
            alone.append(other)
        else:
            matched[found] = other
    return matched, alone


def _advertised(instance: Instance) -> Address | None:
    return address_of(instance.extra.get("advertise", ""))


def _is(ours: Instance, other: Instance, names: Names) -> bool:
    """Whether two instances of one component at one port are the same."""
    advertised = _advertised(ours)
    hosts = {ours.host, ours.extra.get("address", ours.host), advertised.host if advertised else ours.host}
    if any(names.same(host, other.host) for host in hosts):
        return True
    called = ours.extra.get("name", "")
    return bool(called) and called == other.extra.get("name") and not names.known(ours.host, other.host)


def _completed(ours: Instance, other: Instance) -> Instance:
    """Ours, with what only the other one knows; what runs counts for more than what was written down."""
    extra = {**other.extra, **ours.extra}
    for key in ("state", "leader"):
        if key in other.extra:
            extra[key] = other.extra[key]
    if ours.version and other.version and not _same_version(ours.version, other.version):
        extra["deployed_version"] = ours.version
    return replace(
        ours,
        status_port=ours.status_port or other.status_port,
        version=other.version or ours.version,
        tls=ours.tls or other.tls,
        deploy_dir=ours.deploy_dir or other.deploy_dir,
        extra=extra,
    )


def _on_known_host(instance: Instance, machines: Iterable[Machine], names: Names) -> Instance:
    """The instance under the name that the cluster already has for its host."""
    for machine in machines:
        if names.same(machine.name, instance.host):
            return replace(instance, host=machine.name)
    return instance


def _apart(
    ours: Iterable[Instance], told: Iterable[Instance], source: str
) -> tuple[tuple[Instance, ...], tuple[str, ...]]:
    """Those of `told` at a place of their own; where another component is at a place already, a sentence."""
    taken = {(one.host, one.port): one.component for one in ours}
    added: list[Instance] = []
    clashes: dict[str, None] = {}
    for one in told:
        component = taken.get((one.host, one.port))
        if component is None:
            taken[one.host, one.port] = one.component
            added.append(one)
        elif component != one.component:
            clashes[f"{source} knows {one.component} at {_address(one)}, where {component} is"] = None
    return tuple(added), tuple(clashes)


def _set_differences(
    cluster: Cluster, view: View, added: Collection[Instance], lacking: Collection[Instance], source: str
) -> Iterable[str]:
    """A sentence for each component of which the two know different instances."""
    for component in dict.fromkeys(one.component for one in (*cluster.instances, *added)):
        more = [one for one in added if one.component == component]
        less = [one for one in lacking if one.component == component]
        if component not in view.complete:
            if more:
                yield f"{view.source} knows {component} {named(more)}, which {source} does not have"
        elif more or less:
            ours = sum(one.component == component for one in cluster.instances)
            theirs = ours - len(less) + len(more)
            text = f"{source} has {ours} {component}, {view.source} knows {theirs}"
            text += f"; only {view.source} knows {named(more)}" if more else ""
            yield text + (f"; only {source} has {named(less)}" if less else "")


def named(instances: Collection[Instance]) -> str:
    """The addresses of `instances`, the first `MOST_NAMED` of them."""
    shown = [_address(one) for one in instances]
    rest = len(shown) - MOST_NAMED
    return ", ".join(shown[:MOST_NAMED]) + (f" and {rest} more" if rest > 0 else "")


def _address(instance: Instance) -> str:
    return (
        f"[{instance.host}]:{instance.port}" if ":" in instance.host else f"{instance.host}:{instance.port}"
    )


def _moved(added: Iterable[Instance], lacking: Iterable[Instance], source: str, other: str) -> Iterable[str]:
    """One name at two places: a host was replaced, or its address changed."""
    ours = {(one.component, one.extra["name"]): one for one in lacking if "name" in one.extra}
    for theirs in added:
        one = ours.get((theirs.component, theirs.extra.get("name", "")))
        if one is not None:
            name = f"{one.component} {one.extra['name']}"
            yield f"{name} is at {_address(one)} by {source}, at {_address(theirs)} by {other}"


def _version_differences(
    pairs: Iterable[tuple[Instance, Instance]], version: str, view: View, source: str
) -> Iterable[str]:
    """A sentence for each component of which something else runs than was deployed."""
    groups: dict[tuple[str, str, str], list[Instance]] = defaultdict(list)
    for ours, theirs in pairs:
        if ours.version and theirs.version and not _same_version(ours.version, theirs.version):
            groups[ours.component, ours.version, theirs.version].append(ours)
    for (component, ours_version, theirs_version), instances in groups.items():
        count = plural(len(instances), component, component)
        yield (
            f"{source} says {component} is {ours_version}; by {view.source} {count} "
            f"{'is' if len(instances) == 1 else 'are'} {theirs_version}: {named(instances)}"
        )
    if version and view.version and not _same_version(version, view.version):
        yield f"{source} says the cluster is {version}; {view.source} says {view.version}"


def _same_version(one: str, other: str) -> bool:
    return one.removeprefix("v") == other.removeprefix("v")


def _id_difference(cluster: Cluster, view: View) -> Iterable[str]:
    if cluster.id and view.id and cluster.id != view.id:
        yield f"{view.source} says the cluster's id is {view.id}, not {cluster.id}"
