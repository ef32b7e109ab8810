"""What a running process is doing at this moment: stacks, profiles, waits. For `quick` and `full`, or when named."""

from __future__ import annotations

import glob
from collections.abc import Iterator
from dataclasses import replace

from clinic.collector import (
    Category,
    Collector,
    Content,
    Instance,
    Item,
    Sensitivity,
    Stage,
    Target,
    Volatility,
)
from clinic.source.http import Get
from clinic.source.listing import Listing
from clinic_collectors._rows import Row, attributes, on_machines, tool
from clinic_collectors._servers import Ask, of, on_instances, place

SECONDS, RESTART, DAYS = Volatility.SECONDS, Volatility.RESTART, Volatility.DAYS

# A follower of PD before v8.5.7 passes questions to PD's own path on to the leader, so that is the second choice.
_PPROF: dict[str, tuple[str, ...]] = {
    "pd": ("/debug/pprof/", "/pd/api/v1/debug/pprof/"), "tiproxy": ("/api/debug/pprof/",),
    **dict.fromkeys(
        (
            "tidb", "ticdc", "tso", "scheduling", "resource-manager", "router", "dm-master", "dm-worker", "prometheus",
        ),
        ("/debug/pprof/",),
    ),
}  # fmt: skip

# Stacks grouped by where they stand: a server with a hundred thousand goroutines answers in kilobytes.
_PROFILES = (
    ("goroutines", "goroutine?debug=1", "debug/goroutine.txt"), ("heap", "heap?debug=1", "debug/heap.txt"),
    ("mutex", "mutex?debug=1", "debug/mutex.txt"),
)  # fmt: skip

PROFILES = tuple(
    Ask(
        name, path, tuple(f"{start}{query}" for start in starts), (component,), expect="text", content=Content.TEXT,
        volatility=SECONDS,
        default=False, priority=20,
    )
    for component, starts in _PPROF.items()
    for name, query, path in _PROFILES
)  # fmt: skip

# The state of the owner and the processors, and everything that TiCDC keeps in etcd: sinks with passwords too.
STATE = (
    Ask(
        "ticdc-info", "debug/info.txt", "/debug/info", ("ticdc",), deploy=True, expect="text", content=Content.TEXT,
        volatility=SECONDS,
    ),
    Ask("ticdc-status", "debug/status.txt", "/status", ("ticdc",), deploy=True, volatility=SECONDS),
    Ask("tidb-info", "info.json", "/info", ("tidb",), volatility=SECONDS),
)  # fmt: skip

CPU_SECONDS = 10
"""How long a CPU profile takes; it costs the server a few percent meanwhile."""

CORES = (
    Row(
        "cores", "debug/cores.csv",
        lambda host: Listing(host, ("/var/lib/systemd/coredump/*", "/var/crash/*", "/var/core/*", "/core*")),
        content=Content.CSV, volatility=DAYS, default=False,
    ),
    Row(
        "core-dumps", "debug/coredumpctl.txt",
        tool("coredumpctl list --no-pager --quiet", "", ok=(0, 1), empty="not_applicable"), volatility=DAYS,
        default=False,
    ),
)  # fmt: skip


class Debug(Collector):
    """Goroutines, heaps and locks of Go servers, threads and what they wait for, core files (listed, never read)."""

    name = "debug"
    category = Category.DEBUG
    summary = "goroutines, heap and mutex profiles, thread stacks and wait channels, core files listed"

    def items(self, target: Target) -> Iterator[Item]:
        yield from on_instances(self, target, PROFILES)
        yield from on_instances(
            self, target, tuple(replace(row, default=False, stage=Stage.LEARN) for row in STATE)
        )
        yield from on_machines(self, target, CORES)
        for instance in target.instances():
            yield from _threads(instance)
            yield from _cores(instance)
        for component, starts in _PPROF.items():
            for instance in of(target, component):
                yield _cpu(instance, f"{starts[0]}profile?seconds={CPU_SECONDS}")
        for instance in of(target, "tikv", "tiflash"):
            yield _cpu(instance, f"/debug/pprof/profile?seconds={CPU_SECONDS}")


def _threads(instance: Instance) -> Iterator[Item]:
    """Where each thread stands in the kernel: its stack needs root, what it waits for does not."""
    if instance.pid:
        source = attributes(f"/proc/{instance.pid}/task", names="comm wchan stack syscall", depth=2)(
            instance.host
        )
        yield Item(
            f"{place(instance)}/debug/threads.txt", source, id="debug.threads", host=instance.host,
            instance=instance.id, volatility=SECONDS, default=False, priority=10,
        )  # fmt: skip


def _cores(instance: Instance) -> Iterator[Item]:
    """Core files where an instance works; they are as large as its memory and hold all that was in it."""
    folders = [
        path.rstrip("/") for path in (instance.deploy_dir, *instance.data_dirs) if path.startswith("/")
    ]
    if folders and not instance.container:
        patterns = tuple(
            f"{glob.escape(folder)}/{name}" for folder in folders for name in ("core", "core.*", "*.core")
        )
        yield Item(
            f"{place(instance)}/debug/cores.csv", Listing(instance.host, patterns), id="debug.instance-cores",
            host=instance.host, instance=instance.id, content=Content.CSV, volatility=DAYS, default=False,
        )  # fmt: skip


def _cpu(instance: Instance, path: str) -> Item:
    """A CPU profile. It is taken only when it is asked for by this very name: it is work for a server in trouble."""
    return Item(
        f"{place(instance)}/debug/cpu-profile.pb.gz", Get(instance, path, expect="any", deadline=CPU_SECONDS + 20.0),
        id="debug.cpu-profile", host=instance.host, instance=instance.id, content=Content.OPAQUE,
        sensitivity=Sensitivity.INTERNAL, volatility=RESTART, default=False, by_name=True,
    )  # fmt: skip
