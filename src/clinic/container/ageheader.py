"""Whether the header of an age file is one: it is text, and read before any key is tried (age-encryption.org/v1)."""

from __future__ import annotations

import base64
import binascii
import re
from typing import BinaryIO

MAGIC = b"age-encryption.org/v1\n"
"""How such a file begins."""

_STANZA = re.compile(rb"-> ([!-~]+(?: [!-~]+)*)\n")
_BODY = re.compile(rb"[A-Za-z0-9+/]{0,64}\n")
_END = re.compile(rb"--- ([A-Za-z0-9+/]{43})\n")
_WHOLE = 65
"""Bytes of a body's line after which another one comes."""

_X25519 = b"X25519"
_SHARE = 32
"""Bytes of an X25519 share, of the file key that is wrapped for it, and of the header's MAC."""

_LONGEST_LINE = 4096
_MOST = 10_000
"""Recipients beyond which it is no header that anybody wrote."""


def header_defect(stream: BinaryIO) -> str:
    """What shows that the header at the beginning of `stream` is damaged; empty when its structure is sound."""
    if stream.readline(_LONGEST_LINE) != MAGIC:
        return "its first line is not that of an age file"
    count = 0
    while (line := stream.readline(_LONGEST_LINE)).startswith(b"-> ") and count < _MOST:
        count += 1
        if not _sound(line, stream):
            return f"what it holds for recipient {count} is damaged"
    end = _END.fullmatch(line)
    if not count or end is None or len(_decoded(end[1])) != _SHARE:
        return "its header has no end" if count else "its header names no recipient"
    return ""


def _sound(line: bytes, stream: BinaryIO) -> bool:
    """Whether a stanza, whose first line is `line`, is one; `stream` is at the rest of it, and after it then."""
    first, body = _STANZA.fullmatch(line), b""
    while _BODY.fullmatch(part := stream.readline(_LONGEST_LINE)):
        body += part.rstrip(b"\n")
        if len(part) < _WHOLE:
            break
    else:
        return False
    if first is None or (body and not _decoded(body)):
        return False
    words = first[1].split(b" ")
    shares = [*words[1:], body]
    return words[0] != _X25519 or [len(_decoded(one)) for one in shares] == [_SHARE, _SHARE]


def _decoded(text: bytes) -> bytes:
    """What unpadded base64 stands for; empty where it is none, or not the one way to write it."""
    try:
        data = base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        return b""
    return data if base64.b64encode(data).rstrip(b"=") == text else b""
