"""The components that are recognised by their processes: executables, ports, and which option says what.

Facts only, a row each. Their sources:

* TiDB's family: the start scripts of TiUP (pingcap/tiup, `embed/templates/scripts/run_*.sh.tpl`), its default
  ports (`pkg/cluster/spec`), and "Configuration Options" / "Configuration Flags" of each component on
  docs.pingcap.com; for TiKV the flags in tikv/tikv `cmd/tikv-server/src/main.rs`, for ng-monitoring
  pingcap/ng-monitoring `main.go`, for DM pingcap/tiflow `dm/master/config.go` and `dm/worker/config.go`,
  for TiDB Dashboard pingcap/tidb-dashboard `cmd/tidb-dashboard/main.go`.
* MySQL and MariaDB: "Server Option, System Variable, and Status Variable Reference", "Using Option Files".
* etcd: "Configuration options" on etcd.io. Prometheus, Alertmanager, exporters: their `--help`.
* VictoriaMetrics: "List of command-line flags". Grafana: "Grafana CLI", "Configure Grafana".
"""

from __future__ import annotations

from collections.abc import Mapping

from clinic.cluster.discovery.component_type import Component, Options

_LISTEN_EXTRA: Mapping[str, Options] = {"name": ("name",), "advertise": ("advertise-listen-addr",)}


def _service(name: str) -> Component:
    """A microservice of PD: the same program, the same options."""
    return Component(
        name=name,
        executables=("pd-server",),
        command=("services", name),
        ports=(3379,),
        family=True,
        client=("listen-addr",),
        data=("data-dir",),
        log_files=("log-file",),
        configs=("config",),
        tls=("cert",),
        extra={**_LISTEN_EXTRA, "pd": ("backend-endpoints",)},
    )


