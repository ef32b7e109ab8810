"""The instances of a cluster that run on this machine, with what their processes show. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from clinic.client.address import Address
from clinic.cluster.discovery.processes import Findings
from clinic.cluster.discovery.view import address_of
from clinic.cluster.model import Cluster, Instance

_PROCESS = re.compile(r"\(process (\d+)\)")

_LOOPBACK = "127.0.0.1"
"""Also what stands for a socket that listens on every address."""


def at_home(cluster: Cluster, here: Findings, names: Mapping[str, frozenset[str]]) -> Cluster:
    """`cluster` with the processes, units, command lines and files of its instances on this machine.

    A process belongs to the instance of its component at its port; where several machines of the cluster are this
    one, at its address. What TiUP's file says of directories stays; a process adds the files that it has open.
    """
    local = {machine.name for machine in cluster.machines if machine.local}
    ours = [one for one in cluster.instances if one.host in local]
    found: dict[str, Instance] = {}
    for process in here.instances:
        instance = _owner(process, [one for one in ours if one.id not in found], names)
        if instance is not None:
            found[instance.id] = _with_process(instance, process)
    instances = tuple(found.get(one.id, one) if one.host in local else one for one in cluster.instances)
    pids = {one.pid for one in found.values()}
    remarks = (text for text in here.unknown if ours and _concerns(text, pids))
    return replace(cluster, instances=instances, unknown=(*cluster.unknown, *remarks))


def _concerns(remark: str, pids: Collection[int]) -> bool:
    """Whether a remark of the look at this machine's processes is about one of `pids`, or about all of them."""
    named = _PROCESS.search(remark)
    return named is None or int(named[1]) in pids


def _owner(
    process: Instance, candidates: Iterable[Instance], names: Mapping[str, frozenset[str]]
) -> Instance | None:
    port = process.port or int(process.extra.get("claimed_port", "0"))
    fits = [one for one in candidates if one.component == process.component and one.port == port and port]
    told = _told(process)
    exact = [one for one in fits if told & (names.get(one.host, frozenset()) | {one.host})]
    if exact:
        return exact[0]
    # It listens on all addresses, or says nothing of them: then only one can be meant.
    vague = process.extra.get("address", _LOOPBACK) == _LOOPBACK
    return fits[0] if vague and len(fits) == 1 else None


def _told(process: Instance) -> frozenset[str]:
    """The hosts that a process says it is at, loopback apart."""
    advertised: Address | None = address_of(process.extra.get("advertise", ""), 1)
    hosts = {process.extra.get("address", ""), advertised.host if advertised else ""}
    return frozenset(hosts - {"", _LOOPBACK})


def _with_process(instance: Instance, process: Instance) -> Instance:
    return replace(
        instance,
        status_port=instance.status_port or process.status_port,
        tls=instance.tls or process.tls,
        pid=process.pid,
        started=process.started,
        user=process.user or instance.user,
        binary=process.binary,
        argv=process.argv,
        unit=process.unit or instance.unit,
        container=process.container,
        deploy_dir=instance.deploy_dir or process.deploy_dir,
        data_dirs=instance.data_dirs or process.data_dirs,
        log_dir=instance.log_dir or process.log_dir,
        config_files=tuple(dict.fromkeys((*instance.config_files, *process.config_files))),
        log_files=tuple(dict.fromkeys((*instance.log_files, *process.log_files))),
        extra={**_known(process), **instance.extra},
    )


def _known(process: Instance) -> dict[str, str]:
    return {key: text for key, text in process.extra.items() if key != "claimed_port"}
