"""Host keys: which machines have none that is known, which ones they show, and the file of those that were accepted."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from clinic.errors import ItemError
from clinic.host.ssh.command_line import Login, environment, through
from clinic.host.ssh.connection import settings_of
from clinic.host.ssh.refusal import shown

SCAN_SECONDS = 3
"""For each machine to show its keys."""

AT_ONCE = 32
_USUAL_PORT = "22"
_KEY = re.compile(r"(?m)^[^#\s]\S* ((?:ssh|ecdsa|sk)-[\w@.-]+) ([A-Za-z0-9+/=]{16,})\s*$")
_MOST = 8


@dataclass(frozen=True, slots=True)
class Key:
    """A key that a machine shows."""

    host: str
    """The machine, as the cluster calls it."""

    place: str
    """What it is filed under: a name, or `[name]:port`."""

    kind: str
    """`ssh-ed25519` and the like."""

    data: str
    """The key itself, in base64."""

    @property
    def fingerprint(self) -> str:
        """As `ssh-keygen -l` tells it."""
        digest = hashlib.sha256(base64.b64decode(self.data)).digest()
        return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")

    @property
    def line(self) -> str:
        """As a file of known hosts has it."""
        return f"{self.place} {self.kind} {self.data}"


@dataclass(frozen=True, slots=True)
class Scanned:
    """What became of one machine."""

    host: str
    """The machine."""

    known: bool = False
    """Whether there is a key for it already: right or wrong, the login will tell."""

    keys: tuple[Key, ...] = ()
    """What it shows, where there is none."""

    why: str = ""
    """Why it shows none."""


def scan(logins: Sequence[Login]) -> list[Scanned]:
    """Look at the machines side by side, in their order."""
    if not logins:
        return []
    with ThreadPoolExecutor(min(AT_ONCE, len(logins)), thread_name_prefix="clinic-keys") as pool:
        return list(pool.map(_scan_one, logins))


def _scan_one(login: Login) -> Scanned:
    try:
        settings = settings_of(login)
    except ItemError as error:
        return Scanned(login.name, why=error.message)
    name = _one(settings, "hostname") or login.target
    port = _one(settings, "port") or _USUAL_PORT
    alias = _one(settings, "hostkeyalias")
    place = alias if alias and alias != "none" else name if port == _USUAL_PORT else f"[{name}]:{port}"
    files = [
        *login.known_hosts,
        *settings.get("userknownhostsfile", ()),
        *settings.get("globalknownhostsfile", ()),
    ]
    if any(_is_in(place, Path(file)) for file in files):
        return Scanned(login.name, known=True)
    words = _scanner(settings, name, port)
    if not words:
        text = (
            "its ssh goes through a ProxyCommand, through which no keys can be gathered: log in once by hand"
        )
        return Scanned(login.name, why=text)
    said, complaint = _run(words, login, SCAN_SECONDS * 3)
    found = _KEY.findall(said)[:_MOST]
    keys = tuple(Key(login.name, place, kind, data) for kind, data in found if _is_base64(data))
    return Scanned(
        login.name, keys=keys, why="" if keys else shown(complaint) or f"{name} port {port} shows no key"
    )


def _scanner(settings: Mapping[str, Sequence[str]], name: str, port: str) -> list[str]:
    """The words that ask for keys: from here, or from the jump host where one is in between."""
    words = ["ssh-keyscan", "-T", str(SCAN_SECONDS), "-p", port, name]
    jump = _one(settings, "proxyjump")
    if jump and jump != "none":
        return through(jump.rpartition(",")[2], words)
    return [] if (_one(settings, "proxycommand") or "none") != "none" else words


def _one(settings: Mapping[str, Sequence[str]], name: str) -> str:
    return " ".join(settings.get(name, ()))


def _is_in(place: str, file: Path) -> bool:
    """Whether a file has a key for it; ssh-keygen knows hashed names, too."""
    if not file.is_file():
        return False
    done = subprocess.run(
        ["ssh-keygen", "-F", place, "-f", str(file)],
        capture_output=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    return done.returncode == 0


def _run(words: Sequence[str], login: Login, seconds: float) -> tuple[str, str]:
    try:
        done = subprocess.run(
            words, capture_output=True, check=False, stdin=subprocess.DEVNULL, timeout=seconds,
            env=environment(login), start_new_session=True,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return "", f"no key after {seconds:g} s"
    except OSError as error:
        return "", f"{words[0]}: {error.strerror}"
    return done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")


def _is_base64(data: str) -> bool:
    try:
        return bool(base64.b64decode(data, validate=True))
    except binascii.Error:
        return False


def accept(keys: Sequence[Key], file: Path) -> None:
    """Add keys to Clinic's own file, which nobody else can write. Raises OSError."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(file, flags, 0o600)
    try:
        os.write(fd, "".join(f"{key.line}\n" for key in keys).encode())
        os.fsync(fd)
    finally:
        os.close(fd)
