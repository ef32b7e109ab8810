"""What a TiDB says of its cluster: over HTTP which others there are and where PD is, over SQL all of it. Pure.

Sources: `docs/tidb_http_api.md` of pingcap/tidb, and "CLUSTER_INFO" in its documentation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from clinic.client.address import Address
from clinic.cluster.discovery.view import Fact, View, address_of, bad, parsed, placed, version_of
from clinic.cluster.model import Instance

ALL_INFO = "/info/all"
CONFIG = "/config"
STATUS_PORT = 10080
"""The port of TiDB's HTTP API unless it was told another."""

CLUSTER_INFO = "SELECT TYPE, INSTANCE, STATUS_ADDRESS, VERSION FROM INFORMATION_SCHEMA.CLUSTER_INFO"
"""Which instances there are, asked of any TiDB; needs the PROCESS privilege."""

_TYPES = {"tidb", "pd", "tikv", "tiflash", "tiproxy", "ticdc", "tso", "scheduling"}


def pd_addresses(raw: bytes, *, tls: bool) -> tuple[Address, ...]:
    """PD's addresses in TiDB's configuration, which speak TLS where TiDB does. Raises `Failed` where it has none."""
    config = Fact(parsed(raw))
    path = config.text("path") if config.text("store") in ("", "tikv") else ""
    found = [address_of(text.strip(), 2379) for text in path.split(",") if text.strip()]
    addresses = tuple(Address(one.host, one.port, tls) for one in found if one is not None)
    if not addresses:
        raise bad("its configuration names no PD")
    return addresses


def servers(raw: bytes) -> list[Instance]:
    """The TiDB servers that one of them knows. Raises `Failed` where the answer is no JSON."""
    known = Fact(parsed(raw)).below("all_servers_info")
    found: list[Instance] = []
    for key in sorted(known.keys):
        fact = known.below(key)
        host, port = fact.text("ip"), fact.number("listening_port")
        address = placed(host, port)
        if address is not None:
            labels = fact.labels("labels")
            found.append(
                Instance(
                    component="tidb",
                    host=address.host,
                    port=address.port,
                    status_port=fact.number("status_port"),
                    version=version_of(fact.text("version")),
                    extra={"labels": labels} if labels else {},
                )
            )
    return found


def read_cluster_info(rows: Iterable[Mapping[str, str | None]]) -> View:
    """What `CLUSTER_INFO` says, column names in any case."""
    found: list[Instance] = []
    for row in rows:
        fact = Fact({key.upper(): value for key, value in row.items()})
        component, address = fact.text("TYPE").lower(), address_of(fact.text("INSTANCE"))
        status = address_of(fact.text("STATUS_ADDRESS"))
        if component in _TYPES and address is not None:
            port = status.port if status is not None and status.port != address.port else 0
            version = version_of(fact.text("VERSION"))
            found.append(Instance(component, address.host, address.port, status_port=port, version=version))
    return View("SQL", tuple(found), complete=frozenset(one.component for one in found))
