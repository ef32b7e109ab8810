"""A real sshd on loopback for each kind of login, on a port and with keys of its own, and the door to it."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from clinic.host.ssh.command_line import Login
from clinic.host.ssh.host import SSHHost
from clinic.host.ssh.node_load import Thresholds
from clinic.host.ssh.traffic import Bucket, HostMeter

AT_EASE = Thresholds(load=1e9, stalled=101, memory=0)
"""However busy the machine of the tests is."""

ME = pwd.getpwuid(os.geteuid()).pw_name


@dataclass
class Sshd:
    """A server of the test's own."""

    home: Path
    port: int
    child: subprocess.Popen[bytes]
    user: str = ME
    meter: HostMeter = field(default_factory=lambda: HostMeter(Bucket(None)))

    @property
    def login(self) -> Login:
        """How to log in at it: everything is said, so that the user's configuration does not matter."""
        return Login(
            "node", address="127.0.0.1", user=self.user, port=str(self.port), key=str(self.home / "user_key"),
            key_only=True, options=("GlobalKnownHostsFile=/dev/null",), known_hosts=(str(self.home / "known_hosts"),),
        )  # fmt: skip

    def door(self, login: Login | None = None) -> SSHHost:
        """Log in."""
        return SSHHost(login or self.login, lambda: self.home, self.meter, AT_EASE)

    def left(self) -> list[str]:
        """What runs for a connection to it: sessions, what was started in one, our own clients. After a moment."""
        until = time.monotonic() + 5
        while (found := self._running()) and time.monotonic() < until:
            time.sleep(0.05)
        return found

    def _running(self) -> list[str]:
        session = f"SSH_CONNECTION=127.0.0.1 [0-9]+ 127.0.0.1 {self.port}"
        words = ["grep", "-l", "-a", "-s", "-E", session, *map(str, Path("/proc").glob("[0-9]*/environ"))]
        inside = subprocess.run(words, check=False, capture_output=True, text=True).stdout.split()
        clients = subprocess.run(
            ["pgrep", "-a", "-f", f"{self.home}/user_key"], check=False, capture_output=True, text=True
        ).stdout.splitlines()
        return [*inside, *clients, *map(str, descendants(self.child.pid))]

    def kill_servers(self, *, listener: bool = True) -> None:
        """Kill what serves the connections, and not what was started through them."""
        said = subprocess.run(["ps", "-eo", "pid=,ppid=,comm="], capture_output=True, text=True, check=True)
        rows = [line.split() for line in said.stdout.splitlines()]
        parents = {int(pid): int(parent) for pid, parent, *name in rows if name[0].startswith("sshd")}
        pids = [self.child.pid]
        for pid in pids:
            pids += [child for child, parent in parents.items() if parent == pid]
        for pid in pids[0 if listener else 1 :]:
            os.kill(pid, signal.SIGKILL)
        if listener:
            self.child.wait()

    def kill(self) -> None:
        """As a machine that loses power: the server and every session of it, at once."""
        for process in [self.child.pid, *descendants(self.child.pid)]:
            subprocess.run(["kill", "-9", str(process)], check=False, capture_output=True)
        self.child.wait()


def again(sshd: Sshd) -> Sshd:
    """The same server once more, after it was killed."""
    words = ["/usr/sbin/sshd", "-D", "-e", "-f", str(sshd.home / "config")]
    with (sshd.home / "log").open("ab") as log:
        child = subprocess.Popen(words, stderr=log)
    _await(sshd.home, sshd.port)
    return replace(sshd, child=child)


def _await(home: Path, port: int) -> None:
    """Wait until a server answers."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.01)
    raise AssertionError((home / "log").read_text())


def descendants(pid: int) -> list[int]:
    """The numbers of all that came from `pid`."""
    children = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(pid)], check=False, capture_output=True, text=True
    ).stdout.split()
    return [number for child in map(int, children) for number in (child, *descendants(child))]


Serve = Callable[..., Sshd]


@pytest.fixture(scope="session")
def serve() -> Iterator[Serve]:
    """Starts a server with lines of configuration that count for more than its own, for `user`.

    Its login shell may be another, `shell`, and so may its password, with which it then logs in.
    """
    if shutil.which("sshd") is None and not Path("/usr/sbin/sshd").exists():
        pytest.skip("not run: no sshd here")
    with tempfile.TemporaryDirectory(prefix="clinic-sshd-") as top:
        Path(top).chmod(0o755)
        started: list[Sshd] = []

        def serve(*lines: str, user: str = ME, shell: str = "", password: str = "") -> Sshd:
            started.append(start(Path(tempfile.mkdtemp(dir=top)), lines, user, shell, password))
            return started[-1]

        yield serve
        for one in started:
            one.kill()


def _with_account(home: Path, user: str, shell: str, password: str, words: list[str]) -> list[str]:
    """The words, run where `user` has another shell or password: in a namespace with lists of accounts of its own."""
    if os.geteuid() != 0:
        pytest.skip("only root can play several users")
    changed = {"passwd": (6, shell), "shadow": (1, _hashed(password))}
    mounts: list[str] = []
    for name, (place, value) in changed.items():
        if value:
            lines = [line.split(":") for line in Path("/etc", name).read_text().splitlines()]
            lines = [
                [*line[:place], value, *line[place + 1 :]] if line[0] == user else line for line in lines
            ]
            (home / name).write_text("".join(":".join(line) + "\n" for line in lines))
            mounts.append(f"mount --bind {home}/{name} /etc/{name}")
    script = " && ".join([*mounts, 'exec "$@"'])
    return ["unshare", "--mount", "sh", "-c", script, "sh", *words]


def _hashed(password: str) -> str:
    """As crypt(5) has it."""
    if shutil.which("openssl") is None:
        pytest.skip("not run: this machine has no openssl")
    words = ["openssl", "passwd", "-6", "-stdin"]
    done = subprocess.run(words, input=password, capture_output=True, text=True, check=True)
    return done.stdout.strip() if password else ""


def start(home: Path, lines: tuple[str, ...], user: str, shell: str = "", password: str = "") -> Sshd:
    """Start a server in `home`; `Sshd.kill` ends it."""
    home.chmod(0o755)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    for name in ("host_key", "user_key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(home / name)], check=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    shutil.copy(home / "user_key.pub", home / "authorized_keys")
    (home / "known_hosts").write_text(f"[127.0.0.1]:{port} {(home / 'host_key.pub').read_text()}")
    (home / "config").write_text(
        # The first value counts.
        "".join(f"{line}\n" for line in ("PasswordAuthentication yes", *lines)[0 if password else 1 :])
        + f"ListenAddress 127.0.0.1\nPort {port}\nHostKey {home}/host_key\nAuthorizedKeysFile {home}/authorized_keys\n"
        f"AllowUsers {user}\nPermitRootLogin prohibit-password\nPasswordAuthentication no\n"
        "KbdInteractiveAuthentication no\nUsePAM no\nStrictModes no\nPidFile none\nPrintMotd no\n"
        "MaxStartups 100\n"
    )
    log = (home / "log").open("wb")
    words = ["/usr/sbin/sshd", "-D", "-e", "-f", str(home / "config")]
    other = bool(shell or password)
    child = subprocess.Popen(
        _with_account(home, user, shell, password, words) if other else words, stderr=log
    )
    log.close()
    try:
        _await(home, port)
    except AssertionError:
        child.kill()
        child.wait()
        raise
    return Sshd(home, port, child, user)
