"""The sshd of a machine of the lab: who may log in, and what is special about the machine."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.lab.machines import kinds
from tests.lab.machines.clock import clock
from tests.lab.machines.network import obstacle, on_machine
from tests.lab.program import Launch, NotReady, Place, Program, Tool, tool
from tests.lab.sshd import PRIVILEGE_SEPARATION
from tests.lab.standin.members import host_in
from tests.lab.standin.programs import SharedCluster
from tests.lab.standin.tiup import cluster_folder
from tests.lab.state import LabError, Server

FOLDER = "machines"
"""The directory of all machines in the lab; each has one with its name in it."""

SSH_PORT = 22
BANNER = "This machine belongs to the lab.\nAll you do is logged.\n"
SUDOERS = """\
Defaults env_reset, mail_badpass, use_pty, secure_path="/usr/sbin:/usr/bin:/sbin:/bin"
root ALL=(ALL:ALL) ALL
@includedir /etc/sudoers.d
"""
BASHRC = "echo 'welcome, and mind the step'\necho 'quota: 12 % used' >&2\n"


class MachineSshd(Program):
    """sshd on one machine; it is root's, and lets the account `tidb` in with the cluster's key."""

    tools = (
        Tool("sshd", ("openssh-server",)),
        Tool("ssh-keygen", ("openssh-client",)),
        Tool("busybox", ("busybox-static", "busybox")),
        Tool("faketime", ("faketime",)),
        Tool("ip", ("iproute2",)),
        Tool("iptables", ("iptables",)),
        Tool("bash", ("bash",)),
        Tool("sudo", ("sudo",)),
    )
    folder = FOLDER
    sees_mounts = True

    def __init__(self, machine: str, cluster: SharedCluster) -> None:
        self.machine = machine
        self.name = f"ssh-{machine}"
        self._cluster = cluster
        self._holder = 0

    def host(self, network: str) -> str:
        """The address of the machine."""
        return host_in(network, kinds.ADDRESSES[self.machine])

    def usual_ports(self) -> dict[str, int]:
        """The port of ssh: nobody else is on this machine."""
        return {"client": SSH_PORT}

    def obstacle(self) -> str | None:
        """Whether there can be machines at all."""
        return obstacle()

    def prepare(self, place: Place) -> Launch:
        spec = self._cluster.spec(place)
        self._holder = place.holder
        PRIVILEGE_SEPARATION.mkdir(mode=0o755, exist_ok=True)
        place.home.chmod(0o755)  # the account of the machines has to pass
        home = place.home / self.machine
        (home / "home").mkdir(parents=True)
        key = home / "host_key"
        place.run([tool("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-C", "clinic lab", "-f", str(key)])
        allowed = (cluster_folder(spec) / "ssh/id_rsa.pub").read_text()
        (home / "authorized_keys").write_text(allowed)
        _copy(self.binary(), home / "sshd")
        _accounts(home, kinds.account_id(place.host), busybox=self.machine == kinds.BUSYBOX)
        _sudoers(home)
        config = home / "sshd_config"
        config.write_text(_configuration(home, place.host, self.machine))
        _become(place, home, self.machine)
        return Launch(
            [str(home / "sshd"), "-D", "-e", "-f", str(config)],
            f"ssh://{kinds.ACCOUNT}@{place.address}",
            config=config,
            credentials={"user": kinds.ACCOUNT},
            files={
                "host_key": home / "host_key.pub",
                "user_key": cluster_folder(spec) / "ssh/id_rsa",
                "sudoers": home / "sudoers.d" / kinds.ACCOUNT,
            },
            log=home / "sshd.log",
        )

    def check(self, server: Server) -> None:
        """It says its banner, asked from the machine itself: one of them answers nobody else directly."""
        ask = f"exec 3<>/dev/tcp/{server.host}/{SSH_PORT}; head -c 8 <&3"
        try:
            said = on_machine(self._holder, [tool("bash"), "-c", ask], "--net")
        except (LabError, subprocess.TimeoutExpired) as error:
            raise NotReady(str(error)) from error
        if not said.startswith("SSH-2.0-"):
            raise NotReady(f"no SSH banner: {said!r}")


def _copy(program: str, target: Path) -> None:
    """By a command: a file that this process writes can't be run as long as another thread's child has it open."""
    subprocess.run([tool("cp"), program, str(target)], check=True, timeout=30)


def _accounts(home: Path, number: int, *, busybox: bool) -> None:
    """The machine's own lists of accounts: this machine's, and one more."""
    who = kinds.ACCOUNT
    shell = "/bin/sh" if busybox else "/bin/bash"
    lines = {
        "passwd": f"{who}:x:{number}:{number}::{home}/home:{shell}",
        "group": f"{who}:x:{number}:",
        "shadow": f"{who}:*:19000:0:99999:7:::",
    }
    for name, line in lines.items():
        others = [
            text for text in Path("/etc", name).read_text().splitlines() if not text.startswith(f"{who}:")
        ]
        target = home / name
        target.touch(mode=0o640 if name == "shadow" else 0o644)
        target.write_text("\n".join([*others, line, ""]))
    os.chown(home / "home", number, number)
    (home / "home").chmod(0o750)


def _sudoers(home: Path) -> None:
    """The machine's own rules of sudo, as Debian has them: nobody but root may do anything."""
    (home / "sudoers.d").mkdir(mode=0o755)
    (home / "sudoers").write_text(SUDOERS)
    (home / "sudoers").chmod(0o440)


