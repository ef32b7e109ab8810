"""What a masked value may be once the escapes of its file are taken off."""

from __future__ import annotations

import json
import re
from urllib.parse import unquote_to_bytes

_SHORTEST_LINE = 8
_STRING = re.compile(rb"\"((?:[^\"\\]|\\.)*)\"(\s*:)?|'([^'\n]*)'", re.DOTALL)


def strings_in(container: bytes) -> list[bytes]:
    """The strings of an array or object, without the keys."""
    return [double or single for double, colon, single in _STRING.findall(container) if not colon]


def variants(value: bytes) -> set[bytes]:
    """The value itself, and what it stands for in JSON, in an address, in SQL and in a shell."""
    found = {value}
    if b"%" in value:
        found.add(unquote_to_bytes(value))
    if b"\\" in value:
        found.add(_without_slashes(value))
        try:
            plain = json.loads(b'"' + value + b'"')
        except ValueError:
            pass
        else:
            found.add(str(plain).encode("utf-8", "surrogatepass"))
    if b"\n" in value:
        # The lines of a list or block: each may stand alone elsewhere.
        lines = (line.strip(b" \t\r-").strip(b"\"'") for line in value.splitlines())
        found.update(line for line in lines if len(line) >= _SHORTEST_LINE)
    if b"''" in value:
        found.add(value.replace(b"''", b"'"))
    return found


def _without_slashes(value: bytes) -> bytes:
    out, at = bytearray(), 0
    while at < len(value):
        at += value[at] == 0x5C and at + 1 < len(value)
        out.append(value[at])
        at += 1
    return bytes(out)
