"""Words that look as if they had been drawn by lot: tokens and keys of no known shape."""

from __future__ import annotations

import base64
import binascii
import itertools
import math
import re
from collections import Counter
from collections.abc import Iterator

from clinic.redact.pattern import Pattern

SHORTEST = 20
"""Characters below which a word may look random by chance."""

_WORD = Pattern(r"[A-Za-z0-9+/_\-]{20,200}={0,2}")
_LEAST = 4.0
"""Bits for a character: hex has at most four, words of a language less."""

_CHANGES = 0.4
"""How much of the word is where one kind of character follows another: names of functions change less often."""

_NAME = re.compile(
    rb"[a-z]{8}|[A-Z]{8}|\+0x|0x[0-9a-f]{4}|(?:[A-Z][a-z]{2,}){3}|^(?:Icmp|Ip|Udp|UdpLite|Tcp)6?[A-Z]"
)
# Digests of keys, and the plans of a slow log.
_BEFORE = (b"SHA256:", b"tidb_decode_plan('", b"tidb_decode_binary_plan('")
# Fingerprints and public keys; certificates are skipped as a whole.
_PUBLIC = (b"AAAA", b"MII")
_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s\\rn]*-----END CERTIFICATE-----")


def random_words(data: bytes) -> Iterator[int]:
    """Where in `data` such a word begins. Digests in hex, UUIDs, paths, certificates and text in base64 are none."""
    public = [match.span() for match in _CERTIFICATE.finditer(data)]
    at = 0
    while (match := _WORD.search(data, at)) is not None:
        start, at = match.start(), match.end()
        inside = any(begin <= start < end for begin, end in public)
        known = data[max(0, start - 32) : start].endswith(_BEFORE)
        if not (inside or known) and any(map(_is_random, _pieces(data[start:at]))):
            yield start


def _pieces(word: bytes) -> list[bytes]:
    """The word, or the parts of what is a path."""
    return word.split(b"/") if word.startswith(b"/") or word.count(b"/") > len(word) // 16 else [word]


def _is_random(word: bytes) -> bool:
    plain = word.rstrip(b"=")
    kinds = [_kind(byte) for byte in plain]
    if len(plain) < SHORTEST or not {"upper", "lower", "digit"} <= set(kinds) or _NAME.search(plain):
        return False
    changes = sum(one != other for one, other in itertools.pairwise(kinds))
    if changes < _CHANGES * len(plain) or plain.startswith(_PUBLIC) or _is_text(plain):
        return False
    counts = Counter(plain).values()
    return -sum(one / len(plain) * math.log2(one / len(plain)) for one in counts) >= _LEAST


def _kind(byte: int) -> str:
    char = chr(byte)
    return "digit" if char.isdigit() else "lower" if char.islower() else "upper" if char.isupper() else "sign"


def _is_text(word: bytes) -> bool:
    """Whether it is base64 of something that can be read, and so was looked at as that."""
    try:
        found = base64.b64decode(word + b"=" * (-len(word) % 4), validate=True)
    except binascii.Error:
        return False
    return all(32 <= byte < 127 or byte in b"\r\n\t" for byte in found)
