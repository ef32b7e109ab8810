"""TiUP's files on the control machine: `meta.yaml`, the ssh key, TLS material and the audit log.

`meta.yaml` is as TiUP saves it (pingcap/tiup `pkg/cluster/spec`): all defaults filled in. Each member has a host of
its own, so directories are named for each instance.
"""

from __future__ import annotations

import datetime
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml
from tests.lab.program import tool
from tests.lab.standin.configs import SERVER_CONFIGS, labels
from tests.lab.standin.deploy import pd_name
from tests.lab.standin.members import Member
from tests.lab.standin.spec import CLUSTER_NAME, VERSION, Spec

TIUP_VERSION = "v1.16.2"
LAST_OPERATION = f"""\
{TIUP_VERSION} tiup
Go Version: go1.21.13
Git Ref: {TIUP_VERSION}
GitHash: 678c52de0c0ef30634b8ba7302a8376caa95d50d"""

ALPHABET = "0123456789bcdfghjkmnpqrstvwxyzBCDFGHJKLMNPQRSTVWXYZ"
"""The digits of the ids of audit logs (pingcap/tiup pkg/base52)."""

OPERATIONS = (
    (6 * 86400, "deploy {name} {version} topology.yaml --user root"),
    (6 * 86400 - 300, "start {name} --init"),
    (7200, "edit-config {name}"),
    (7100, "reload {name} -R tikv --yes"),
)
"""What was done with TiUP, and how many seconds before the cluster of the lab was started."""


class _Dumper(yaml.SafeDumper):
    """Writes text of several lines as it stands, as Go's library does."""


