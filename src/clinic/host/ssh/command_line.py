"""How a machine is logged in at: what the user's own client is told, and what it may not be told otherwise."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

CONNECT_SECONDS = 10
"""Seconds for TCP and the first words of the protocol."""

_ENFORCED = (
    "StrictHostKeyChecking=yes", "ForwardAgent=no", "ForwardX11=no", "ForwardX11Trusted=no",
    "ClearAllForwardings=yes", "PermitLocalCommand=no", "Tunnel=no", "RemoteCommand=none", "RequestTTY=no",
    "UpdateHostKeys=no", "AddKeysToAgent=no", "VisualHostKey=no", "LogLevel=INFO", "EscapeChar=none",
    f"ConnectTimeout={CONNECT_SECONDS}", "ConnectionAttempts=1", "ServerAliveInterval=10", "ServerAliveCountMax=3",
    "ControlPersist=no",
)  # fmt: skip
"""First on the command line, where the first value counts, so that neither ssh_config nor an option changes them."""

_NEWER = ("StdinNull=no", "ForkAfterAuthentication=no", "SessionType=default")
"""The same for what OpenSSH knows from 8.7 on; an older one would refuse to start."""


@dataclass(frozen=True, slots=True)
class Login:
    """A machine and how to log in at it. What is empty is left to the user's own ssh_config."""

    name: str
    """As the cluster calls it."""

    address: str = ""
    """What ssh is given; the name where it is empty."""

    user: str = ""
    """The account."""

    port: str = ""
    """The port of sshd."""

    key: str = ""
    """A file with a private key."""

    key_only: bool = False
    """Whether no other key may be offered: it was named for this run."""

    options: tuple[str, ...] = ()
    """More options, as `-o` takes them."""

    known_hosts: tuple[str, ...] = ()
    """Files with host keys besides the user's and the system's."""

    prompts: bool = False
    """Whether somebody can be asked for a password or passphrase."""

    environment: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)
    """Variables for ssh besides our own: where it asks."""

    client: str = "ssh"
    """The program that logs in: OpenSSH's, or what behaves like it."""

    @property
    def target(self) -> str:
        """What ssh is given as the destination."""
        return self.address or self.name

    @property
    def shown(self) -> str:
        """How a person would type it."""
        who = f"{self.user}@{self.target}" if self.user else self.target
        return f"-p {self.port} {who}" if self.port and self.port != "22" else who


def arguments(login: Login) -> list[str]:
    """What says who logs in where, without what is enforced."""
    words = [f"-o{option}" for option in login.options]
    words += ["-i", login.key] if login.key else []
    words += ["-oIdentitiesOnly=yes"] if login.key and login.key_only else []
    words += ["-p", login.port] if login.port else []
    words += ["-l", login.user] if login.user else []
    return words


def command(
    login: Login, settings: Mapping[str, Sequence[str]], control: Path, remote: str, *, master: bool
) -> list[str]:
    """The words that start ssh: as the master of a connection, or for one more channel of it.

    `settings` are what `ssh -G` says. A channel whose master is gone fails, and does not log in anew.
    """
    newer = [option for option in _NEWER if option.split("=")[0].lower() in settings]
    words = [login.client, "-T", *(f"-o{option}" for option in (*_ENFORCED, *newer))]
    words += [
        f"-oBatchMode={'no' if login.prompts else 'yes'}",
        f"-oControlMaster={'yes' if master else 'no'}",
    ]
    words += ["-o", f"ControlPath={_escaped(str(control))}"]
    words += known_hosts_options(login, settings) if master else ["-oProxyJump=none", "-oProxyCommand=false"]
    return [*words, *arguments(login), "--", login.target, remote]


def through(jump: str, remote: Sequence[str]) -> list[str]:
    """The words that run `remote` on a jump host, under the same rules."""
    host, _, port = jump.partition(":") if jump.count(":") == 1 else (jump, "", "")
    words = ["ssh", "-T", *(f"-o{option}" for option in _ENFORCED), "-oBatchMode=yes", "-oControlMaster=no"]
    words += ["-oControlPath=none", *(["-p", port] if port else []), "--", host.strip("[]")]
    return [*words, shlex.join(remote)]


def known_hosts_options(login: Login, settings: Mapping[str, Sequence[str]]) -> list[str]:
    """The files with host keys: the user's and the system's as they are configured, and those that were added."""
    files = [*settings.get("userknownhostsfile", ()), *login.known_hosts]
    return (
        ["-o", "UserKnownHostsFile=" + " ".join(_quoted(name) for name in files)] if login.known_hosts else []
    )


def environment(login: Login) -> dict[str, str]:
    """What ssh inherits: the caller's, since agent, Kerberos and configuration are found through it."""
    return {**os.environ, "LC_ALL": "C", **login.environment}


def parse_settings(text: str) -> dict[str, tuple[str, ...]]:
    """What `ssh -G` printed: lower-case names, the words of each."""
    lines = (line.partition(" ") for line in text.splitlines())
    return {name: tuple(re.findall(r"\S+", value)) for name, _, value in lines}


def _quoted(name: str) -> str:
    return f'"{name}"' if re.search(r"[\s]", name) else name


def _escaped(path: str) -> str:
    return path.replace("%", "%%")
