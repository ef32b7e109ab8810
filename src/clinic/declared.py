"""A collector from one YAML file: a declaration needs no code."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clinic.collector import (
    Category,
    Collector,
    Content,
    Item,
    Sensitivity,
    Source,
    Stage,
    Target,
    Volatility,
)
from clinic.source.command import Command
from clinic.source.file import File, Files
from clinic.source.listing import Listing
from clinic.units import parse_duration, parse_size
from clinic.yamlfile import Document, Mistakes, Where, load

Build = Callable[[str, tuple[str, ...]], Source]
SOURCES: Mapping[str, Build] = {
    "command": Command,
    "file": lambda host, words: File(host, words[0]),
    "files": Files,
    "listing": Listing,
}
"""What an item may take its bytes from, by the key that names it."""

_FOLDERS = frozenset({"files"})
_OPTIONS = (
    "path", "id", "content", "sensitivity", "volatility", "learn", "required", "default", "cap", "deadline",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Row:
    """One declared item, before it is made for each machine."""

    path: str
    """Below the machine's folder."""

    build: Build
    """Makes the source."""

    words: tuple[str, ...]
    """The argv, the path or the patterns."""

    options: Mapping[str, Any]
    """Further fields of `Item`."""


class DeclaredCollector(Collector):
    """Makes one item for each declared row and each machine."""

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
            for row in self._rows:
                yield Item(f"{machine.name}/{row.path}", row.build(machine.name, row.words), **row.options)


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
    value = mistakes.mapping(where, given, (*SOURCES, *_OPTIONS), ("path",))
    kinds = [kind for kind in SOURCES if kind in value]
    if len(kinds) != 1:
        mistakes.add(where, f"an item has exactly one of {', '.join(SOURCES)}, not {len(kinds)}")
        return None
    words = mistakes.strings((*where, kinds[0]), value[kinds[0]])
    if not words or not isinstance(value.get("path"), str):
        mistakes.add(where, "path must be a string and the source must not be empty")
        return None
    relative = [word for word in words if kinds[0] != "command" and not word.startswith("/")]
    if relative:
        mistakes.add((*where, kinds[0]), f"{relative[0]} must be an absolute path")
    options = _options(mistakes, where, value)
    return _Row(value["path"], SOURCES[kinds[0]], words, {**options, "folder": kinds[0] in _FOLDERS})


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


__all__ = ["DeclaredCollector", "Document", "read_collector"]
