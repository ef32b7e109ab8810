"""The cluster as discovery found it, in the shape of the `cluster.json` of PingCAP's own client."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from clinic.collector import Cluster, Instance, Target

_LISTS = {"prometheus": "monitors"}
"""Lists that are called otherwise than the component; the rest has its component's name."""

_TYPES = {"dm-master": "dm-cluster", "dm-worker": "dm-cluster"}


def cluster_json(target: Target) -> Callable[[Mapping[str, bytes]], bytes]:
    """Makes the document; nothing is asked for it. Field names are those of pingcap/diag `pkg/models`."""

    def build(_: Mapping[str, bytes]) -> bytes:
        cluster = target.cluster
        document = {
            "cluster_name": cluster.name,
            "cluster_id": cluster.id,
            "cluster_type": _type(cluster),
            "deploy_type": {"tiup": "tiup-cluster"}.get(cluster.deployed, cluster.deployed),
            "begin_time": target.window.start.isoformat(),
            "end_time": target.window.end.isoformat(),
            "topology": {"version": cluster.version, **_lists(cluster)},
            "unknown": list(cluster.unknown),
            "differences": list(cluster.differences),
        }  # fmt: skip
        return json.dumps(document, indent=2, ensure_ascii=False).encode() + b"\n"

    return build


def _type(cluster: Cluster) -> str:
    return next(
        (_TYPES[one.component] for one in cluster.instances if one.component in _TYPES), "tidb-cluster"
    )


def _lists(cluster: Cluster) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for instance in cluster.instances:
        name = _LISTS.get(instance.component, instance.component)
        found.setdefault(name, []).append(_entry(cluster, instance))
    return found


def _entry(cluster: Cluster, instance: Instance) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "host": instance.host,
        "port": instance.port,
        "status_port": instance.status_port or (instance.port if instance.component == "pd" else 0),
    }
    logins = {machine.name: machine.login for machine in cluster.machines}
    if port := logins.get(instance.host, {}).get("port", ""):
        entry["ssh_port"] = int(port) if port.isdecimal() else 0
    return {**entry, "attributes": dict(_attributes(instance))}


def _attributes(instance: Instance) -> Iterator[tuple[str, str]]:
    told = {
        "version": instance.version, "deploy_dir": instance.deploy_dir, "data_dir": ",".join(instance.data_dirs),
        "log_dir": instance.log_dir, "unit": instance.unit, "user": instance.user, "container": instance.container,
        "tls": "true" if instance.tls else "", **instance.extra,
    }  # fmt: skip
    yield from ((name, value) for name, value in told.items() if value)


def tiup_folder(cluster: Cluster) -> str:
    """Where TiUP keeps what it knows of `cluster`: the directory with its `meta.yaml`; empty where nothing tells.

    The login key and the TLS material that TiUP made are in it (pingcap/tiup `pkg/cluster/spec/profile.go`).
    """
    told = [*(machine.login.get("key", "") for machine in cluster.machines), str(cluster.tls.ca or "")]
    if cluster.deployed != "tiup":
        return ""
    for path in told:
        folder, name, _ = path.partition(f"/clusters/{cluster.name}/")
        if name and folder.rpartition("/")[2] in ("cluster", "dm"):
            return folder + name.rstrip("/")
    return ""
