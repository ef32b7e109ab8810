"""What a masked value may be once the escapes of its file are taken off."""

from __future__ import annotations

import json
from urllib.parse import unquote_to_bytes


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