_TIDB_FAMILY = (
    Component(
        name="tidb",
        executables=("tidb-server",),
        ports=(4000,),
        family=True,
        client=("P",),
        bind=("host",),
        status=("status",),
        status_port=10080,
        log_files=("log-file", "log-slow-query", "log-general"),
        configs=("config",),
        extra={
            "advertise": ("advertise-address",),
            "path": ("path",),
            "store": ("store",),
            "socket": ("socket",),
            "keyspace": ("keyspace-name",),
        },
    ),
    *(_service(name) for name in ("tso", "scheduling", "resource-manager", "router")),
    Component(
        name="pd",
        executables=("pd-server",),
        ports=(2379,),
        family=True,
        client=("client-urls",),
        client_opened=1,  # it embeds etcd, which opens the sockets for its peers first
        data=("data-dir",),
        log_files=("log-file",),
        configs=("config",),
        tls=("cert",),
        extra={
            "name": ("name",),
            "advertise": ("advertise-client-urls",),
            "peer": ("peer-urls",),
            "advertise_peer": ("advertise-peer-urls",),
            "initial_cluster": ("initial-cluster",),
            "join": ("join",),
        },
    ),
    Component(
        name="tikv",
        executables=("tikv-server",),
        ports=(20160,),
        family=True,
        client=("addr", "A"),
        status=("status-addr",),
        status_port=20180,
        data=("data-dir", "store", "s"),
        log_files=("log-file", "f"),
        configs=("config", "C"),
        extra={
            "advertise": ("advertise-addr",),
            "advertise_status": ("advertise-status-addr",),
            "pd": ("pd-endpoints", "pd", "pd-endpoint"),
            "labels": ("labels", "label"),
        },
        glued=True,
    ),
    Component(
        name="tikv-worker",
        executables=("tikv-worker",),
        ports=(19000,),
        family=True,
        client=("addr", "A"),
        log_files=("log-file", "f"),
        configs=("config", "C"),
        extra={"pd": ("pd-endpoints", "pd", "pd-endpoint")},
        glued=True,
    ),
    Component(
        name="tiflash",
        executables=("tiflash",),
        command=("server",),
        ports=(3930, 9000),
        family=True,
        status_port=20292,  # of the proxy inside it, which answers like a TiKV
        configs=("config-file", "C"),
        beside=("tiflash-learner.toml",),
        glued=True,
    ),
    Component(
        name="ticdc",
        executables=("cdc",),
        command=("server",),
        ports=(8300,),
        family=True,
        client=("addr",),
        data=("data-dir", "sort-dir"),
        log_files=("log-file",),
        configs=("config",),
        tls=("cert",),
        extra={"advertise": ("advertise-addr",), "pd": ("pd",), "cdc_cluster": ("cluster-id",)},
    ),
    Component(
        name="tikv-cdc",
        executables=("tikv-cdc",),
        command=("server",),
        ports=(8600,),
        family=True,
        client=("addr",),
        data=("data-dir",),
        log_files=("log-file",),
        configs=("config",),
        tls=("cert",),
        extra={"advertise": ("advertise-addr",), "pd": ("pd",)},
    ),
    Component(
        name="tiproxy",
        executables=("tiproxy",),
        ports=(6000,),
        family=True,
        status_port=3080,
        configs=("config",),
        extra={"advertise": ("advertise-addr",)},
    ),
    Component(
        name="pump",
        executables=("pump",),
        ports=(8250,),
        family=True,
        client=("addr",),
        data=("data-dir",),
        log_files=("log-file",),
        configs=("config",),
        extra={"advertise": ("advertise-addr",), "pd": ("pd-urls",), "name": ("node-id",)},
    ),
    Component(
        name="drainer",
        executables=("drainer",),
        ports=(8249,),
        family=True,
        client=("addr",),
        data=("data-dir",),
        log_files=("log-file",),
        configs=("config",),
        extra={"advertise": ("advertise-addr",), "pd": ("pd-urls",), "name": ("node-id",)},
    ),
    Component(
        name="dm-master",
        executables=("dm-master",),
        ports=(8261,),
        family=True,
        client=("master-addr",),
        client_opened=1,  # it embeds etcd
        data=("data-dir",),
        log_files=("log-file",),
        configs=("config",),
        tls=("ssl-cert",),
        extra={
            "name": ("name",),
            "advertise": ("advertise-addr",),
            "peer": ("peer-urls",),
            "advertise_peer": ("advertise-peer-urls",),
            "initial_cluster": ("initial-cluster",),
            "join": ("join",),
        },
    ),
    Component(
        name="dm-worker",
        executables=("dm-worker",),
        ports=(8262,),
        family=True,
        client=("worker-addr",),
        log_files=("log-file",),
        configs=("config",),
        tls=("ssl-cert",),
        extra={"name": ("name",), "advertise": ("advertise-addr",), "join": ("join",)},
    ),
    Component(
        name="ng-monitoring",
        executables=("ng-monitoring-server",),
        ports=(12020,),
        family=True,
        client=("address",),
        data=("storage.path",),
        log_dir=("log.path",),
        configs=("config",),
        extra={"advertise": ("advertise-address",), "pd": ("pd.endpoints",)},
    ),
    Component(
        name="tidb-dashboard",
        executables=("tidb-dashboard",),
        ports=(12333,),
        family=True,
        client=("port",),
        bind=("host",),
        data=("data-dir",),
        extra={"pd": ("pd",), "version": ("feature-version",)},
    ),
)


def _mysql(name: str, executables: tuple[str, ...]) -> Component:
    return Component(
        name=name,
        executables=executables,
        ports=(3306,),
        client=("port", "P"),
        bind=("bind-address",),
        data=("datadir", "h"),
        data_is_cwd=True,
        log_files=("log-error", "slow-query-log-file", "general-log-file"),
        configs=("defaults-file", "defaults-extra-file"),
        no_configs="no-defaults",
        usual_configs=("/etc/my.cnf", "/etc/mysql/my.cnf"),
        extra={"socket": ("socket", "S"), "advertise": ("report-host",), "bind": ("bind-address",)},
        glued=True,
        underscores=True,
    )


