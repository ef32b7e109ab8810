"""Prometheus' answers to a remote read of chunks: frames with a checksum, each a list of series with their chunks.

A frame is a uvarint length, a CRC-32C of four bytes (big endian) and a `prometheus.ChunkedReadResponse` in protobuf
(storage/remote/chunked.go, prompb/remote.proto, prompb/types.proto).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import BinaryIO, cast

import google_crc32c

from clinic.formats.protobuf import BYTES, BadMessage, fields, number, signed, varint

_value = cast("Callable[[bytes], int]", google_crc32c.value)  # pyright: ignore[reportUnknownMemberType]  # it has no types

LONGEST = 64 << 20
"""Bytes of a frame that is taken for one; Prometheus makes them of about one mebibyte."""

Labels = tuple[tuple[bytes, bytes], ...]
"""Names and values, in the order in which the server sent them: sorted by name."""


class BadFrame(ValueError):
    """Bytes that are no frame; nothing behind them can be told apart."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some samples of a series, as the server holds them."""

    start: int
    """Time of the first sample, milliseconds since 1970."""

    end: int
    """Time of the last one."""

    encoding: int
    """1 XOR, 2 histogram, 3 histogram of floats (prompb.Chunk.Encoding, the same as tsdb/chunkenc)."""

    data: bytes
    """The chunk itself; its first two bytes count its samples."""

    @property
    def samples(self) -> int:
        """How many it holds."""
        return int.from_bytes(self.data[:2], "big")


@dataclass(frozen=True, slots=True)
class ChunkedSeries:
    """A series and some of its chunks; a long one comes in several."""

    labels: Labels
    """What identifies it."""

    chunks: tuple[Chunk, ...]
    """In the order of time."""


def crc32c(data: bytes) -> int:
    """The checksum of Castagnoli (RFC 3720 appendix B.4)."""
    return _value(data)


def frame(message: bytes) -> bytes:
    """The frame of a message."""
    return number(len(message)) + struct.pack(">I", crc32c(message)) + message


def messages(stream: BinaryIO) -> Iterator[bytes]:
    """The messages of the frames in `stream`, checked.

    Raises `BadFrame` at the first that is not whole or not what its checksum says.
    """
    while (length := _length(stream)) is not None:
        if not 0 < length <= LONGEST:
            raise BadFrame(f"a frame of {length:,} bytes, which no server makes")
        rest = stream.read(4 + length)
        if len(rest) < 4 + length:
            raise BadFrame("a frame that is cut")
        if crc32c(message := rest[4:]) != int.from_bytes(rest[:4], "big"):
            raise BadFrame("a frame whose checksum is wrong")
        yield message


def _length(stream: BinaryIO) -> int | None:
    """The length that the next frame begins with; None at the end."""
    head = b""
    while byte := stream.read(1):
        head += byte
        if byte[0] < 0x80 or len(head) > 5:
            break
    if not head:
        return None
    try:
        return varint(head, 0)[0]
    except IndexError:
        raise BadFrame("a frame without a length") from None


@dataclass(frozen=True, slots=True)
class Outline:
    """What a series in a frame holds, told without taking its chunks out."""

    labels: bytes
    """Its labels as they are written: the same for each piece of one series."""

    name: bytes
    """The metric's name; empty when it has none."""

    chunks: int
    """How many chunks."""

    samples: int
    """How many samples, by the chunks' own headers."""

    start: int
    """Time of the first sample, milliseconds since 1970."""

    end: int
    """Time of the last one."""


# A chunk as Prometheus writes it: its length, first and last time, encoding, then the data, of which two bytes count.
_CHUNK = re.compile(
    rb"\x12([\x80-\xff]{0,3}[\x00-\x7f])\x08([\x80-\xff]{0,9}[\x00-\x7f])\x10([\x80-\xff]{0,9}[\x00-\x7f])\x18.\x22"
    rb"[\x80-\xff]{0,3}[\x00-\x7f](..)",
    re.DOTALL,
)


