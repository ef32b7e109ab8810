"""What the machine does right now: counters and processes over an interval of two seconds."""

from __future__ import annotations

from collections.abc import Iterator

from clinic.collector import Category, Collector, Content, Item, Sensitivity, Target, Volatility
from clinic.source.command import Command
from clinic.source.composed import Composed
from clinic.source.file import Files
from clinic_collectors._rates import rates
from clinic_collectors._rows import Row, on_machines, tool

SECONDS, PUBLIC = Volatility.SECONDS, Sensitivity.PUBLIC

INTERVAL = "2"
"""Seconds between the two looks."""

_COUNTERS = (
    "/proc/uptime", "/proc/stat", "/proc/vmstat", "/proc/diskstats",
    "/proc/net/dev", "/proc/net/snmp", "/proc/net/netstat",
    "/proc/pressure/cpu", "/proc/pressure/io", "/proc/pressure/memory",
)  # fmt: skip

# They start before everything else and wait side by side, so that all together take one interval and not five.
ROWS = (
    Row(
        "top", "samples/top.txt", tool(f"top -b -d {INTERVAL} -n 2", "procps/procps-ng"), content=Content.ARGV,
        volatility=SECONDS, priority=2,
    ),
    Row(
        "pidstat", "samples/pidstat.txt", tool(f"pidstat -u -r -d -w -h {INTERVAL} 1", "sysstat"),
        volatility=SECONDS, priority=3,
    ),
    Row(
        "vmstat", "samples/vmstat.txt", tool("vmstat -w -t 1 2", "procps/procps-ng"),
        volatility=SECONDS, sensitivity=PUBLIC, priority=4,
    ),
    Row(
        "iostat", "samples/iostat.txt", tool("iostat -x -t -z 1 2", "sysstat"),
        volatility=SECONDS, sensitivity=PUBLIC, priority=5,
    ),
)  # fmt: skip


class Samples(Collector):
    """Load over an interval: from /proc alone on every machine, and from the usual tools where they are."""

    name = "samples"
    category = Category.SYSTEM
    summary = "CPU, memory, disk, network and the instances over two seconds; top, pidstat, vmstat, iostat"

    def items(self, target: Target) -> Iterator[Item]:
        yield from on_machines(self, target, ROWS)
        for machine in target.machines:
            pids = {instance.pid for instance in target.instances(host=machine.name) if instance.pid}
            own = tuple(f"/proc/{pid}/{name}" for pid in sorted(pids) for name in ("stat", "io"))
            look = Files(machine.name, (*_COUNTERS, *own))
            inputs = (
                ("before:", look),
                ("pause", Command(machine.name, ("sleep", INTERVAL), package="coreutils", empty="ok")),
                ("after:", look),
            )
            source = Composed(machine.name, inputs, rates, needs=frozenset({"before:", "pause", "after:"}))
            yield Item(
                f"{machine.name}/system/samples/rates.txt",
                source,
                id="samples.rates",
                volatility=SECONDS,
                priority=1,
            )