def _text(_dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return yaml.ScalarNode("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)


def write_home(spec: Spec) -> None:
    """Writes the whole TIUP_HOME."""
    cluster = cluster_folder(spec)
    for directory in (cluster / "ssh", spec.tiup_home / "storage/cluster/audit"):
        directory.mkdir(parents=True, mode=0o700)
    meta = cluster / "meta.yaml"
    meta.write_text(yaml.dump(metadata(spec), Dumper=_Dumper, sort_keys=False, default_flow_style=False))
    meta.chmod(0o644)
    _ssh_key(cluster / "ssh")
    if spec.options.tls:
        _tls(spec, cluster / "tls")
    for ago, command in OPERATIONS:
        _audit(spec, ago, command.format(name=CLUSTER_NAME, version=VERSION))


def cluster_folder(spec: Spec) -> Path:
    """Where TiUP keeps what it knows of the cluster."""
    return spec.tiup_home / "storage/cluster/clusters" / CLUSTER_NAME


def metadata(spec: Spec) -> dict[str, Any]:
    """The content of meta.yaml."""
    return {
        "user": spec.account,
        "tidb_version": VERSION,
        "last_ops_ver": LAST_OPERATION,
        "topology": {
            "global": _global(spec),
            "monitored": _monitored(spec),
            "server_configs": {role: dict(items) for role, items in SERVER_CONFIGS.items()},
            "tidb_servers": [_tidb(spec, each) for each in spec.of("tidb")],
            "tikv_servers": [_tikv(spec, each) for each in spec.of("tikv")],
            "tiflash_servers": [_tiflash(spec, each) for each in spec.of("tiflash")],
            "tiproxy_servers": [_tiproxy(spec, each) for each in spec.of("tiproxy")],
            "pd_servers": [_pd(spec, each) for each in spec.of("pd")],
            "cdc_servers": [_cdc(spec, each) for each in spec.of("ticdc")],
            **_monitoring(spec),
        },
    }


def _global(spec: Spec) -> dict[str, Any]:
    tls = {"enable_tls": True} if spec.options.tls else {}
    return {
        "user": spec.account,
        "ssh_port": spec.ssh_port,
        "ssh_type": "builtin",
        **tls,
        "deploy_dir": f"{spec.root}/tidb-deploy",
        "data_dir": f"{spec.root}/tidb-data",
        "os": "linux",
        "arch": _arch(),
        "systemd_mode": "system",
    }


def _arch() -> str:
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


def _monitored(spec: Spec) -> dict[str, Any]:
    deploy = f"{spec.root}/tidb-deploy/monitor-9100"
    return {
        "node_exporter_port": 9100,
        "blackbox_exporter_port": 9115,
        "deploy_dir": deploy,
        "data_dir": f"{spec.root}/tidb-data/monitor-9100",
        "log_dir": f"{deploy}/log",
    }


def _instance(spec: Spec, member: Member, own: Mapping[str, Any]) -> dict[str, Any]:
    head = {"host": member.host, "ssh_port": spec.ssh_port, "listen_host": member.host}
    return {**head, **own, "arch": _arch(), "os": "linux"}


def _dirs(member: Member) -> dict[str, str]:
    data = {"data_dir": str(member.data_dir)} if member.data_dir else {}
    return {"deploy_dir": str(member.deploy_dir), **data, "log_dir": str(member.log_dir)}


def _tidb(spec: Spec, member: Member) -> dict[str, Any]:
    config = {"labels": {"zone": labels(member)["zone"]}}
    own = {"port": member.port, "status_port": member.status_port, **_dirs(member), "config": config}
    return _instance(spec, member, own)


def _tikv(spec: Spec, member: Member) -> dict[str, Any]:
    config = {"server.labels": labels(member)}
    own = {"port": member.port, "status_port": member.status_port, **_dirs(member), "config": config}
    return _instance(spec, member, own)


def _tiflash(spec: Spec, member: Member) -> dict[str, Any]:
    own = {
        "tcp_port": 9000,
        "http_port": 8123,
        "flash_service_port": member.port,
        "flash_proxy_port": member.ports["proxy"],
        "flash_proxy_status_port": member.status_port,
        "metrics_port": member.ports["metrics"],
        **_dirs(member),
    }
    return _instance(spec, member, own)


def _tiproxy(spec: Spec, member: Member) -> dict[str, Any]:
    own = {
        "port": member.port,
        "status_port": member.status_port,
        "deploy_dir": str(member.deploy_dir),
    }
    return _instance(spec, member, own)


def _pd(spec: Spec, member: Member) -> dict[str, Any]:
    own = {
        "name": pd_name(member),
        "client_port": member.port,
        "peer_port": member.ports["peer"],
        **_dirs(member),
    }
    return _instance(spec, member, own)


def _cdc(spec: Spec, member: Member) -> dict[str, Any]:
    return _instance(spec, member, {"port": member.port, **_dirs(member), "ticdc_cluster_id": ""})


def _monitoring(spec: Spec) -> dict[str, Any]:
    """The lab's own Prometheus and Alertmanager, whose directories are not TiUP's."""
    lists: dict[str, Any] = {}
    if "prometheus" in spec.monitoring:
        lists["monitoring_servers"] = [
            {
                **_monitor(spec, "prometheus", "port"),
                "ng_port": 12020,
                "external_alertmanagers": [],
            }
        ]
    if "alertmanager" in spec.monitoring:
        lists["alertmanager_servers"] = [_monitor(spec, "alertmanager", "web_port")]
    return lists


def _monitor(spec: Spec, name: str, port_key: str) -> dict[str, Any]:
    host, _, port = spec.monitoring[name].rpartition(":")
    home = spec.root.parent / name
    return {
        "host": host,
        "ssh_port": spec.ssh_port,
        port_key: int(port),
        "deploy_dir": str(home),
        "data_dir": str(home / "data"),
        "log_dir": str(home),
        "arch": _arch(),
        "os": "linux",
    }


def _ssh_key(directory: Path) -> None:
    key = directory / "id_rsa"
    kind = ["-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "", "-C", ""]
    argv = [tool("ssh-keygen"), "-q", *kind, "-f", str(key)]
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, timeout=30)


def _tls(spec: Spec, directory: Path) -> None:
    """TiUP's names: `ca.pem` is the key of the CA, `client.pem` that of the client."""
    directory.mkdir(mode=0o700)
    for source, name in (
        ("ca.crt", "ca.crt"),
        ("ca.pem", "ca.pem"),
        ("client.crt", "client.crt"),
        ("client.pem", "client.pem"),
    ):
        target = directory / name
        target.touch(mode=0o600)
        target.write_bytes((spec.tls_dir / source).read_bytes())


def _audit(spec: Spec, ago: float, command: str) -> None:
    """One operation: its first line is the command, each word quoted as in a URL; its name tells when it was."""
    at = spec.started - ago
    program = spec.tiup_home / f"components/cluster/{TIUP_VERSION}/tiup-cluster"
    words = [str(program), *command.split()]
    moment = datetime.datetime.fromtimestamp(at, datetime.timezone.utc)
    lines = [" ".join(quote(word, safe="") for word in words)]
    messages = ("Execute command", "+ [ Serial ] - SSHKeySet", "Execute command finished")
    for second, message in enumerate(messages):
        stamp = moment + datetime.timedelta(seconds=second)
        lines.append(f"{stamp:%Y-%m-%dT%H:%M:%S}.{stamp.microsecond // 1000:03d}Z\tINFO\t{message}")
    path = spec.tiup_home / "storage/cluster/audit" / audit_id(int(at * 1e9))
    path.write_text("\n".join(lines) + "\n")


def audit_id(nanoseconds: int) -> str:
    """The name of an audit log."""
    digits = ""
    while nanoseconds:
        nanoseconds, digit = divmod(nanoseconds, len(ALPHABET))
        digits = ALPHABET[digit] + digits
    return digits
