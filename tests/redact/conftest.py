"""Helpers for the tests of redaction."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from clinic.kinds import Content
from clinic.redact import Redactor
from clinic.secret import SecretRegister

Redact = Callable[..., bytes]


@pytest.fixture(scope="session")
def redactor() -> Redactor:
    """A redactor that has learned nothing."""
    return Redactor(SecretRegister())


@pytest.fixture(scope="session")
def redact(redactor: Redactor) -> Redact:
    """Sends bytes through a stream, in pieces of a given size, and gives all that comes out."""

    def run(
        data: bytes, content: Content = Content.TEXT, *, piece: int = 0, door: Redactor | None = None
    ) -> bytes:
        stream = (door or redactor).stream(content)
        size = piece or len(data) or 1
        out = b"".join(stream.feed(data[at : at + size]) for at in range(0, len(data), size))
        return out + stream.finish()

    return run
