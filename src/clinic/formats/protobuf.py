"""Protobuf's wire format, as far as lists of fields need it (protobuf.dev/programming-guides/encoding)."""

from __future__ import annotations

from collections.abc import Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
"""Kinds of fields, by how their values are written."""

_LONGEST_VARINT = 10

Field = tuple[int, int, int, int, int]
"""Number, kind, where its tag starts, where its value starts, where it ends."""


class BadMessage(ValueError):
    """Bytes that are no message."""


def varint(data: bytes, at: int) -> tuple[int, int]:
    """A number, and the place behind it. Raises `IndexError` where it is cut, `BadMessage` where it is none."""
    value = shift = 0
    for _ in range(_LONGEST_VARINT):
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise BadMessage("a number without an end")


def number(value: int) -> bytes:
    """A number as varint."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def zigzag(value: int) -> bytes:
    """A signed number of 64 bits as varint: those near zero are short."""
    return number((value << 1 ^ value >> 63) & (1 << 64) - 1)


def signed(value: int) -> int:
    """What an int64 field says, whose varint is its two's complement."""
    return value - (1 << 64) if value >> 63 else value


def field(tag: int, value: bytes) -> bytes:
    """A field of bytes, text or an inner message."""
    return number(tag << 3 | BYTES) + number(len(value)) + value


def fields(message: bytes, start: int = 0, stop: int | None = None) -> Iterator[Field]:
    """The fields of the message in `message[start:stop]`. Raises `BadMessage`; `IndexError` where one is cut."""
    at, end = start, len(message) if stop is None else stop
    while at < end:
        begin = at
        tag, inside = varint(message, at)
        kind = tag & 7
        if kind == BYTES:
            length, inside = varint(message, inside)
            at = inside + length
        elif kind == VARINT:
            _, at = varint(message, inside)
        elif kind in (FIXED64, FIXED32):
            at = inside + (8 if kind == FIXED64 else 4)
        else:
            raise BadMessage("a field of no known kind")
        if at > end:
            raise BadMessage("a field that is longer than its message")
        yield tag >> 3, kind, begin, inside, at
