"""Configuration files as TiUP renders them from `server_configs` and an instance's own items.

Layout and header: pingcap/tiup `pkg/cluster/spec` (`server_config.go`, `tiflash.go`, `tiproxy.go`). A few items
differ from what the instance answers when it is asked, as they do when a setting was changed while it ran.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from tests.lab.standin.members import Member
from tests.lab.standin.spec import Spec

Items = Mapping[str, Any]

HEADER = """\
# WARNING: This file is auto-generated. Do not edit! All your modification will be overwritten!
# You can use 'tiup cluster edit-config' and 'tiup cluster reload' to update the configuration
# All configuration items you want to change can be added to:
# server_configs:
#   {role}:
#     aa.b1.c3: value
#     aa.b2.c4: value
"""

SERVER_CONFIGS: Mapping[str, Items] = {
    "tidb": {
        "log.slow-threshold": 300,
        "log.file.max-backups": 14,
        "performance.txn-entry-size-limit": 6291456,
    },
    "tikv": {
        "raftstore.apply-pool-size": 2,
        "raftstore.capacity": "0",
        "readpool.unified.max-thread-count": 8,
        "storage.block-cache.capacity": "16GB",
    },
    "pd": {
        "replication.enable-placement-rules": True,
        "replication.location-labels": ["zone", "host"],
        "schedule.leader-schedule-limit": 4,
        "schedule.region-schedule-limit": 1024,
    },
    "tso": {},
    "scheduling": {},
    "tidb_dashboard": {},
    "tiflash": {
        "logger.level": "info",
        "profiles.default.max_memory_usage": 0,
        "storage.s3.access_key_id": "AKIAIOSFODNN7EXAMPLE",
        "storage.s3.bucket": "tiflash-data",
        "storage.s3.endpoint": "http://s3.us-west-2.amazonaws.com",
        "storage.s3.root": "/cluster1_data",
        "storage.s3.secret_access_key": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    },
    "tiproxy": {"balance.policy": "resource"},
    "tiflash-learner": {"raftstore.apply-pool-size": 4, "raftstore.store-pool-size": 4},
    "pump": {},
    "drainer": {},
    "cdc": {"gc-ttl": 86400},
    "kvcdc": {},
    "grafana": {},
}
"""What stands in meta.yaml for all instances of a component. The keys to S3 are the ones of AWS's own examples."""

ZONES = ("az-1", "az-2", "az-3")


def labels(member: Member) -> dict[str, str]:
    """Where a member is said to be."""
    number = int(member.name.rpartition("-")[2])
    return {"zone": ZONES[(number - 1) % 3], "host": member.name}


def configuration_files(spec: Spec, member: Member) -> dict[str, str]:
    """The text of each configuration file of a member, by its name."""
    return {name: _render(name, spec, member) for name in member.kind.configs}


def _render(name: str, spec: Spec, member: Member) -> str:
    role = name.removesuffix(".toml")
    own = _OWN[name](spec, member)
    if spec.options.tls:
        own = {**own, **_security(name, member)}
    items = {**SERVER_CONFIGS.get(role, {}), **own}
    return HEADER.format(role=role) + toml(items)


def toml(items: Items) -> str:
    """TOML of items with dotted names, tables in order of their names."""
    tree: dict[str, Any] = {}
    for name, value in sorted(items.items()):
        *tables, last = name.split(".")
        place = tree
        for table in tables:
            place = place.setdefault(table, {})
        place[last] = value
    return "\n".join(_table(tree, "")) + "\n"


def _table(tree: Items, path: str) -> list[str]:
    plain = {name: value for name, value in tree.items() if not isinstance(value, dict)}
    lines = [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in plain.items()]
    for name, value in tree.items():
        if isinstance(value, dict):
            inner = f"{path}.{name}" if path else name
            lines += [*([] if path else [""]), f"[{inner}]", *_table(cast("Items", value), inner)]
    return lines


def _pd(_spec: Spec, _member: Member) -> Items:
    return {}


def _tidb(_spec: Spec, member: Member) -> Items:
    return {"labels.zone": labels(member)["zone"]}


def _tikv(_spec: Spec, member: Member) -> Items:
    return {f"server.labels.{name}": value for name, value in labels(member).items()}


def _tiflash(spec: Spec, member: Member) -> Items:
    status = ",".join(each.status_address for each in spec.of("tidb"))
    return {
        "default_profile": "default",
        "display_name": "TiFlash",
        "listen_host": member.host,
        "tmp_path": f"{member.data_dir}/tmp",
        "flash.service_addr": member.address,
        "flash.tidb_status_addr": status,
        "flash.flash_cluster.cluster_manager_path": f"{member.deploy_dir}/bin/tiflash/flash_cluster_manager",
        "flash.flash_cluster.log": f"{member.log_dir}/tiflash_cluster_manager.log",
        "flash.flash_cluster.master_ttl": 60,
        "flash.proxy.config": f"{member.deploy_dir}/conf/tiflash-learner.toml",
        "logger.count": 20,
        "logger.errorlog": f"{member.log_dir}/tiflash_error.log",
        "logger.log": str(member.log),
        "logger.size": "1000M",
        "raft.pd_addr": spec.pd_endpoints,
        "status.metrics_port": member.ports["metrics"],
        "storage.main.dir": [str(member.data_dir)],
    }


def _learner(_spec: Spec, member: Member) -> Items:
    return {
        "log-file": f"{member.log_dir}/tiflash_tikv.log",
        "rocksdb.wal-dir": "",
        "server.addr": f"{member.host}:{member.ports['proxy']}",
        "server.advertise-addr": f"{member.host}:{member.ports['proxy']}",
        "server.advertise-status-addr": member.status_address,
        "server.engine-addr": member.address,
        "server.status-addr": member.status_address,
        "storage.data-dir": f"{member.data_dir}/flash",
    }


def _tiproxy(spec: Spec, member: Member) -> Items:
    return {
        "api.addr": member.status_address,
        "log.log-file.filename": str(member.log),
        "proxy.addr": member.address,
        "proxy.advertise-addr": member.host,
        "proxy.pd-addrs": spec.pd_endpoints,
    }


_OWN = {
    "pd.toml": _pd,
    "tidb.toml": _tidb,
    "tikv.toml": _tikv,
    "tiflash.toml": _tiflash,
    "tiflash-learner.toml": _learner,
    "tiproxy.toml": _tiproxy,
    "cdc.toml": _pd,
}

_SECURITY = {
    "pd.toml": ("security.cacert-path", "security.cert-path", "security.key-path"),
    "tidb.toml": ("security.cluster-ssl-ca", "security.cluster-ssl-cert", "security.cluster-ssl-key"),
    "tikv.toml": ("security.ca-path", "security.cert-path", "security.key-path"),
    "tiflash.toml": ("security.ca_path", "security.cert_path", "security.key_path"),
    "tiflash-learner.toml": ("security.ca-path", "security.cert-path", "security.key-path"),
    "tiproxy.toml": ("security.cluster-tls.ca", "security.cluster-tls.cert", "security.cluster-tls.key"),
}
"""How each file names the CA, the certificate and the key. TiCDC gets them on its command line."""


def _security(name: str, member: Member) -> Items:
    directory, role = member.deploy_dir / "tls", member.kind.role
    paths = (directory / "ca.crt", directory / f"{role}.crt", directory / f"{role}.pem")
    return {key: str(path) for key, path in zip(_SECURITY.get(name, ()), paths, strict=False)}
