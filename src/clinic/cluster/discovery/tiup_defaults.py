"""What TiUP can deploy: a row for each list of its topology, with the defaults that TiUP fills in.

Facts only. Sources: pingcap/tiup `pkg/cluster/spec/*.go` and `components/dm/spec/topology_dm.go` (lists, keys, ports),
`embed/templates/scripts/run_*.sh.tpl` and `embed/templates/config` (log files, configuration files).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Port = tuple[str, int]
"""The key of a port, and its default."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One list of TiUP's topology."""

    key: str
    """The list."""

    component: str
    """As the cluster's model calls it."""

    role: str
    """As TiUP calls it in directories, units and files."""

    port: Port
    """The port for clients."""

    main: Port | None = None
    """The port in the names of directories and units, where that is another."""

    status: Port | None = None
    """The port of its HTTP status API, where that is another."""

    more_ports: Mapping[str, Port] = field(default_factory=dict[str, Port])
    """Further ports, by what they are for."""

    data: bool = True
    """Whether it keeps data."""

    log_key: bool = True
    """Whether its log directory can be set."""

    logs: tuple[str, ...] = ()
    """Its log files."""

    configs: tuple[str, ...] = ()
    """Its files in `conf`."""

    secured: bool = True
    """Whether its servers speak TLS where the cluster's do."""

    version: str = ""
    """Its key in `component_versions`."""

    follows: bool = True
    """Whether it has the cluster's version where that key is not given."""


def _service(key: str, role: str, version: str) -> Kind:
    """A microservice of PD."""
    logs = (f"{role}.log", f"{role}_stderr.log")
    return Kind(key, role, role, ("port", 3379), logs=logs, configs=(f"{role}.toml",), version=version)


_SHARED = (
    Kind(
        "monitoring_servers", "prometheus", "prometheus", ("port", 9090),
        logs=("prometheus.log",), configs=("prometheus.yml",), secured=False, version="prometheus", follows=False,
    ),
    Kind(
        "grafana_servers", "grafana", "grafana", ("port", 3000), data=False, log_key=False,
        logs=("grafana.log",), configs=("grafana.ini",), secured=False, version="grafana", follows=False,
    ),
    Kind(
        "alertmanager_servers", "alertmanager", "alertmanager", ("web_port", 9093),
        more_ports={"peer": ("cluster_port", 9094)},
        logs=("alertmanager.log",), configs=("alertmanager.yml",), secured=False, version="alertmanager", follows=False,
    ),
)  # fmt: skip
"""Monitoring, the same in both. Prometheus, Grafana and Alertmanager have versions of their own."""

TIDB_KINDS: tuple[Kind, ...] = (
    Kind(
        "pd_servers", "pd", "pd", ("client_port", 2379), more_ports={"peer": ("peer_port", 2380)},
        logs=("pd.log", "pd_stderr.log"), configs=("pd.toml",), version="pd",
    ),
    _service("tso_servers", "tso", "tso"),
    _service("scheduling_servers", "scheduling", "scheduling"),
    _service("resource_manager_servers", "resource-manager", "resource_manager"),
    _service("router_servers", "router", "router"),
    Kind(
        "tidb_servers", "tidb", "tidb", ("port", 4000), status=("status_port", 10080), data=False,
        logs=("tidb.log", "tidb_slow_query.log", "tidb_stderr.log"), configs=("tidb.toml",), version="tidb",
    ),
    Kind(
        "tikv_servers", "tikv", "tikv", ("port", 20160), status=("status_port", 20180),
        logs=("tikv.log", "tikv_stderr.log"), configs=("tikv.toml",), version="tikv",
    ),
    Kind(
        "tiflash_servers", "tiflash", "tiflash", ("flash_service_port", 3930), main=("tcp_port", 9000),
        status=("flash_proxy_status_port", 20292),
        more_ports={
            "tcp": ("tcp_port", 9000), "http": ("http_port", 8123), "proxy": ("flash_proxy_port", 20170),
            "metrics": ("metrics_port", 8234),
        },
        logs=("tiflash.log", "tiflash_error.log", "tiflash_tikv.log", "tiflash_stderr.log"),
        configs=("tiflash.toml", "tiflash-learner.toml"), version="tiflash",
    ),
    Kind(
        "tiproxy_servers", "tiproxy", "tiproxy", ("port", 6000), status=("status_port", 3080),
        data=False, log_key=False, logs=("tiproxy.log",), configs=("tiproxy.toml",), version="tiproxy", follows=False,
    ),
    Kind(
        "cdc_servers", "ticdc", "cdc", ("port", 8300),
        logs=("cdc.log", "cdc_stderr.log"), configs=("cdc.toml",), version="cdc",
    ),
    Kind(
        "kvcdc_servers", "tikv-cdc", "tikv-cdc", ("port", 8600),
        logs=("tikv-cdc.log", "tikv-cdc_stderr.log"), configs=("tikv-cdc.toml",), version="kvcdc", follows=False,
    ),
    Kind(
        "tikv_worker_servers", "tikv-worker", "tikv-worker", ("port", 19000),
        logs=("tikv_worker.log", "tikv_worker_stderr.log"), configs=("tikv-worker.toml",), version="tikv_worker",
    ),
    Kind(
        "tici_meta_servers", "tici-meta", "tici-meta", ("port", 8500), status=("status_port", 8501),
        logs=("tici-meta.log", "tici-meta_stderr.log"), configs=("tici-meta.toml",), secured=False, version="tici_meta",
    ),
    Kind(
        "tici_worker_servers", "tici-worker", "tici-worker", ("port", 8510), status=("status_port", 8511),
        logs=("tici-worker.log", "tici-worker_stderr.log"), configs=("tici-worker.toml",), secured=False,
        version="tici_worker",
    ),
    Kind(
        "tidb_dashboard_servers", "tidb-dashboard", "tidb-dashboard", ("port", 12333),
        logs=("tidb_dashboard.log", "tidb_dashboard_stderr.log"), configs=("tidb-dashboard.toml",), secured=False,
        version="tidb_dashboard",
    ),
    Kind(
        "pump_servers", "pump", "pump", ("port", 8250),
        logs=("pump.log", "pump_stderr.log"), configs=("pump.toml",), version="pump",
    ),
    Kind(
        "drainer_servers", "drainer", "drainer", ("port", 8249),
        logs=("drainer.log", "drainer_stderr.log"), configs=("drainer.toml",), version="drainer",
    ),
    Kind(
        "tispark_masters", "tispark-master", "tispark-master", ("port", 7077), status=("web_port", 8080),
        data=False, log_key=False, secured=False, follows=False,
    ),
    Kind(
        "tispark_workers", "tispark-worker", "tispark-worker", ("port", 7078), status=("web_port", 8081),
        data=False, log_key=False, secured=False, follows=False,
    ),
    *_SHARED,
)  # fmt: skip
"""The lists of a TiDB cluster."""

DM_KINDS: tuple[Kind, ...] = (
    Kind(
        "master_servers", "dm-master", "dm-master", ("port", 8261), more_ports={"peer": ("peer_port", 8291)},
        logs=("dm-master.log", "dm-master_stderr.log"), configs=("dm-master.toml",),
    ),
    Kind(
        "worker_servers", "dm-worker", "dm-worker", ("port", 8262),
        logs=("dm-worker.log", "dm-worker_stderr.log"), configs=("dm-worker.toml",),
    ),
    *_SHARED,
)  # fmt: skip
"""The lists of a DM cluster."""
