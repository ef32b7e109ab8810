"""A cluster that a person describes in a YAML file of Clinic's own. The format is in docs/clusters.md. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from clinic.client.tls import Tls
from clinic.cluster.discovery.addresses import check_host
from clinic.cluster.discovery.component_table import COMPONENTS
from clinic.cluster.discovery.fields import Fields
from clinic.cluster.model import ROLES, Cluster, Instance, Machine
from clinic.yamlfile import Document, Mistakes

FORMAT = 1
"""The version of the file's format."""

_TOP = ("format", "name", "version", "tls", "ssh", "hosts", "instances")
_TLS = ("ca", "cert", "key")
_SSH = ("user", "port", "key")
_HOST = ("address", *_SSH)
_INSTANCE = (
    "component", "host", "port", "status_port", "name", "version", "tls", "user", "unit", "deploy_dir", "data_dirs",
    "log_dir", "config_files", "log_files",
)  # fmt: skip

_PORTS = {one.name: (one.ports[0], one.status_port) for one in reversed(COMPONENTS)}
"""The usual ports of each component: for clients, and of its HTTP API where that is another."""

_FAMILY = frozenset(one.name for one in COMPONENTS if one.family)


def read_topology(document: Document) -> Cluster:
    """The cluster in a parsed file. Raises `UsageError` naming every mistake with its line."""
    mistakes = Mistakes(document)
    top = Fields(mistakes, (), document.data if document.data is not None else {}).only(*_TOP)
    for key in ("name", "instances"):
        if key not in top.keys:
            top.wrong("", f"lacks {key!r}")
    if top.text("format", str(FORMAT)) != str(FORMAT):
        top.wrong("format", f"must be {FORMAT}, the only one that is known")
    name, tls = top.parsed("name", _cluster_name) or "", top.below("tls").only(*_TLS)
    shared = _login(top.below("ssh").only(*_SSH))
    machines = _machines(top, shared)
    rows = top.rows("instances")
    instances = [_instance(row.only(*_INSTANCE), machines, secure=bool(tls)) for row in rows]
    if "instances" in top.keys and not rows:
        top.wrong("instances", "must be a list with at least one item")
    _require_apart(instances, rows)
    mistakes.raise_any()
    own = {one.host: Machine(one.host, login=shared) for one in instances}
    return Cluster(
        name=name,
        deployed="manual",
        machines=tuple({**own, **machines}.values()),
        instances=tuple(instances),
        version=top.text("version"),
        tls=Tls(*(_file(tls.path(part), document.path) for part in _TLS)),
    )


def _cluster_name(text: str) -> str:
    if not all(char.isalnum() or char in "._-" for char in text) or text.startswith((".", "-")):
        raise ValueError("a name has letters, digits, dots, underscores and hyphens")
    return text


def _file(text: str, document: Path) -> Path | None:
    """A path in the file: a relative one starts where the file is."""
    return document.absolute().parent / Path(text).expanduser() if text else None


def _machines(top: Fields, shared: Mapping[str, str]) -> dict[str, Machine]:
    hosts = top.below("hosts")
    found: dict[str, Machine] = {}
    for name in sorted(hosts.keys):
        row = hosts.below(name).only(*_HOST)
        try:
            called = check_host(name)
        except ValueError as error:
            hosts.wrong(name, f"is wrong: {error}")
            continue
        address = row.host("address")
        login = {**shared, **_login(row), **({"address": address} if address else {})}
        found[called] = Machine(called, login=login)
    return found


def _login(row: Fields) -> dict[str, str]:
    port = row.port("port")
    login = {"user": row.text("user"), "port": str(port) if port else "", "key": row.path("key")}
    return {key: text for key, text in login.items() if text}


def _instance(row: Fields, machines: Mapping[str, Machine], *, secure: bool) -> Instance:
    component = row.text("component")
    if component not in ROLES:
        known = ", ".join(sorted(ROLES))
        row.wrong("component" if component else "", f"must name a component: one of {known}")
    usual, status = _PORTS.get(component, (0, 0))
    host = row.host("host", required=True)
    port = row.port("port", usual)
    if not port:
        row.wrong("", "lacks 'port'")
    address = machines[host].login.get("address", "") if host in machines else ""
    extra = {"name": row.text("name"), "address": address}
    return Instance(
        component=component,
        host=host,
        port=port,
        status_port=row.port("status_port", status),
        version=row.text("version"),
        tls=row.flag("tls") if "tls" in row.keys else secure and component in _FAMILY,
        user=row.text("user"),
        unit=row.text("unit"),
        deploy_dir=row.absolute("deploy_dir"),
        data_dirs=row.texts("data_dirs"),
        log_dir=row.absolute("log_dir"),
        config_files=row.texts("config_files"),
        log_files=row.texts("log_files"),
        extra={key: text for key, text in extra.items() if text},
    )


def _require_apart(instances: list[Instance], rows: list[Fields]) -> None:
    taken: dict[tuple[str, int], int] = {}
    for index, one in enumerate(instances):
        first = taken.setdefault((one.host, one.port), index)
        if first != index and one.host and one.port:
            rows[index].wrong("", f"is at {one.host}, port {one.port}, as is instances.{first}")
