"""Where the logs of an instance are, and which of them says what."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping

from clinic.collector import Instance

# Names below the log directory, as TiUP's start scripts and configurations have them (pingcap/tiup `embed/templates`).
# A component that is not here writes `<component>.log`, and one of TiDB's family `<component>_stderr.log`.
_STD: Mapping[str, tuple[str, ...]] = {
    "ticdc": ("cdc.log",),
    "tiflash": ("tiflash.log", "tiflash_tikv.log"),
    "tidb-dashboard": ("tidb_dashboard.log",),
    "ng-monitoring": ("ng.log",),  # pingcap/ng-monitoring main.go
}
_ERROR: Mapping[str, tuple[str, ...]] = {
    "ticdc": ("cdc_stderr.log",),
    "tiflash": ("tiflash_error.log", "tiflash_stderr.log"),
    "tidb-dashboard": ("tidb_dashboard_stderr.log",),
    **dict.fromkeys(
        (
            "prometheus",
            "alertmanager",
            "grafana",
            "ng-monitoring",
            "node_exporter",
            "blackbox_exporter",
            "tiproxy",
            "victoria-metrics",
            "etcd",
            "mysql",
            "mariadb",
        ),
        (),
    ),
}
_SLOW: Mapping[str, tuple[str, ...]] = {"tidb": ("tidb_slow_query.log", "tidb-slow.log")}
_AUDIT: Mapping[str, tuple[str, ...]] = {"tidb": ("tidb-audit.log", "tidb-audit.log.json")}
_GENERAL: Mapping[str, tuple[str, ...]] = {"tidb": ("tidb_general.log", "tidb-general.log")}

# Below the data directory: tikv/tikv `components/server/src/setup.rs`; before that RocksDB's own name for it.
_ROCKSDB: Mapping[str, tuple[str, ...]] = {
    "tikv": ("rocksdb.info", "db/LOG"),
    "tiflash": ("rocksdb.info", "flash/rocksdb.info"),
}
_RAFT: Mapping[str, tuple[str, ...]] = {
    "tikv": ("raftdb.info", "raft/LOG"),
    "tiflash": ("raftdb.info", "flash/raftdb.info"),
}

# Where packages of distributions put them.
_PACKAGED: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("std", "mariadb"): ("/var/log/mysql/error.log", "/var/log/mariadb/mariadb.log"),
    ("std", "mysql"): ("/var/log/mysql/error.log", "/var/log/mysqld.log"),
    ("std", "grafana"): ("/var/log/grafana/grafana.log",),
    ("slow", "mariadb"): ("/var/log/mysql/mariadb-slow.log",),
    ("slow", "mysql"): ("/var/log/mysql/mysql-slow.log",),
}

SETTINGS: Mapping[str, tuple[str, ...]] = {
    "std": ("log.file.filename", "log-file", "logger.log", "log.log-file"),
    "error": ("logger.errorlog",),
    "slow": ("log.slow-query-file", "slow-query-file"),
    "general": ("log.general-log-file",),
    "audit": ("security.audit-log-file", "log.audit-log-file"),
}
"""Items of the configuration files that name a log of a kind: docs.pingcap.com, the components' configuration files."""

_NAMED = {"slow": _SLOW, "audit": _AUDIT, "general": _GENERAL}
_DATA = {"rocksdb": _ROCKSDB, "raft": _RAFT}
_SERVERS = ("mysql", "mariadb")


def paths(instance: Instance, kind: str) -> tuple[str, ...]:
    """The log files of one kind that `instance` was seen or told to write, then those that it usually does."""
    told = [
        path
        for path in instance.log_files
        if path.startswith("/") and kind_of(instance.component, path) == kind
    ]
    return tuple(dict.fromkeys([*told, *_usual(instance, kind)]))


def kind_of(component: str, path: str) -> str:
    """What a log file is for, by its name."""
    name = posixpath.basename(path).lower()
    if component in _SERVERS and (name.endswith(".err") or "error" in name):
        return "std"
    signs = {
        "slow": "slow", "audit": "audit", "general": "general", "stderr": "error", "error": "error",
        "rocksdb": "rocksdb", "raftdb": "raft",
    }  # fmt: skip
    if name == "log":
        return "raft" if posixpath.basename(posixpath.dirname(path)) == "raft" else "rocksdb"
    return next((kind for sign, kind in signs.items() if sign in name), "std")


def _usual(instance: Instance, kind: str) -> Iterator[str]:
    component = instance.component
    if kind in _DATA:
        for directory in instance.data_dirs:
            yield from (f"{directory.rstrip('/')}/{name}" for name in _DATA[kind].get(component, ()))
    elif (directory := log_dir(instance)) != "":
        yield from (f"{directory}/{name}" for name in _names(component, kind))
    if not instance.deploy_dir and not instance.log_files:
        yield from _PACKAGED.get((kind, component), ())


def _names(component: str, kind: str) -> tuple[str, ...]:
    if kind == "std":
        return _STD.get(component, (f"{component}.log",))
    if kind == "error":
        return _ERROR.get(component, (f"{component}_stderr.log",))
    return _NAMED[kind].get(component, ()) if kind in _NAMED else ()


def log_dir(instance: Instance) -> str:
    """The directory of its logs: as it was told, else where it writes some, else where TiUP has them; else empty."""
    told = instance.log_dir or next((posixpath.dirname(path) for path in instance.log_files), "")
    if told or not instance.deploy_dir:
        return told.rstrip("/")
    return f"{instance.deploy_dir.rstrip('/')}/log"