def _exporter(name: str, executables: tuple[str, ...], port: int, configs: tuple[str, ...] = ()) -> Component:
    return Component(
        name=name,
        executables=executables,
        ports=(port,),
        client=("web.listen-address",),
        configs=(*configs, "web.config.file"),
        extra={"url": ("web.external-url",), "textfiles": ("collector.textfile.directory",)},
    )


_OTHERS = (
    _mysql("mysql", ("mysqld", "mysqld-debug")),
    _mysql("mariadb", ("mariadbd",)),
    Component(
        name="etcd",
        executables=("etcd",),
        ports=(2379,),
        client=("listen-client-urls",),
        client_opened=1,  # startEtcd configures the listeners for peers before those for clients (embed/etcd.go)
        data=("data-dir",),
        configs=("config-file",),
        tls=("cert-file",),
        extra={
            "name": ("name",),
            "advertise": ("advertise-client-urls",),
            "peer": ("listen-peer-urls",),
            "advertise_peer": ("initial-advertise-peer-urls",),
            "initial_cluster": ("initial-cluster",),
            "wal_dir": ("wal-dir",),
            "metrics": ("listen-metrics-urls",),
        },
    ),
    Component(
        name="prometheus",
        executables=("prometheus",),
        ports=(9090,),
        client=("web.listen-address",),
        data=("storage.tsdb.path", "storage.agent.path"),
        configs=("config.file", "web.config.file"),
        usual_configs=("prometheus.yml", "/etc/prometheus/prometheus.yml"),  # upstream's, Debian's
        usual_data=("data", "/var/lib/prometheus/metrics2"),
        extra={"url": ("web.external-url",), "prefix": ("web.route-prefix",)},
    ),
    Component(
        name="victoria-metrics",
        executables=("victoria-metrics", "victoria-metrics-prod", "victoria-metrics-pure"),
        ports=(8428,),
        client=("httpListenAddr",),
        data=("storageDataPath",),
        configs=("promscrape.config",),
        usual_data=("victoria-metrics-data",),
        tls=("tlsCertFile",),
    ),
    Component(
        name="alertmanager",
        executables=("alertmanager", "prometheus-alertmanager"),
        ports=(9093,),
        client=("web.listen-address",),
        client_opened=1,  # main joins the cluster before it serves the web
        data=("storage.path",),
        configs=("config.file", "web.config.file"),
        usual_configs=("alertmanager.yml", "/etc/prometheus/alertmanager.yml"),  # upstream's, Debian's
        usual_data=("data", "/var/lib/prometheus/alertmanager"),
        extra={
            "url": ("web.external-url",),
            "peer": ("cluster.listen-address",),
            "advertise_peer": ("cluster.advertise-address",),
        },
    ),
    _exporter("node_exporter", ("node_exporter", "prometheus-node-exporter"), 9100),
    _exporter(
        "blackbox_exporter", ("blackbox_exporter", "prometheus-blackbox-exporter"), 9115, ("config.file",)
    ),
    *(
        Component(
            name="grafana",
            executables=(executable,),
            command=command,
            ports=(3000,),
            client=("cfg:server.http_port", "cfg:default.server.http_port"),
            bind=("cfg:server.http_addr", "cfg:default.server.http_addr"),
            data=("cfg:default.paths.data", "cfg:paths.data"),
            log_dir=("cfg:default.paths.logs", "cfg:paths.logs"),
            configs=("config",),
            extra={"home": ("homepath",)},
        )
        for executable, command in (("grafana-server", ()), ("grafana", ("server",)))
    ),
)

COMPONENTS: tuple[Component, ...] = _TIDB_FAMILY + _OTHERS
"""All of them, in the order in which instances are listed."""

TELLING_PORTS: Mapping[int, str] = {
    4000: "tidb",
    10080: "tidb",
    20160: "tikv",
    20180: "tikv",
    3930: "tiflash",
    20292: "tiflash",
    8300: "ticdc",
    8261: "dm-master",
    8262: "dm-worker",
}
"""Default ports of TiDB's family that little else uses, and whose they are."""
