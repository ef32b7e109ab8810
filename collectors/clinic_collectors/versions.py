"""Which version everything is: each instance by its API or its program, and the libraries under it."""

from __future__ import annotations

from collections.abc import Iterator

from clinic.collector import (
    Category,
    Collector,
    Content,
    Instance,
    Item,
    Sensitivity,
    Source,
    Target,
    Volatility,
)
from clinic.source.command import Command
from clinic.source.first import First
from clinic.source.http import Expect, Get
from clinic_collectors._binaries import asked, told
from clinic_collectors._metrics import only
from clinic_collectors._rows import Row, on_machines, tool
from clinic_collectors._servers import Ask, of_cluster, place
from clinic_collectors._sql import MYSQL, TIDB, Table

PUBLIC, RESTART = Sensitivity.PUBLIC, Volatility.RESTART

# TiKV, TiFlash and TiProxy tell theirs to PD and in SQL only: see the stores, and cluster_info.
_PATHS: dict[str, tuple[tuple[str, Expect], ...]] = {
    "tidb": (("/status", "json"),),
    "pd": (("/pd/api/v1/status", "json"), ("/pd/api/v1/version", "json")),
    "ticdc": (("/api/v2/status", "json"), ("/status", "json")),
    "tso": (("/status", "json"),),
    "scheduling": (("/status", "json"),),
    "resource-manager": (("/status", "json"),),
    "router": (("/status", "json"),),
    "dm-master": (("/status", "any"),),
    "dm-worker": (("/status", "any"),),
    "prometheus": (("/api/v1/status/buildinfo", "json"),),
    "grafana": (("/api/health", "json"),),
    "etcd": (("/version", "json"),),
}

_BUILD = r"\w+_build_info\{|go_info\{|vm_app_version\{|process_start_time_seconds"
_BY_METRICS = (
    "alertmanager",
    "node_exporter",
    "blackbox_exporter",
    "ng-monitoring",
    "tiproxy",
    "victoria-metrics",
)

SQL = (
    Table("sql", "version.csv", "SELECT tidb_version()", components=TIDB),
    Table(
        "sql",
        "version.csv",
        "SELECT VERSION(), @@version_comment, @@version_compile_machine",
        components=MYSQL,
    ),
)

CLUSTER = (Ask("cluster", "topology/pd/cluster.json", "/pd/api/v1/cluster", priority=10),)

MACHINE = (
    Row("kernel", "versions/kernel.txt", tool("uname -srvm", "coreutils"), sensitivity=PUBLIC),
    Row(
        "libc", "versions/libc.txt", tool("getconf GNU_LIBC_VERSION", "libc-bin/glibc-common", ok=(0, 1, 2)),
        sensitivity=PUBLIC,
    ),
    Row("openssl", "versions/openssl.txt", tool("openssl version -a", "openssl"), sensitivity=PUBLIC),
)  # fmt: skip

_LIBRARIES = (
    r"/[^ ]*(libc|libm|libstdc\+\+|libssl|libcrypto|jemalloc|tcmalloc|mimalloc|libz|libzstd)[^/ ]*\.so[^ ]*"
)


class Versions(Collector):
    """Versions of the cluster, of its instances and of what they stand on. Packages are in `settings`."""

    name = "versions"
    category = Category.VERSIONS
    summary = (
        "cluster id; version, commit and build of each instance; kernel, libc, OpenSSL, libraries in use"
    )

    def items(self, target: Target) -> Iterator[Item]:
        yield from of_cluster(self, target, "pd", CLUSTER)
        for instance in target.instances():
            if source := _of(instance):
                yield Item(
                    f"{place(instance)}/version.txt", source, id="versions.instance", host=instance.host,
                    instance=instance.id, sensitivity=PUBLIC, volatility=RESTART, priority=10,
                )  # fmt: skip
        for row in SQL:
            for instance in target.instances():
                if instance.component in row.components and instance.port:
                    yield row.item(self.name, f"{place(instance)}/{row.path}", row.source(instance), instance)
        yield from on_machines(self, target, MACHINE)
        for machine in target.machines:
            maps = tuple(f"/proc/{i.pid}/maps" for i in target.instances(host=machine.name) if i.pid)
            if maps:
                # grep ends with 2 where one of the processes is another account's, or gone.
                used = Command(
                    machine.name, ("grep", "-osE", _LIBRARIES, *maps), ok=(0, 1, 2), package="grep"
                )
                yield Item(
                    f"{machine.name}/system/versions/libraries.txt", used, id="versions.libraries", sensitivity=PUBLIC,
                    volatility=RESTART, content=Content.TEXT,
                )  # fmt: skip


def _of(instance: Instance) -> Source | None:
    """Its API; where that says nothing its program, run, else read; None where there is nothing to ask."""
    sources: list[Source] = []
    if instance.port:
        sources += [Get(instance, path, expect=expect) for path, expect in _PATHS.get(instance.component, ())]
        sources += [only(instance, _BUILD)] if instance.component in _BY_METRICS else []
    sources += [program for program in (asked(instance), told(instance)) if program is not None]
    if len(sources) < 2:
        return sources[0] if sources else None
    return First(tuple(sources))
