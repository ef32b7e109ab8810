"""Strings of base64 that hold text: read again inside, and packed again, so that what they hold still decodes."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass, field

from clinic.redact.pattern import Pattern
from clinic.redact.readers import Step

LONGEST = 64 * 1024
"""Characters of a packed text that is read again; a longer one is withheld."""

_ALPHABET = Pattern(r"[A-Za-z0-9+/]*={0,2}")
_TEXT = Pattern(r"(?s:[\t\r\n\x20-\x7e\x80-\xff]*)")


def opens_text(packed: bytes) -> bool:
    """Whether base64 that begins like this is text: keys and digests in base64 are not."""
    match = _ALPHABET.match(packed)
    usable = packed[: match.end() if match else 0].rstrip(b"=")
    try:
        plain = base64.b64decode(usable[: len(usable) // 4 * 4])
    except binascii.Error:
        return False
    return len(plain) >= 12 and _TEXT.full(plain) and sum(byte < 0x80 for byte in plain) * 4 > len(plain) * 3


@dataclass(slots=True)
class _Packed:
    again: Callable[[bytes], bytes]
    """Redacts what it holds."""

    seen: bytearray = field(default_factory=bytearray)
    """What was read so far."""

    withheld: int = 0
    """How much was too much."""

    def step(self, data: bytes, start: int, final: bool) -> Step:
        match = _ALPHABET.match(data, start)
        end = match.end() if match else start
        self._take(data[start:end])
        if end == len(data) and not final:
            return Step(end, False)
        if self.withheld:
            note = f"[clinic: {self.withheld} bytes withheld, too long to be unpacked]"
            return Step(end, True, note.encode(), withheld=True)
        return Step(end, True, self._redacted(bytes(self.seen)))

    def _take(self, data: bytes) -> None:
        self.seen += data
        if self.withheld or len(self.seen) > LONGEST:
            self.withheld += len(self.seen)
            self.seen.clear()

    def _redacted(self, packed: bytes) -> bytes:
        try:
            plain = base64.b64decode(packed + b"=" * (-len(packed) % 4), validate=True)
        except binascii.Error:
            # Not base64 after all, so there is nothing inside.
            return packed
        clean = self.again(plain)
        if clean == plain:
            return packed
        again = base64.b64encode(clean)
        return again if packed.endswith(b"=") or len(packed) % 4 == 0 else again.rstrip(b"=")


def unpacked(again: Callable[[bytes], bytes]) -> _Packed:
    """Reads a string of base64 to its end; `again` redacts what it holds."""
    return _Packed(again)
