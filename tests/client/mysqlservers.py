"""Packets of MySQL's protocol, and a server that speaks it as a test says ("Protocol Basics" of MySQL's source)."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tests.client.servers import Peer, Script

GREETING = bytes.fromhex(
    "540000000a352e372e32352d546944422d4e6f6e650013000000314f72206c54376c008fa62e02001b00150000000000"
    "0000000000591b157d07195d1975393909006d7973716c5f6e61746976655f70617373776f726400"
)
"""What a TinySQL server (5.7.25-TiDB-None) sent when it was connected to."""

Reply = Callable[[str], "Iterable[bytes] | None"]


def packet(number: int, payload: bytes) -> bytes:
    """A packet of MySQL's protocol."""
    return len(payload).to_bytes(3, "little") + bytes([number % 256]) + payload


def ok(number: int = 1) -> bytes:
    """A statement without a result went well."""
    return packet(number, bytes([0, 0, 0, 2, 0, 0, 0]))


def error(code: int, text: str, number: int = 1) -> bytes:
    """A statement went wrong."""
    return packet(number, b"\xff" + code.to_bytes(2, "little") + b"#HY000" + text.encode())


def cell(value: bytes | None) -> bytes:
    """One value of a row."""
    return b"\xfb" if value is None else bytes([len(value)]) + value


def table(columns: list[str], rows: list[list[bytes | None]]) -> list[bytes]:
    """The packets of a result."""
    payloads = [bytes([len(columns)])]
    for name in columns:
        words = (b"def", b"", b"", b"", name.encode(), b"")
        payloads.append(b"".join(map(cell, words)) + b"\x0c\x2d\x00\xff\x00\x00\x00\xfd\x00\x00\x00\x00\x00")
    eof = bytes([0xFE, 0, 0, 2, 0])
    payloads += [eof, *(b"".join(map(cell, row)) for row in rows), eof]
    return [packet(number, payload) for number, payload in enumerate(payloads, 1)]


def read_packet(peer: Peer) -> bytes:
    """The payload of what the client sends; empty at the end."""
    data = b""
    while len(data) < 4 or len(data) < 4 + int.from_bytes(data[:3], "little"):
        more = peer.connection.recv(65536)
        if not more:
            return b""
        data += more
    return data[4:]


def speaking(reply: Reply, seen: list[str] | None = None) -> Script:
    """A server that lets everybody in and answers statements with what `reply` gives, `None` for nothing at all."""

    def script(peer: Peer) -> None:
        peer.send(GREETING)
        read_packet(peer)
        peer.send(ok(2))
        while statement := read_packet(peer)[1:].decode():
            if seen is not None:
                seen.append(statement)
            answer = [ok()] if statement.startswith("SET ") else reply(statement)
            if answer is None:
                peer.sleep()
                return
            for one in answer:
                peer.send(one)

    return script
