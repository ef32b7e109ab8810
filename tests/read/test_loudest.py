"""The loudest facts of a bundle are found in its files, and a hostile file costs nothing but its own."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from clinic import registry
from clinic.bundle.manifest import ClusterFacts, InstanceFacts, WindowFacts
from clinic.bundle.record import FileEntry, Record
from clinic.cluster.model import Cluster, Instance, Machine
from clinic.collector import Target
from clinic.read import hosts, instances
from clinic.read.fact import LARGEST, Scope
from clinic.read.loudest import PARSERS, find, reading
from clinic.window import Window

CLUSTER = Cluster(
    "shop", "local", (Machine("db1", local=True),),
    (Instance("tikv", "db1", 20160, pid=7, data_dirs=("/data",), unit="tikv-20160.service"),),
)  # fmt: skip
PROGRAMS = ((20160, "tikv-server"), (4000, "tidb-server"))
DF = b"""\
Filesystem     Type 1024-blocks      Used Available Capacity Mounted on
/dev/vda       ext4   264212084 253510152   9991112      97% /
"""
OOM = b"2026-11-25T03:10:00.000000Z kern:err: [ 12.345678] Out of memory: Killed process 9 (tikv-server) total-vm:1kB\n"
OLD_OOM = OOM.replace(b"11-25T03", b"10-01T03")


def test_every_item_that_is_read_is_one_that_is_collected() -> None:
    """A collector that renames an item would silence its facts."""
    window = Window(datetime(2026, 11, 25, tzinfo=timezone.utc), datetime(2026, 11, 26, tzinfo=timezone.utc))
    target = Target(CLUSTER, window)
    declared = {
        item.id: item for found in registry.builtin() for item in found.collector.items(target) if item.id
    }
    read = {*PARSERS, instances.TABLE, instances.COMMAND_LINE, instances.DATE, *hosts.JOURNAL}
    read |= {hosts.DMESG, hosts.BOOTS, hosts.LOAD, hosts.CHRONY, hosts.NTPQ, hosts.DAEMONS, hosts.TIMEDATECTL}
    assert read <= declared.keys()
    assert all(declared[identity].folder is bool(name) for identity, ((name, _), *_) in PARSERS.items())


def test_facts_come_the_loudest_first_with_their_host_and_file(run: Any, record: Any, kept: Any) -> None:
    records = [
        record("settings.sysctl", b"vm.swappiness = 60\n"),
        record("storage.df", DF),
        record("system.dmesg", OOM),
    ]
    found = find(run(), records, kept.read).facts
    assert [fact.text for fact in found] == [
        "the kernel killed tikv-server for lack of memory, last at 2026-11-25 11:10:00 +0800",
        "/ (/dev/vda): 97 % used, 9.5 GiB left",
        "vm.swappiness is 60 (TiDB asks for 0)",
    ]
    assert {fact.host for fact in found} == {"db1"}
    assert found[1].path == "db1/storage/df.txt"
    assert "du -x" in found[1].ask


def test_what_was_over_before_the_window_is_quieter_and_says_so(run: Any, record: Any, kept: Any) -> None:
    records = [record("system.dmesg", OLD_OOM), record("storage.df", DF)]
    found = find(run(), records, kept.read).facts
    assert [fact.text.endswith("(before the window)") for fact in found] == [False, True]


def test_what_began_after_the_window_is_quieter_and_says_so(run: Any, record: Any, kept: Any) -> None:
    records = [record("system.dmesg", OOM.replace(b"T03", b"T05")), record("storage.df", DF)]
    found = find(run(), records, kept.read).facts
    assert [fact.text.endswith("(after the window)") for fact in found] == [False, True]


def test_two_sources_of_one_fact_tell_it_once(run: Any, record: Any, kept: Any) -> None:
    records = [
        record("storage.df", DF),
        record("storage.df-data", DF),
        record("journal.kernel", OOM),
        record("system.dmesg", OOM),
    ]
    assert len(find(run(), records, kept.read).facts) == 2


def test_the_same_fact_of_two_hosts_is_told_for_each(run: Any, record: Any, kept: Any) -> None:
    records = [record("storage.df", DF), record("storage.df", DF, host="db2")]
    assert [fact.host for fact in find(run(), records, kept.read).facts] == ["db1", "db2"]


@pytest.mark.parametrize(("count", "facts"), [(3, 3), (4, 1)])
def test_many_instances_that_were_started_are_one_fact(
    run: Any, record: Any, kept: Any, count: int, facts: int
) -> None:
    started = "".join(
        f" {n + 10} 1 tidb Ssl 0 Wed Nov 25 11:0{n}:00 2026 - tidb-server\n" for n in range(count)
    )
    members = tuple(InstanceFacts(f"db1-{n}", "tidb", "db1", n) for n in range(count))
    records = [record("processes.table", started.encode())]
    records += [
        record("processes.cmdline", b"x", instance=f"db1-{n}", what=f"/proc/{n + 10}/cmdline")
        for n in range(count)
    ]
    found = find(run(cluster=ClusterFacts("shop", "local", ("db1",), members)), records, kept.read).facts
    assert len(found) == facts
    assert f"{'to' if facts == 1 else 'at'} 2026-11-25 11:0{count - 1}:00 +0800" in found[-1].text


def test_a_component_that_was_started_on_several_hosts_is_one_fact(run: Any, record: Any, kept: Any) -> None:
    hosts = ("db1", "db2")
    members = tuple(InstanceFacts(f"{host}-{n}", name, host, n) for host in hosts for n, name in PROGRAMS)
    records: list[Record] = []
    for minute, host in enumerate(hosts):
        lines = (f" {n} 1 tidb Ssl 0 Wed Nov 25 11:0{minute}:00 2026 - {name}\n" for n, name in PROGRAMS)
        records.append(record("processes.table", "".join(lines).encode(), host=host))
    for one in members:
        what = f"/proc/{one.port}/cmdline"
        records.append(record("processes.cmdline", b"x", instance=one.id, what=what, host=one.host))
    found = find(run(cluster=ClusterFacts("shop", "local", hosts, members)), records, kept.read).facts
    when = "from 2026-11-25 11:00:00 +0800 to 2026-11-25 11:01:00 +0800"
    assert {(fact.host, fact.text) for fact in found} == {
        ("", f"2 instances were started inside the window, {when}: {name} db1-{n}, {name} db2-{n}")
        for n, name in PROGRAMS
    }


def test_of_a_folder_only_the_file_that_is_meant_is_read(run: Any, record: Any, kept: Any) -> None:
    swaps = b"Filename Type Size Used Priority\n/swapfile file 8388604 2097152 -2\n"
    wanted = record("system.memory", swaps, name="system/memory/proc/swaps")
    other = record("system.memory", swaps, name="system/memory/proc/meminfo", host="db2")
    assert [fact.host for fact in find(run(), [wanted, other], kept.read).facts] == ["db1"]


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe\x00" * 1000, b"9" * 100_000, b"[" * 100_000, b"\n" * 100_000]
)
def test_bytes_that_are_nothing_say_nothing(run: Any, record: Any, kept: Any, content: bytes) -> None:
    records = [
        record(identity, content, name=f"{identity}/{file or 'x'}")
        for identity, ((file, _), *_) in PARSERS.items()
    ]
    records += [record("processes.table", content), record("clock.now", content)]
    assert find(run(), records, kept.read).facts == ()


def test_a_file_that_can_not_be_read_says_nothing(run: Any, record: Any) -> None:
    assert find(run(), [record("storage.df", DF)], lambda file: None).facts == ()


def test_items_that_are_not_there_say_nothing(run: Any, record: Any, kept: Any) -> None:
    found = find(run(), [record("storage.df")], kept.read)
    assert found.facts == ()
    assert set(found.states) == {"db1-4000", "db1-20160"}


def test_at_most_the_beginning_of_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"x" * (LARGEST + 5))
    size = LARGEST + 5
    data = reading(tmp_path)(FileEntry("big", size, size, "0" * 64))
    assert data is not None
    assert len(data) == LARGEST


def test_a_file_that_is_a_link_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/passwd")
    assert reading(tmp_path)(FileEntry("link", 1, 1, "0" * 64)) is None


@pytest.mark.parametrize(
    ("window", "zone"),
    [
        (
            WindowFacts("2026-11-25T10:00:00+08:00", "2026-11-25T12:00:00+08:00", "CST +0800"),
            timezone(timedelta(hours=8)),
        ),
        (
            WindowFacts("2026-11-25T10:00:00+08:00", "2026-11-25T12:00:00+08:00", "?"),
            timezone(timedelta(hours=8)),
        ),
        (WindowFacts("yesterday", "today", "nowhere"), timezone.utc),
        (WindowFacts("2026-11-25T10:00:00Z", "9999-99-99", ""), timezone.utc),
    ],
)
def test_the_scope_of_any_window_can_be_compared_with(run: Any, window: WindowFacts, zone: timezone) -> None:
    scope = Scope.of(run(window=window))
    assert scope.start <= datetime(2026, 11, 25, 10, 30, tzinfo=timezone.utc) or scope.start.year == 1
    assert scope.start < scope.end
    assert scope.zone.utcoffset(None) == zone.utcoffset(None)
