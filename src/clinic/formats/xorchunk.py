"""The XOR chunk of Prometheus: timestamps as differences of differences, values as what changed of their bits.

The format is that of tsdb/chunkenc/xor.go: two bytes with the number of samples; the first timestamp (zigzag varint)
and the first value (64 bits); the second timestamp's delta (uvarint); from there on bits.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

from clinic.formats.protobuf import BadMessage, number, varint, zigzag

MOST = 120
"""Samples that Prometheus puts into one chunk."""

_DELTAS = ((0b10, 2, 14), (0b110, 3, 17), (0b1110, 4, 20))
"""Prefix, its bits, and the bits of the difference behind it; a longer one has the prefix 1111 and 64 bits."""

_SIGN = 1 << 63


class BadChunk(ValueError):
    """Bytes that are no XOR chunk."""


class _Bits:
    """Reads bits from a byte string, the highest first."""

    __slots__ = ("left", "value")

    def __init__(self, data: bytes) -> None:
        self.value = int.from_bytes(data, "big")
        self.left = 8 * len(data)

    def take(self, count: int) -> int:
        """The next `count` bits as a number. Raises `BadChunk` at the end."""
        self.left -= count
        if self.left < 0:
            raise BadChunk("a chunk that ends in the middle of a sample")
        return self.value >> self.left & (1 << count) - 1

    def delta(self) -> int:
        """The difference of two timestamps' differences."""
        if not self.take(1):
            return 0
        for _, _, bits in _DELTAS:
            if not self.take(1):
                found = self.take(bits)
                # The largest positive number stands for itself: xor.go compares with >, not >=.
                return found - (1 << bits) if found > 1 << bits - 1 else found
        found = self.take(64)
        return found - (1 << 64) if found & _SIGN else found


def _number(data: bytes, at: int) -> tuple[int, int]:
    try:
        return varint(data, at)
    except (IndexError, BadMessage) as error:
        raise BadChunk("a number without an end") from error


def count(data: bytes) -> int:
    """How many samples a chunk of any encoding holds: its first two bytes. Raises `BadChunk` without them."""
    if len(data) < 2:
        raise BadChunk("a chunk without a header")
    return int.from_bytes(data[:2], "big")


def decode(data: bytes) -> Iterator[tuple[int, int]]:
    """Each sample: milliseconds since 1970, and the 64 bits of the value (staleness markers are NaNs of their own).

    Raises `BadChunk`.
    """
    number = count(data)
    if not number:
        return
    raw, at = _number(data, 2)
    moment = raw >> 1 ^ -(raw & 1)
    if len(data) < at + 8:
        raise BadChunk("a chunk that ends in its first value")
    value = int.from_bytes(data[at : at + 8], "big")
    yield moment, value
    if number == 1:
        return
    delta, at = _number(data, at + 8)
    moment += delta
    bits = _Bits(data[at:])
    leading = trailing = 0
    for index in range(1, number):
        if index > 1:
            delta += bits.delta()
            moment += delta
        if bits.take(1):
            if bits.take(1):
                leading, width = bits.take(5), bits.take(6) or 64
                trailing = 64 - leading - width
                if trailing < 0:
                    raise BadChunk("a value of more than 64 bits")
            value ^= bits.take(64 - leading - trailing) << trailing
        yield moment, value


class _Writer:
    """Writes bits, the highest first."""

    __slots__ = ("bits", "value")

    def __init__(self) -> None:
        self.value = self.bits = 0

    def put(self, value: int, bits: int) -> None:
        self.value = self.value << bits | value & (1 << bits) - 1
        self.bits += bits

    def delta(self, difference: int) -> None:
        if difference == 0:
            self.put(0, 1)
            return
        for prefix, width, bits in _DELTAS:
            if -((1 << bits - 1) - 1) <= difference <= 1 << bits - 1:
                self.put(prefix, width)
                self.put(difference, bits)
                return
        self.put(0b1111, 4)
        self.put(difference, 64)

    def bytes(self) -> bytes:
        spare = -self.bits % 8
        return (self.value << spare).to_bytes((self.bits + spare) // 8, "big")


def encode(samples: Sequence[tuple[int, int]]) -> bytes:
    """The chunk of some samples as `decode` gives them, ascending in time.

    Raises `ValueError` for more than 65,535 samples.
    """
    head = len(samples).to_bytes(2, "big") if len(samples) < 1 << 16 else None
    if head is None:
        raise ValueError("more samples than a chunk can count")
    if not samples:
        return head
    (moment, value), rest = samples[0], samples[1:]
    out = head + zigzag(moment) + value.to_bytes(8, "big")
    if not rest:
        return out
    delta = rest[0][0] - moment
    writer, leading, trailing = _Writer(), -1, 0
    for index, (at, new) in enumerate(rest):
        if index:
            writer.delta(at - moment - delta)
            delta = at - moment
        leading, trailing = _value(writer, value ^ new, leading, trailing)
        moment, value = at, new
    return out + number(rest[0][0] - samples[0][0]) + writer.bytes()


def _value(writer: _Writer, changed: int, leading: int, trailing: int) -> tuple[int, int]:
    """Write what changed of a value's bits; gives the zeros around it that count for the next one."""
    if not changed:
        writer.put(0, 1)
        return leading, trailing
    before = min(31, 64 - changed.bit_length())
    behind = (changed & -changed).bit_length() - 1
    if leading >= 0 and before >= leading and behind >= trailing:
        writer.put(0b10, 2)
        writer.put(changed >> trailing, 64 - leading - trailing)
        return leading, trailing
    width = 64 - before - behind
    writer.put(0b11, 2)
    writer.put(before, 5)
    writer.put(width & 63, 6)
    writer.put(changed >> behind, width)
    return before, behind


def to_float(bits: int) -> float:
    """The value that has these 64 bits."""
    return float(struct.unpack(">d", bits.to_bytes(8, "big"))[0])


def to_bits(value: float) -> int:
    """The 64 bits of a value."""
    return int.from_bytes(struct.pack(">d", value), "big")


STALE = 0x7FF0000000000002
"""The bits of the NaN that says that a series ended (model/value/value.go)."""
