"""Whether each instance ran when it was looked at, since when, and what was started inside the window."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone, tzinfo

from clinic.bundle.manifest import InstanceFacts
from clinic.bundle.record import Record
from clinic.outcome import Reason, Status
from clinic.read.kernel import moment_of

TABLE, COMMAND_LINE, DATE = "processes.table", "processes.cmdline", "clock.now"
"""Ids of the items that tell: `ps` with `lstart`, the command line of each instance's process, the host's zone."""

_PROCESSES = "processes"
"""The collector of all that a process's own files say."""

_PROCESS = re.compile(r"^ *(\d{1,10}) +\S.{0,300}? (\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}) ")
_ZONE = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,9}([+-])(\d\d)(\d\d),")
_PID = re.compile(r"/proc/(\d{1,10})/")

Processes = Mapping[str, Mapping[int, datetime]]
"""When each process was started, by host and number; hosts that were not looked at are not in it."""

Text = Callable[[Record], str]
"""The beginning of the first file of a record; empty when it has none."""


@dataclass(frozen=True, slots=True)
class State:
    """What was seen of one instance."""

    looked: bool
    """Whether anything was there to tell whether it ran."""

    pid: int = 0
    """Its process; 0 when none was seen."""

    started: datetime | None = None
    """Since when that runs; None when unknown."""

    silent: bool = False
    """Whether it answered nothing that it was asked."""

    ended: bool = False
    """Whether its process was there when the run began, and was gone when it was looked at."""

    @property
    def down(self) -> bool:
        """Whether it does not do its work, as far as was seen."""
        return self.silent or self.ended or (self.looked and not self.pid)

    def __str__(self) -> str:
        if self.ended:
            return f"gone, pid {self.pid} ended while it was looked at"
        if self.silent:
            return "no answer"
        if not self.pid:
            return "not running" if self.looked else "not looked at"
        return f"up, pid {self.pid}" + (
            f", since {self.started:%Y-%m-%d %H:%M:%S %z}" if self.started else ""
        )


@dataclass(frozen=True, slots=True)
class Started:
    """Something that was started inside the window."""

    host: str
    """Its machine."""

    instance: InstanceFacts | None
    """Which; None for the machine itself."""

    when: datetime
    """When."""


def processes(records: Iterable[Record], text: Text, zone: tzinfo) -> Processes:
    """When each process of each host was started. `zone` is that of hosts which do not say theirs."""
    listed = tuple(records)
    zones = {one.entry.host: _zone(text(one)) for one in listed if one.entry.id == DATE}
    tables = {one.entry.host: text(one) for one in listed if one.entry.id == TABLE and one.files}
    return {host: dict(_processes(table, zones.get(host) or zone)) for host, table in tables.items()}


def states(
    instances: Iterable[InstanceFacts], records: Iterable[Record], seen: Processes
) -> Mapping[str, State]:
    """What was seen of each of `instances`, by id."""
    of_instance: dict[str, list[Record]] = {}
    for record in records:
        of_instance.setdefault(record.entry.instance, []).append(record)
    found: dict[str, State] = {}
    for instance in instances:
        ours = of_instance.get(instance.id, [])
        pid = instance.pid or next((_pid(one) for one in ours if one.entry.id == COMMAND_LINE), 0)
        asked = [one for one in ours if one.status is not Status.SKIPPED]
        own = [one for one in ours if one.entry.collector == _PROCESSES]
        found[instance.id] = State(
            looked=instance.host in seen,
            pid=pid,
            started=seen.get(instance.host, {}).get(pid),
            silent=bool(asked) and all(one.reason is Reason.UNREACHABLE for one in asked),
            # The files of a process are there as long as it is.
            ended=pid > 0 and any(one.reason is Reason.NOT_FOUND for one in own),
        )
    return found


def called(instance: InstanceFacts) -> str:
    """How a sentence calls it."""
    return f"{instance.component} {instance.id}"


def starts(
    instances: Iterable[InstanceFacts],
    found: Mapping[str, State],
    seen: Processes,
    start: datetime,
    end: datetime,
) -> Iterator[Started]:
    """The machines and instances that were started between `start` and `end`."""
    for host, started in seen.items():
        if 1 in started and start <= started[1] <= end:
            yield Started(host, None, started[1])
    for instance in instances:
        moment = found[instance.id].started
        if moment is not None and start <= moment <= end:
            yield Started(instance.host, instance, moment)


def _processes(table: str, zone: tzinfo) -> Iterator[tuple[int, datetime]]:
    for line in table.split("\n"):
        match = _PROCESS.match(line[:600])
        moment = moment_of(match[2], zone) if match is not None else None
        if match is not None and moment is not None:
            yield int(match[1]), moment


def _zone(text: str) -> tzinfo | None:
    match = _ZONE.match(text)
    if match is None:
        return None
    ahead = timedelta(hours=int(match[2]), minutes=int(match[3]))
    try:
        return timezone(ahead if match[1] == "+" else -ahead)
    except ValueError:
        return None


def _pid(record: Record) -> int:
    match = _PID.search(record.entry.what)
    return int(match[1]) if match is not None else 0
