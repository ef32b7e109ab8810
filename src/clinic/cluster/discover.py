"""How a cluster is found: one function for each way, each giving a `Cluster` that says what it could not learn."""

from __future__ import annotations

import re
import socket
from collections.abc import Sequence

from clinic.cluster.discovery.processes import Mask, find
from clinic.cluster.discovery.signs import signs
from clinic.cluster.model import Cluster, Machine
from clinic.kinds import Content
from clinic.redact import Redactor

__all__ = ["Mask", "discover_local", "learning", "machine_name", "signs"]

LONGEST_NAME = 64
"""HOST_NAME_MAX of Linux."""

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


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
