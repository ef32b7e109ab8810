"""Whether a TiDB cluster is in sight of this machine, for whoever is about to look somewhere else."""

from __future__ import annotations

from pathlib import Path

import psutil

from clinic.cluster.discovery.component_table import TELLING_PORTS
from clinic.cluster.discovery.looking import PROC, comm, descriptors
from clinic.cluster.discovery.processes import sightings
from clinic.cluster.discovery.sockets import listeners
from clinic.cluster.discovery.time_limits import patiently

_FORWARDERS = frozenset({"docker-proxy", "rootlessport", "slirp4netns", "kube-proxy"})
"""Programs that listen for what runs in a container."""


def signs() -> tuple[str, ...]:
    """What of TiDB's family is in sight on this machine, a sentence each; nothing when there is nothing.

    A process is a sign, and so is a port that little else uses, where its process can't be seen or forwards it.
    Contacts nothing.
    """
    found, blurred = sightings()
    seen = [*found, *(sighting for sighting, _ in blurred)]
    family = [sighting for sighting in seen if sighting.component.family]
    return (
        *(f"{sighting.component.name} runs here as process {sighting.pid}" for sighting in family),
        *_ports(),
    )


def _ports() -> list[str]:
    telling = {
        listener.port: listener for listener in listeners(Path(PROC, "net")) if listener.port in TELLING_PORTS
    }
    owners = _owners({listener.inode for listener in telling.values()})
    sentences: list[str] = []
    for port, listener in sorted(telling.items()):
        owner = owners.get(listener.inode)
        if owner is None:
            sentences.append(
                f"port {port} is open here, {TELLING_PORTS[port]}'s usual one; its process can't be seen"
            )
        elif owner in _FORWARDERS:
            sentences.append(f"port {port}, {TELLING_PORTS[port]}'s usual one, is forwarded by {owner}")
    return sentences


def _owners(sockets: set[int]) -> dict[int, str]:
    """Names of the processes that hold `sockets`, as far as we may see."""
    if not sockets:
        return {}
    held, _ = patiently(psutil.pids(), _held)
    return {socket: name for name, its in held.values() for socket in its if socket in sockets}


def _held(pid: int) -> tuple[str, tuple[int, ...]]:
    try:
        return comm(pid), descriptors(pid).sockets
    except OSError:
        return "", ()  # Gone since it was listed.