def outlines(message: bytes) -> Iterator[Outline]:
    """What the series in a frame's message hold. Some ten times faster than `series`. Raises `BadFrame`."""
    try:
        for tag, kind, _, inside, end in fields(message):
            if tag == 1 and kind == BYTES:
                yield _outline(message[inside:end])
    except (BadMessage, IndexError) as error:
        raise BadFrame(f"a frame that holds no series: {error}") from None


def _outline(one: bytes) -> Outline:
    labels, at = label_pairs(one)
    begin, chunks, samples, start, end = at, 0, 0, 0, 0
    while at < len(one):
        found = _CHUNK.match(one, at)
        if found is None:
            return _slowly(one)
        at = found.end(1) + _small(found[1])
        chunks += 1
        samples += int.from_bytes(found[4], "big")
        if chunks == 1:
            start = signed(varint(found[2], 0)[0])
        if at >= len(one):
            end = signed(varint(found[3], 0)[0])
    name = next((value for label, value in labels if label == b"__name__"), b"")
    return Outline(one[:begin], name, chunks, samples, start, end)


@lru_cache(maxsize=4096)
def _small(written: bytes) -> int:
    return varint(written, 0)[0]


def _slowly(one: bytes) -> Outline:
    """For a series that is written in another order, or with more fields."""
    found = _series(one, 0, len(one))
    name = next((value for label, value in found.labels if label == b"__name__"), b"")
    start = min((chunk.start for chunk in found.chunks), default=0)
    end = max((chunk.end for chunk in found.chunks), default=0)
    samples = sum(chunk.samples for chunk in found.chunks)
    return Outline(repr(found.labels).encode(), name, len(found.chunks), samples, start, end)


def label_pairs(one: bytes) -> tuple[list[tuple[bytes, bytes]], int]:
    """The labels that a series begins with, and the place behind them. Raises `BadMessage`, `IndexError`."""
    labels: list[tuple[bytes, bytes]] = []
    at, length = 0, len(one)
    while at < length and one[at] == 0x0A:
        size, at = _length_at(one, at + 1)
        end = at + size
        if end > length:
            raise BadMessage("a label that is longer than its series")
        # Nearly all have a name and a value in this order; the others are read field by field.
        if one[at] == 0x0A and (value_at := at + 2 + one[at + 1]) < end and one[value_at] == 0x12:
            _, inside = _length_at(one, value_at + 1)
            labels.append((one[at + 2 : value_at], one[inside:end]))
        else:
            labels.append(_label(one, at, end))
        at = end
    return labels, at


def _length_at(data: bytes, at: int) -> tuple[int, int]:
    size = data[at]
    return (size, at + 1) if size < 0x80 else varint(data, at)


def series(message: bytes) -> Iterator[ChunkedSeries]:
    """The series in a frame's message. Raises `BadFrame`."""
    try:
        for tag, kind, _, inside, end in fields(message):
            if tag == 1 and kind == BYTES:
                yield _series(message, inside, end)
    except (BadMessage, IndexError) as error:
        raise BadFrame(f"a frame that holds no series: {error}") from None


def _series(message: bytes, start: int, stop: int) -> ChunkedSeries:
    labels: list[tuple[bytes, bytes]] = []
    chunks: list[Chunk] = []
    for tag, kind, _, inside, end in fields(message, start, stop):
        if kind == BYTES and tag == 1:
            labels.append(_label(message, inside, end))
        elif kind == BYTES and tag == 2:
            chunks.append(_chunk(message, inside, end))
    return ChunkedSeries(tuple(labels), tuple(chunks))


def _label(message: bytes, start: int, stop: int) -> tuple[bytes, bytes]:
    name = value = b""
    for tag, kind, _, inside, end in fields(message, start, stop):
        if kind == BYTES and tag == 1:
            name = message[inside:end]
        elif kind == BYTES and tag == 2:
            value = message[inside:end]
    return name, value


def _chunk(message: bytes, start: int, stop: int) -> Chunk:
    found = {1: 0, 2: 0, 3: 0}
    data = b""
    for tag, kind, _, inside, end in fields(message, start, stop):
        if kind == BYTES and tag == 4:
            data = message[inside:end]
        elif tag in found:
            found[tag] = varint(message, inside)[0]
    return Chunk(signed(found[1]), signed(found[2]), found[3], data)
