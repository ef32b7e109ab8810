"""How the machines of a cluster are reached: this one directly, every other over SSH."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from clinic import home
from clinic.bundle.manifest import Option
from clinic.cluster.model import Machine
from clinic.errors import Failed, ItemError, Refused, Retryable
from clinic.host.base import Host
from clinic.host.local import LocalHost
from clinic.host.ssh.askpass import Asker, Person
from clinic.host.ssh.command_line import Login
from clinic.host.ssh.connection import SHELLS
from clinic.host.ssh.directory import make
from clinic.host.ssh.host import SSHHost
from clinic.host.ssh.hostkeys import Scanned, accept, scan
from clinic.host.ssh.node_load import MAX_LOAD, Thresholds
from clinic.host.ssh.traffic import Bucket, HostMeter
from clinic.outcome import Reason
from clinic.secret import Secret, SecretRegister

AskKeys = Callable[[Sequence[Scanned]], bool]
"""Shows the keys of machines that are not known, and asks whether they are right."""

LOCAL_EXECUTOR = "none"
"""TiUP's word for a cluster whose instances are all on the machine that TiUP runs on."""

_DESCRIPTORS = 512
"""File descriptors for everything but SSH."""

AT_ONCE = 16
"""Logins at once: more of them at one bastion are turned away (MaxStartups of sshd)."""


@dataclass(frozen=True)
class Ssh:
    """What the command line says of logins; kept in the bundle, so that a resumed run logs in the same way."""

    user: str = ""
    """Account, instead of the one that TiUP deployed with."""

    key: str = ""
    """File with a private key, instead of TiUP's."""

    port: str = ""
    """Port of sshd, instead of the one in the topology."""

    options: tuple[str, ...] = ()
    """Further options of ssh, `Name=value`."""

    known_hosts: tuple[str, ...] = ()
    """Files with host keys besides the user's and the system's."""

    limit: int | None = None
    """Bytes a second over SSH, of all hosts together; None for as fast as it goes."""

    max_load: float = MAX_LOAD
    """Load for each processor of a node past which nothing is begun on it."""

    def values(self) -> dict[str, Option]:
        """As the journal and the manifest hold it."""
        return {
            "ssh_user": self.user, "ssh_key": self.key, "ssh_port": self.port, "ssh_options": self.options,
            "known_hosts": self.known_hosts, "limit": self.limit, "max_load": self.max_load,
        }  # fmt: skip

    @classmethod
    def of(cls, values: Mapping[str, Option]) -> Ssh:
        """What `values()` gave, read back; what an older bundle does not say is left to ssh's own configuration."""
        texts = {name: str(values.get(name) or "") for name in ("ssh_user", "ssh_key", "ssh_port")}
        several = {name: values.get(name) for name in ("ssh_options", "known_hosts")}
        options, known = (one if isinstance(one, tuple) else () for one in several.values())
        limit = values.get("limit")
        return cls(
            texts["ssh_user"], texts["ssh_key"], texts["ssh_port"], options, known,
            int(str(limit)) if limit is not None else None, float(str(values.get("max_load") or MAX_LOAD)),
        )  # fmt: skip

    def login(self, machine: Machine) -> Login:
        """How to log in at `machine`: what was said counts for more than the topology."""
        told = machine.login
        return Login(
            machine.name,
            address=told.get("address", ""),
            client=told.get("client", "") or "ssh",
            user=self.user or told.get("user", ""),
            port=self.port or told.get("port", ""),
            key=self.key or told.get("key", ""),
            key_only=bool(self.key),
            options=self.options,
            known_hosts=(*self.known_hosts, str(own_known_hosts())),
        )

    def barred(self, machine: Machine) -> bool:
        """Whether TiUP reaches it without SSH, it is another machine, and nobody said how to log in there."""
        said = self.user or self.key or self.port or self.options
        return machine.login.get("executor") == LOCAL_EXECUTOR and not (machine.local or said)

    def way(self, machine: Machine) -> str:
        """How `machine` is reached, as the end of a sentence about it."""
        executor = machine.login.get("executor", "")
        tiup = f" (ssh_type of TiUP: {executor})" if executor else ""
        if machine.local:
            return f"directly, since it is this machine{tiup}"
        if self.barred(machine):
            return f"not at all: TiUP uses no SSH{tiup}, and it is not this machine"
        login = self.login(machine)
        words = [f"as {login.user}"] if login.user else []
        words += [f"port {login.port}"] if login.port else []
        words += [f"key {login.key}"] if login.key else []
        words += [f"program {login.client}"] if login.client != "ssh" else []
        return f"over SSH {', '.join(words) or 'as ssh is configured'}{tiup}"


