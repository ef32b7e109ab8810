"""Settings as flat names and values, whatever they were written in, and when two values are the same. Pure."""

from __future__ import annotations

import configparser
import csv
import io
import json
import re
import sys
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, cast

from clinic.secret import MASK

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Settings = dict[str, str]
"""Dotted names and their values as text; an empty text where there is none."""

_SIZES = {"": 0, "b": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
# What TiKV, TiFlash and PD write: for all of them KB and KiB are 1024 bytes (components/tikv_util/src/config.rs).
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgtpKMGTP]?)(?:i?[bB])")
_SHORT_SIZE = re.compile(r"(\d+(?:\.\d+)?)([KMGTP])")
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h|d))+")
_SPAN = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h|d)")
_SECONDS = {
    "ns": Decimal("1e-9"), "us": Decimal("1e-6"), "µs": Decimal("1e-6"), "ms": Decimal("1e-3"),
    "s": Decimal(1), "m": Decimal(60), "h": Decimal(3600), "d": Decimal(86400),
}  # fmt: skip
_LONGEST_NUMBER = 60
"""Digits of a number that is written out; a hostile 1e999999999 would fill the memory."""

_SWITCHES = {"on": "true", "yes": "true", "off": "false", "no": "false"}

_PLACE_NAME = re.compile(
    r"(?i)(?:^|[._-])(?:host|hostname|ip|port|address|addr|addrs|advertise|urls?|endpoints?|path|dirs?|dir|datadir"
    r"|basedir|tmpdir|directory|file|filename|workdir|socket|name|pid|uuid|server[_-]id|initial-cluster|interface"
    r"|labels?\..*|job|log|errorlog|ca|cert|key|certificate)$"
)
_PLACE_VALUE = re.compile(
    r"(?:[a-z]+://\S+|/\S*|\[?[0-9A-Fa-f:.]*\d[0-9A-Fa-f:.]*\]?:\d+|\d{1,3}(?:\.\d{1,3}){3}(?:[:/]\d+)?|[\w.-]+:\d{2,5})"
)
_VOLATILE = re.compile(
    r"(?i)(?:timestamp|rand_seed\d|pseudo_thread_id|pseudo_slave_mode|last_insert_id|tidb_config|tidb_current_ts"
    r"|tidb_last_\w+|last_sql_use_alloc|last_plan\w*|gtid_\w+|in_transaction|error_count|warning_count|identity)"
)


def from_toml(data: bytes) -> Settings:
    """The settings of a TOML file. Raises `ValueError` where it is none."""
    return flat(tomllib.loads(data.decode("utf-8")))


def from_json(data: bytes) -> Settings:
    """The settings of a JSON object. Raises `ValueError` where it is none."""
    value: object = json.loads(data)
    if not isinstance(value, dict):
        raise ValueError("it is no JSON object")
    return flat(cast("dict[str, Any]", value))


def from_options(data: bytes) -> Settings:
    """What the server's sections of a MySQL option file say; dashes become underscores, as in its variables."""
    parser = configparser.ConfigParser(
        allow_no_value=True, strict=False, interpolation=None, comment_prefixes=("#", ";", "!")
    )
    try:
        parser.read_string(data.decode("utf-8", "replace"))
    except configparser.Error as error:
        raise ValueError(str(error).splitlines()[0]) from error
    found: Settings = {}
    for section in parser.sections():
        if re.fullmatch(r"(?i)(?:mysqld|server|mariadbd?)(?:-[\d.]+)?", section):
            for name, value in parser.items(section, raw=True):
                found[name.replace("-", "_").removeprefix("loose_")] = _unquoted(value or "ON")
    return found


def rows(data: bytes) -> list[dict[str, str]]:
    """The records of a CSV with headings, their names in small letters. Raises `ValueError` where it is none."""
    try:
        reader = csv.DictReader(io.StringIO(data.decode("utf-8", "replace")))
        return [
            {name.lower(): value or "" for name, value in row.items() if isinstance(name, str)}
            for row in reader
        ]
    except csv.Error as error:
        raise ValueError(str(error)) from error


