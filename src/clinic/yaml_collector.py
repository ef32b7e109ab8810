"""A collector from one YAML file: a declaration needs no code."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from clinic.client.address import Address, is_path, read_url
from clinic.collector import (
    Category,
    Collector,
    Content,
    Instance,
    Item,
    Role,
    Sensitivity,
    Source,
    Stage,
    Target,
    Volatility,
)
from clinic.errors import Skip
from clinic.outcome import Reason
from clinic.source.base import Doors, Estimate, Part
from clinic.source.command import Command
from clinic.source.file import File, Files
from clinic.source.http import Expect, Get
from clinic.source.listing import Listing
from clinic.source.sql import Query, require_reading
from clinic.units import parse_duration, parse_size
from clinic.yamlfile import Mistakes, Where, load

Build = Callable[[str, tuple[str, ...]], Source]
SOURCES: Mapping[str, Build] = {
    "command": Command,
    "file": lambda host, words: File(host, words[0]),
    "files": Files,
    "listing": Listing,
}
"""What an item may take its bytes from on each machine, by the key that names it."""

SERVERS = ("http", "sql")
"""What an item may take its bytes from on each instance of a component."""

_FOLDERS = frozenset({"files"})
_OPTIONS = (
    "path", "component", "id", "content", "sensitivity", "volatility", "learn", "required", "default", "cap",
    "deadline",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Row:
    """One declared item, before it is made for each machine or instance."""

    path: str
    """Below the folder of the machine or instance."""

    kind: str
    """The key that names its source."""

    words: tuple[str, ...]
    """The argv, the path, the patterns, the URL or the statement."""

    component: str
    """Whose instances are asked; empty for what is read on machines, and where the URL or the kind tells."""

    options: Mapping[str, Any]
    """Further fields of `Item`."""

    def on(self, machine: str) -> Item:
        """The item for a machine."""
        return Item(f"{machine}/{self.path}", SOURCES[self.kind](machine, self.words), **self.options)

    def of(self, target: Target) -> Iterator[Item]:
        """The item for each instance that is asked."""
        if self.kind == "http" and not self.words[0].startswith("/"):
            yield self._of_url(target, *read_url(self.words[0]))
            return
        for instance in target.instances(*(() if self.component else (Role.SQL,))):
            if self.component in ("", instance.component):
                sql = self.kind == "sql"
                yield self._asking(
                    instance, Query(instance, self.words[0]) if sql else self._get(instance, self.words[0])
                )

    def _of_url(self, target: Target, address: Address, path: str) -> Item:
        for instance in target.instances():
            hosts = (instance.host, instance.extra.get("address", ""))
            if address.host in hosts and address.port in (instance.port, instance.status_port):
                asked = replace(instance, port=address.port, status_port=address.port, tls=address.tls)
                return self._asking(instance, self._get(asked, path))
        return Item(f"{address.host}/{address.port}/{self.path}", _Elsewhere(address), **self.options)

    def _get(self, instance: Instance, path: str) -> Get:
        content = self.options["content"]
        expect: Expect = "json" if content is Content.JSON else "any" if content is Content.OPAQUE else "text"
        return Get(instance, path, expect=expect)

    def _asking(self, instance: Instance, source: Source) -> Item:
        path = f"{instance.host}/{instance.id}/{self.path}"
        return Item(path, source, host=instance.host, instance=instance.id, **self.options)


@dataclass(frozen=True)
class _Elsewhere(Source):
    """A URL of a server that is not the cluster's: it is not asked, and that is on record."""

    address: Address
    """Where it would be."""

    @property
    def lane(self) -> str:
        return f"server:{self.address}"

    @property
    def what(self) -> str:
        return f"GET {self.address.url}"

    def plan(self, doors: Doors) -> Estimate:
        """It is never asked."""
        del doors
        return Estimate(None, impossible=self._why())

    def open(self, doors: Doors) -> Iterator[Part]:
        raise self._why()

    def _why(self) -> Skip:
        text = f"{self.address} is no server of this cluster, and no other is asked"
        return Skip(Reason.NOT_APPLICABLE, text)


class DeclaredCollector(Collector):
    """Makes one item for each declared row and each machine or instance."""

    def __init__(
        self, path: Path, name: str, category: Category, summary: str, rows: tuple[_Row, ...]
    ) -> None:
        self.path = path
        self.name = name  # type: ignore[misc]  # a ClassVar of the contract; one class serves all files
        self.category = category  # type: ignore[misc]  # as above
        self.summary = summary  # type: ignore[misc]  # as above
        self._rows = rows

    def items(self, target: Target) -> Iterator[Item]:
        for machine in target.machines:
            yield from (row.on(machine.name) for row in self._rows if row.kind in SOURCES)
        for row in self._rows:
            if row.kind in SERVERS:
                yield from row.of(target)


