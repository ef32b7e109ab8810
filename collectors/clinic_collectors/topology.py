"""The cluster: what it is made of, who leads, which stores there are and in what state, what moves between them."""

from __future__ import annotations

from collections.abc import Iterator

from clinic.collector import Category, Collector, Content, Item, Stage, Target, Volatility
from clinic.source.base import CONTROL
from clinic.source.composed import Composed
from clinic.source.file import File
from clinic_collectors._changefeeds import changefeed_details
from clinic_collectors._metrics import region_counts
from clinic_collectors._pd import ANY_PD, EACH_PD, REGIONS, SERVICES
from clinic_collectors._servers import Ask, of, of_cluster, on_instances
from clinic_collectors._sql import Table, of_servers
from clinic_collectors._topology import cluster_json, tiup_folder

SECONDS, LEARN = Volatility.SECONDS, Stage.LEARN

CDC = tuple(
    Ask(
        f"ticdc-{name}", f"debug/{name}.txt", (f"/api/v2/{name}", f"/api/v1/{name}"), ("ticdc",), deploy=True,
        volatility=SECONDS, stage=LEARN,
    )
    for name in ("captures", "changefeeds", "processors")
)  # fmt: skip

TSO = (
    Ask(
        "keyspace-groups", "keyspace-groups.json", "/tso/api/v1/keyspace-groups/members", ("tso",), volatility=SECONDS,
    ),
)  # fmt: skip

TIDB = (Ask("tidb-servers", "topology/tidb/servers.json", "/info/all"),)

# Sources and tasks hold the accounts of the databases at both ends.
DM = tuple(
    Ask(f"dm-{name}", f"topology/dm/{name}.json", path, volatility=SECONDS, stage=LEARN)
    for name, path in (
        ("members", "/apis/v1alpha1/members?leader=true&master=true&worker=true"),
        # `query-status` of dmctl; the OpenAPI below is off unless the configuration says `openapi: true`.
        ("status", "/apis/v1alpha1/status/"),
        ("cluster", "/api/v1/cluster/info"), ("sources", "/api/v1/sources?with_status=true"),
        ("tasks", "/api/v1/tasks?with_status=true"),
    )
)  # fmt: skip

SQL = (
    Table("sql-cluster", "topology/sql/cluster_info.csv", "SELECT * FROM information_schema.cluster_info"),
    Table(
        "sql-servers",
        "topology/sql/tidb_servers_info.csv",
        "SELECT * FROM information_schema.tidb_servers_info",
    ),
    Table(
        "sql-stores",
        "topology/sql/tikv_store_status.csv",
        "SELECT * FROM information_schema.tikv_store_status",
    ),
    Table(
        "sql-tiflash", "topology/sql/tiflash_replica.csv", "SELECT * FROM information_schema.tiflash_replica"
    ),
    Table(
        "sql-hardware",
        "topology/sql/cluster_hardware.csv",
        "SELECT * FROM information_schema.cluster_hardware",
    ),
    Table("sql-load", "topology/sql/cluster_load.csv", "SELECT * FROM information_schema.cluster_load"),
    Table(
        "sql-systems",
        "topology/sql/cluster_systeminfo.csv",
        "SELECT * FROM information_schema.cluster_systeminfo",
    ),
)


class Topology(Collector):
    """Who belongs to the cluster and how it is: by TiUP's file, by PD, by SQL, by TiCDC and DM themselves."""

    name = "topology"
    category = Category.TOPOLOGY
    summary = (
        "members, leader, stores, regions, scheduling, hot spots, GC; TiFlash replicas, changefeeds, DM tasks"
    )

    def items(self, target: Target) -> Iterator[Item]:
        document = Composed(CONTROL, (), cluster_json(target))
        yield Item("cluster.json", document, id="topology.cluster", content=Content.JSON, required=True)
        if folder := tiup_folder(target.cluster):
            meta = File(CONTROL, f"{folder}/meta.yaml")
            yield Item("meta.yaml", meta, id="topology.tiup", content=Content.YAML, stage=LEARN)
        yield from on_instances(self, target, EACH_PD, CDC, TSO)
        yield from of_cluster(self, target, "pd", ANY_PD, REGIONS)
        if of(target, "tso", "scheduling", "resource-manager", "router"):
            yield from of_cluster(self, target, "pd", SERVICES)
        yield from region_counts(self, target)
        yield from of_cluster(self, target, "tidb", TIDB)
        yield from of_servers(self, target, SQL)
        yield from changefeed_details(self, target)
        yield from of_cluster(self, target, "dm-master", DM)