def from_variables(data: bytes) -> Settings:
    """The variables of a two-column CSV: name and value."""
    return {
        row.get("variable_name", ""): row.get("value", row.get("variable_value", "")) for row in rows(data)
    }


def flat(value: Mapping[str, Any], prefix: str = "") -> Settings:
    """Nested settings with dotted names; a list is one value."""
    found: Settings = {}
    for name, item in value.items():
        if isinstance(item, dict):
            found |= flat(cast("dict[str, Any]", item), f"{prefix}{name}.")
        else:
            found[prefix + name] = _text(item)
    return found


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        listed = cast("list[object]", value)
        if all(isinstance(one, str | int | float) for one in listed):
            return ",".join(map(_text, listed))
    return json.dumps(value, ensure_ascii=False, default=str, sort_keys=True)


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" else text


def same(one: str, other: str) -> bool:
    """Whether two texts mean the same value: 16GB and 16GiB, 60s and 1m0s, 0 and 0.0, on and true."""
    return one == other or canonical(one) == canonical(other)


def canonical(text: str) -> str:
    """One text for all ways to write a value."""
    text = _unquoted(text.strip())
    lowered = text.lower()
    if lowered in _SWITCHES:
        return _SWITCHES[lowered]
    if size := _SIZE.fullmatch(text) or _SHORT_SIZE.fullmatch(text):
        return _number(Decimal(size[1]) * 1024 ** _SIZES[size[2].lower()])
    if _DURATION.fullmatch(text):
        return _number(sum((Decimal(n) * _SECONDS[u] for n, u in _SPAN.findall(text)), Decimal(0))) + " s"
    if text[:1] == "[" and text[-1:] == "]":
        return ",".join(_unquoted(one.strip()) for one in text[1:-1].split(",") if one.strip())
    if lowered in ("true", "false"):
        return lowered
    try:
        return _number(Decimal(text)) if text and text[0] in "0123456789.+-" else text
    except InvalidOperation:
        return text


def _number(value: Decimal) -> str:
    plain = value.is_finite() and abs(value.adjusted()) < _LONGEST_NUMBER
    return format(value.normalize(), "f") if plain else str(value)


def is_masked(*texts: str | None) -> bool:
    """Whether any of them holds a credential that was masked: nobody can tell then whether they are the same."""
    return any(text is not None and MASK in text for text in texts)


def is_place(name: str, *values: str | None) -> bool:
    """Whether a setting says where something is or what it is called: it differs by its nature."""
    if _PLACE_NAME.search(name):
        return True
    told = [value for value in values if value]
    return bool(told) and all(
        _PLACE_VALUE.fullmatch(one.strip()) for value in told for one in value.split(",")
    )


def is_volatile(name: str) -> bool:
    """Whether a variable tells the moment and not a setting."""
    return _VOLATILE.fullmatch(name) is not None


def versions(data: bytes) -> Settings:
    """Version and commit in what an instance says of itself: JSON of any component, or the output of `-V`."""
    try:
        found = dict(_told(from_json(data)))
    except ValueError:
        text = data.decode("utf-8", "replace")
        pairs = (("version", r"Release Version:\s*(\S+)"), ("commit", r"Git Commit Hash:\s*(\S+)"))
        found = {name: match[1] for name, pattern in pairs if (match := re.search(pattern, text))}
    return {
        name: plain_version(value) if name == "version" else value for name, value in found.items() if value
    }


def plain_version(text: str) -> str:
    """`v8.5.3` for what TiKV calls 8.5.3, and TiDB 8.0.11-TiDB-v8.5.3."""
    own = text.rpartition("-TiDB-")[2]
    return f"v{own}" if own[:1].isdigit() else own


def _told(settings: Settings) -> Iterator[tuple[str, str]]:
    for name, value in settings.items():
        last = name.rpartition(".")[2]
        if last in ("version", "commit"):
            yield last, value
        elif last in ("git_hash", "revision"):
            yield "commit", value
