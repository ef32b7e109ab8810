"""TiUP's meta.yaml as a cluster; what TiUP fills in is in tiup_defaults. Pure: nothing is contacted or opened.

The file has no version of its own format; it names the TiUP that wrote it last (`last_ops_ver`). Understood is what
TiUP v1 writes, v1.0 to v1.16. Keys that are not known are passed over: a later TiUP may have written them.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import cast

from clinic.client.address import Address
from clinic.cluster.discovery.addresses import parse_address
from clinic.cluster.discovery.fields import Fields
from clinic.cluster.discovery.tiup_defaults import DM_KINDS, TIDB_KINDS, Kind, Port
from clinic.cluster.model import Cluster, Instance, Machine
from clinic.yamlfile import Document, Mistakes

KNOWN_MAJOR = 1
"""The major version of TiUP whose files are understood."""

_MAJOR = re.compile(r"v?(\d+)\.")
_TIFLASH_DIRS = ("storage.latest.dir", "storage.main.dir")
"""Items of an instance's `config` that make TiUP ignore its `data_dir`, the first path of them first."""

_KEPT = ("name", "arch", "os", "numa_node", "numa_cores", "ticdc_cluster_id", "pd_mode")
_FLAGS = ("offline", "patched", "imported")
_ADVERTISED = (
    "advertise_addr", "advertise_client_addr", "advertise_listen_addr", "advertise_address", "advertise_host",
)  # fmt: skip

EXECUTORS: Mapping[str, str] = {"none": "none", "system": "system", "native": "system", "builtin": "builtin"}
"""What `ssh_type` may be (pingcap/tiup `pkg/cluster/executor`), and what of it stands in `Machine.login`; `native` is
an earlier name, still that of TiUP's variable."""

NG_SINCE = (5, 4)
"""The version of TiDB from which TiUP deploys ng-monitoring beside Prometheus unless told otherwise."""


@dataclass(frozen=True, slots=True)
class _Global:
    """What holds for all instances."""

    user: str
    """The account of the servers and of the login."""

    ssh_port: int
    """The port of sshd."""

    ssh_type: str
    """How TiUP reaches hosts, as it stands in the file; empty where it does not."""

    tls: bool
    """Whether TLS is on."""

    deploy_dir: str
    """Parent of the deploy directories; may be relative."""

    data_dir: str
    """Parent of the data directories, or the name of one below each deploy directory."""

    log_dir: str
    """As `data_dir`, for logs."""

    version: str
    """What TiUP deployed."""

    versions: Mapping[str, str]
    """Versions of single components."""

    extra: Mapping[str, str]
    """What every instance's `extra` has."""

    def below(self, parent: str, role: str, port: int) -> str:
        """The directory of an instance below `parent`."""
        return posixpath.join(parent, f"{role}-{port}")

    def absolute(self, path: str) -> str:
        """`path` on the host: a relative one starts in the account's home."""
        return posixpath.normpath(posixpath.join("/home", self.user, path))


def read_meta(document: Document, name: str) -> Cluster:
    """The cluster called `name` in a parsed meta.yaml. Raises `UsageError` naming every mistake with its line."""
    mistakes = Mistakes(document)
    top = Fields(mistakes, (), document.data)
    dm = "dm_version" in top.keys
    topology = top.below("topology")
    if "topology" not in top.keys or not ({"tidb_version", "dm_version"} & top.keys):
        top.wrong("", "is no meta.yaml of TiUP: it lacks 'topology', or 'tidb_version' or 'dm_version'")
    common = _global(top, topology, dm)
    rows = [
        (kind, row)
        for kind in (DM_KINDS if dm else TIDB_KINDS)
        for row in topology.rows(kind.key)
    ]  # fmt: skip
    deployed = [_deployed(kind, row, common) for kind, row in rows]
    found = [one for one in deployed if one.instance.host]
    monitored = topology.below("monitored")
    placed = [(one.instance, one.row) for one in found]
    placed += [(ng, one.row) for one in found for ng in _ng_monitoring(one, common, dm=dm)]
    if not dm or "monitored" in topology.keys:
        placed += [(exporter, monitored) for exporter in _exporters(monitored, common, found)]
    _require_apart(placed)
    mistakes.raise_any()
    return Cluster(
        name=name,
        deployed="tiup",
        machines=_machines(found, common),
        instances=tuple(instance for instance, _ in placed),
        version=common.version,
        unknown=tuple(_unknown(top, found, common.ssh_type)),
    )


