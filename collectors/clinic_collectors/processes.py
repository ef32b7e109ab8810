"""Processes: all of them in a line each, those of the instances with threads, limits and open files."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping

from clinic.collector import Category, Collector, Content, Instance, Item, Stage, Target, Volatility
from clinic.source.command import Command
from clinic.source.composed import Composed
from clinic.source.file import File, Files
from clinic_collectors._rows import Row, on_machines, tool

SECONDS = Volatility.SECONDS

# The arguments come last: they may hold credentials, and anything else.
_COLUMNS = "pid,ppid,user:20,stat,nlwp,psr,ni,pcpu,pmem,rss,vsz,min_flt,maj_flt,lstart,wchan:24,args"
_THREADS = "pid,tid,stat,psr,pri,ni,pcpu,time,wchan:24,comm"

# busybox has a ps that knows few of these columns: it ends with 1 and prints nothing, and its top says what runs.
ROWS = (
    Row(
        "table", "processes/table.txt", tool(f"ps -ww -eo {_COLUMNS}", "procps/procps-ng", ok=(0, 1)),
        content=Content.ARGV, volatility=SECONDS, stage=Stage.LEARN, priority=10,
    ),
)  # fmt: skip

_STATUS = ("limits", "status", "sched", "schedstat", "cgroup", "oom_score", "oom_score_adj", "wchan")


class Processes(Collector):
    """What runs, how many threads and files it has, and what it is allowed."""

    name = "processes"
    category = Category.SYSTEM
    summary = "process table, threads, limits and open files of the instances"

    def items(self, target: Target) -> Iterator[Item]:
        yield from on_machines(self, target, ROWS)
        for machine in target.machines:
            live = [instance for instance in target.instances(host=machine.name) if instance.pid]
            for instance in live:
                yield from _one(instance)
            if live:
                yield from _together(
                    machine.name, tuple(dict.fromkeys(str(instance.pid) for instance in live))
                )


def _one(instance: Instance) -> Iterator[Item]:
    folder, proc = f"{instance.host}/system/processes/{instance.id}", f"/proc/{instance.pid}"
    yield Item(
        f"{folder}/cmdline.txt", File(instance.host, f"{proc}/cmdline"), id="processes.cmdline", instance=instance.id,
        content=Content.ARGV, stage=Stage.LEARN, volatility=Volatility.RESTART,
    )  # fmt: skip
    yield Item(
        folder, Files(instance.host, tuple(f"{proc}/{name}" for name in _STATUS)), id="processes.status",
        instance=instance.id, folder=True, volatility=SECONDS, priority=20,
    )  # fmt: skip


def _together(host: str, pids: tuple[str, ...]) -> Iterator[Item]:
    threads = ("ps", "-L", "-o", _THREADS, "-p", ",".join(pids))
    yield Item(
        f"{host}/system/processes/threads.txt", Command(host, threads, ok=(0, 1), package="procps/procps-ng"),
        id="processes.threads", volatility=SECONDS, priority=20,
    )  # fmt: skip
    held = ("find", *(f"/proc/{pid}/fd" for pid in pids), "-mindepth", "1", "-maxdepth", "1")
    inputs = (
        ("held", Command(host, held, ok=(0, 1), root=True, package="findutils")),
        ("all", File(host, "/proc/sys/fs/file-nr")),
        ("", Files(host, tuple(f"/proc/{pid}/limits" for pid in pids))),
    )
    yield Item(
        f"{host}/system/processes/open-files.txt", Composed(host, inputs, open_files, needs=frozenset({"held"})),
        id="processes.open-files", volatility=SECONDS, priority=20,
    )  # fmt: skip


def open_files(inputs: Mapping[str, bytes]) -> bytes:
    """How many files each process holds open beside what it may, and the whole machine."""
    held = Counter(re.findall(rb"^/proc/(\d+)/fd/\d+$", inputs["held"], re.MULTILINE))
    lines = ["pid\topen\tsoft\thard"]
    for pid, count in sorted(held.items(), key=lambda pair: int(pair[0])):
        limit = re.search(
            rb"^Max open files\s+(\S+)\s+(\S+)", inputs.get(f"/proc/{pid.decode()}/limits", b""), re.MULTILINE
        )
        soft, hard = (limit[1].decode(), limit[2].decode()) if limit else ("?", "?")
        lines.append(f"{pid.decode()}\t{count}\t{soft}\t{hard}")
    allocated = inputs.get("all", b"? ? ?").split()
    lines.append(
        f"# machine: {allocated[0].decode()} allocated, {allocated[-1].decode()} at most (/proc/sys/fs/file-nr)"
    )
    return ("\n".join(lines) + "\n").encode()
