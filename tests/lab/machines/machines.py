"""The machines of a lab as tests and people use them: their addresses, their keys, what can happen to them."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Generator
from pathlib import Path

from tests.lab.machines.kinds import ACCOUNT, BEHIND_JUMP, JUMP, account_id, names
from tests.lab.machines.network import ip, on_machine
from tests.lab.program import tool
from tests.lab.state import Lab, LabError, Server

SESSIONS = f"sshd: {ACCOUNT}"
"""How the title of a process begins that serves somebody who logged in."""

FAKED = "faketime_"
"""What the library that fakes a clock leaves in /dev/shm, in every process that sees it."""

WRITABLE = tuple(Path(each) for each in ("/tmp", "/var/tmp", "/dev/shm", "/run"))
"""Where anybody may write."""


class Machines:
    """The machines of a lab that has its own."""

    account = ACCOUNT
    """Who may log in."""

    def __init__(self, lab: Lab) -> None:
        """Those of `lab`; raises `LabError` when it has none."""
        spares = sum(server.name.startswith("ssh-spare-") for server in lab.servers)
        self._sshds = {name: lab.server(f"ssh-{name}") for name in names(spares)}

    @property
    def names(self) -> tuple[str, ...]:
        """Each is called after the instance that runs on it; `jump` runs none."""
        return tuple(self._sshds)

    @property
    def key(self) -> Path:
        """TiUP's key, which lets the account in."""
        return self._sshds[JUMP].files["user_key"]

    def address(self, name: str) -> str:
        """The address of a machine."""
        return self._machine(name).host

    def write_known_hosts(self, path: Path, *without: str) -> Path:
        """Writes the host keys of all machines but those named, in the format of ssh's known_hosts."""
        lines = [
            f"{each.host} {each.files['host_key'].read_text()}"
            for name, each in self._sshds.items()
            if name not in without
        ]
        path.write_text("".join(lines))
        return path

    def write_ssh_config(self, path: Path, known_hosts: Path) -> Path:
        """Writes a configuration for ssh that reaches all of them, one through the jump host."""
        path.write_text(
            f"Host {self.address(BEHIND_JUMP)}\n  ProxyJump {self.address(JUMP)}\n"
            f"Host {' '.join(each.host for each in self._sshds.values())}\n  User {self.account}\n"
            f'  IdentityFile "{self.key}"\n  IdentitiesOnly yes\n  UserKnownHostsFile "{known_hosts}"\n'
            "  GlobalKnownHostsFile /dev/null\n"
        )
        return path

    @contextlib.contextmanager
    def allowing(self, name: str, *lines: str) -> Generator[None, None, None]:
        """The account may do with sudo what these lines say, on one machine within the block.

        They are put there as a person is told to: as a file in /etc/sudoers.d that visudo finds right.
        """
        file = self._machine(name).files["sudoers"]
        file.write_text("".join(f"{line}\n" for line in lines))
        file.chmod(0o440)
        try:
            on_machine(os.getpid(), [tool("visudo"), "-c", "-f", str(file)], "--net")
            yield
        finally:
            file.unlink()

    @contextlib.contextmanager
    def cut_off(self, name: str) -> Generator[None, None, None]:
        """Nobody reaches a machine within the block: what is sent to it is lost, without a word."""
        self.cut(name)
        try:
            yield
        finally:
            self.heal(name)

    def cut(self, name: str) -> None:
        """Nobody reaches a machine from now on."""
        ip("link set eth0 down", self._machine(name).holder)

    def heal(self, name: str) -> None:
        """It is reached again."""
        ip("link set eth0 up", self._machine(name).holder)

    def drop_sessions(self, name: str) -> int:
        """Ends every session of ssh on a machine at once, as when it dies and comes back; says how many."""
        sessions = [pid for pid, title in self.processes(name).items() if title.startswith(SESSIONS)]
        for pid in sessions:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return len(sessions)

    def processes(self, name: str) -> dict[int, str]:
        """The title of every process on a machine, by its pid as this machine counts."""
        own = Path(f"/proc/{self._machine(name).holder}/ns/pid").readlink()
        found: dict[int, str] = {}
        for each in Path("/proc").iterdir():
            with contextlib.suppress(OSError):  # it has ended, or is no process
                if (each / "ns/pid").readlink() == own:
                    found[int(each.name)] = _title(each)
        return found

    def written(self) -> set[Path]:
        """Every file that the account owns where it could write, on any machine: they share this one's disk."""
        account = account_id(self.address(JUMP))
        own = [server.files["host_key"].parent / "home" for server in self._sshds.values()]
        return {
            path
            for top in (*WRITABLE, *own)
            for folder, _, names in os.walk(top)  # it passes over what vanishes meanwhile
            for path in (Path(folder), *(Path(folder, name) for name in names))
            if _owner(path) == account and FAKED not in path.name
        }

    def _machine(self, name: str) -> Server:
        if name not in self._sshds:
            raise LabError(f"the lab has no machine {name}; it has {', '.join(self._sshds)}")
        return self._sshds[name]


def _title(process: Path) -> str:
    return (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()


def _owner(path: Path) -> int:
    try:
        return path.lstat().st_uid
    except OSError:
        return -1
