"""The samples of every Prometheus in the window, as it holds them."""

from __future__ import annotations

from collections.abc import Iterator

from clinic.collector import (
    Category,
    Collector,
    Content,
    Instance,
    Item,
    Role,
    Sensitivity,
    Target,
    Volatility,
)
from clinic.source.prometheus.samples import Samples
from clinic.source.prometheus.selection import read_condition

SPEAKS = ("prometheus", "victoria-metrics")
"""Components that answer Prometheus' API."""

# What a diagnosis of TiDB begins with (docs.pingcap.com, the key metrics of each component), then the machines.
CORE = (
    "up", "ALERTS*", "scrape_*", "process_*",
    "tidb_server_*", "tidb_session_*", "tidb_executor_*", "tidb_tikvclient_*", "tidb_domain_*", "tidb_ddl_*",
    "tikv_grpc_*", "tikv_raftstore_*", "tikv_scheduler_*", "tikv_storage_*", "tikv_coprocessor_*", "tikv_thread_*",
    "tikv_engine_*", "tikv_store_*", "tikv_server_*", "pd_*", "etcd_*", "grpc_server_*", "tiflash_*", "ticdc_*",
    "tiproxy_*", "dm_*", "node_cpu*", "node_memory_*", "node_load*", "node_disk_*", "node_filesystem_*",
    "node_network_*", "node_vmstat_*", "node_pressure_*", "go_*",
)  # fmt: skip

_FILE = 160 << 20
"""Plain bytes of one file, over those at which the source begins the next."""


class Metrics(Collector):
    """Samples as chunks, all series of the window while they are not too many; by metric what came and what did not."""

    name = "metrics"
    category = Category.METRICS
    summary = "samples of every Prometheus in the window, as it holds them"

    def items(self, target: Target) -> Iterator[Item]:
        chosen = target.options
        before: tuple[Instance, ...] = ()
        for instance in target.instances(Role.METRICS):
            if instance.component not in SPEAKS or not instance.port:
                continue
            source = Samples(
                instance,
                match=_globs(chosen.get("metrics-match", "")),
                exclude=_globs(chosen.get("metrics-exclude", "")),
                labels=tuple(map(read_condition, chosen.get("metrics-label", "").splitlines())),
                first=CORE,
                room=int(chosen.get("metrics-max", 1 << 30)),
                step=int(chosen.get("metrics-step", 0)),
                before=before,
                verify="metrics-verify" in chosen,
            )
            before = (*before, instance)
            yield Item(
                f"monitor/metrics/{instance.id}", source, id="metrics.samples", host=instance.host,
                instance=instance.id, folder=True, content=Content.FRAMES, sensitivity=Sensitivity.INTERNAL,
                volatility=Volatility.DAYS, priority=60, cap=_FILE,
            )  # fmt: skip


def _globs(text: str) -> tuple[str, ...]:
    return tuple(word for word in text.split(",") if word)
