"""What changed before it broke: restarts, reboots, operations, files, tables, packages."""

from __future__ import annotations

import glob
from collections.abc import Iterator
from datetime import timedelta

from clinic.collector import Category, Collector, Content, Instance, Item, Stage, Target, Volatility
from clinic.source.base import CONTROL
from clinic.source.command import Command
from clinic.source.composed import Composed
from clinic.source.file import Files
from clinic.source.listing import Listing
from clinic_collectors._audit import operations
from clinic_collectors._rows import Row, files, on_machines, tool
from clinic_collectors._servers import place
from clinic_collectors._sql import Table, of_servers
from clinic_collectors._topology import tiup_folder

DAYS, LEARN = Volatility.DAYS, Stage.LEARN

BACK = timedelta(days=7)
"""How far before the end of the window is looked: what broke today was changed this week."""

NEWEST = 200
"""Operations of TiUP that are looked at."""

_HEAD = 16 << 10
"""Bytes of each: its command, and when it began. The log of all its steps behind that can be megabytes."""

_SHOWN = "Id,ActiveState,SubState,Result,NRestarts,ExecMainStartTimestamp,ExecMainExitTimestamp,ExecMainCode," \
    "ExecMainStatus,ActiveEnterTimestamp,InactiveEnterTimestamp,StateChangeTimestamp"  # fmt: skip

# dnf is not asked for its history: it writes a log of its own whenever it runs, and nothing is written on a node.
MACHINE = (
    Row(
        "units", "changes/units.txt",
        tool(f"systemctl show --no-pager --property={_SHOWN} *.service", "", empty="not_applicable", ok=(0, 1)),
        content=Content.ENV, volatility=Volatility.RESTART, priority=20,
    ),
    Row(
        "boots", "changes/boots.txt", tool("journalctl --no-pager --quiet --list-boots", "systemd", ok=(0, 1)),
        volatility=DAYS, priority=20,
    ),
    Row(
        "reboots", "changes/reboots.txt",
        tool("last -x -F -n 50 reboot shutdown runlevel", "util-linux-extra/util-linux", ok=(0, 1)), volatility=DAYS,
    ),
    Row(
        "packages", "changes/packages",
        files(
            "/var/log/dpkg.log", "/var/log/dpkg.log.1", "/var/log/apt/history.log", "/var/log/dnf.rpm.log",
            "/var/log/yum.log", "/var/log/zypp/history",
        ),
        volatility=DAYS, folder=True, cap=2 << 20,
    ),
    Row(
        "rpm", "changes/rpm-last.txt", tool("rpm -qa --last", "", empty="not_applicable", deadline=60.0),
        volatility=DAYS,
    ),
)  # fmt: skip

# The newest jobs, finished ones included; the statement's text is not among the columns.
JOBS = (Table("ddl-jobs", "db_vars/ddl_jobs.csv", "ADMIN SHOW DDL JOBS 200", priority=20),)


class Changes(Collector):
    """Starts and restarts, reboots, TiUP's operations, owners and times of files, DDL jobs, packages."""

    name = "changes"
    category = Category.CHANGES
    summary = "restarts, reboots, TiUP operations, times and owners of configuration and programs, DDL jobs, packages"

    def items(self, target: Target) -> Iterator[Item]:
        yield from on_machines(self, target, MACHINE)
        for machine in target.machines:
            instances = list(target.instances(host=machine.name))
            yield from _restarts(machine.name, target, instances)
            yield from _listed(machine.name, instances)
        yield from _tiup(target)
        yield from of_servers(self, target, JOBS)


def _restarts(host: str, target: Target, instances: list[Instance]) -> Iterator[Item]:
    """What systemd itself says of the instances' units: started, stopped, killed, failed."""
    units = sorted({one.unit for one in instances if one.unit and not one.unit.startswith("-")})
    if units:
        since = (target.window.end - BACK).timestamp()
        argv = (
            "journalctl", "--no-pager", "--quiet", "--output=short-iso", "--lines=5000", f"--since=@{since:.0f}",
            f"--until=@{target.window.end.timestamp() + 1:.0f}", "_PID=1", *(f"UNIT={unit}" for unit in units),
        )  # fmt: skip
        yield Item(
            f"{host}/system/changes/restarts.log", Command(host, argv, ok=(0, 1), package="systemd", deadline=60.0),
            id="changes.restarts", content=Content.LOG, volatility=DAYS, priority=20,
        )  # fmt: skip


def _listed(host: str, instances: list[Instance]) -> Iterator[Item]:
    """Owner, mode and time of what the instances are made of and started with."""
    for instance in instances:
        paths = [
            glob.escape(path) for path in (*instance.config_files, instance.binary) if path.startswith("/")
        ]
        if instance.deploy_dir.startswith("/"):
            deploy = glob.escape(instance.deploy_dir.rstrip("/"))
            paths += [
                f"{deploy}/{below}" for below in ("*", "bin/*", "bin/*/*", "conf/*", "scripts/*", "tls/*")
            ]
        if instance.unit:
            unit = glob.escape(instance.unit)
            paths += [
                f"{folder}/{unit}{rest}"
                for folder in ("/etc/systemd/system", "/usr/lib/systemd/system")
                for rest in ("", ".d/*")
            ]
        if paths and not instance.container:
            yield Item(
                f"{place(instance)}/files.csv", Listing(host, tuple(dict.fromkeys(paths))), id="changes.files",
                instance=instance.id, content=Content.CSV, volatility=DAYS,
            )  # fmt: skip


def _tiup(target: Target) -> Iterator[Item]:
    """What TiUP did to this cluster, and to no other; the logs of these operations only when they are named."""
    folder = tiup_folder(target.cluster)
    if not folder:
        return
    audit = f"{glob.escape(folder.partition('/clusters/')[0])}/audit/*"
    found = Files(CONTROL, (audit,), newest=NEWEST, head=_HEAD)
    lines = Composed(CONTROL, (("", found),), operations(target.cluster.name, target.window.end - BACK))
    yield Item(
        "cluster_audit/operations.txt", lines, id="changes.tiup", content=Content.ARGV, stage=LEARN, volatility=DAYS,
        priority=20,
    )  # fmt: skip
