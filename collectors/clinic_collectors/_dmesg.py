"""The kernel's ring buffer with the wall clock on every line, whatever dmesg the machine has."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from clinic.collector import Source
from clinic.source.command import Command
from clinic.source.composed import Composed
from clinic.source.file import File

# syslog(3): a record's number is eight times its facility plus its severity.
_SEVERITIES = ("emerg", "alert", "crit", "err", "warn", "notice", "info", "debug")
_FACILITIES = (
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
    "ntp", "audit", "alert", "clock", *(f"local{number}" for number in range(8)),
)  # fmt: skip
_RECORD = re.compile(r"<(\d+)>\[\s*(\d+)\.(\d{1,6})\] ?(.*)")
_BOOTED = re.compile(rb"^btime (\d+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Message:
    """One line of the kernel's log."""

    number: int
    """Facility and severity as syslog counts them."""

    microseconds: int
    """Since the machine booted, on the kernel's own clock."""

    text: str
    """The message."""

    @property
    def source(self) -> str:
        """`kern:warn` and the like."""
        facility = self.number >> 3
        named = _FACILITIES[facility] if facility < len(_FACILITIES) else str(facility)
        return f"{named}:{_SEVERITIES[self.number & 7]}"


def messages(raw: bytes) -> Iterator[Message]:
    """What `dmesg -r` says; a line without a record's head belongs to the record before it."""
    number, stamp = 6, 0
    for line in raw.decode("utf-8", "replace").splitlines():
        if match := _RECORD.match(line):
            number, stamp = int(match[1]), int(match[2]) * 1_000_000 + int(match[3].ljust(6, "0"))
        yield Message(number, stamp, match[4] if match else line)


def dated(inputs: Mapping[str, bytes]) -> bytes:
    """`2026-11-25T22:47:13.123456Z kern:info: [   12.345678] text`, a line each.

    The time is that of the boot (/proc/stat, whole seconds) plus the kernel's clock: after the machine
    slept, or its clock was set, older lines are off by as much. Without a time of boot the clock stands alone.
    """
    found = _BOOTED.search(inputs.get("stat", b""))
    booted = datetime.fromtimestamp(int(found[1]), timezone.utc) if found else None
    return "".join(_line(message, booted) for message in messages(inputs["dmesg"])).encode()


def _line(message: Message, booted: datetime | None) -> str:
    when = ""
    if booted is not None:
        when = f"{booted + timedelta(microseconds=message.microseconds):%Y-%m-%dT%H:%M:%S.%fZ} "
    return f"{when}{message.source}: [{message.microseconds / 1e6:12.6f}] {message.text}\n"


def kernel_log(host: str) -> Command:
    """The ring buffer as the kernel keeps it. `-r` is the one form that util-linux of any age and busybox share."""
    return Command(host, ("dmesg", "-r"), root=True, package="util-linux")


def dmesg(host: str) -> Source:
    """The kernel's log on `host`, with times."""
    inputs = (("dmesg", kernel_log(host)), ("stat", File(host, "/proc/stat")))
    return Composed(host, inputs, dated, needs=frozenset({"dmesg"}))
