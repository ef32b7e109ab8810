"""MySQL's option files: user, password and TLS files from `[client]` and `[clinic]`, and nothing else of them.

The format is that of MySQL's manual, "Using Option Files".
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from clinic.client.tls import Tls
from clinic.errors import Refused, UsageError
from clinic.home import calling_user, home
from clinic.secret import Secret, SecretRegister

LONGEST = 64 * 1024
"""Bytes; no such file is longer."""

GROUPS = ("client", "clinic")
"""The groups that are read. What `[clinic]` says goes before what `[client]` says."""

_ESCAPES = {"b": "\b", "t": "\t", "n": "\n", "r": "\r", "s": " ", "\\": "\\", '"': '"', "'": "'"}
_ESCAPE = re.compile(r"(?s)\\(.)")
_UNQUOTED = re.compile(r"\s*#.*\Z", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Options:
    """What one option file says to us."""

    user: str = ""
    """The account; empty where it names none."""

    password: Secret | None = None
    """Its password; None where there is none."""

    tls: Tls = field(default_factory=Tls)
    """`ssl-ca`, `ssl-cert`, `ssl-key`."""

    remarks: tuple[str, ...] = ()
    """What a person should know about it, a sentence each; never a value of it."""


def usual_file() -> Path:
    """`~/.my.cnf`, under sudo of the calling user."""
    return home() / ".my.cnf"


def read_options(path: Path, secrets: SecretRegister) -> Options:
    """What `path` says. Its password is learned as a secret before anybody else sees it.

    Raises `UsageError` where it can't be read, `Refused` where others could have written it, or where root is asked
    through sudo to read a file that is not the caller's own.
    """
    text, remarks = _read(path)
    values: dict[str, str] = {}
    found = list(_entries(text))
    for group in GROUPS:
        values |= {key: value for where, key, value in found if where == group}
    password = Secret(values["password"]) if values.get("password") else None
    if password is not None:
        secrets.learn(password, source=f"option file {path.name}")
    if any(key.startswith("!") for _, key, _ in found):
        remarks.append(f"{path} includes other files, which are not read")
    tls = Tls(*(Path(values[key]) if values.get(key) else None for key in ("ssl-ca", "ssl-cert", "ssl-key")))
    if tls != Tls() and calling_user() is not None:
        # Root would open files that the caller names and perhaps may not read.
        remarks.append(
            f"under sudo the TLS files that {path} names are not used; name them on the command line"
        )
        tls = Tls()
    return Options(values.get("user", ""), password, tls, tuple(remarks))


def _read(path: Path) -> tuple[str, list[str]]:
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    except OSError as error:
        why = error.strerror or str(error)
        raise UsageError(f"can't read {path}: {why}", hint="check the name and its permissions") from error
    try:
        remarks = _require_own(path, os.fstat(descriptor))
        data = os.read(descriptor, LONGEST + 1)
    finally:
        os.close(descriptor)
    if len(data) > LONGEST:
        raise UsageError(f"{path} is longer than {LONGEST} bytes", hint="that is no option file")
    return data.decode("utf-8", "surrogateescape"), remarks


def _require_own(path: Path, info: os.stat_result) -> list[str]:
    if not stat.S_ISREG(info.st_mode):
        raise Refused(f"{path} is no regular file", hint="name an option file")
    if os.name != "posix":
        return []
    caller = calling_user()
    owners = {caller[0]} if caller is not None else {0, os.geteuid()}
    if info.st_uid not in owners:
        raise Refused(f"{path} belongs to user {info.st_uid}", hint="name an option file of your own")
    if info.st_mode & 0o022:
        raise Refused(f"others can write {path}", hint=f"take that away: chmod 600 {path}")
    return [f"others can read {path}: chmod 600 {path}"] if info.st_mode & 0o044 else []


def _entries(text: str) -> Iterator[tuple[str, str, str]]:
    """Group, key and value of each line; the key of a directive begins with `!`."""
    group = ""
    for line in (line.strip() for line in text.splitlines()):
        if not line or line[0] in "#;":
            continue
        if line[0] == "[":
            group = line[1:].partition("]")[0].strip().lower()
        elif line[0] == "!":
            yield group, line.split()[0], ""
        else:
            key, _, value = line.partition("=")
            yield group, key.strip().lower().replace("_", "-"), _value(value.strip())


def _value(text: str) -> str:
    """A value without its quotes, the comment after it, and its escapes."""
    if len(text) > 1 and text[0] in "\"'" and text.find(text[0], 1) > 0:
        text = text[1 : _closing(text)]
    else:
        text = _UNQUOTED.sub("", text)
    return _ESCAPE.sub(lambda match: _ESCAPES.get(match[1], match[0]), text)


def _closing(text: str) -> int:
    """Where the quote that `text` begins with is closed; the end where it is not."""
    at = 1
    while at < len(text) and text[at] != text[0]:
        at += 2 if text[at] == "\\" else 1
    return min(at, len(text))
