"""What only several items of one host tell together: whether it has a journal, a clock that is kept right, more work
than it can do, and anything from the window."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from clinic.bundle.record import FileEntry, Record
from clinic.outcome import Reason
from clinic.read.fact import LARGEST, Fact, Scope
from clinic.read.instances import TABLE
from clinic.read.kernel import moment_of

DMESG, BOOTS, LOAD = "system.dmesg", "changes.boots", "system.load"
CHRONY, NTPQ, DAEMONS, TIMEDATECTL = "clock.chrony", "clock.ntpq", "clock.daemons", "clock.timedatectl"
JOURNAL = ("journal.instances", "journal.kernel", "journal.warnings")
"""Ids of the items that tell."""

LIVE = timedelta(minutes=10)
"""A window that ends so shortly before the run, or later: what the machine does now is part of it."""

BUSY = 2
"""How many processes may wait for each core before it counts as too much work."""

_NOTHING = frozenset({Reason.EMPTY, Reason.NOT_APPLICABLE, Reason.NOT_FOUND, Reason.TOOL_ABSENT})
"""Reasons that say that there is nothing of the kind; any other leaves it open."""

_TIMED = frozenset({"logs", "metrics", "alerts"})
"""Categories whose items hold the window and nothing else."""

_KEEPER = re.compile(
    r"(?:^|[\s/])(?:chronyd|ntpd|ntpsec|openntpd|systemd-timesyncd|systemd-timesyn|ptp4l|phc2sys)(?=\s|$)",
    re.M,
)
"""A program that keeps the clock right, as the process table shows it."""


@dataclass(frozen=True)
class Host:
    """One host's records."""

    name: str
    """The machine."""

    records: Sequence[Record]
    """All that is about it."""

    text: Callable[[FileEntry], str]
    """The beginning of a file."""

    booted: datetime | None = None
    """When it was started, aware, as its first process tells."""

    def of(self, identity: str) -> Record | None:
        """What became of an item; None when it was not planned."""
        return next((record for record in self.records if record.entry.id == identity), None)

    def read(self, identity: str, name: str = "") -> str:
        """The beginning of an item's file; of a folder, of the file `name` in it. Empty where there is none."""
        record = self.of(identity)
        for file in record.files if record is not None else ():
            if not name or file.name.rpartition("/")[2] == name:
                return self.text(file)
        return ""

    def lacks(self, identity: str) -> bool:
        """Whether the item was looked for, and there is nothing of the kind."""
        record = self.of(identity)
        return record is not None and not record.files and record.reason in _NOTHING


def has_journal(host: Host) -> bool:
    """Whether its journal can be asked: not where everything that was asked of it had no answer."""
    asked = [record for one in (BOOTS, *JOURNAL) if (record := host.of(one)) is not None]
    return not asked or any(not host.lacks(record.entry.id) for record in asked)


def has_earlier_boot(host: Host) -> bool:
    """Whether its journal holds the boot before this one, from `journalctl --list-boots`."""
    return re.search(r"(?m)^ {0,8}-1 ", host.read(BOOTS)) is not None


def unkept(host: Host) -> Iterator[Fact]:
    """A clock that nothing keeps right: no time daemon that answers, none that systemd knows to run, none that runs."""
    if not all(host.lacks(one) or host.read(one) for one in (CHRONY, NTPQ, DAEMONS)):
        return  # not all of it could be asked
    answers = "\n".join(map(host.read, (CHRONY, NTPQ, DAEMONS, TIMEDATECTL)))
    kept = re.search(
        r"(?m)^Leap status|\bleap_\w|^ {1,20}Active: active|clock synchronized: (?:yes|no)", answers
    )
    table = host.read(TABLE)
    if kept is None and host.booted is not None and _KEEPER.search(table) is None:
        path = next((file.path for file in _files(host.of(TABLE))), "")
        text = "nothing keeps the clock right: neither chrony nor ntp nor systemd-timesyncd runs"
        yield Fact(3, host.name, text, "", path)


def overload(host: Host) -> Iterator[Fact]:
    """A load average above twice the cores, from /proc/loadavg and /proc/stat."""
    match = re.match(r"(\d{1,6}\.\d\d) (\d{1,6}\.\d\d) (\d{1,6}\.\d\d) ", host.read(LOAD, "loadavg"))
    cores = len(re.findall(r"(?m)^cpu\d{1,5} ", host.read(LOAD, "stat")))
    if match is not None and cores and max(float(match[1]), float(match[2])) > BUSY * cores:
        averages = f"{match[1]}, {match[2]}, {match[3]} over 1, 5 and 15 min"
        text = f"the load average is {averages}, with {cores} core{'s' if cores > 1 else ''}"
        yield Fact(3, host.name, text, "", next((file.path for file in _files(host.of(LOAD))), ""))


def outside(host: Host, scope: Scope) -> Iterator[Fact]:
    """A window that ended before the machine was started, or of which nothing is in the bundle."""
    timed = [one for one in host.records if one.entry.category in _TIMED or one.entry.id in JOURNAL]
    held = any(record.files for record in timed)
    booted = _booted(host)
    if booted is not None and scope.end < booted:
        rest = "only logs are from it" if held else "nothing here is from it"
        when = scope.shown(booted)
        text = f"the window ended before this machine was started at {when}: {rest}"
        yield Fact(1 if held else 0, host.name, text, "", "")
        return
    live = scope.end > scope.looked - LIVE
    # On a quiet machine the kernel alone says nothing for hours.
    asked = any(one.reason is Reason.EMPTY for one in timed) or (not live and _files(host.of(DMESG)))
    if asked and not held and not _kernel_spoke(host, scope):
        yield Fact(
            5 if live else 0, host.name,
            "no log, no journal and no message of the kernel is from the window"
            + ("" if live else ": what is here is from when it was collected"), "", "",
        )  # fmt: skip


def _booted(host: Host) -> datetime | None:
    found = re.search(r"(?m)^btime (\d{1,11})$", host.read(LOAD, "stat"))
    return datetime.fromtimestamp(int(found[1]), timezone.utc) if found is not None else host.booted


def _kernel_spoke(host: Host, scope: Scope) -> bool:
    """Whether a message of the kernel is of the window, or may be: where lines have no time, or were not looked at."""
    files = _files(host.of(DMESG))
    times = [moment_of(line, scope.zone) for line in host.read(DMESG).splitlines()]
    known = [moment for moment in times if moment is not None]
    if files and (files[0].plain > LARGEST or not known):
        return True
    return any(map(scope.holds, known))


def _files(record: Record | None) -> tuple[FileEntry, ...]:
    return record.files if record is not None else ()


def by_host(
    records: Iterable[Record], text: Callable[[FileEntry], str], booted: Mapping[str, datetime]
) -> Iterator[Host]:
    """Each host of which something was collected."""
    found: dict[str, list[Record]] = {}
    for record in records:
        found.setdefault(record.entry.host, []).append(record)
    for name, ours in found.items():
        if name and any(record.files for record in ours):
            yield Host(name, ours, text, booted.get(name))
