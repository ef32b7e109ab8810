"""Processes: all of them in a line each, those of the instances with threads, limits and open files."""

from __future__ import annotations

from collections.abc import Iterator

from clinic.collector import Category, Collector, Content, Instance, Item, Stage, Target, Volatility
from clinic.source.command import Command
from clinic.source.composed import Composed
from clinic.source.file import File, Files
from clinic_collectors._processes import environment, open_files
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
    summary = "process table; threads, limits, open files and known environment variables of the instances"

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
    environ = (("environ", File(instance.host, f"{proc}/environ")),)
    yield Item(
        f"{folder}/environment.txt", Composed(instance.host, environ, environment, needs=frozenset({"environ"})),
        id="processes.environment", instance=instance.id, content=Content.ENV, stage=Stage.LEARN,
        volatility=Volatility.RESTART,
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
        ("held", Command(host, held, ok=(0, 1), package="findutils")),
        ("all", File(host, "/proc/sys/fs/file-nr")),
        ("", Files(host, tuple(f"/proc/{pid}/limits" for pid in pids))),
    )
    yield Item(
        f"{host}/system/processes/open-files.txt", Composed(host, inputs, open_files, needs=frozenset({"held"})),
        id="processes.open-files", volatility=SECONDS, priority=20,
    )  # fmt: skip