def read_collector(path: Path) -> DeclaredCollector:
    """The collector that `path` declares. Raises `UsageError` with every mistake in it."""
    document = load(path)
    mistakes = Mistakes(document)
    keys = ("name", "category", "summary", "items")
    data = mistakes.mapping((), document.data, keys, required=keys)
    given = mistakes.items(("items",), data.get("items"))
    made = (_row(mistakes, ("items", index), value) for index, value in enumerate(given))
    rows = [row for row in made if row is not None]
    mistakes.choice(("category",), data.get("category"), [str(member) for member in Category])
    _check_name(mistakes, data.get("name"))
    mistakes.raise_any()
    return DeclaredCollector(
        path, data["name"], Category(data["category"]), str(data["summary"]), tuple(rows)
    )


def _check_name(mistakes: Mistakes, name: Any) -> None:
    if (
        not isinstance(name, str)
        or not name.replace("_", "").replace("-", "").isalnum()
        or name != name.lower()
    ):
        mistakes.add(("name",), f"name is {name!r}; use lower-case letters, digits, - and _")


def _row(mistakes: Mistakes, where: Where, given: object) -> _Row | None:
    sources = (*SOURCES, *SERVERS)
    value = mistakes.mapping(where, given, (*sources, *_OPTIONS), ("path",))
    kinds = [kind for kind in sources if kind in value]
    if len(kinds) != 1:
        mistakes.add(where, f"an item has exactly one of {', '.join(sources)}, not {len(kinds)}")
        return None
    kind = kinds[0]
    words = mistakes.strings((*where, kind), value[kind])
    path = value.get("path")
    if (
        not words
        or not isinstance(path, str)
        or not path.strip("/")
        or path.startswith("/")
        or ".." in path.split("/")
    ):
        mistakes.add(
            (*where, "path"), "path must name a place below the machine's folder, and the source something"
        )
        return None
    component = value.get("component", "")
    if kind in SERVERS:
        _check_server(mistakes, where, kind, words, component)
    else:
        _check_machine(mistakes, where, kind, words, component)
    options = {**_options(mistakes, where, value), "folder": kind in _FOLDERS}
    if kind in SERVERS:
        options = {"content": Content.CSV if kind == "sql" else Content.JSON, **options}
    return _Row(value["path"], kind, words, str(component), options)


def _check_machine(
    mistakes: Mistakes, where: Where, kind: str, words: tuple[str, ...], component: object
) -> None:
    relative = [word for word in words if kind != "command" and not word.startswith("/")]
    if relative:
        mistakes.add((*where, kind), f"{relative[0]} must be an absolute path")
    if component:
        mistakes.add((*where, "component"), f"component goes with {' or '.join(SERVERS)}, not with {kind}")


def _check_server(
    mistakes: Mistakes, where: Where, kind: str, words: tuple[str, ...], component: object
) -> None:
    if len(words) != 1 or not isinstance(component, str):
        mistakes.add((*where, kind), f"{kind} is one string, and component another")
    elif kind == "sql":
        mistakes.parsed((*where, kind), words[0], require_reading)
    elif not words[0].startswith("/"):
        mistakes.parsed((*where, kind), words[0], read_url)
        if component:
            mistakes.add((*where, "component"), "a whole URL names its server: component goes with a path")
    elif not is_path(words[0]):
        mistakes.add((*where, kind), f"{words[0]!r} is no path of a URL")
    elif not component:
        mistakes.add(
            (*where, kind), f"say whose {words[0]} it is, with component: pd, or write the whole URL"
        )


def _options(mistakes: Mistakes, where: Where, value: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {key: value[key] for key in ("id", "required", "default") if key in value}
    for key, kind in (("content", Content), ("sensitivity", Sensitivity)):
        if key in value and mistakes.choice((*where, key), value[key], [str(member) for member in kind]):
            found[key] = kind(value[key])
    if "volatility" in value:
        names = [member.name.lower() for member in Volatility]
        if mistakes.choice((*where, "volatility"), value["volatility"], names):
            found["volatility"] = Volatility[str(value["volatility"]).upper()]
    if value.get("learn") is True:
        found["stage"] = Stage.LEARN
    for key, parse in (("cap", parse_size), ("deadline", parse_duration)):
        if key in value:
            found[key] = mistakes.parsed((*where, key), value[key], parse)
    return found
