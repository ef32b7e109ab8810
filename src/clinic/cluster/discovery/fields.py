"""One mapping of a YAML file that describes a cluster: asked for its keys, it notes what is wrong with them."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator
from typing import TypeVar, cast

from clinic.cluster.discovery.addresses import check_host
from clinic.cluster.discovery.describe import LONGEST_PATH
from clinic.yamlfile import Mistakes, Where

T = TypeVar("T")


class Fields:
    """The keys of one mapping. A value of a wrong type is a mistake with its line, and counts as not given.

    Unknown keys are no mistake here: a newer program may have written them.
    """

    def __init__(
        self, mistakes: Mistakes, where: Where, value: object, said: set[tuple[Where, str]] | None = None
    ) -> None:
        """`said` are the mistakes that are noted already: the same key may be asked for more than once."""
        self._mistakes = mistakes
        self._where = where
        self._said = said if said is not None else set[tuple[Where, str]]()
        self._values: dict[str, object] = {}
        self._none = value is not None and not isinstance(value, dict)
        if isinstance(value, dict):
            self._values = {str(key): held for key, held in cast("dict[object, object]", value).items()}
        elif self._none:
            self.wrong("", "must be a mapping")

    def __bool__(self) -> bool:
        return bool(self._values)

    @property
    def keys(self) -> frozenset[str]:
        """What is given."""
        return frozenset(self._values)

    def wrong(self, key: str, text: str) -> None:
        """Note that the value of `key` is wrong."""
        self._add((*self._where, key) if key else self._where, text)

    def _add(self, where: Where, text: str) -> None:
        if (where, text) not in self._said:
            self._said.add((where, text))
            self._mistakes.add(where, f"{_named(where)} {text}")

    def only(self, *known: str) -> Fields:
        """Itself; every other key is a mistake: in a file that a person writes it is a typing error."""
        for key in sorted(self.keys - set(known)):
            self.wrong(key, f"is no key that is known; known are {', '.join(known)}")
        return self

    def text(self, key: str, default: str = "") -> str:
        """A text; a number is one too, since YAML takes `8.5` for one."""
        value = self._values.get(key)
        if isinstance(value, str) or (isinstance(value, int | float) and not isinstance(value, bool)):
            text = str(value)
            if text.isprintable():
                return text or default
            self.wrong(key, "holds control characters")
        elif value is not None:
            self.wrong(key, f"must be a text, not {_kind(value)}")
        return default

    def first_line(self, key: str) -> str:
        """The beginning of a text of several lines."""
        value = self._values.get(key)
        lines = value.splitlines() if isinstance(value, str) else []
        return lines[0] if lines and lines[0].isprintable() else ""

    def parsed(self, key: str, parse: Callable[[str], T]) -> T | None:
        """What `parse` makes of a text; None where nothing is given, and where it raises `ValueError`."""
        text = self.text(key)
        if not text:
            return None
        try:
            return parse(text)
        except ValueError as error:
            self.wrong(key, f"is wrong: {error}")
            return None

    def host(self, key: str, *, required: bool = False) -> str:
        """An IP address or a host name; empty where it is not given or wrong."""
        if required and not self._none and self._values.get(key) in (None, ""):
            self.wrong("", f"lacks {key!r}")
            return ""
        return self.parsed(key, check_host) or ""

    def port(self, key: str, default: int = 0) -> int:
        """A port; 0 and nothing both stand for the default."""
        value = self._values.get(key)
        if value is None:
            return default
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 65536:
            return value or default
        self.wrong(key, "must be a port: a number from 1 to 65535")
        return default

    def flag(self, key: str) -> bool:
        """Yes or no; no where nothing is given."""
        value = self._values.get(key)
        if value is not None and not isinstance(value, bool):
            self.wrong(key, f"must be true or false, not {_kind(value)}")
        return value is True

    def path(self, key: str) -> str:
        """A path, relative ones as they are."""
        text = self.text(key)
        if len(text) > LONGEST_PATH:
            self.wrong(key, f"is longer than {LONGEST_PATH} characters, which no path is")
            return ""
        return posixpath.normpath(text.strip()) if text.strip() else ""

    def absolute(self, key: str) -> str:
        """A path from the root; a mistake for another."""
        path = self.path(key)
        if path and not path.startswith("/"):
            self.wrong(key, "must be an absolute path")
        return path

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts, or one; a mistake for each that is none."""
        value = self._values.get(key)
        if value is None:
            return ()
        items = cast("list[object]", value) if isinstance(value, list) else [value]
        for item in items:
            if not isinstance(item, str) or not item.isprintable():
                self.wrong(key, f"must hold texts, not {_kind(item)}")
        return tuple(item for item in items if isinstance(item, str) and item.isprintable())

    def below(self, key: str) -> Fields:
        """A mapping; an empty one where it is not given or none."""
        return self._inner((*self._where, key), self._values.get(key))

    def _inner(self, where: Where, value: object) -> Fields:
        return Fields(self._mistakes, where, value, self._said)

    def flat(self, prefix: str = "") -> Iterator[tuple[str, object]]:
        """Everything in it by dotted key, whether it is written nested or dotted."""
        for key, value in self._values.items():
            name = f"{prefix}{key}"
            if isinstance(value, dict):
                yield from self.below(key).flat(f"{name}.")
            else:
                yield name, value

    def rows(self, key: str) -> list[Fields]:
        """A list of mappings; nothing where it is not given."""
        value = self._values.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            self.wrong(key, f"must be a list, not {_kind(value)}")
            return []
        listed = cast("list[object]", value)
        found: list[Fields] = []
        for index, item in enumerate(listed):
            where = (*self._where, key, index)
            if item is None:
                self._add(where, "is empty")
            else:
                found.append(self._inner(where, item))
        return found


def _named(where: Where) -> str:
    return ".".join(str(part) for part in where) or "the file"


def _kind(value: object) -> str:
    kinds: tuple[tuple[type, str], ...] = (
        (dict, "a mapping"), (list, "a list"), (bool, "true or false"), (str, "a text"), (int, "a number"),
        (float, "a number"),
    )  # fmt: skip
    return next((name for kind, name in kinds if isinstance(value, kind)), "a date")
