"""The first step of the write path: every byte goes through the redactor, and none passes where that fails."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from clinic.bundle.cap import marker
from clinic.bundle.opaque import LOOK, unread
from clinic.kinds import Content
from clinic.redact import RedactStream

BINARY = frozenset({Content.OPAQUE, Content.FRAMES})
"""Contents without lines: nothing can be written into them, and no tail makes sense without its head."""

WITHHELD = "failed_closed"
"""What the redactor counts parts under that it left out."""

FAILED = b"\n[clinic: the redactor failed here; what follows is left out]\n"
"""Stands in a text from where on it was not redacted."""


class Filter:
    """One stream of bytes on its way through the redactor."""

    def __init__(self, stream: RedactStream, content: Content) -> None:
        """`stream` masks what is fed, which is of the format `content`."""
        self._stream = stream
        self._text = content not in BINARY
        self._head: bytes | None = b"" if self._text else None
        """What came until it is known whether it can be read at all; None once it is."""
        self._gaps = 0
        self.failure = ""
        """What went wrong in the redactor, by the name of the error only: its text may hold what it choked on."""
        self.missing = 0
        """Plain bytes that the source left out; -1 when their number is unknown."""

    @property
    def counts(self) -> Mapping[str, int]:
        """How often each rule masked something."""
        return dict(self._stream.counts)

    @property
    def withheld(self) -> int:
        """How many parts the redactor left out because it could not clear them; not those right after a gap."""
        return max(0, self._stream.counts.get(WITHHELD, 0) - self._gaps)

    def feed(self, data: bytes) -> bytes:
        """What may be written of the next bytes."""
        if self._head is None:
            return self._guarded(lambda: self._stream.feed(data))
        self._head += data
        return self._begin() if len(self._head) >= LOOK else b""

    def _begin(self) -> bytes:
        """What may be written of the first bytes: nothing of what the redactor can't read."""
        head, self._head = self._head or b"", None
        what = unread(head)
        if what:
            self.failure = f"{what}, which it can't look into"
            return FAILED.lstrip(b"\n")
        return self._guarded(lambda: self._stream.feed(head))

    def gap(self, missing: int) -> bytes:
        """What may be written where the source left `missing` bytes out (-1: unknown), with a line that says so."""
        self.missing = -1 if missing < 0 or self.missing < 0 else self.missing + missing
        self._gaps += 1
        # To the redactor it is all the same how much is missing, as long as it is something.
        before = (self._begin() if self._head is not None else b"") + self._guarded(
            lambda: self._stream.gap(abs(missing))
        )
        if not self._text or self.failure:
            return before
        return before + (b"" if before.endswith(b"\n") else b"\n") + marker(missing)

    def finish(self) -> bytes:
        """What may be written of the bytes that were held back."""
        return (self._begin() if self._head is not None else b"") + self._guarded(self._stream.finish)

    def _guarded(self, step: Callable[[], bytes]) -> bytes:
        if self.failure:
            return b""
        try:
            return step()
        except Exception as error:  # noqa: BLE001 - whatever a rule raises, no byte may pass that it has not seen
            self.failure = type(error).__name__
            return FAILED if self._text else b""
