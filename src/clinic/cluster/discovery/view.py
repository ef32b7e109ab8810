"""What one source says of a cluster, and how an answer of a server is looked at before it counts. Pure."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from clinic.client.address import Address
from clinic.cluster.discovery.addresses import check_host, parse_address
from clinic.cluster.discovery.describe import LONGEST_PATH
from clinic.cluster.model import Instance
from clinic.errors import Failed, ItemError
from clinic.outcome import Reason

MOST = 4096
"""Instances that are taken from one answer: far above the largest cluster, and a hostile server is stopped there."""

LONGEST = 256
"""Characters of a name, version or label that are kept."""


@dataclass(frozen=True, slots=True)
class View:
    """What one source says."""

    source: str
    """Who says it, as it stands in sentences: `PD`, `SQL`."""

    instances: tuple[Instance, ...] = ()
    """Those it knows."""

    complete: frozenset[str] = frozenset()
    """Components of which it knows every instance there is."""

    id: str = ""
    """The cluster's id."""

    version: str = ""
    """The cluster's version."""

    unknown: tuple[str, ...] = ()
    """What it could not say."""


def why(error: ItemError) -> str:
    """What happened, and what would help."""
    return f"{error.message} ({error.fix})" if error.fix else error.message


def bad(text: str) -> Failed:
    """An answer that is not what it should be."""
    return Failed(Reason.BAD_ANSWER, text)


def parsed(raw: bytes) -> object:
    """A JSON answer. Raises `Failed` where it is none."""
    try:
        return cast("object", json.loads(raw))
    except (ValueError, RecursionError) as error:
        raise bad("the answer is not JSON") from error


class Fact:
    """A JSON object of an answer: what is missing or of another type is empty."""

    def __init__(self, value: object) -> None:
        self._values = cast("dict[str, object]", value) if isinstance(value, dict) else {}

    def text(self, key: str) -> str:
        """A printable text of a bearable length; a number too."""
        value = self._values.get(key)
        text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
        return text if text.isprintable() and len(text) <= LONGEST else ""

    def raw(self, key: str) -> str:
        """A text as it is, whatever its length."""
        value = self._values.get(key)
        return value if isinstance(value, str) else ""

    def number(self, key: str) -> int:
        """A whole number, also where it is written as a text; 0 where there is none."""
        text = self.text(key)
        return int(text) if text.isascii() and text.isdecimal() and len(text) <= 20 else 0

    def path(self, key: str) -> str:
        """An absolute path."""
        value = self._values.get(key)
        fine = (
            isinstance(value, str)
            and value.startswith("/")
            and value.isprintable()
            and len(value) <= LONGEST_PATH
        )
        return posixpath.normpath(value) if fine and isinstance(value, str) else ""

    def facts(self, key: str) -> Iterator[Fact]:
        """The objects of a list, at most `MOST` of them."""
        yield from listed(self._values.get(key))

    def below(self, key: str) -> Fact:
        """An object."""
        return Fact(self._values.get(key))

    def texts(self, key: str) -> list[str]:
        """The texts of a list."""
        value = self._values.get(key)
        items = cast("list[object]", value)[:MOST] if isinstance(value, list) else []
        return [item for item in items if isinstance(item, str) and item.isprintable()]

    def labels(self, key: str) -> str:
        """Labels, as an object or as a list of objects with `key` and `value`, written `zone=az-1,host=db1`."""
        pairs = [(fact.text("key"), fact.text("value")) for fact in listed(self._values.get(key))]
        held = self.below(key)
        pairs += [(name, held.text(name)) for name in held.keys if name.isprintable()]
        return ",".join(f"{name}={value}" for name, value in pairs if name)[:LONGEST]

    @property
    def keys(self) -> frozenset[str]:
        """What it has."""
        return frozenset(self._values)


def listed(value: object) -> Iterator[Fact]:
    """The objects of a JSON list, at most `MOST` of them; nothing where it is none."""
    items = cast("list[object]", value)[:MOST] if isinstance(value, list) else []
    for item in items:
        if isinstance(item, dict):
            yield Fact(cast("object", item))


def address_of(text: str, port: int = 0) -> Address | None:
    """An address that a server tells; None where it is none."""
    try:
        return parse_address(text, port)
    except ValueError:
        return None


def placed(host: str, port: int) -> Address | None:
    """The address of a host and port that a server tells; None where they are none."""
    try:
        return Address(check_host(host), port)
    except ValueError:
        return None


def deploy_dir(path: str) -> str:
    """The deploy directory behind the path of a program or of its directory, as servers register it."""
    head, found, _ = path.partition("/bin/")
    return head if found else path.removesuffix("/bin")


def version_of(text: str) -> str:
    """A version as TiUP writes it: `v8.5.3` for `8.5.3` and for `8.0.11-TiDB-v8.5.3`."""
    version = text.rpartition("-TiDB-")[2] or text
    return f"v{version}" if version[:1].isdecimal() else version
