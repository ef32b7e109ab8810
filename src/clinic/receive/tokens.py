"""Who may send: a file with a name, a digest and an end for each token. The tokens themselves are nowhere."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from clinic.errors import Refused, UsageError
from clinic.receive.problem import Problem

FILE = "tokens"
"""Its name in the receiver's directory."""

ANYBODY = "anybody"
"""Who sends where no token is needed."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")


@dataclass(frozen=True, slots=True)
class Entry:
    """One token."""

    name: str
    """Whose it is."""

    sha256: str
    """Of the token, hexadecimal: whoever reads the file can't send with it."""

    until: datetime
    """Timezone-aware; it is not taken after that."""


def make(directory: Path, name: str, valid: timedelta) -> str:
    """Make a token for `name` and return it: it is shown once, and kept as a digest."""
    if not _NAME.match(name) or name == ANYBODY:
        raise UsageError("a token's name is of letters, digits, '.', '_' and '-'")
    token = secrets.token_urlsafe(32)
    until = datetime.now(timezone.utc) + valid
    line = f"{name} {_digest(token)} {until.isoformat(timespec='seconds')}\n"
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(directory / FILE, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "a", encoding="ascii") as file:
        file.write(line)
    return token


def entries(directory: Path) -> tuple[Entry, ...]:
    """All tokens of a receiver. Raises `Refused` for a file that others may read or write, or can't be understood."""
    path = directory / FILE
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return ()
    with os.fdopen(descriptor, encoding="ascii", errors="replace") as file:
        if os.fstat(file.fileno()).st_mode & 0o077:
            raise Refused(f"{path} may be read or written by others", hint=f"chmod 600 {path}")
        lines = [line.split() for line in file if line.strip() and not line.startswith("#")]
    return tuple(_entry(words, path) for words in lines)


def _entry(words: list[str], path: Path) -> Entry:
    try:
        name, digest, until = words
        end = datetime.fromisoformat(until)
    except ValueError as error:
        raise Refused(f"{path} has a line that is not NAME SHA256 UNTIL") from error
    if end.tzinfo is None:
        raise Refused(f"{path}: the end of {name} has no zone")
    return Entry(name, digest, end)


def sender(directory: Path, header: str) -> str:
    """Whose token the `Authorization` header holds. Raises `Problem` where it is nobody's, or too old.

    The file is read each time: a token that was taken away is taken away at once.
    """
    known = entries(directory)
    if not known:
        return ANYBODY
    kind, _, token = header.partition(" ")
    digest = _digest(token.strip())
    found = [one for one in known if hmac.compare_digest(one.sha256, digest)]
    if kind.lower() != "bearer" or not found:
        raise Problem(401, "token", "the token is not known here")
    if all(one.until < datetime.now(timezone.utc) for one in found):
        raise Problem(401, "expired", f"the token expired at {found[-1].until.isoformat()}")
    return found[-1].name


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
