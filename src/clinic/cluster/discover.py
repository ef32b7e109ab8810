"""How a cluster is found: one function for each way, each giving a `Cluster` that says what it could not learn."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Sequence

from clinic.cluster.discovery.processes import find
from clinic.cluster.discovery.signs import signs
from clinic.cluster.model import Cluster, Machine

__all__ = ["discover_local", "machine_name", "signs"]

LONGEST_NAME = 64
"""HOST_NAME_MAX of Linux."""

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


def machine_name(host_name: str) -> str:
    """`host_name` as a machine's name: fit for a path, never empty, never hidden, never an option."""
    return _UNSAFE.sub("-", host_name).lstrip(".-")[:LONGEST_NAME] or "localhost"


def discover_local(mask: Callable[[Sequence[str]], tuple[str, ...]]) -> Cluster:
    """This machine, and the database and monitoring processes that run on it. Contacts nothing.

    `mask` gives a command line with its credentials masked.
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
