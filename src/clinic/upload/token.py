"""Where a token comes from: a file that only its owner reads, or the environment. Never the command line."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from clinic.errors import Refused, UsageError
from clinic.secret import Secret

VARIABLE = "CLINIC_TOKEN"
"""The variable of the environment that may hold it."""

LONGEST = 1024 * 1024
"""Most bytes of the file: the presigned URLs of ten thousand parts fit."""


def from_file(path: Path) -> Secret:
    """The token in a file. Raises `Refused` where others may read it."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    with os.fdopen(descriptor, "rb") as file:
        info = os.fstat(file.fileno())
        if info.st_mode & 0o077 or not stat.S_ISREG(info.st_mode):
            raise Refused(f"{path} holds a token, and others may read or write it", hint=f"chmod 600 {path}")
        text = file.read(LONGEST + 1)
    if len(text) > LONGEST:
        raise UsageError(f"{path} is too long for a token")
    return _usable(text.decode("utf-8", "replace"), str(path))


def from_environment() -> Secret | None:
    """The token in `CLINIC_TOKEN`; None when it is not set."""
    text = os.environ.get(VARIABLE, "")
    return _usable(text, VARIABLE) if text else None


def _usable(text: str, where: str) -> Secret:
    """The token without the line's end; one with a character that can't stand in a header is refused unquoted."""
    token = text.strip()
    if not token.isascii() or (not token.startswith("{") and not token.isprintable()):
        raise UsageError(f"{where} holds a token with characters that no token has")
    if not token:
        raise UsageError(f"{where} is empty")
    return Secret(token)
