"""The request of Prometheus' remote read, and what its answer tells without decoding a sample.

`prometheus.ReadRequest` of prompb/remote.proto, packed as snappy's block format (google/snappy format_description.txt);
a block of literals alone is valid, and nothing would be gained by packing some thirty bytes.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from clinic.formats.protobuf import VARINT, field, number


class Match(enum.IntEnum):
    """How a label is compared (prompb.LabelMatcher.Type)."""

    EQUAL = 0
    NOT_EQUAL = 1
    REGEX = 2
    NOT_REGEX = 3


@dataclass(frozen=True, slots=True)
class LabelMatch:
    """One condition on the series that are read."""

    kind: Match
    """How."""

    label: str
    """Of which label."""

    value: str
    """With what."""


HEADERS = {
    "Content-Type": "application/x-protobuf",
    "Content-Encoding": "snappy",
    "X-Prometheus-Remote-Read-Version": "0.1.0",
}
"""What a remote read is sent with."""

STREAMED = "application/x-streamed-protobuf"
"""Type of an answer in chunks (storage/remote/read_handler.go)."""

_STREAMED_XOR_CHUNKS = 1
_LITERAL = 1 << 16


def request(start: int, end: int, matches: Sequence[LabelMatch]) -> bytes:
    """The body that asks for the chunks of all matching series from `start` to `end`, milliseconds since 1970."""
    query = _integer(1, start) + _integer(2, end) + b"".join(field(3, _matcher(one)) for one in matches)
    return snappy(field(1, query) + _integer(2, _STREAMED_XOR_CHUNKS))


def _integer(tag: int, value: int) -> bytes:
    return number(tag << 3 | VARINT) + number(value % (1 << 64))


def _matcher(one: LabelMatch) -> bytes:
    kind = _integer(1, one.kind) if one.kind else b""
    return kind + field(2, one.label.encode()) + field(3, one.value.encode())


def snappy(data: bytes) -> bytes:
    """A block of literals: the length, then pieces of at most 64 KiB, each with its own length less one."""
    return number(len(data)) + b"".join(_literals(data))


def _literals(data: bytes) -> Iterable[bytes]:
    for at in range(0, len(data), _LITERAL):
        piece = data[at : at + _LITERAL]
        yield bytes([61 << 2]) + (len(piece) - 1).to_bytes(2, "little") + piece