def _global(top: Fields, topology: Fields, dm: bool) -> _Global:
    options = topology.below("global")
    versions = topology.below("component_versions")
    systemd = options.text("systemd_mode", "system")
    return _Global(
        user=top.text("user") or options.text("user", "tidb"),
        ssh_port=options.port("ssh_port", 22),
        ssh_type=options.text("ssh_type"),
        tls=options.flag("enable_tls"),
        deploy_dir=options.path("deploy_dir") or "deploy",
        data_dir=options.path("data_dir") or "data",
        log_dir=options.path("log_dir") or "log",
        version=top.text("dm_version" if dm else "tidb_version"),
        versions={key: versions.text(key) for key in versions.keys},
        extra={} if systemd == "system" else {"systemd": systemd},
    )


@dataclass(frozen=True, slots=True)
class _Deployed:
    """An instance, and what of its row is not in it."""

    instance: Instance
    """The instance."""

    kind: Kind
    """What it is."""

    row: Fields
    """Its row."""

    ssh_port: int
    """The port of its host's sshd."""

    manage: str
    """The address under which its host is managed, where that is another."""

    exporters: bool
    """Whether exporters run beside it."""


def _deployed(kind: Kind, row: Fields, common: _Global) -> _Deployed:
    host, manage = row.host("host", required=True), row.host("manage_host")
    port = row.port(*kind.port)
    main = row.port(*kind.main) if kind.main else port
    deploy = common.absolute(row.path("deploy_dir") or common.below(common.deploy_dir, kind.role, main))
    log = _log_dir(kind, row, common, main, deploy)
    instance = Instance(
        component=kind.component,
        host=host,
        port=port,
        status_port=row.port(*kind.status) if kind.status else 0,
        version=_version(kind, row, common),
        tls=common.tls and kind.secured,
        user=common.user,
        unit=f"{kind.role}-{main}.service",
        deploy_dir=deploy,
        data_dirs=_data_dirs(kind, row, common, main, deploy),
        log_dir=log,
        config_files=tuple(posixpath.join(deploy, "conf", file) for file in kind.configs),
        log_files=tuple(posixpath.join(log, file) for file in kind.logs),
        extra={**common.extra, **_extra(kind, row, host, port), **({"address": manage} if manage else {})},
    )
    ssh_port = row.port("ssh_port", common.ssh_port)
    return _Deployed(instance, kind, row, ssh_port, manage, not row.flag("ignore_exporter"))


def _version(kind: Kind, row: Fields, common: _Global) -> str:
    own = common.versions.get(kind.version, "") or row.text("version")
    return own or (common.version if kind.follows else "")


def _data_dirs(kind: Kind, row: Fields, common: _Global, main: int, deploy: str) -> tuple[str, ...]:
    if not kind.data:
        return ()
    paths = _tiflash_dirs(row) if kind.component == "tiflash" else ()
    if not paths:
        own = row.path("data_dir")
        absolute = common.data_dir.startswith("/")
        usual = common.below(common.data_dir, kind.role, main) if absolute else common.data_dir
        paths = tuple(path.strip() for path in (own or usual).split(",") if path.strip())
    return tuple(posixpath.normpath(posixpath.join(deploy, path)) for path in paths)


def _tiflash_dirs(row: Fields) -> tuple[str, ...]:
    """The paths of TiFlash's storage section: the first one first, the others sorted, as TiUP has them."""
    config = dict(row.below("config").flat())
    found: list[str] = []
    for key in _TIFLASH_DIRS:
        value = config.get(key)
        listed = cast("list[object]", value) if isinstance(value, list) else []
        found += [item.strip() for item in listed if isinstance(item, str) and item.isprintable()]
    first, rest = found[:1], sorted(set(found) - set(found[:1]))
    return (*first, *rest)


def _log_dir(kind: Kind, row: Fields, common: _Global, main: int, deploy: str) -> str:
    own = row.path("log_dir") if kind.log_key else ""
    usual = common.log_dir if kind.log_key else "log"
    if usual.startswith("/"):
        usual = common.below(usual, kind.role, main)
    return posixpath.normpath(posixpath.join(deploy, own or usual))


def _extra(kind: Kind, row: Fields, host: str, port: int) -> dict[str, str]:
    extra = {key: text for key in _KEPT if (text := row.text(key))}
    if kind.component == "pd":
        extra.setdefault("name", f"pd-{host}-{port}")
    if kind.component in ("dm-master", "dm-worker"):
        extra.setdefault("name", f"{kind.role}-{host}-{port}")
    extra |= {key: "yes" for key in _FLAGS if row.flag(key)}
    extra |= {f"{name}_port": str(row.port(*entry)) for name, entry in kind.more_ports.items()}
    advertised = next((address for key in _ADVERTISED if (address := _advertised(row, key, port))), None)
    if advertised is not None and advertised != Address(host, port):
        extra["advertise"] = str(advertised)
    labels = _labels(row)
    return {**extra, "labels": labels} if labels else extra


def _advertised(row: Fields, key: str, port: int) -> Address | None:
    address = row.parsed(key, lambda text: parse_address(text, port))
    return Address(address.host, address.port) if address is not None else None


