"""What ended while it was looked at is the loudest fact; what was started is told with what may say why."""

from __future__ import annotations

from typing import Any

import pytest

from clinic.bundle.manifest import ClusterFacts, InstanceFacts
from clinic.bundle.record import Record
from clinic.outcome import Reason, Status
from clinic.read.loudest import find

PS = b"""\
    PID    PPID USER STAT                  STARTED WCHAN        COMMAND
      1       0 root Ss   Wed Nov 25 11:00:00 2026 ep_poll      /sbin/init
    777       1 tidb Ssl  Wed Nov 25 11:47:28 2026 futex_wait   bin/tikv-server
    778       1 tidb Ssl  Wed Nov 25 11:48:28 2026 futex_wait   bin/tidb-server
"""
BOOTS = b" -1 aaa Mon 2026-11-23\n  0 bbb Wed 2026-11-25\n"
DATE = b"2026-11-25T12:00:00.123456789+0800,1795579200,CST\n"
GONE = {"status": Status.SKIPPED, "reason": Reason.NOT_FOUND, "message": "there is no such process"}


def cluster(count: int = 2, unit: str = "") -> ClusterFacts:
    """A cluster whose instances run as the processes 777 and up."""
    members = (
        InstanceFacts(f"db1-{n}", "tikv", "db1", n, pid=776 + n, unit=unit and f"{unit}-{n}.service")
        for n in range(1, count + 1)
    )
    return ClusterFacts("shop", "local", ("db1",), tuple(members))


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (1, "1 instance ended while it was looked at: tikv db1-1"),
        (2, "2 instances ended while they were looked at: tikv db1-1, tikv db1-2"),
        (5, "5 instances ended while they were looked at: tikv db1-1, tikv db1-2, tikv db1-3 and 2 more"),
    ],
)
def test_instances_that_ended_while_they_were_looked_at_are_the_loudest_fact(
    run: Any, record: Any, kept: Any, count: int, text: str
) -> None:
    oom = (
        b"2026-11-25T03:10:00Z kern:err: [ 1.2] Out of memory: Killed process 9 (tikv-server) total-vm:1kB\n"
    )
    records = [record("system.dmesg", oom), record("processes.table", PS)]
    records += [record("processes.cmdline", instance=f"db1-{n}", **GONE) for n in range(1, count + 1)]
    found = find(run(cluster=cluster(count)), records, kept.read)
    assert found.facts[0].text == text
    assert found.ended == count


def started(run: Any, record: Any, kept: Any, *more: Record, unit: str = "") -> dict[str, str]:
    """The facts of what was started, and what they ask."""
    records = [record("processes.table", PS), record("clock.now", DATE), *more]
    found = find(run(cluster=cluster(unit=unit)), records, kept.read)
    return {fact.text: fact.ask for fact in found.facts if "was started" in fact.text}


def test_what_stopped_an_instance_is_asked_of_its_unit_in_the_time_of_its_host(
    run: Any, record: Any, kept: Any
) -> None:
    asked = started(run, record, kept, record("changes.boots", BOOTS), unit="tikv")
    assert asked == {
        "the machine was started inside the window, at 2026-11-25 11:00:00 +0800":
            "journalctl -b -1 -n 200 --no-pager # what stopped the machine?",
        "tikv db1-1 was started inside the window, at 2026-11-25 11:47:28 +0800":
            "journalctl -u tikv-1.service --until '2026-11-25 11:47:28' -n 200 --no-pager"
            " # what stopped tikv db1-1 before 2026-11-25T11:47:28+08:00?",
        "tikv db1-2 was started inside the window, at 2026-11-25 11:48:28 +0800":
            "journalctl -u tikv-2.service --until '2026-11-25 11:48:28' -n 200 --no-pager"
            " # what stopped tikv db1-2 before 2026-11-25T11:48:28+08:00?",
    }  # fmt: skip


def test_a_host_without_a_journal_is_not_asked_for_it(run: Any, record: Any, kept: Any) -> None:
    empty = {"status": Status.SKIPPED, "reason": Reason.EMPTY, "message": "journalctl had nothing to say"}
    none = [record(identity, **empty) for identity in ("changes.boots", "journal.kernel")]
    assert set(started(run, record, kept, *none, unit="tikv").values()) == {""}


def test_an_instance_that_no_unit_runs_has_no_journal(run: Any, record: Any, kept: Any) -> None:
    assert set(started(run, record, kept, record("changes.boots", b"  0 bbb Wed\n")).values()) == {""}
