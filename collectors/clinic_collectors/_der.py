"""Values of ASN.1 in their distinguished encoding (X.690): just enough to read a certificate. Pure."""

from __future__ import annotations

from collections.abc import Iterator

SEQUENCE, SET, INTEGER, BITS, OCTETS, OID, BOOLEAN = 0x30, 0x31, 0x02, 0x03, 0x04, 0x06, 0x01
_BMP = 0x1E

Value = tuple[int, bytes]
"""A tag and what it holds."""


def values(data: bytes) -> Iterator[Value]:
    """The values in a row, one level deep. Raises `ValueError` or `IndexError` where it is cut off."""
    at = 0
    while at < len(data):
        tag, length, at = data[at], data[at + 1], at + 2
        if length & 0x80:
            size = length & 0x7F
            length, at = int.from_bytes(data[at : at + size], "big"), at + size
        if at + length > len(data):
            raise ValueError("it is cut off")
        yield tag, data[at : at + length]
        at += length


def inside(value: Value, tag: int) -> list[Value]:
    """What a value of this tag is made of. Raises `ValueError` for another tag."""
    if value[0] != tag:
        raise ValueError(f"tag {value[0]:#x} where {tag:#x} belongs")
    return list(values(value[1]))


def oid(data: bytes) -> str:
    """An object identifier as `2.5.4.3`."""
    first = min(data[0] // 40, 2)
    parts, number = [first, data[0] - 40 * first], 0
    for byte in data[1:]:
        number = number << 7 | byte & 0x7F
        if not byte & 0x80:
            parts.append(number)
            number = 0
    return ".".join(map(str, parts))


def text_of(value: Value) -> str:
    """A string of any kind, without control characters."""
    text = value[1].decode("utf-16-be" if value[0] == _BMP else "utf-8", "replace")
    return "".join(char if char.isprintable() else "?" for char in text)