def own_known_hosts() -> Path:
    """Clinic's own file of host keys that a person has accepted."""
    return home.state_dir() / "known_hosts"


@dataclass(frozen=True)
class People:
    """Who can be asked while the doors are opened."""

    keys: AskKeys
    """Whether unknown host keys are right."""

    secret: Person
    """A password or a passphrase."""


class Reach:
    """Opens the doors of one run; `close` it last."""

    def __init__(self, ssh: Ssh, secrets: SecretRegister, people: People | None = None) -> None:
        """`secrets` learns what a person answers."""
        self._ssh = ssh
        self._secrets = secrets
        self._people = people
        self._asker: Asker | None = None
        self._bucket = Bucket(ssh.limit)
        self._lock = threading.Lock()
        self._directory: Path | None = None

    def open_all(self, machines: Sequence[Machine], open_one: Callable[[str], Host]) -> None:
        """Open the doors to these machines side by side; what can't be opened says so to each of its items.

        Whoever can be asked is asked now, in this thread: about host keys first, then for passwords.
        """
        others = [machine for machine in machines if not (machine.local or self._ssh.barred(machine))]
        if others and self._people is not None:
            self._learn_keys(others, self._people)
            with suppress(OSError, ItemError):  # Without a place for it nobody is asked.
                self._asker = Asker(self._sockets(), self._secret)

        _raise_descriptors(len(others))

        def attempt(machine: Machine) -> None:
            with suppress(ItemError):  # Kept where doors are kept, and raised again for each item.
                open_one(machine.name)

        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="clinic-login") as pool:
            logins = [pool.submit(attempt, machine) for machine in machines]
            if self._asker is not None:
                self._asker.attend(lambda: all(login.done() for login in logins))
        for login in logins:
            login.result()

    def _secret(self, question: str) -> Secret | None:
        answer = self._people.secret(question) if self._people is not None else None
        if answer is not None:
            self._secrets.learn(answer, source="SSH")
        return answer

    def _learn_keys(self, machines: Sequence[Machine], people: People) -> None:
        """Gather the keys of machines that nobody knows yet, and keep those that a person accepts."""
        scanned = [one for one in scan([self._ssh.login(machine) for machine in machines]) if not one.known]
        if scanned and people.keys(scanned):
            try:
                accept([key for one in scanned for key in one.keys], own_known_hosts())
            except OSError as error:
                raise Refused(
                    f"the host keys can't be kept in {own_known_hosts()}: {error.strerror}",
                    hint="see whose that directory is, or name another with CLINIC_HOME",
                ) from error

    def open(self, machine: Machine) -> Host:
        """The door to a machine. Raises `Failed`, `Retryable`, `Skip`."""
        if machine.local:
            return LocalHost(machine.name)
        if self._ssh.barred(machine):
            address = machine.login.get("address", machine.name)
            raise Failed(
                Reason.UNREACHABLE,
                f"TiUP reaches {machine.name} without SSH (ssh_type: none), and {address} is not this machine's",
                fix="run Clinic on that machine, or say how to log in there: --ssh-user, --ssh-key",
            )
        login = self._ssh.login(machine)
        if self._asker is not None:
            login = replace(login, prompts=True, environment=self._asker.environment)
        return SSHHost(login, self._sockets, HostMeter(self._bucket), Thresholds(self._ssh.max_load))

    def _sockets(self) -> Path:
        with self._lock:
            if self._directory is None:
                try:
                    self._directory = make()
                except OSError as error:
                    raise Retryable(
                        Reason.READ_ERROR, f"no directory for control sockets: {error}"
                    ) from error
            return self._directory

    def close(self) -> None:
        """Remove the directory of control sockets. Safe to call twice."""
        if self._asker is not None:
            self._asker.close()
        with self._lock:
            directory, self._directory = self._directory, None
        if directory is not None:
            shutil.rmtree(directory, ignore_errors=True)


def _raise_descriptors(hosts: int) -> None:
    """Have room for the pipes of every shell on every host, as far as the system lets us (setrlimit(2))."""
    import resource  # collecting is for Unix; reading a bundle must work without it

    wanted = _DESCRIPTORS + hosts * SHELLS * 4
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