def _labels(row: Fields) -> str:
    prefixes = ("server.labels.", "labels.")
    flat = dict(row.below("config").flat())
    found = {
        key.removeprefix(prefix): str(value)
        for prefix in prefixes
        for key, value in flat.items()
        if key.startswith(prefix)
    }
    text = ",".join(f"{key}={value}" for key, value in sorted(found.items()))
    return text if text.isprintable() else ""


def _ng_monitoring(deployed: _Deployed, common: _Global, *, dm: bool) -> Iterable[Instance]:
    """What runs beside Prometheus, started by its script, in its directories."""
    if deployed.kind.component != "prometheus":
        return
    since = re.match(r"v?(\d+)\.(\d+)", common.version)
    usual = not dm and (since is None or (int(since[1]), int(since[2])) >= NG_SINCE)
    port = deployed.row.port("ng_port", 12020 if usual else 0)
    if port:
        prometheus = deployed.instance
        extra = {key: text for key, text in prometheus.extra.items() if key in ("address", "systemd")}
        yield replace(
            prometheus,
            component="ng-monitoring",
            port=port,
            version="",
            config_files=(posixpath.join(prometheus.deploy_dir, "conf", "ngmonitoring.toml"),),
            log_files=(posixpath.join(prometheus.log_dir, "ng.log"),),
            extra=extra,
        )


def _exporters(options: Fields, common: _Global, found: list[_Deployed]) -> Iterable[Instance]:
    """One of each exporter on every host where no instance forbids it."""
    node = options.port("node_exporter_port", 9100)
    deploy = common.absolute(options.path("deploy_dir") or common.below(common.deploy_dir, "monitor", node))
    data = common.absolute(options.path("data_dir") or common.below(common.data_dir, "monitor", node))
    given = options.path("log_dir") or "log"
    # TiUP saves a relative directory with its deploy directory already before it.
    parent = options.path("deploy_dir")
    log = common.absolute(given) if parent and given.startswith(parent) else posixpath.join(deploy, given)
    entries: tuple[tuple[str, Port, str], ...] = (
        ("node_exporter", ("node_exporter_port", 9100), "node_exporter_version"),
        ("blackbox_exporter", ("blackbox_exporter_port", 9115), "blackbox_exporter_version"),
    )
    forbidden = {one.instance.host for one in found if not one.exporters}
    hosts = {one.instance.host: one.manage for one in found if one.instance.host not in forbidden}
    for component, port, version in entries:
        for host, manage in hosts.items():
            number = options.port(*port)
            yield Instance(
                component=component,
                host=host,
                port=number,
                version=options.text(version),
                user=common.user,
                unit=f"{component}-{number}.service",
                deploy_dir=deploy,
                data_dirs=(data,),
                log_dir=log,
                log_files=(posixpath.join(log, f"{component}.log"),),
                extra={**common.extra, **({"address": manage} if manage else {})},
            )


def _require_apart(placed: list[tuple[Instance, Fields]]) -> None:
    """Note each instance at a host and port that another one has: one of the two would be lost."""
    taken: dict[tuple[str, int], Instance] = {}
    for instance, row in placed:
        place = (instance.host, instance.port)
        if place in taken:
            port = f"port {instance.port} of {instance.host}"
            row.wrong(
                "", f"claims {port} for {instance.component}, which a {taken[place].component} has already"
            )
        taken.setdefault(place, instance)


def _machines(found: list[_Deployed], common: _Global) -> tuple[Machine, ...]:
    machines: dict[str, Machine] = {}
    executor = EXECUTORS.get(common.ssh_type)
    for one in found:
        login = {"user": common.user, "port": str(one.ssh_port), "address": one.manage or one.instance.host}
        login |= {"executor": executor} if executor else {}
        machines.setdefault(one.instance.host, Machine(one.instance.host, login=login))
    return tuple(machines.values())


def _unknown(top: Fields, found: list[_Deployed], ssh_type: str) -> Iterable[str]:
    writer = top.first_line("last_ops_ver").partition(" ")[0]
    major = _MAJOR.match(writer)
    if major is not None and int(major[1]) > KNOWN_MAJOR:
        yield f"meta.yaml was written by TiUP {writer}, later than what is understood (v{KNOWN_MAJOR})"
    if not found:
        yield "meta.yaml names no instance"
    if ssh_type and ssh_type not in EXECUTORS:
        yield f"meta.yaml has an ssh_type that is not known, {ssh_type!r}; the hosts are reached over SSH"
    ports = {one.instance.host: set[int]() for one in found}
    for one in found:
        ports[one.instance.host].add(one.ssh_port)
    for host, several in ports.items():
        if len(several) > 1:
            named = ", ".join(map(str, sorted(several)))
            yield f"meta.yaml gives {host} more than one port of sshd ({named}); the first one named is used"
