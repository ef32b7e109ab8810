"""The kernel's own messages: what it killed, what it could not read or write, and when."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone, tzinfo

LONGEST_LINE = 1000
"""Characters of a line that are looked at: the kernel cuts a message at 992 bytes (LOG_LINE_MAX, printk.c)."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of bad news."""

    name: str
    """What to say of it; `{}` stands for what it happened to."""

    pattern: re.Pattern[str]
    """Finds it in a line; the group that matched says what it happened to."""

    weight: int
    """How loud it is: 0 is the loudest."""


def _kind(name: str, weight: int, *patterns: str) -> Kind:
    return Kind(name, re.compile("|".join(patterns)), weight)


# The texts are those of the kernel's sources: mm/oom_kill.c, block/blk-core.c, fs/buffer.c, fs/ext4/super.c,
# fs/xfs/xfs_message.c, drivers/nvme/host, kernel/hung_task.c, kernel/watchdog.c, mm/memory-failure.c,
# arch/x86/mm/fault.c, net/ipv4/tcp_input.c, net/netfilter/nf_conntrack_core.c.
KINDS = (
    _kind("the kernel killed {} for lack of memory", 0, r"[Kk]illed process \d+ \((.{1,64}?)\)"),
    _kind(
        "I/O errors on {}",
        1,
        r"I/O error, dev ([\w./-]+)",
        r"critical \w+(?: \w+)? error, dev ([\w./-]+)",
        r"Buffer I/O error on (?:device|dev) ([\w./-]+)",
        r"nvme (nvme\w+): (?:I/O .{1,60}timeout|controller is down|Device not ready)",
    ),
    _kind(
        "the file system on {} has errors",
        1,
        r"EXT[234]-fs (?:error|warning) \(device ([\w./-]+)\)",
        r"XFS \(([\w./-]+)\): .*(?:[Cc]orruption|I/O [Ee]rror|[Ss]hutting down)",
        r"BTRFS (?:error|critical) \(device ([\w./-]+)\)",
    ),
    _kind("{} was remounted read-only", 1, r"fs \(([\w./-]+)\): Remounting filesystem read-only"),
    _kind("hardware errors ({})", 2, r"(Hardware Error|Uncorrected error|EDAC MC\d+: \d+ UE|Memory failure)"),
    _kind(
        "{} crashed",
        3,
        r"([\w.+/-]{1,64})\[\d+\]: segfault at",
        r"traps: ([\w.+/-]{1,64})\[\d+\] (?:general protection|trap)",
    ),
    _kind("{} hung without progress", 3, r"task (.{1,64}?):\d+ blocked for more than \d+ seconds"),
    _kind(
        "{} was stuck in the kernel",
        3,
        r"soft lockup - (CPU#\d+)",
        r"(rcu_\w+) (?:self-)?detected stall",
    ),
    _kind(
        "connections were refused: {}",
        4,
        r"(nf_conntrack: (?:nf_conntrack: )?table full)",
        r"(Possible SYN flooding on port [\w.:\[\]]*\w)",
    ),
)
"""What is looked for, the first that matches a line counts."""

_HINT = re.compile(
    r"rror|illed process|timeout|is down|not ready|orruption|hutting down|read-only|failure|segfault|traps:"
    r"|blocked for|lockup|detected stall|BTRFS critical|table full|SYN flooding|EDAC MC"
)
"""A piece of every line that any kind can match: the others are passed over in one search instead of nine."""

_ISO = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:[.,]\d+)?(?:([+-])(\d\d):?(\d\d)|(Z))?")
_CTIME = re.compile(r"\[?\w{3} (\w{3}) {1,2}(\d{1,2}) (\d\d):(\d\d):(\d\d) (\d{4})\]?")
_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec"


@dataclass(frozen=True, slots=True)
class Seen:
    """One kind of bad news about one thing, however often it came."""

    kind: Kind
    """What it is."""

    what: str
    """What it happened to."""

    times: tuple[datetime, ...]
    """When, where the lines tell; aware, in their order."""

    count: int
    """How many lines told it."""


def messages(text: str, zone: tzinfo) -> Iterator[Seen]:
    """What is found in the output of `dmesg` or of the kernel's journal.

    Times without a zone are taken to be of `zone`; lines with seconds since boot have no time.
    """
    found: dict[tuple[Kind, str], list[datetime | None]] = {}
    for line in text.split("\n"):
        head = line[:LONGEST_LINE]
        if _HINT.search(head) is None:
            continue
        match, kind = next(
            ((match, kind) for kind in KINDS if (match := kind.pattern.search(head))), (None, None)
        )
        if match is not None and kind is not None:
            what = next((group for group in match.groups() if group), "")
            found.setdefault((kind, what), []).append(moment_of(head, zone))
    for (kind, what), moments in found.items():
        yield Seen(kind, what, tuple(moment for moment in moments if moment is not None), len(moments))


def moment_of(line: str, zone: tzinfo) -> datetime | None:
    """The time at the beginning of `line`, as `dmesg -T`, `--time-format iso` or journalctl write it."""
    start = line[:48]
    iso, ctime = _ISO.search(start), _CTIME.search(start)
    try:
        if iso is not None:
            numbers = [int(group) for group in iso.groups()[:6]]
            return datetime(*numbers, tzinfo=_offset(iso, zone))  # type: ignore[arg-type,misc]  # six numbers, then a zone
        if ctime is not None:
            month = _MONTHS.index(ctime[1]) // 4 + 1
            day, hour, minute, second, year = (int(ctime[group]) for group in (2, 3, 4, 5, 6))
            return datetime(year, month, day, hour, minute, second, tzinfo=zone)
    except ValueError:
        pass  # a date or month that does not exist is no time
    return None


def _offset(match: re.Match[str], zone: tzinfo) -> tzinfo:
    if match[10]:
        return timezone.utc
    if not match[7]:
        return zone
    ahead = timedelta(hours=int(match[8]), minutes=int(match[9]))
    return timezone(ahead if match[7] == "+" else -ahead)
