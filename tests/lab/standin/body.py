"""Bodies that go wrong: endless, bombs, short, stalled, a byte a second."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable

Write = Callable[[bytes], object]

MIB = 1024 * 1024
BOMB_MEMBERS = 100
BOMB_MEMBER = 10 * MIB + 240 * 1024
"""A hundred of these are 1 GiB."""

LINE = b'{"store":{"id":1,"address":"127.0.2.1:20160"},"status":{"leader_count":1}},\n' * 512


def bomb() -> bytes:
    """About 1 MiB of gzip that unpack to 1 GiB: a hundred members, as RFC 1952 allows."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    member = packer.compress(b" " * BOMB_MEMBER) + packer.flush()
    return member * BOMB_MEMBERS


def endless(write: Write) -> None:
    """Chunks without an end; returns never, raises OSError when the other side has had enough."""
    chunk = f"{len(LINE):x}\r\n".encode() + LINE + b"\r\n"
    while True:
        write(chunk)


def trickle(write: Write, body: bytes, pause: float) -> None:
    """The body, a byte at a time."""
    for at in range(len(body)):
        write(body[at : at + 1])
        time.sleep(pause)
