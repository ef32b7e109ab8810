"""YAML files that people write: read once, every mistake reported at once, each with its line."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import yaml

from clinic.errors import UsageError
from clinic.smallfile import read_small

T = TypeVar("T")
Where = tuple["str | int", ...]
LIMIT = 4 * 1024 * 1024
"""Bytes; no file that a person writes is longer, and a YAML bomb is stopped before it is read."""

DEEPEST = 50
"""Levels of nesting; the parser's time grows with their square."""


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed file that remembers where each value stands."""

    path: Path
    """The file."""

    data: Any
    """Plain dicts, lists, strings, numbers, booleans, None."""

    lines: Mapping[Where, int]
    """Line of each value, by its keys from the top; the first line is 1."""

    def line(self, where: Where) -> int:
        """Line of the value at `where`, or of the nearest thing around it."""
        while where and where not in self.lines:
            where = where[:-1]
        return self.lines.get(where, 1)


class Mistakes:
    """Gathers what is wrong with a document, so that nobody has to run a command five times."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._found: list[tuple[int, str]] = []

    def add(self, where: Where, text: str) -> None:
        """What is wrong with the value at `where`."""
        self._found.append((self._document.line(where), text))

    def mapping(
        self, where: Where, value: object, allowed: Sequence[str], required: Sequence[str] = ()
    ) -> dict[str, Any]:
        """`value` as a mapping, empty when it is none; adds what is unknown in it and what it lacks."""
        if not isinstance(value, dict):
            self.add(where, f"{_name(where)} must be a mapping with {', '.join(allowed)}")
            return {}
        found = {str(key): held for key, held in cast("dict[object, Any]", value).items()}
        for key in found:
            if key not in allowed:
                self.add((*where, key), f"unknown key {key!r}; known are {', '.join(allowed)}")
        for key in required:
            if key not in found:
                self.add(where, f"{_name(where)} lacks {key!r}")
        return found

    def items(self, where: Where, value: object) -> list[object]:
        """`value` as a list with at least one item; an empty one and a mistake for anything else."""
        if isinstance(value, list) and value:
            return cast("list[object]", value)
        self.add(where, f"{_name(where)} must be a list with at least one item")
        return []

    def strings(self, where: Where, value: object) -> tuple[str, ...]:
        """`value` as a tuple of strings: a list of them, or a single one. Adds a mistake for anything else."""
        items = cast("list[object]", value) if isinstance(value, list) else [value]
        for index, item in enumerate(items):
            if not isinstance(item, str):
                self.add((*where, index), f"{_name(where)} must hold strings, not {item!r}")
        return tuple(item for item in items if isinstance(item, str))

    def choice(self, where: Where, value: Any, choices: Sequence[str]) -> str | None:
        """`value` when it is one of `choices`; else None and a mistake."""
        if value in choices:
            return str(value)
        self.add(where, f"{_name(where)} is {value!r}; it must be one of {', '.join(choices)}")
        return None

    def parsed(self, where: Where, value: Any, parse: Callable[[str], T]) -> T | None:
        """What `parse` makes of `value`; None and a mistake where it raises `UsageError` or `ValueError`."""
        try:
            return parse(str(value))
        except UsageError as error:
            self.add(where, f"{_name(where)}: {error.message}")
        except ValueError as error:
            self.add(where, f"{_name(where)}: {error}")
        return None

    def raise_any(self) -> None:
        """Raise `UsageError` naming every mistake in order of line, when there is one."""
        if not self._found:
            return
        path = self._document.path
        text = "\n".join(f"  {path}:{line}: {what}" for line, what in sorted(self._found))
        count = len(self._found)
        raise UsageError(
            f"{path} has {'a mistake' if count == 1 else f'{count} mistakes'}:\n{text}", hint=f"mend {path}"
        )


def _name(where: Where) -> str:
    return ".".join(str(part) for part in where) or "the file"


def load(path: Path) -> Document:
    """Read and parse the regular file `path`. Raises `UsageError` naming the line where it is no YAML."""
    text = read_small(path, LIMIT, regular=True)
    try:
        _refuse_bombs(path, text)
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        lines: dict[Where, int] = {}
        _note_lines(node, (), lines)
        data: object = cast("Any", loader).construct_document(node) if node is not None else None
        return Document(path, data, lines)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark is not None else ""
        what = getattr(error, "problem", None) or "it can't be read"
        raise UsageError(f"{path}{line} is not valid YAML: {what}", hint=f"mend {path}") from error


def _refuse_bombs(path: Path, text: bytes) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise UsageError(
                f"{path} uses YAML aliases", hint="write the values out; aliases can hide a bomb"
            )
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise UsageError(
                f"{path} is nested deeper than {DEEPEST} levels", hint="that is no file of this kind"
            )


def _note_lines(node: yaml.Node | None, where: Where, lines: dict[Where, int]) -> None:
    if node is None:
        return
    lines[where] = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if (*where, str(key.value)) in lines:
                raise yaml.MarkedYAMLError(
                    problem=f"the key {key.value!r} is there twice", problem_mark=key.start_mark
                )
            _note_lines(value, (*where, str(key.value)), lines)
            place = (*where, str(key.value))
            lines[place] = key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _note_lines(value, (*where, index), lines)
