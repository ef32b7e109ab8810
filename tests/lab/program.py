"""The contract of a server in the lab: what it needs, how it is prepared and started, when it is ready."""

from __future__ import annotations

import abc
import dataclasses
import os
import pwd
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, NamedTuple

from tests.lab.options import USUAL, Options
from tests.lab.state import LabError, Server

LOOPBACK = "127.0.0.1"
SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin"
CA_EXTENSION = "-addext keyUsage=critical,keyCertSign,cRLSign"
"""What `openssl req` is told beside its defaults: Python 3.13 demands it of a CA (RFC 5280, 4.2.1.3)."""

LEAF_EXTENSIONS = """\
basicConstraints = CA:FALSE
keyUsage = digitalSignature
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
"""
"""What a certificate has that a CA of the lab signs, for the same reason."""

PREPARE_SECONDS = 30
"""How long one command that prepares a server may take."""


class NotReady(Exception):
    """A server does not answer as it should yet; the text says what it did."""


@dataclasses.dataclass(frozen=True)
class Seat:
    """Where one server of the lab will listen."""

    host: str
    """Its address."""

    ports: Mapping[str, int]
    """Its ports, by purpose."""


@dataclasses.dataclass(frozen=True)
class Place:
    """Where one server lives in the lab that is being started."""

    home: Path
    """Its own directory: configuration, data and log."""

    ports: Mapping[str, int]
    """The ports that it was given, by purpose."""

    user: str
    """The account that it will run as."""

    addresses: Mapping[str, str]
    """`host:port` of every server that will be in the lab, by name, and of `down`, where nobody listens."""

    host: str = LOOPBACK
    """The address that it was given."""

    seats: Mapping[str, Seat] = dataclasses.field(default_factory=dict[str, Seat])
    """Where every server that will be in the lab listens, by name."""

    network: str = "127.0"
    """The first half of the addresses that are this lab's own."""

    holder: int = 0
    """The process that holds the machine of its own that it runs on; 0 when it runs on this one."""

    options: Options = USUAL
    """What was chosen for the lab."""

    @property
    def port(self) -> int:
        """The port that clients use."""
        return self.ports["client"]

    @property
    def address(self) -> str:
        """`host:port` that clients use."""
        return f"{self.host}:{self.port}"

    @property
    def data(self) -> Path:
        """The data directory, for those that have one."""
        return self.home / "data"

    def write(self, name: str, text: str, mode: int = 0o600) -> Path:
        """Writes a file into the server's directory, for its account alone unless `mode` says more."""
        path = self.home / name
        path.write_text(text)
        path.chmod(mode)
        self.give(path)
        return path

    def give(self, path: Path) -> None:
        """Hands a file or directory, with all that is in it, to the server's account."""
        if os.geteuid() == 0:
            for each in (path, *path.rglob("*")):
                shutil.chown(each, self.user, pwd.getpwnam(self.user).pw_gid)

    def run(self, argv: Sequence[str]) -> None:
        """Runs a command that prepares the server, as its account; raises `LabError` with what it printed."""
        command = [*as_user(self.user), *argv]
        try:
            done = subprocess.run(
                command,
                cwd=self.home,
                env=environment(self.home),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=PREPARE_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise LabError(f"{argv[0]} did not end in {PREPARE_SECONDS} s") from error
        if done.returncode != 0:
            printed = done.stdout.decode(errors="replace")
            raise LabError(f"{argv[0]} ended with status {done.returncode}:\n{printed}")


@dataclasses.dataclass(frozen=True)
class Launch:
    """How a prepared server is started, and what its clients have to know."""

    argv: Sequence[str]
    """The command line; the first word is an absolute path."""

    url: str
    """The address in the form that its clients know."""

    config: Path | None = None
    """Its configuration file."""

    data: Path | None = None
    """Its data directory."""

    credentials: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    """Names and passwords made for this lab alone."""

    files: Mapping[str, Path] = dataclasses.field(default_factory=dict[str, Path])
    """What a client needs besides."""

    shown: Sequence[str] = ()
    """The command line that the process shows once it runs, where that is another than `argv`."""

    log: Path | None = None
    """Where it is logged why it ended; none where that is what it prints."""


class Tool(NamedTuple):
    """A program, and what brings it."""

    name: str
    """The name it is run by."""

    packages: tuple[str, ...]
    """The Debian packages that may bring it; releases differ, the first that is known is taken."""


class Program(abc.ABC):
    """One kind of server."""

    name: str
    """Its name in the lab."""

    tools: ClassVar[tuple[Tool, ...]]
    """The programs it needs; the first is the server itself."""

    account: ClassVar[str | None] = None
    """The account that Debian's package makes for it; None when it runs as the one who starts the lab."""

    ports: tuple[str, ...] = ("client",)
    """What it needs ports for; `client` is the one that `Server.port` gives."""

    sees_mounts: ClassVar[bool] = False
    """Whether, on a machine of its own, it sees that machine's files in place of this one's."""

    folder: ClassVar[str] = ""
    """The name of its directory; empty when that is its own name."""

    @abc.abstractmethod
    def prepare(self, place: Place) -> Launch:
        """Writes configuration, keys and first data; raises `LabError` when that fails."""

    @abc.abstractmethod
    def check(self, server: Server) -> None:
        """Speaks the server's own protocol with it; raises `NotReady` or `OSError` until it answers well."""

    def host(self, network: str) -> str:
        """The address it listens on, in a lab whose own addresses begin with `network`."""
        return LOOPBACK

    def usual_ports(self) -> Mapping[str, int]:
        """The ports that it gets where they are free, by purpose; any free one for the others."""
        return {}

    def user(self) -> str:
        """The account it runs as: its own where the lab may choose, else the caller's."""
        if os.geteuid() != 0 or self.account is None:
            return pwd.getpwuid(os.geteuid()).pw_name
        try:
            return pwd.getpwnam(self.account).pw_name
        except KeyError:
            return "nobody"

    def obstacle(self) -> str | None:
        """Why it can't run here although it is installed; None when nothing is in the way."""
        return None

    def binary(self) -> str:
        """The absolute path of the server's program."""
        return tool(self.tools[0].name)


def find_tool(name: str) -> str | None:
    """The absolute path of a program, in the system's directories first; None where there is none."""
    return shutil.which(name, path=f"{SYSTEM_PATH}:{os.environ.get('PATH', '')}")


def tool(name: str) -> str:
    """The absolute path of a program; raises `LabError` where there is none."""
    path = find_tool(name)
    if path is None:
        raise LabError(f"{name} is not installed")
    return path


def as_user(user: str) -> list[str]:
    """The front of a command line whose rest runs as `user`; empty when the caller is that user."""
    account = pwd.getpwnam(user)
    if account.pw_uid == os.geteuid():
        return []
    return [tool("setpriv"), f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups", "--"]


def environment(home: Path) -> dict[str, str]:
    """What a server gets to see: nothing of the caller's, so no proxy and no configuration of theirs."""
    return {"PATH": SYSTEM_PATH, "HOME": str(home), "LC_ALL": "C"}
