"""Prometheus' answers to a remote read of chunks: frames with a checksum, each a list of series with their chunks.

A frame is a uvarint length, a CRC-32C of four bytes (big endian) and a `prometheus.ChunkedReadResponse` in protobuf
(storage/remote/chunked.go, prompb/remote.proto, prompb/types.proto).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import BinaryIO, NamedTuple, cast

import google_crc32c

from clinic.formats.protobuf import BYTES, BadMessage, field, fields, number, signed, varint

_value = cast("Callable[[bytes], int]", google_crc32c.value)  # pyright: ignore[reportUnknownMemberType]  # it has no types

LONGEST = 64 << 20
"""Bytes of a frame that is taken for one; Prometheus makes them of about one mebibyte."""

_LENGTH = re.compile(rb"[\x80-\xff]{0,4}[\x00-\x7f]")
_LONGEST_HEAD = 5
_PIECE = 256 * 1024

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


class Frame(NamedTuple):
    """One whole frame."""

    whole: bytes
    """As it came."""

    message: bytes
    """What its checksum is of."""


class Splitter:
    """Cuts a stream that comes in pieces of any size into whole frames whose checksums are right."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._need = 0

    @property
    def rest(self) -> int:
        """Bytes that are not given yet: the beginning of a frame, or what is none."""
        return len(self._held)

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that are whole with these bytes. Raises `BadFrame`; from there on it gives nothing more."""
        if self._held:
            self._held += data
            if len(self._held) < self._need:
                return
            data = bytes(self._held)
        at = 0
        try:
            while at < len(data):
                head, end = _bounds(data, at)
                self._need = end - at
                if not head or end > len(data):
                    break
                yield _checked(data, at, head, end)
                at = end
        finally:
            self._held[:] = data[at:]


def _bounds(data: bytes, at: int) -> tuple[int, int]:
    """Where the checksum of the frame at `at` is, and where the frame ends; 0 for the first where its length is cut."""
    found = _LENGTH.match(data, at)
    if found is None:
        if len(data) - at >= _LONGEST_HEAD:
            raise BadFrame("a frame without a length")
        return 0, at
    length = varint(found.group(), 0)[0]
    if not 0 < length <= LONGEST:
        raise BadFrame(f"a frame of {length:,} bytes, which no server makes")
    return found.end(), found.end() + 4 + length


def _checked(data: bytes, at: int, head: int, end: int) -> Frame:
    message = data[head + 4 : end]
    if crc32c(message) != int.from_bytes(data[head : head + 4], "big"):
        raise BadFrame("a frame whose checksum is wrong")
    return Frame(data[at:end], message)


def messages(stream: BinaryIO) -> Iterator[bytes]:
    """The messages of the frames in `stream`, checked.

    Raises `BadFrame` at the first that is not whole or not what its checksum says.
    """
    splitter = Splitter()
    while data := stream.read(_PIECE):
        yield from (one.message for one in splitter.feed(data))
    if splitter.rest:
        raise BadFrame("a frame that is cut")


@dataclass(frozen=True, slots=True)
class Outline:
    """What a series in a frame holds, told without taking its chunks out."""

    labels: int
    """Hash of its labels as they are written: the same for each piece of one series."""

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


def without(message: bytes, given: Mapping[int, int]) -> bytes:
    """The message without what is given already: by the hash of a series' labels, up to which time.

    Empty where nothing is left. Raises `BadFrame`.
    """
    out: list[bytes] = []
    try:
        for tag, kind, _, inside, end in fields(message):
            if tag == 1 and kind == BYTES:
                out.append(_later(message[inside:end], given))
    except (BadMessage, IndexError) as error:
        raise BadFrame(f"a frame that holds no series: {error}") from None
    return b"".join(out)


def _later(one: bytes, given: Mapping[int, int]) -> bytes:
    until = given.get(_key(one, label_pairs(one)[1]))
    if until is None:
        return field(1, one)
    kept: list[bytes] = []
    chunks = 0
    for tag, kind, begin, inside, end in fields(one):
        is_chunk = tag == 2 and kind == BYTES
        if not is_chunk or _chunk(one, inside, end).start > until:
            kept.append(one[begin:end])
            chunks += is_chunk
    return field(1, b"".join(kept)) if chunks else b""


def _key(one: bytes, behind: int) -> int:
    """Hash of a series' labels, which end at `behind`; of all labels where they do not come first."""
    return hash(one[:behind]) if behind else hash(_series(one, 0, len(one)).labels)


def _outline(one: bytes) -> Outline:
    labels, at = label_fields(one, 0, len(one))
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
    return Outline(_key(one, begin), _name(labels, one), chunks, samples, start, end)


def _name(labels: list[bytes], one: bytes) -> bytes:
    """The metric's name, which nearly always comes first and is short."""
    if labels and len(labels[0]) < 0x80 and labels[0][2:13] == b"\x0a\x08__name__\x12":
        return labels[0][14:]
    return next((value for label, value in label_pairs(one)[0] if label == b"__name__"), b"")


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
    return Outline(_key(one, label_pairs(one)[1]), name, len(found.chunks), samples, start, end)


def label_fields(data: bytes, start: int, stop: int) -> tuple[list[bytes], int]:
    """The labels that a series begins with, as they are written, and the place behind them.

    Raises `BadMessage`, `IndexError`.
    """
    found: list[bytes] = []
    at = start
    while at < stop and data[at] == 0x0A:
        size, inside = _length_at(data, at + 1)
        found.append(data[at : inside + size])
        at = inside + size
    if at > stop:
        raise BadMessage("a label that is longer than its series")
    return found, at


def label_pairs(one: bytes) -> tuple[list[tuple[bytes, bytes]], int]:
    """The labels that a series begins with, and the place behind them. Raises `BadMessage`, `IndexError`."""
    found, at = label_fields(one, 0, len(one))
    return [_label(label, _length_at(label, 1)[1], len(label)) for label in found], at


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
