"""Frozen dataclasses as JSON and back. What is read is believed in nothing: every type is checked."""

from __future__ import annotations

import dataclasses
import enum
import functools
import json
import math
import types
import typing
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import TypeVar, cast

from clinic.errors import BadBundle

T = TypeVar("T")
Decoder = Callable[[object], object]


class _Wrong(ValueError):
    """What is wrong, and the way to it from the outside, innermost step first."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what
        self.steps: list[str] = []


def encode(value: object) -> object:
    """`value` as what `json` writes. A field that has its default is left out; mappings are sorted."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: encode(held)
            for field in dataclasses.fields(value)
            if (held := getattr(value, field.name)) != _default(field)
        }
    if isinstance(value, enum.Enum):
        return str(value.value)
    if isinstance(value, str):
        # A host's name for a file may hold bytes that are no UTF-8; JSON can't, so they are spelled out.
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, Mapping):
        items = cast("Mapping[str, object]", value).items()
        return {cast("str", encode(key)): encode(held) for key, held in sorted(items)}
    if isinstance(value, tuple | list):
        return [encode(held) for held in cast("Iterable[object]", value)]
    return value


def _default(field: dataclasses.Field[object]) -> object:
    if field.default is not dataclasses.MISSING:
        return field.default
    make = field.default_factory
    return make() if make is not dataclasses.MISSING else dataclasses.MISSING


def dump(value: object) -> bytes:
    """`value` as one line of JSON in UTF-8, the same bytes each time."""
    return write(encode(value), indent=None)


def write(encoded: object, *, indent: int | None) -> bytes:
    """What `encode` gave as JSON in UTF-8: on one line, or indented for people."""
    separators = (",", ":") if indent is None else None
    text = json.dumps(encoded, ensure_ascii=False, allow_nan=False, indent=indent, separators=separators)
    return text.encode() + b"\n"


