"""A cluster's key and names as one file, for a second control machine: the same pseudonyms there, and the way back."""

from __future__ import annotations

import json
from typing import cast

from clinic.errors import Refused, UsageError
from clinic.read.privatemap import PrivateMap, is_key
from clinic.secret import Secret

FORMAT = "clinic-key/1"
"""Name and version of the file."""


def exported(private: PrivateMap) -> bytes:
    """The file. Raises `UsageError` where the cluster has no key."""
    if not private.exists():
        raise UsageError(
            f"there is no key of {private.directory.name}",
            hint="clinic bundles lists the keys that there are",
        )
    held = {
        "format": FORMAT, "cluster": private.directory.name, "key": private.key().reveal(),
        "names": private.names(), "searched": private.searched(),
    }  # fmt: skip
    return json.dumps(held, indent=1, sort_keys=True).encode() + b"\n"


def take_in(data: bytes) -> tuple[PrivateMap, int]:
    """Put the key and the names in `data` into the state directory; where, and how many names there are then.

    What is known there already stays. Raises `UsageError` for what is no such file, `Refused` where the cluster has
    another key here: one of the two would have to be lost.
    """
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise UsageError(
            "that is no exported key: it is no JSON", hint="clinic keys export makes one"
        ) from error
    held = cast("dict[str, object]", found) if isinstance(found, dict) else {}
    key, cluster = str(held.get("key", "")), str(held.get("cluster", ""))
    if held.get("format") != FORMAT or not is_key(key) or not cluster:
        raise UsageError("that is no exported key", hint="clinic keys export makes one")
    private = PrivateMap(cluster)
    if not private.exists():
        private.put(Secret(key))
    elif private.key().reveal() != key:
        raise Refused(
            f"{private.directory} has another key of that cluster",
            hint="decide which one stays; clinic purge --key removes the one that is here",
        )
    private.keep(_words(held.get("names")), _words(held.get("searched")))
    return private, len(private.names())


def _words(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        return {}
    return {str(key): str(name) for key, name in cast("dict[object, object]", value).items()}
