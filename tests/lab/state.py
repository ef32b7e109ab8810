"""What a running lab is: its servers, who holds them, and the file that says so (`lab.json`)."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

STATE_FILE = "lab.json"
FORMAT = 1


class LabError(Exception):
    """The lab can't do what was asked; the text says what happened and where to look."""


class NotHere(LabError):
    """A server that can't be had on this machine; the text is the reason, and it is stable."""


@dataclasses.dataclass(frozen=True)
class Identity:
    """One process, told from any later one that is given the same pid."""

    pid: int
    """Its process id."""

    started: str
    """The boot it belongs to and its start in clock ticks after that boot (proc(5), `stat`, field 22)."""

    @classmethod
    def of(cls, pid: int) -> Identity:
        """The identity of the process that has `pid` now, even if it just ended and nobody waited for it yet.

        Raises `LabError` when there is none.
        """
        started, _state = _look(pid)
        if not started:
            raise LabError(f"there is no process {pid}")
        return cls(pid, started)

    def alive(self) -> bool:
        """Whether this very process still runs (a zombie does not)."""
        started, state = _look(self.pid)
        return started == self.started and state not in "ZX"


@dataclasses.dataclass(frozen=True)
class Server:
    """One server of the lab, as it runs."""

    name: str
    """Its name in the lab: `prometheus`, `mariadb`."""

    process: Identity
    """The server's main process."""

    user: str
    """The account it runs as."""

    argv: tuple[str, ...]
    """Its command line."""

    host: str
    """The address it listens on."""

    port: int
    """The port that clients use."""

    ports: Mapping[str, int]
    """Every port it listens on, by purpose; `client` is `port`."""

    url: str
    """The address in the form that its clients know."""

    config: Path | None
    """Its configuration file; none where the command line is all there is."""

    data: Path | None
    """Its data directory; none where it keeps nothing."""

    log: Path
    """What it logs."""

    credentials: Mapping[str, str]
    """Names and passwords made for this lab alone."""

    files: Mapping[str, Path]
    """What a client needs: a CA certificate, a key, a client's configuration."""

    holder: int = 0
    """The process that holds the machine of its own that it runs on; 0 when it runs on this one."""


@dataclasses.dataclass(frozen=True)
class Missing:
    """A server that the lab does without."""

    name: str
    """Its name in the lab."""

    reason: str
    """Why it can't be had here; stable, so that a list can name it."""


@dataclasses.dataclass(frozen=True)
class Lab:
    """A lab that is up."""

    directory: Path
    """Where `lab.json` is."""

    root: Path
    """Where the servers' own directories are: `directory`, or another that their accounts can enter."""

    supervisor: Identity
    """The process that started the servers and ends with them."""

    servers: tuple[Server, ...]
    """The servers that run."""

    missing: tuple[Missing, ...]
    """The servers that can't be had."""

    def server(self, name: str) -> Server:
        """The server called `name`; raises `NotHere` with the reason when the lab does without it."""
        for server in self.servers:
            if server.name == name:
                return server
        for absent in self.missing:
            if absent.name == name:
                raise NotHere(absent.reason)
        raise LabError(f"the lab has no server called {name}")

    @property
    def prometheus(self) -> Server:
        """Prometheus: scrapes all of the lab every second, and has rules that fire."""
        return self.server("prometheus")

    @property
    def alertmanager(self) -> Server:
        """Alertmanager: gets the alerts of Prometheus."""
        return self.server("alertmanager")

    @property
    def node_exporter(self) -> Server:
        """node_exporter of this machine."""
        return self.server("node_exporter")

    @property
    def victoria_metrics(self) -> Server:
        """VictoriaMetrics: scrapes node_exporter and itself."""
        return self.server("victoria_metrics")

    @property
    def mariadb(self) -> Server:
        """MariaDB with TLS; credentials `root_password`, `plain_user` and `plain_password`; file `ca`."""
        return self.server("mariadb")

    @property
    def etcd(self) -> Server:
        """A cluster of one etcd."""
        return self.server("etcd")

    @property
    def sshd(self) -> Server:
        """sshd for this account; `ssh -F` of the file `client_config` reaches the host `lab`."""
        return self.server("sshd")

    def alive(self) -> bool:
        """Whether everything that was started still runs."""
        return self.supervisor.alive() and all(server.process.alive() for server in self.servers)

    def to_json(self) -> str:
        """The text of `lab.json`."""
        fields = {"format": FORMAT, **dataclasses.asdict(self)}
        return json.dumps(fields, indent=2, default=os.fspath) + "\n"

    def save(self) -> None:
        """Writes `lab.json` at once or not at all; only its owner can read it."""
        temporary = self.directory / (STATE_FILE + ".tmp")
        temporary.unlink(missing_ok=True)
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(self.to_json())
        temporary.rename(self.directory / STATE_FILE)


def load(directory: Path) -> Lab | None:
    """The lab that `lab.json` in `directory` names, running or not; None when there is no such file.

    Raises `LabError` when the file is not one that this version wrote.
    """
    path = directory / STATE_FILE
    try:
        raw = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise LabError(f"{path} is not JSON: {error}") from error
    try:
        if raw["format"] != FORMAT:
            raise LabError(f"{path} has format {raw['format']}, not {FORMAT}; stop it with its own version")
        return _lab(directory, raw)
    except (KeyError, TypeError) as error:
        raise LabError(f"{path} is not a lab's state: {error!r}") from error


def _lab(directory: Path, raw: Mapping[str, Any]) -> Lab:
    return Lab(
        directory=directory,
        root=Path(raw["root"]),
        supervisor=Identity(**raw["supervisor"]),
        servers=tuple(_server(entry) for entry in raw["servers"]),
        missing=tuple(Missing(**entry) for entry in raw["missing"]),
    )


def _server(raw: Mapping[str, Any]) -> Server:
    changed: dict[str, Any] = {
        "process": Identity(**raw["process"]),
        "argv": tuple(raw["argv"]),
        "config": Path(raw["config"]) if raw["config"] else None,
        "data": Path(raw["data"]) if raw["data"] else None,
        "log": Path(raw["log"]),
        "files": {name: Path(path) for name, path in raw["files"].items()},
    }
    return Server(**{**raw, **changed})


def _look(pid: int) -> tuple[str, str]:
    """When the process started and its state letter; two empty strings when there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return "", ""
    # The second field, the name, is in parentheses and may hold anything; nothing after it does.
    state, *rest = stat.rpartition(")")[2].split()
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot}/{rest[18]}", state
