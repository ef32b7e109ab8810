"""A cluster as Clinic sees it: machines, the instances on them, and what could not be learned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from clinic.client.tls import Tls
from clinic.kinds import Role

ROLES: Mapping[str, frozenset[Role]] = {
    "tidb": frozenset({Role.SQL}),
    "mysql": frozenset({Role.SQL}),
    "mariadb": frozenset({Role.SQL}),
    "pd": frozenset({Role.PLACEMENT}),
    "etcd": frozenset({Role.PLACEMENT}),
    "tso": frozenset({Role.PLACEMENT}),
    "scheduling": frozenset({Role.PLACEMENT}),
    "resource-manager": frozenset({Role.PLACEMENT}),
    "router": frozenset({Role.PLACEMENT}),
    "tikv": frozenset({Role.STORAGE}),
    "tiflash": frozenset({Role.STORAGE}),
    "ticdc": frozenset({Role.REPLICATION}),
    "tikv-cdc": frozenset({Role.REPLICATION}),
    "dm-master": frozenset({Role.REPLICATION}),
    "dm-worker": frozenset({Role.REPLICATION}),
    "pump": frozenset({Role.REPLICATION}),
    "drainer": frozenset({Role.REPLICATION}),
    "tiproxy": frozenset({Role.PROXY}),
    "prometheus": frozenset({Role.METRICS}),
    "victoria-metrics": frozenset({Role.METRICS}),
    "ng-monitoring": frozenset({Role.METRICS}),
    "alertmanager": frozenset({Role.ALERTS}),
    "grafana": frozenset({Role.DASHBOARD}),
    "tidb-dashboard": frozenset({Role.DASHBOARD}),
    "node_exporter": frozenset({Role.EXPORTER}),
    "blackbox_exporter": frozenset({Role.EXPORTER}),
}
"""What each component is good for; one that is not here has the role `other`."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A host of the cluster: how it is called and how it is reached."""

    name: str
    """The address or name that the topology uses; the bundle's folder for it."""

    local: bool = False
    """Whether it is the machine that Clinic runs on."""

    login: Mapping[str, str] = field(default_factory=dict[str, str])
    """How to log in (`user`, `port`, `key`, `address`), empty for the defaults of the user's own SSH; and how TiUP does
    (`executor`: `none`, `system` or `builtin`; `client`: its program for `system`)."""


@dataclass(frozen=True, slots=True)
class Instance:
    """One component at a host and port, with everything that discovery learned about it."""

    component: str
    """`tidb`, `pd`, `tikv`, `prometheus`, ..."""

    host: str
    """Name of its machine."""

    port: int
    """The port it serves its clients on; 0 when that is unknown."""

    status_port: int = 0
    """The port of its HTTP status API where that is another; 0 when it has none or it is unknown."""

    version: str = ""
    """As its topology or package says; empty when unknown."""

    tls: bool = False
    """Whether its servers speak TLS."""

    pid: int = 0
    """Its process, on a machine where that was looked at; 0 when it does not run or was not looked at."""

    started: float = 0.0
    """When its process started, seconds since 1970 by its host's clock; 0 when that is unknown."""

    user: str = ""
    """Account that it runs as."""

    binary: str = ""
    """Its executable. Never run as root."""

    argv: tuple[str, ...] = ()
    """Its command line, credentials masked."""

    unit: str = ""
    """The systemd unit that keeps it."""

    container: str = ""
    """The container that it runs in and we do not: its paths and perhaps its ports are not those of the host."""

    deploy_dir: str = ""
    """Where it is installed."""

    data_dirs: tuple[str, ...] = ()
    """Where its data are."""

    log_dir: str = ""
    """Where its logs are."""

    config_files: tuple[str, ...] = ()
    """Its configuration files."""

    log_files: tuple[str, ...] = ()
    """Log files that it was seen or told to write."""

    extra: Mapping[str, str] = field(default_factory=dict[str, str])
    """What only this component has: PD's name, labels, further ports."""

    own_id: str = ""
    """Its id where others at the same port of its host have another address; empty where host and port are enough."""

    @property
    def id(self) -> str:
        """Unique in the cluster and fit for a path: `10.0.1.5-4000`, or with the component when it has no port."""
        if self.own_id:
            return self.own_id
        return f"{self.host}-{self.port}" if self.port else f"{self.host}-{self.component}-{self.pid}"

    @property
    def roles(self) -> frozenset[Role]:
        """What it is good for."""
        return ROLES.get(self.component, frozenset({Role.OTHER}))


@dataclass(frozen=True, slots=True)
class Cluster:
    """What is diagnosed."""

    name: str
    """As its deployment calls it; the host name for a single machine."""

    deployed: str
    """How it was found: `tiup`, `manual`, `local`."""

    machines: tuple[Machine, ...]
    """Its hosts, each once."""

    instances: tuple[Instance, ...] = ()
    """Everything that runs, or should run, on them."""

    id: str = ""
    """The cluster's UUID; empty when nobody could say."""

    version: str = ""
    """The product's version; empty when nobody could say."""

    unknown: tuple[str, ...] = ()
    """What discovery could not learn, a sentence each."""

    differences: tuple[str, ...] = ()
    """Where two sources disagree, a sentence each; both are kept."""

    tls: Tls = field(default_factory=Tls)
    """The files that its servers are spoken to with where they speak TLS, as far as they came with it."""

    def machine(self, name: str) -> Machine:
        """The machine called `name`. Raises KeyError."""
        return {machine.name: machine for machine in self.machines}[name]
