"""Remote-read frames of Prometheus: their labels are redacted, their samples pass as they are.

A frame is a uvarint length, a CRC-32C of four bytes (big endian), and a `prometheus.ChunkedReadResponse` in protobuf,
as Prometheus' storage/remote/chunked.go and prompb/remote.proto have it.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple

from clinic.redact.keys import Kind, Where, is_secret, kind_of
from clinic.redact.scanner import FAILED_CLOSED, Tally
from clinic.redact.separated import RULE
from clinic.redact.view import MASK

LONGEST_FRAME = 64 << 20
"""Bytes of a frame that is taken for one; Prometheus makes them of about one mebibyte."""

_SERIES, _LABEL, _NAME, _VALUE = 1, 1, 1, 2
_BYTES = 2
_LONGEST_VARINT = 10


class BadFrame(ValueError):
    """Bytes that are no frame; nothing behind them can be told apart."""


class _Field(NamedTuple):
    number: int
    wire: int
    start: int
    """Of its tag."""
    inside: int
    """Of its value."""
    end: int


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number, and the place behind it. Raises `IndexError` where it is cut, `BadFrame` where it is none."""
    value = shift = 0
    for _ in range(_LONGEST_VARINT):
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise BadFrame("a number without an end")


def _number(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _fields(message: bytes) -> Iterator[_Field]:
    at = 0
    while at < len(message):
        start = at
        tag, at = _varint(message, at)
        wire, inside = tag & 7, at
        if wire == 0:
            _, end = _varint(message, at)
        elif wire == _BYTES:
            length, inside = _varint(message, at)
            end = inside + length
        elif wire in (1, 5):
            end = at + (8 if wire == 1 else 4)
        else:
            raise BadFrame("a field of no known kind")
        if end > len(message):
            raise BadFrame("a field that is longer than its message")
        yield _Field(tag >> 3, wire, start, inside, end)
        at = end


def _mapped(message: bytes, number: int, change: Callable[[bytes], bytes]) -> bytes:
    """The message with each of its inner messages of that number changed."""
    out: list[bytes] = []
    for field in _fields(message):
        inner = message[field.inside : field.end]
        new = change(inner) if field.number == number and field.wire == _BYTES else inner
        if new == inner:
            out.append(message[field.start : field.end])
        else:
            out += [_number(number << 3 | _BYTES), _number(len(new)), new]
    return b"".join(out)


@functools.cache
def _table() -> tuple[int, ...]:
    """Of CRC-32C (Castagnoli), reflected; RFC 3720 appendix B.4."""
    table: list[int] = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return tuple(table)


def crc32c(data: bytes) -> int:
    """The checksum of a frame's message. Slow, and needed only for a frame that held a secret."""
    table, value = _table(), 0xFFFFFFFF
    for byte in data:
        value = table[(value ^ byte) & 0xFF] ^ value >> 8
    return value ^ 0xFFFFFFFF


class FramesStage:
    """Redacts the labels of a stream of frames. From where it is no frame any more, nothing passes."""

    def __init__(self, text: Callable[[bytes], bytes], tally: Tally, *, names: bool = True) -> None:
        """`text` redacts a whole small text; `names`: whether a label's name may say that its value is a secret."""
        self._text = text
        self._kind_of: Callable[[bytes], Kind | None] = kind_of if names else lambda name: None
        self._tally = tally
        self._data = b""
        self._lost = False

    def feed(self, data: bytes) -> bytes:
        if self._lost:
            return b"*" * len(data)
        self._data += data
        out: list[bytes] = []
        try:
            while (whole := self._frame()) is not None:
                out.append(whole)
        except (BadFrame, IndexError):
            out.append(self._lose())
        return b"".join(out)

    def gap(self) -> bytes:
        return b"" if self._lost else self._lose(count=False)

    def finish(self) -> bytes:
        return self._lose() if self._data else b""

    def _lose(self, count: bool = True) -> bytes:
        rest, self._data, self._lost = self._data, b"", True
        if count:
            self._tally.counts[FAILED_CLOSED] += 1
        return b"*" * len(rest)

    def _frame(self) -> bytes | None:
        """The next frame, redacted; None where it is not whole yet."""
        try:
            length, at = _varint(self._data, 0)
        except IndexError:
            return None
        end = at + 4 + length
        if length > LONGEST_FRAME:
            raise BadFrame("a frame of no likely length")
        if end > len(self._data):
            return None
        frame, message = self._data[:end], self._data[at + 4 : end]
        clean = message if self._is_clean(message) else _mapped(message, _SERIES, self._series)
        self._data = self._data[end:]
        return frame if clean == message else _number(len(clean)) + struct.pack(">I", crc32c(clean)) + clean

    def _is_clean(self, message: bytes) -> bool:
        """Whether no label holds a secret, told by one look at all of them together."""
        values: list[bytes] = []
        for series in _fields(message):
            if series.number == _SERIES and series.wire == _BYTES:
                for field in _fields(message[series.inside : series.end]):
                    if field.number == _LABEL and field.wire == _BYTES:
                        name, value = _label(
                            message[series.inside + field.inside : series.inside + field.end]
                        )
                        if self._kind_of(name) is not None:
                            return False
                        values.append(value)
        together = b"\n".join(values)
        return self._text(together) == together

    def _series(self, series: bytes) -> bytes:
        return _mapped(series, _LABEL, self._labelled)

    def _labelled(self, label: bytes) -> bytes:
        kind = self._kind_of(_label(label)[0])

        def masked(value: bytes) -> bytes:
            if kind is None or not is_secret(kind, value, Where.STRUCTURE):
                return self._text(value)
            if value != MASK:
                self._tally.counts[RULE] += 1
            return MASK

        return _mapped(label, _VALUE, masked)


def _label(label: bytes) -> tuple[bytes, bytes]:
    """Its name and its value."""
    name = value = b""
    for field in _fields(label):
        if field.wire == _BYTES and field.number == _NAME:
            name = label[field.inside : field.end]
        elif field.wire == _BYTES and field.number == _VALUE:
            value = label[field.inside : field.end]
    return name, value
