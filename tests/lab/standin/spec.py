"""What everybody has to know of a stand-in cluster, and the file that says it: `cluster.json`."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.lab.options import Options
from tests.lab.standin.faults import FAULTS
from tests.lab.standin.members import Member

CLUSTER_NAME = "lab"
VERSION = "v8.5.3"
"""What TiUP deployed. PD says another version of itself: it is the one that was recorded."""

CLUSTER_ID = "7711561198171339666"
"""The id that the recorded PD was given."""

SPEC_FILE = "cluster.json"


@dataclasses.dataclass(frozen=True)
class Spec:
    """One stand-in cluster."""

    root: Path
    """Its directory."""

    account: str
    """The account that its processes run as."""

    network: str
    """The first half of its addresses."""

    members: tuple[Member, ...]
    """Its instances."""

    options: Options
    """What was chosen for it."""

    credentials: Mapping[str, str]
    """`user`, `password` of one who may do everything; `plain_user`, `plain_password` of one without privileges."""

    monitoring: Mapping[str, str]
    """`host:port` of the lab's Prometheus and Alertmanager, as far as there are any."""

    ssh_port: int
    """The port that TiUP's files give for ssh."""

    started: float
    """When it was made, in seconds since 1970."""

    def member(self, name: str) -> Member:
        """The instance called `name`; raises KeyError."""
        for member in self.members:
            if member.name == name:
                return member
        raise KeyError(name)

    def of(self, component: str) -> tuple[Member, ...]:
        """The instances of a component."""
        return tuple(member for member in self.members if member.component == component)

    @property
    def pd_endpoints(self) -> str:
        """PD's addresses, as they stand in command lines."""
        return ",".join(member.address for member in self.of("pd"))

    @property
    def scheme(self) -> str:
        """What its HTTP APIs speak."""
        return "https" if self.options.tls else "http"

    @property
    def tiup_home(self) -> Path:
        """What TIUP_HOME is for this cluster."""
        return self.root / ".tiup"

    @property
    def tls_dir(self) -> Path:
        """Certificates and keys: `ca.crt`, `server.crt`, `server.pem`, `client.crt`, `client.pem`."""
        return self.root / "tls"

    @property
    def faults_dir(self) -> Path:
        """Where a file says which fault an instance has."""
        return self.root / FAULTS

    def access_log(self, member: Member) -> Path:
        """What an instance was asked, a JSON object a line."""
        return self.root / "access" / f"{member.name}.jsonl"

    def save(self) -> None:
        """Writes `cluster.json`; only its owner can read it."""
        text = json.dumps(dataclasses.asdict(self), indent=2, default=os.fspath) + "\n"
        path = self.root / SPEC_FILE
        path.touch(mode=0o600)
        path.write_text(text)


def load_spec(root: Path) -> Spec:
    """The cluster in the directory `root`; raises OSError where there is none."""
    raw: dict[str, Any] = json.loads((root / SPEC_FILE).read_text())
    changed: dict[str, Any] = {
        "root": Path(raw["root"]),
        "members": tuple(_member(each) for each in raw["members"]),
        "options": Options(**raw["options"]),
    }
    return Spec(**{**raw, **changed})


def _member(raw: dict[str, Any]) -> Member:
    return Member(raw["name"], raw["component"], raw["host"], raw["ports"], Path(raw["root"]))
