"""What no single file of a host tells: its journal, its clock's keeper, its load, whether the window is in there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from clinic.bundle.manifest import WindowFacts
from clinic.bundle.record import Record
from clinic.outcome import Reason, Status
from clinic.read import hosts
from clinic.read.fact import Fact, Scope
from clinic.read.hosts import Host, by_host
from clinic.read.loudest import find

CHINA = timezone(timedelta(hours=8))
BOOTED = datetime(2026, 11, 24, 8, tzinfo=CHINA)
TABLE = b"""\
    PID    PPID USER STAT                  STARTED WCHAN        COMMAND
      1       0 root Ss   Tue Nov 24 08:00:00 2026 ep_poll      /sbin/init
    777       1 tidb Ssl  Tue Nov 24 08:01:00 2026 futex_wait   bin/tikv-server --log-file=/ntpd.log
"""
KEPT = TABLE + b"    801       1 ntp  Ssl  Tue Nov 24 08:01:00 2026 do_select    /usr/sbin/chronyd -F 1\n"
STAT = b"cpu  1 2 3\ncpu0 1 2 3\ncpu1 1 2 3\nintr 1\nbtime 1795478400\n"  # 2026-11-24T00:00:00Z
EARLIER = WindowFacts("2026-11-23T10:00:00+08:00", "2026-11-23T12:00:00+08:00", "CST +0800")
YESTERDAY = WindowFacts("2026-11-24T10:00:00+08:00", "2026-11-24T12:00:00+08:00", "CST +0800")
KERNEL = b"2026-11-24T00:00:00.000000Z kern:info: [    0.000000] Linux version 6.12\n"
LATER_KERNEL = KERNEL.replace(b"T00:", b"T03:")

Find = Callable[..., list[str]]


@pytest.fixture
def host(kept: Any) -> Callable[..., Host]:
    """The host db1 as these records tell of it."""

    def make(*records: Record, booted: datetime | None = BOOTED) -> Host:
        def text(file: Any) -> str:
            return (kept.read(file) or b"").decode()

        return Host("db1", records, text, booted)

    return make


@pytest.fixture
def no(record: Any) -> Callable[..., Record]:
    """An item that was looked for in vain."""

    def make(identity: str, reason: Reason = Reason.NOT_APPLICABLE) -> Record:
        made: Record = record(identity, status=Status.SKIPPED, reason=reason)
        return made

    return make


@pytest.fixture
def clock(no: Any) -> list[Record]:
    """Neither chrony nor ntp is installed, and systemctl reaches no systemd."""
    return [no("clock.chrony"), no("clock.ntpq"), no("clock.daemons")]


def told(facts: Any) -> list[str]:
    """What they say."""
    return [fact.text for fact in facts]


UNKEPT = "nothing keeps the clock right: neither chrony nor ntp nor systemd-timesyncd runs"


def test_a_clock_that_nothing_keeps_right_is_told(host: Any, record: Any, clock: list[Record]) -> None:
    table = record("processes.table", TABLE)
    (fact,) = hosts.unkept(host(*clock, table))
    assert (fact.text, fact.host, fact.path) == (UNKEPT, "db1", table.files[0].path)
    assert fact.weight < 5


@pytest.mark.parametrize(
    ("identity", "answer"),
    [
        ("clock.chrony", b"Leap status     : Normal\n"),
        ("clock.chrony", b"Leap status     : Not synchronised\n"),  # which is told of chrony itself
        ("clock.ntpq", b"associd=0 status=0615 leap_none, sync_ntp\n"),
        ("clock.daemons", b"     Loaded: loaded (x)\n     Active: active (running) since Wed\n"),
    ],
)
def test_a_time_daemon_that_answers_keeps_it(
    host: Any, record: Any, clock: list[Record], identity: str, answer: bytes
) -> None:
    others = [one for one in clock if one.entry.id != identity]
    assert told(hosts.unkept(host(*others, record(identity, answer), record("processes.table", TABLE)))) == []


def test_a_chronyc_that_reaches_no_daemon_keeps_nothing(host: Any, record: Any, clock: list[Record]) -> None:
    mute = record("clock.chrony", b"506 Cannot talk to daemon\n")
    assert told(hosts.unkept(host(*clock[1:], mute, record("processes.table", TABLE)))) == [UNKEPT]


def test_a_time_daemon_among_the_processes_keeps_it(host: Any, record: Any, clock: list[Record]) -> None:
    assert told(hosts.unkept(host(*clock, record("processes.table", KEPT)))) == []


def test_what_could_not_be_asked_is_not_said_to_be_unkept(
    host: Any, record: Any, no: Any, clock: list[Record]
) -> None:
    table = record("processes.table", TABLE)
    late = record("clock.chrony", status=Status.TIMED_OUT, reason=Reason.DEADLINE)
    assert told(hosts.unkept(host(*clock[1:], late, table))) == []
    assert told(hosts.unkept(host(*clock[1:], table))) == []
    assert told(hosts.unkept(host(*clock, booted=None))) == []


@pytest.mark.parametrize(
    ("load", "expected"),
    [
        (
            b"4.01 1.02 0.50 2/501 159\n",
            ["the load average is 4.01, 1.02, 0.50 over 1, 5 and 15 min, with 2 cores"],
        ),
        (
            b"1.01 9.02 0.50 2/501 159\n",
            ["the load average is 1.01, 9.02, 0.50 over 1, 5 and 15 min, with 2 cores"],
        ),
        (b"4.00 4.00 9.99 2/501 159\n", []),
        (b"nan inf 1\n", []),
    ],
)
def test_a_load_above_twice_the_cores_is_told(
    host: Any, record: Any, kept: Any, load: bytes, expected: list[str]
) -> None:
    one = record("system.load", load, name="cpu/proc/loadavg")
    other = record("system.load", STAT, name="cpu/proc/stat")
    whole = replace(one, files=(*one.files, *other.files))
    assert told(hosts.overload(host(whole))) == expected
    assert told(hosts.overload(host(one))) == []


def outside(run: Any, host: Host, window: WindowFacts) -> list[Fact]:
    """What is said of the window."""
    return list(hosts.outside(host, Scope.of(run(window=window))))


def test_a_window_that_ended_before_the_machine_was_started_is_the_loudest_fact(
    run: Any, host: Any, record: Any, no: Any
) -> None:
    (fact,) = outside(run, host(record("storage.df", b"x"), no("journal.kernel", Reason.EMPTY)), EARLIER)
    assert fact.text == (
        "the window ended before this machine was started at 2026-11-24 08:00:00 +0800: nothing here is from it"
    )
    assert fact.weight == 0


def test_the_kernel_knows_better_than_its_first_process_when_it_was_started(
    run: Any, host: Any, record: Any
) -> None:
    """In a container the first process is younger."""
    stat = record("system.load", STAT, name="cpu/proc/stat")
    (fact,) = outside(run, host(stat, booted=BOOTED + timedelta(days=1)), EARLIER)
    assert "2026-11-24 08:00:00 +0800" in fact.text


def test_logs_from_before_the_machine_was_started_are_not_denied(run: Any, host: Any, record: Any) -> None:
    log = record("journal.kernel", b"2026-11-23T11:00:00+0800 x\n")
    (fact,) = outside(run, host(log), EARLIER)
    assert fact.text.endswith("only logs are from it")
    assert fact.weight > 0


def test_a_window_of_which_nothing_is_there_is_the_loudest_fact(
    run: Any, host: Any, record: Any, no: Any
) -> None:
    (fact,) = outside(
        run, host(no("journal.kernel", Reason.EMPTY), record("system.dmesg", KERNEL)), YESTERDAY
    )
    assert fact.text.startswith("no log, no journal and no message of the kernel is from the window")
    assert fact.weight == 0


@pytest.mark.parametrize("journal", [b"2026-11-24T11:00:00+0800 x\n", None])
def test_a_journal_or_a_message_of_the_kernel_is_something(
    run: Any, host: Any, record: Any, no: Any, journal: bytes | None
) -> None:
    entry = record("journal.kernel", journal) if journal else no("journal.kernel", Reason.EMPTY)
    dmesg = record("system.dmesg", KERNEL if journal else LATER_KERNEL)
    assert outside(run, host(entry, dmesg), YESTERDAY) == []


def test_messages_of_the_kernel_without_a_time_may_be_of_the_window(run: Any, host: Any, record: Any) -> None:
    assert outside(run, host(record("system.dmesg", b"kern:info: [  1.0] Linux\n")), YESTERDAY) == []


def test_a_window_up_to_now_holds_what_the_machine_does_now(
    run: Any, host: Any, record: Any, no: Any
) -> None:
    now = run().window
    dmesg = record("system.dmesg", KERNEL)
    assert outside(run, host(dmesg), now) == []
    (fact,) = outside(run, host(dmesg, no("journal.kernel", Reason.EMPTY)), now)
    assert fact.text == "no log, no journal and no message of the kernel is from the window"
    assert fact.weight > 4


def test_a_host_has_a_journal_unless_everything_that_was_asked_of_it_was_empty(
    host: Any, record: Any, no: Any
) -> None:
    empty = [no(one, Reason.EMPTY) for one in ("changes.boots", *hosts.JOURNAL)]
    assert not hosts.has_journal(host(*empty))
    assert hosts.has_journal(host())
    assert hosts.has_journal(host(*empty[1:], record("changes.boots", b" 0 abc\n")))
    assert hosts.has_journal(host(*empty[1:], no("changes.boots", Reason.NOT_PERMITTED)))


def test_an_earlier_boot_is_one_that_the_journal_lists(host: Any, record: Any) -> None:
    two = b" -1 aaa Mon\n  0 bbb Tue\n"
    assert hosts.has_earlier_boot(host(record("changes.boots", two)))
    assert not hosts.has_earlier_boot(host(record("changes.boots", b"  0 bbb Tue\n")))
    assert not hosts.has_earlier_boot(host())


def test_only_hosts_of_which_something_was_collected_are_looked_at(record: Any, no: Any) -> None:
    records = [record("a.a", b"x"), no("a.a"), record("a.a", host="db2"), record("a.a", b"x", host="")]
    assert [one.name for one in by_host(records, lambda file: "", {})] == ["db1"]


def test_one_clock_is_one_fact(run: Any, record: Any, kept: Any, clock: list[Record]) -> None:
    """systemctl tells of daemons that do not run, the processes that none does."""
    daemons = record("clock.daemons", b"     Loaded: loaded (/x; disabled)\n     Active: inactive (dead)\n")
    found = find(run(), [*clock[:2], daemons, record("processes.table", TABLE)], kept.read).facts
    assert [fact.text for fact in found if "clock" in fact.text or "daemons" in fact.text] == [UNKEPT]
