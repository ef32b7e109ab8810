"""Whether an instance ran is told by the processes that were seen, not guessed."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from clinic.bundle.manifest import InstanceFacts
from clinic.bundle.record import Record
from clinic.outcome import Reason, Status
from clinic.read.instances import processes, starts, states

UTC, CHINA = timezone.utc, timezone(timedelta(hours=8))
PS = b"""\
    PID    PPID USER                 STAT NLWP %CPU   RSS  MAJFL                  STARTED WCHAN        COMMAND
      1       0 root                 Ss      1  0.0 21776      0 Wed Nov 25 02:30:00 2026 ep_poll      /sbin/init
    777       1 tidb                 Ssl   130 98.0 21776      0 Wed Nov 25 03:47:28 2026 futex_wait   bin/tikv-server
garbage \xff\xfe line
    888       1 tidb                 Ssl    30  8.0 21776      0 Sun Nov  1 03:47:28 2026 -            bin/tidb-server
"""
DATE_CHINA = b"2026-11-25T12:00:00.123456789+0800,1795579200,CST\n"


@pytest.fixture
def text(kept: Any) -> Any:
    """The beginning of a record's first file."""

    def read(record: Record) -> str:
        return (kept.read(record.files[0]) or b"").decode(errors="replace") if record.files else ""

    return read


def test_a_process_is_up_since_its_start_in_the_zone_of_its_host(
    record: Any, text: Any, instances: tuple[InstanceFacts, ...]
) -> None:
    records = [
        record("processes.table", PS),
        record("clock.now", DATE_CHINA),
        record("processes.cmdline", b"tikv", instance="db1-20160", what="/proc/777/cmdline"),
    ]
    found = states(instances, records, processes(records, text, UTC))
    assert found["db1-20160"].started == datetime(2026, 11, 25, 3, 47, 28, tzinfo=CHINA)
    assert str(found["db1-20160"]) == "up, pid 777, since 2026-11-25 03:47:28 +0800"
    assert str(found["db1-4000"]) == "not running"


@pytest.mark.parametrize("identity", ["processes.cmdline", "processes.environment", "processes.status"])
def test_an_instance_whose_process_ended_while_it_was_looked_at_is_gone(
    record: Any, text: Any, instances: tuple[InstanceFacts, ...], identity: str
) -> None:
    """The table was taken before, and still has it."""
    went = {"status": Status.SKIPPED, "reason": Reason.NOT_FOUND, "message": "there is no /proc/777/status"}
    records = [record("processes.table", PS), record(identity, instance="db1-20160", **went)]
    known = [replace(one, pid=777) if one.port == 20160 else one for one in instances]
    found = states(known, records, processes(records, text, UTC))
    assert str(found["db1-20160"]) == "gone, pid 777 ended while it was looked at"
    assert found["db1-20160"].down
    assert not found["db1-4000"].ended


def test_in_a_bundle_that_does_not_say_the_process_its_command_line_tells_which_ended(
    record: Any, text: Any, instances: tuple[InstanceFacts, ...]
) -> None:
    went = {"status": Status.SKIPPED, "reason": Reason.NOT_FOUND}
    records = [record("processes.cmdline", instance="db1-20160", what="/proc/777/cmdline", **went)]
    assert states(instances, records, {})["db1-20160"].ended


def test_a_process_that_may_not_be_looked_at_is_up(
    record: Any, text: Any, instances: tuple[InstanceFacts, ...]
) -> None:
    denied = {"status": Status.SKIPPED, "reason": Reason.NOT_PERMITTED}
    records = [record("processes.cmdline", instance="db1-20160", what="/proc/777/cmdline", **denied)]
    assert str(states(instances, records, {})["db1-20160"]) == "up, pid 777"


def test_without_the_process_table_nobody_is_called_down(
    record: Any, text: Any, instances: tuple[InstanceFacts, ...]
) -> None:
    records = [record("processes.cmdline", b"tikv", instance="db1-20160", what="/proc/777/cmdline")]
    found = states(instances, records, processes(records, text, UTC))
    assert str(found["db1-20160"]) == "up, pid 777"
    assert str(found["db1-4000"]) == "not looked at"


def test_an_instance_that_answered_nothing_is_told_so(
    record: Any, text: Any, instances: tuple[InstanceFacts, ...]
) -> None:
    records = [
        record("config.running", status=Status.FAILED, reason=Reason.UNREACHABLE, instance="db1-4000"),
        record("processes.table", PS),
    ]
    found = states(instances, records, processes(records, text, UTC))
    assert str(found["db1-4000"]) == "no answer"


def test_what_was_started_inside_the_window_is_found(
    record: Any, text: Any, instances: tuple[InstanceFacts, ...]
) -> None:
    records = [
        record("processes.table", PS),
        record("processes.cmdline", b"tikv", instance="db1-20160", what="/proc/777/cmdline"),
        record("processes.cmdline", b"tidb", instance="db1-4000", what="/proc/888/cmdline"),
    ]
    seen = processes(records, text, UTC)
    found = states(instances, records, seen)
    start, end = datetime(2026, 11, 25, 2, tzinfo=UTC), datetime(2026, 11, 25, 4, tzinfo=UTC)
    assert [one.instance for one in starts(instances, found, seen, start, end)] == [None, instances[1]]
    assert list(starts(instances, found, seen, end, end + timedelta(hours=1))) == []
