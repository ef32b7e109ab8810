"""What the parts of insight.json share."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

Inputs = Mapping[str, bytes]
"""What was read, by path or by name."""

Json = dict[str, Any]


def text(inputs: Inputs, name: str) -> str:
    """An input as text without blanks around it; empty when it could not be had."""
    return inputs.get(name, b"").decode("utf-8", "replace").strip()


def lean(values: Mapping[str, Any]) -> Json:
    """Without what is empty, as Go's `omitempty` leaves it out."""
    return {key: value for key, value in values.items() if value not in ("", 0, None, [], {})}


def attributes(inputs: Inputs, name: str) -> dict[str, str]:
    """`path:value` lines by path below its root, `vda/queue/rotational`; lines of one file joined by newlines."""
    found: dict[str, str] = {}
    for line in text(inputs, name).splitlines():
        path, _, value = line.partition(":")
        key = path.removeprefix("/sys/block/").removeprefix("/sys/class/net/")
        found[key] = f"{found[key]}\n{value}" if key in found else value
    return found


def whole(number: str) -> int:
    """The whole number that `number` begins with; 0 when it does not."""
    return int(decimal(number))


def decimal(number: str) -> float:
    """The number that `number` begins with, whatever follows it; 0 when it does not."""
    match = re.match(r"[+-]?(?:\d+\.?\d*|\.\d+)", number)
    return float(match[0]) if match else 0.0
