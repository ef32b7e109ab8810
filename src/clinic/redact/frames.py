"""Remote-read frames of Prometheus: their labels are redacted, their samples pass as they are.

A frame is a uvarint length, a CRC-32C of four bytes (big endian), and a `prometheus.ChunkedReadResponse` in protobuf,
as Prometheus' storage/remote/chunked.go and prompb/remote.proto have it.
"""

from __future__ import annotations

from collections.abc import Callable

from clinic.formats.protobuf import BYTES, BadMessage, field, fields
from clinic.formats.readframes import BadFrame, Frame, Splitter, frame, label_fields, label_pairs
from clinic.redact.columns import KIND_OF
from clinic.redact.keys import Kind, Where, is_secret, kind_of
from clinic.redact.scanner import FAILED_CLOSED, Tally
from clinic.redact.separated import RULE
from clinic.redact.view import MASK

REMEMBERED = 100_000
"""Labels that were found to hold no secret: of a cluster's some thousands come again and again."""

_SERIES, _LABEL, _NAME, _VALUE = 1, 1, 1, 2


def _mapped(message: bytes, tag: int, change: Callable[[bytes], bytes]) -> bytes:
    """The message with each of its inner messages of that number changed."""
    out: list[bytes] = []
    for number, kind, start, inside, end in fields(message):
        inner = message[inside:end]
        new = change(inner) if number == tag and kind == BYTES else inner
        out.append(message[start:end] if new == inner else field(tag, new))
    return b"".join(out)


class FramesStage:
    """Redacts the labels of a stream of frames. From where it is no frame any more, nothing passes."""

    def __init__(
        self,
        text: Callable[[bytes], bytes],
        tally: Tally,
        *,
        names: bool = True,
        renamed: Callable[[str, bytes], bytes] | None = None,
    ) -> None:
        """`text` redacts a whole small text; `names`: whether a label's name may say that its value is a secret.

        `renamed` replaces a value that its label's name says is a name of this kind.
        """
        self._renamed = renamed
        self._text = text
        self._kind_of: Callable[[bytes], Kind | None] = kind_of if names else lambda name: None
        self._tally = tally
        self._frames = Splitter()
        self._lost = False
        self._clean: set[bytes] = set()
        self._plain: set[bytes] = set()

    def feed(self, data: bytes) -> bytes:
        if self._lost:
            return b"*" * len(data)
        out: list[bytes] = []
        waiting = self._frames.rest + len(data)
        try:
            for one in self._frames.feed(data):
                out.append(self._redacted(one))
                waiting -= len(one.whole)
        except (BadFrame, BadMessage, IndexError):
            out.append(self._lose(waiting))
        return b"".join(out)

    def _redacted(self, one: Frame) -> bytes:
        message = one.message
        clean = message if self._is_clean(message) else _mapped(message, _SERIES, self._series)
        return one.whole if clean == message else frame(clean)

    def gap(self) -> bytes:
        return b"" if self._lost else self._lose(self._frames.rest, count=False)

    def finish(self) -> bytes:
        return b"" if self._lost or not self._frames.rest else self._lose(self._frames.rest)

    def _lose(self, size: int, *, count: bool = True) -> bytes:
        """Nothing from here on passes; stars for these bytes."""
        self._lost = True
        if count:
            self._tally.counts[FAILED_CLOSED] += 1
        return b"*" * size

    def _is_clean(self, message: bytes) -> bool:
        """Whether no label holds a secret, told by one look at all of them together."""
        fresh: set[bytes] = set()
        for number, kind, _, start, stop in fields(message):
            if number == _SERIES and kind == BYTES:
                fresh.update(one for one in label_fields(message, start, stop)[0] if one not in self._clean)
        pairs = [label_pairs(one)[0][0] for one in fresh]
        if not all(name in self._plain or self._is_plain(name) for name, _ in pairs):
            return False
        together = b"\n".join(sorted({value for _, value in pairs}))
        if together and self._text(together) != together:
            return False
        # What is learned to be a secret later is masked in all that was written before.
        if len(self._clean) + len(fresh) > REMEMBERED:
            self._clean.clear()
        self._clean |= fresh
        return True

    def _is_plain(self, name: bytes) -> bool:
        """Whether the name of a label says nothing of a secret."""
        if self._kind_of(name) is not None or (self._renamed is not None and name.lower() in KIND_OF):
            return False
        self._plain.add(name)
        return True

    def _series(self, series: bytes) -> bytes:
        return _mapped(series, _LABEL, self._labelled)

    def _labelled(self, label: bytes) -> bytes:
        name = _label(label)[0]
        kind = self._kind_of(name)

        def masked(value: bytes) -> bytes:
            if self._renamed is not None and name.lower() in KIND_OF:
                value = self._renamed(KIND_OF[name.lower()], value)
            if kind is None or not is_secret(kind, value, Where.STRUCTURE):
                return self._text(value)
            if value != MASK:
                self._tally.counts[RULE] += 1
            return MASK

        return _mapped(label, _VALUE, masked)


def _label(label: bytes) -> tuple[bytes, bytes]:
    """Its name and its value."""
    name = value = b""
    for tag, kind, _, inside, end in fields(label):
        if kind == BYTES and tag == _NAME:
            name = label[inside:end]
        elif kind == BYTES and tag == _VALUE:
            value = label[inside:end]
    return name, value
