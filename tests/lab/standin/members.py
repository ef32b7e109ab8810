"""The members of the stand-in cluster: what each is called, where it listens, where its files are.

Names of directories, ports and log files are those of TiUP (pingcap/tiup, `pkg/cluster/spec`); the addresses are
those of the recordings, in another network 127.N where a cluster with them is up already.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class Kind:
    """What all instances of a component have in common."""

    component: str
    """Its name."""

    role: str
    """What TiUP calls it in names of directories and in lists of instances."""

    program: str
    """Its executable, from the deploy directory."""

    usual: Mapping[str, int]
    """The ports that it listens on unless told otherwise, by purpose."""

    dir_port: int
    """The port in the names of its directories."""

    logs: tuple[str, ...]
    """Its log files, the main one first."""

    configs: tuple[str, ...]
    """Its configuration files."""

    has_data: bool = True
    """Whether it has a data directory."""


KINDS: Mapping[str, Kind] = {
    kind.component: kind
    for kind in (
        Kind(
            "pd",
            "pd",
            "bin/pd-server",
            {"client": 2379, "peer": 2380},
            2379,
            ("pd.log", "pd_stderr.log"),
            ("pd.toml",),
        ),
        Kind(
            "tidb",
            "tidb",
            "bin/tidb-server",
            {"client": 4000, "status": 10080},
            4000,
            ("tidb.log", "tidb_slow_query.log", "tidb_stderr.log"),
            ("tidb.toml",),
            has_data=False,
        ),
        Kind(
            "tikv",
            "tikv",
            "bin/tikv-server",
            {"client": 20160, "status": 20180},
            20160,
            ("tikv.log", "tikv_stderr.log"),
            ("tikv.toml",),
        ),
        Kind(
            "tiflash",
            "tiflash",
            "bin/tiflash/tiflash",
            {"client": 3930, "proxy": 20170, "status": 20292, "metrics": 8234},
            9000,
            ("tiflash.log", "tiflash_error.log", "tiflash_tikv.log", "tiflash_stderr.log"),
            ("tiflash.toml", "tiflash-learner.toml"),
        ),
        Kind(
            "tiproxy",
            "tiproxy",
            "bin/tiproxy",
            {"client": 6000, "status": 3080},
            6000,
            ("tiproxy.log",),
            ("tiproxy.toml",),
            has_data=False,
        ),
        Kind(
            "ticdc",
            "cdc",
            "bin/cdc",
            {"client": 8300},
            8300,
            ("cdc.log", "cdc_stderr.log"),
            ("cdc.toml",),
        ),
    )
}

RECORDED_HOSTS: Mapping[str, str] = {
    "pd-1": "127.0.1.1",
    "pd-2": "127.0.1.2",
    "pd-3": "127.0.1.3",
    "tidb-1": "127.0.4.1",
    "tidb-2": "127.0.4.2",
    "tikv-1": "127.0.2.1",
    "tikv-2": "127.0.2.2",
    "tikv-3": "127.0.2.3",
    "tiflash-1": "127.0.3.1",
    "tiproxy-1": "127.0.5.1",
    "ticdc-1": "127.0.6.1",
    "ticdc-2": "127.0.6.2",
}
"""Every member, and its address in the recordings."""


def component_of(name: str) -> str:
    """The component of the member called `name`."""
    return name.rpartition("-")[0]


def host_in(network: str, recorded: str) -> str:
    """The recorded address as it is in another network: `127.3`, or `100.67` on machines of their own."""
    return recorded.replace("127.0.", f"{network}.", 1)


@dataclasses.dataclass(frozen=True)
class Member:
    """One instance of the cluster."""

    name: str
    """Its name in the lab: `tikv-2`."""

    component: str
    """`pd`, `tidb`, `tikv`, `tiflash`, `tiproxy` or `ticdc`."""

    host: str
    """The address it listens on; a host of its own as far as TiUP's files say."""

    ports: Mapping[str, int]
    """Every port it listens on, by purpose."""

    root: Path
    """The directory of the whole cluster."""

    @property
    def kind(self) -> Kind:
        """What it has in common with the others of its component."""
        return KINDS[self.component]

    @property
    def recorded_host(self) -> str:
        """Its address in the recordings."""
        return RECORDED_HOSTS[self.name]

    @property
    def port(self) -> int:
        """The port for clients."""
        return self.ports["client"]

    @property
    def status_port(self) -> int:
        """The port of its HTTP API."""
        return self.ports.get("status", self.port)

    @property
    def address(self) -> str:
        """`host:port` for clients."""
        return f"{self.host}:{self.port}"

    @property
    def status_address(self) -> str:
        """`host:port` of its HTTP API."""
        return f"{self.host}:{self.status_port}"

    @property
    def folder(self) -> str:
        """The last part of its directories, as `tikv-20160`; a port that is not the usual one shows in it."""
        usual = self.kind.usual["client"]
        return f"{self.kind.role}-{self.kind.dir_port if self.port == usual else self.port}"

    @property
    def deploy_dir(self) -> Path:
        """Where TiUP deployed it."""
        return self.root / self.host / "tidb-deploy" / self.folder

    @property
    def data_dir(self) -> Path | None:
        """Where its data is; none for those that keep nothing."""
        return self.root / self.host / "tidb-data" / self.folder if self.kind.has_data else None

    @property
    def log_dir(self) -> Path:
        """Where its logs are."""
        return self.deploy_dir / "log"

    @property
    def log(self) -> Path:
        """Its main log."""
        return self.log_dir / self.kind.logs[0]

    @property
    def logs(self) -> tuple[Path, ...]:
        """Its log files that are written to now, the main one first."""
        named = tuple(self.log_dir / name for name in self.kind.logs)
        return (
            (*named, self.data_dir / "rocksdb.info") if self.component == "tikv" and self.data_dir else named
        )
