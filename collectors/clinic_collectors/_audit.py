"""What TiUP did: its audit has a file for each operation, named by when it ended, with its log in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta, timezone
from urllib.parse import unquote_plus

_DIGITS = "0123456789bcdfghjkmnpqrstvwxyzBCDFGHJKLMNPQRSTVWXYZ"
"""Of the names (pingcap/tiup `pkg/base52`): no vowels, so that no words come of it."""

_EXECUTED = re.compile(rb'\tExecute command\t\{"command": "((?:[^"\\\\]|\\\\.)*)"')
"""What TiUP's own log begins with (pingcap/tiup `cmd/root.go`)."""

_STAMP = re.compile(rb"(?m)^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:?\d\d)")
"""How a line of its log begins."""


def ended(name: str) -> datetime | None:
    """When the operation ended whose file is called so: the time in base 51, with what diag appends left out.

    Nanoseconds since 1970, of old files seconds (pingcap/tiup `pkg/cluster/audit`). None for other files.
    """
    number = 0
    for letter in name.partition("_")[0]:
        digit = _DIGITS.find(letter)
        if digit < 0:
            return None
        number = number * len(_DIGITS) + digit
    seconds = number / 1e9 if number >> 32 else float(number)
    return datetime.fromtimestamp(seconds, timezone.utc) if 0 < seconds < 1 << 33 else None


def operations(cluster: str, after: datetime) -> Callable[[Mapping[str, bytes]], bytes]:
    """Makes a line of each operation on `cluster` that ended since `after`: end, seconds, id, command."""

    def build(files: Mapping[str, bytes]) -> bytes:
        listed = sorted(_lines(files, cluster, after), reverse=True)
        return "".join(f"{line}\n" for line in ("ended\tseconds\tid\tcommand", *listed)).encode()

    return build


def concerns(cluster: str, data: bytes) -> bool:
    """Whether a file of TiUP that begins with `data` is of an operation on `cluster`, or tells of none at all."""
    words = _command(data)
    if not words[:1] or not words[0].rpartition("/")[2].startswith("tiup"):
        executed = _EXECUTED.search(data)
        if executed is None:
            return True
        words = executed[1].decode("utf-8", "replace").split(" ")
    return cluster in words


def _lines(files: Mapping[str, bytes], cluster: str, after: datetime) -> Iterator[str]:
    for path, data in files.items():
        name = path.rpartition("/")[2]
        end = ended(name)
        words = _command(data)
        if end is not None and end >= after and cluster in words:
            took = f"{(end - start).total_seconds():.0f}" if (start := _started(data)) else "?"
            yield "\t".join((end.strftime("%Y-%m-%dT%H:%M:%SZ"), took, name, " ".join(words)))


def _command(data: bytes) -> list[str]:
    """The words of the first line, each escaped as in a URL; of TiUP's web interface they are in the second."""
    lines = data[:65536].decode("utf-8", "replace").splitlines()[:2]
    words = lines[0].split(" ") if lines else []
    if words[1:2] == ["--ui"] and len(lines) > 1:
        words = lines[1].split(" ")
    clean = (unquote_plus(word) for word in words)
    return ["".join(char if char.isprintable() else "?" for char in word) for word in clean]


def _started(data: bytes) -> datetime | None:
    stamp = _STAMP.search(data)
    if stamp is None:
        return None
    moment, zone = stamp[1].decode(), stamp[2].decode()
    offset = timedelta(0)
    if zone != "Z":
        offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[-2:])) * (-1 if zone[0] == "-" else 1)
    try:
        return datetime.fromisoformat(moment).replace(tzinfo=timezone(offset))
    except ValueError:
        return None
