"""Where an instance was told to write its logs: its configuration file may say another place than the usual one."""

from __future__ import annotations

import posixpath
import sys
from collections.abc import Collection, Iterator, Mapping
from typing import cast

from clinic.deadline import Deadline
from clinic.errors import Failed, Skip
from clinic.host.base import Host
from clinic.units import MIB

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

LARGEST = MIB
"""Bytes of a configuration file that is looked at; TiKV's template with every item has 60 KB."""


def told_in(host: Host, path: str, settings: Collection[str], home: str, deadline: Deadline) -> list[str]:
    """The absolute paths that the TOML file `path` gives for `settings` (dotted names).

    A relative one is below `home`, where the instance's start script goes to. A file that is not there, may not be
    read or is no TOML tells nothing: its own item says so.
    """
    try:
        with host.open(path, deadline) as reader:
            [data] = reader.ranges([(0, LARGEST)], deadline)
        found = cast("Mapping[str, object]", tomllib.loads(data.decode("utf-8")))
    except (Skip, Failed, ValueError):
        return []
    values = [value for name, value in _flat(found, "") if name in settings]
    return [_absolute(value, home) for value in values if value and (value.startswith("/") or home)]


def _flat(table: Mapping[str, object], prefix: str) -> Iterator[tuple[str, str]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _flat(cast("Mapping[str, object]", value), f"{prefix}{name}.")
        elif isinstance(value, str):
            yield f"{prefix}{name}", value


def _absolute(path: str, home: str) -> str:
    return posixpath.normpath(posixpath.join(home, path))