def _configuration(home: Path, address: str, machine: str) -> str:
    chatty = ""
    if machine == kinds.CHATTY:
        (home / "banner").write_text(BANNER)
        (home / "home/.bashrc").write_text(BASHRC)
        chatty = f"Banner {home}/banner\nPrintMotd yes\n"
    clocks = [f"{name}={value}" for name, value in clock(machine).items()]
    skewed = f"SetEnv {' '.join(clocks)}\n" if clocks else ""
    return f"""\
ListenAddress {address}
Port {SSH_PORT}
HostKey "{home}/host_key"
AuthorizedKeysFile "{home}/authorized_keys"
AllowUsers {kinds.ACCOUNT}
AuthenticationMethods publickey
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
# The lab may be in a directory that others can write, such as /tmp.
StrictModes no
PidFile none
PrintLastLog no
Subsystem sftp internal-sftp
MaxStartups 100
LogLevel VERBOSE
{chatty}{skewed}"""


def _become(place: Place, home: Path, machine: str) -> None:
    """Makes the machine that which it is called after."""
    own = [
        f"mount --bind {home}/{name} /etc/{name}"
        for name in ("passwd", "group", "shadow", "sudoers", "sudoers.d")
    ]
    if machine == kinds.BUSYBOX:
        own += _only_busybox(home)
    if machine == kinds.BEHIND_JUMP:
        jump = host_in(place.network, kinds.ADDRESSES[kinds.JUMP])
        own += [f"iptables -A INPUT -p tcp --dport {SSH_PORT} ! -s {jump} ! -i lo -j REJECT"]
    if machine == kinds.LOSSY:
        own += ["iptables -A INPUT -i eth0 -m statistic --mode random --probability 0.01 -j DROP"]
    on_machine(place.holder, [tool("bash"), "-ec", "\n".join(own)], "--net", "--mount")


def _only_busybox(home: Path) -> list[str]:
    """Commands after which the machine's directories of programs hold busybox alone."""
    tools, none = home / "tools", home / "none"
    for directory in (tools, none):
        directory.mkdir()
    _copy(tool("busybox"), tools / "busybox")
    listed = subprocess.run([tool("busybox"), "--list"], check=True, capture_output=True, text=True)
    for name in listed.stdout.split():
        if name != "busybox":
            (tools / name).symlink_to("busybox")
    places = {
        os.path.realpath(each): none for each in ("/sbin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin")
    }
    places |= {os.path.realpath(each): tools for each in ("/bin", "/usr/bin")}
    # What hides the program `mount` comes last.
    return [f"mount --bind {directory} {each}" for each, directory in places.items()]


def sshds(cluster: SharedCluster) -> tuple[MachineSshd, ...]:
    """That of every machine."""
    return tuple(MachineSshd(name, cluster) for name in kinds.ADDRESSES)
