"""sshd for the caller's own account, with keys of its own and nothing of the system's configuration."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from tests.lab.program import LOOPBACK, Launch, NotReady, Place, Program, Tool, tool
from tests.lab.state import Server

PRIVILEGE_SEPARATION = Path("/run/sshd")
"""Compiled into Debian's sshd, which refuses to start as root without it."""

SHADOW = Path("/etc/shadow")


class Sshd(Program):
    """Lets the caller's account in, by a key made for this lab."""

    name = "sshd"
    tools = (
        Tool("sshd", ("openssh-server",)),
        Tool("ssh", ("openssh-client",)),
        Tool("ssh-keygen", ("openssh-client",)),
    )

    def prepare(self, place: Place) -> Launch:
        if os.geteuid() == 0:
            PRIVILEGE_SEPARATION.mkdir(mode=0o755, exist_ok=True)
        for key in ("host_key", "user_key"):
            place.run([tool("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-C", "clinic lab", "-f", key])
        place.write("authorized_keys", (place.home / "user_key.pub").read_text())
        host_key = (place.home / "host_key.pub").read_text()
        place.write("known_hosts", f"[{LOOPBACK}]:{place.port} {host_key}")
        config = place.write("sshd_config", _server_configuration(place))
        client = place.write("ssh_config", _client_configuration(place))
        return Launch(
            [self.binary(), "-D", "-e", "-f", str(config)],
            f"ssh://{place.user}@{place.address}",
            config=config,
            credentials={"user": place.user},
            files={
                "client_config": client,
                "user_key": place.home / "user_key",
                "known_hosts": place.home / "known_hosts",
            },
        )

    def check(self, server: Server) -> None:
        with socket.create_connection((server.host, server.port), timeout=2) as connection:
            banner = connection.recv(255)
        if not banner.startswith(b"SSH-2.0-"):
            raise NotReady(f"no SSH banner: {banner[:40]!r}")

    def obstacle(self) -> str | None:
        """A locked root: without PAM, sshd lets no account in whose password field starts with `!`."""
        if os.geteuid() != 0:
            return None
        fields = [line.split(":") for line in SHADOW.read_text().splitlines()]
        if any(entry[0] == self.user() and entry[1].startswith("!") for entry in fields):
            return "it lets no locked account in, and root is locked (passwd -S root)"
        return None


def _server_configuration(place: Place) -> str:
    return f"""\
ListenAddress {LOOPBACK}
Port {place.port}
HostKey "{place.home}/host_key"
AuthorizedKeysFile "{place.home}/authorized_keys"
AllowUsers {place.user}
AuthenticationMethods publickey
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
# The lab may be in a directory that others can write, such as /tmp.
StrictModes no
PidFile none
PrintMotd no
Subsystem sftp internal-sftp
MaxStartups 100
MaxSessions 100
LogLevel VERBOSE
"""


def _client_configuration(place: Place) -> str:
    return f"""\
Host lab {LOOPBACK}
  HostName {LOOPBACK}
  Port {place.port}
  User {place.user}
  IdentityFile "{place.home}/user_key"
  IdentitiesOnly yes
  UserKnownHostsFile "{place.home}/known_hosts"
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  BatchMode yes
"""