def load(data: bytes, what: str) -> object:
    """The JSON in `data`. Raises `BadBundle` naming `what` where it is not plain, unambiguous JSON."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadBundle(f"{what} is not UTF-8 at byte {error.start}") from error
    try:
        return json.loads(text, object_pairs_hook=_no_twins, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        end = "" if text.rstrip().endswith(("}", "]")) else " (it is cut short)"
        raise BadBundle(f"{what} is not JSON in line {error.lineno}{end}") from error
    except (_Wrong, ValueError) as error:
        raise BadBundle(f"{what} is not JSON that can be trusted: {error}") from error
    except RecursionError as error:
        raise BadBundle(f"{what} is not JSON that can be trusted: it is nested too deeply") from error


def _no_twins(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twin = next(name for name in names if names.count(name) > 1)
        raise _Wrong(f"{twin!a} is there twice in one object")
    return found


def _no_constant(name: str) -> object:
    raise _Wrong(f"{name} is no number")


def decode(kind: type[T], data: object, what: str) -> T:
    """`data` (as `load` gives it) as a `kind`. Fields that `kind` does not have are ignored.

    Raises `BadBundle` with one line that names `what`, the field and what is wrong with it.
    """
    try:
        return cast("T", _decoder(cast("Hashable", kind))(data))
    except _Wrong as wrong:
        place = "".join(reversed(wrong.steps)).lstrip(".")
        raise BadBundle(f"{what}: {place + ' ' if place else ''}{wrong.what}") from wrong


@functools.cache
def _decoder(hint: Hashable) -> Decoder:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return _union(tuple(_decoder(one) for one in arguments))
    if origin is tuple:
        return functools.partial(_list, _decoder(arguments[0]))
    if origin is not None and issubclass(origin, Mapping):
        return functools.partial(_mapping, _decoder(arguments[1]))
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return functools.partial(_choice, hint)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return _object(hint)
    return _SCALARS[hint]


def _union(decoders: tuple[Decoder, ...]) -> Decoder:
    # The first choice is the one that is meant; `null` and the like come after it.
    first, *others = decoders

    def decode_union(data: object) -> object:
        try:
            return first(data)
        except _Wrong as wrong:
            if not others:
                raise
            try:
                return rest(data)
            except _Wrong:
                raise wrong from None

    rest = _union(tuple(others)) if others else first
    return decode_union


def _list(decoder: Decoder, data: object) -> tuple[object, ...]:
    if not isinstance(data, list):
        raise _Wrong("is not a list")
    found: list[object] = []
    try:
        for one in cast("list[object]", data):
            found.append(decoder(one))  # noqa: PERF401 - its length is the place of what is wrong
    except _Wrong as wrong:
        wrong.steps.append(f"[{len(found)}]")
        raise
    return tuple(found)


def _mapping(decoder: Decoder, data: object) -> dict[str, object]:
    if not isinstance(data, dict):
        raise _Wrong("is not an object")
    found: dict[str, object] = {}
    name = ""
    try:
        for name, one in cast("dict[str, object]", data).items():
            found[_text(name)] = decoder(one)
    except _Wrong as wrong:
        wrong.steps.append(f".{name!a}")
        raise
    return found


def _choice(kind: type[enum.Enum], data: object) -> enum.Enum:
    try:
        return kind(data)
    except ValueError as error:
        raise _Wrong(f"is {data!a}, which is no {kind.__name__.lower()}") from error


def _object(kind: type) -> Decoder:
    hints = typing.get_type_hints(kind)
    fields = [
        (field.name, _decoder(hints[field.name]), _default(field) is dataclasses.MISSING)
        for field in dataclasses.fields(kind)
    ]

    def decode_object(data: object) -> object:
        if not isinstance(data, dict):
            raise _Wrong("is not an object")
        given = cast("dict[str, object]", data)
        found: dict[str, object] = {}
        name = ""
        try:
            for name, decoder, required in fields:
                if name in given:
                    found[name] = decoder(given[name])
                elif required:
                    raise _Wrong("is missing")
        except _Wrong as wrong:
            wrong.steps.append(f".{name}")
            raise
        return kind(**found)

    return decode_object


def _text(data: object) -> str:
    if not isinstance(data, str):
        raise _Wrong("is not a text")
    if not data.isascii() and any("\ud800" <= char <= "\udfff" for char in data):
        raise _Wrong("holds half a character")
    return data


def _whole(data: object) -> int:
    if isinstance(data, bool) or not isinstance(data, int):
        raise _Wrong("is not a whole number")
    return data


def _number(data: object) -> float:
    if isinstance(data, bool) or not isinstance(data, int | float) or not math.isfinite(data):
        raise _Wrong("is not a number")
    return data


def _truth(data: object) -> bool:
    if not isinstance(data, bool):
        raise _Wrong("is neither true nor false")
    return data


def _nothing(data: object) -> None:
    if data is not None:
        raise _Wrong("is not null")


_SCALARS: dict[object, Decoder] = {
    str: _text, int: _whole, float: _number, bool: _truth, type(None): _nothing,
}  # fmt: skip


def map_texts(value: T, change: Callable[[str], str], keep: frozenset[str]) -> T:
    """`value` with every text in it changed, but for the fields named in `keep`; itself where nothing differs."""
    return cast("T", _mapped(value, change, keep))


def _mapped(value: object, change: Callable[[str], str], keep: frozenset[str]) -> object:
    if isinstance(value, enum.Enum):
        return value
    if isinstance(value, str):
        return change(value) if value else value
    if isinstance(value, tuple):
        held = tuple(_mapped(one, change, keep) for one in cast("tuple[object, ...]", value))
        return held if held != value else cast("object", value)
    if isinstance(value, Mapping):
        items = cast("Mapping[str, object]", value).items()
        return {change(name): _mapped(one, change, keep) for name, one in items}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        changed: dict[str, object] = {}
        for field in dataclasses.fields(value):
            before = getattr(value, field.name)
            if field.name not in keep and (after := _mapped(before, change, keep)) != before:
                changed[field.name] = after
        return dataclasses.replace(value, **changed) if changed else value
    return value
