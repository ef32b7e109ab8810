"""What the output of common tools says of a machine's health. Pure functions over text that may be anything."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from shlex import quote

from clinic.units import KIB, MIB, human_size

FULL = 85
"""Per cent from which a file system counts as nearly full."""

SWAPPED = 64 * MIB
"""Bytes in swap below which nobody needs to hear of them."""

CLOCK_OFF = 0.5
"""Seconds that a clock may be off; what `tiup cluster check` allows (pingcap/tiup, pkg/cluster/operation/check.go)."""

IDLE, WAITING, STOLEN = 5.0, 30.0, 10.0
"""Per cent of CPU time: so little left is nearly none, so much spent on disks or given to others is a lot."""

_ALWAYS_FULL = frozenset({"squashfs", "iso9660", "erofs", "cramfs", "udf", "fuse.snapfuse"})
"""File systems that can't be written: they are full by nature."""


@dataclass(frozen=True, slots=True)
class Sign:
    """One thing that a reader should know, as its source tells it."""

    weight: int
    """How loud it is: 0 is the loudest."""

    text: str
    """In a line."""

    ask: str = ""
    """A command that the customer could run next; empty where none helps."""

    key: str = ""
    """What it is about, where another source may tell the same in other words; empty for its text."""


# df -P pads columns with blanks; a device's name may hold some, so the line is read from its end.
_DF = re.compile(
    r"^(?P<front>\S.{0,400}?)\s+\d{1,18}\s+(?P<used>\d{1,18})\s+(?P<free>-?\d{1,18})\s+(?P<share>\d{1,3})%\s+(?P<at>/.*)$"
)


def room(text: str) -> Iterator[Sign]:
    """File systems over 85 % in the output of `df -P`, with or without `-T`; with `-i` those short of inodes."""
    inodes = "Inodes" in text[:200]
    seen: set[tuple[str, str]] = set()
    for line in text.split("\n"):
        match = _DF.match(line[:1000])
        if match is None or int(match["share"]) < FULL:
            continue
        device, kind = _device(match["front"])
        if kind in _ALWAYS_FULL or device.startswith("/dev/loop") or (device, match["used"]) in seen:
            continue
        seen.add((device, match["used"]))  # one device that is mounted twice is one fact
        left = f"{int(match['free']):,} inodes" if inodes else human_size(int(match["free"]) * KIB)
        what, du, order = ("inodes of ", "--inodes", "-n") if inodes else ("", "-h", "-h")
        yield Sign(
            2 if int(match["share"]) >= 95 else 5,
            f"{what}{match['at']} ({device}): {match['share']} % used, {left} left",
            f"sudo du -x {du} --max-depth=2 {quote(match['at'])} | sort {order} | tail -20",
            key=f"room {what}{match['at']}",
        )


def _device(front: str) -> tuple[str, str]:
    """Device and type; without `-T` the type is unknown."""
    words = front.split()
    return (" ".join(words[:-1]), words[-1]) if len(words) > 1 else (front.strip(), "")


def swap(text: str) -> Iterator[Sign]:
    """Swap that is in use, from `/proc/swaps`: `Filename Type Size Used Priority`, sizes in KiB."""
    rows = re.findall(r"(?m)^/\S{1,400}[ \t]+\w{1,20}[ \t]+(\d{1,15})[ \t]+(\d{1,15})[ \t]+-?\d{1,6}$", text)
    size, used = (sum(int(row[column]) for row in rows) * KIB for column in (0, 1))
    if used >= SWAPPED:
        yield Sign(6, f"{human_size(used)} of {human_size(size)} swap are in use")


def huge_pages(text: str) -> Iterator[Sign]:
    """Transparent huge pages that are always on, from `path:value` lines of /sys or the value alone."""
    if re.search(r"(?m)^(?:\S{0,200}/enabled:)?\[always\] madvise never", text):
        yield Sign(
            8, "transparent huge pages are always on, which databases suffer from",
            "cat /sys/kernel/mm/transparent_hugepage/enabled # TiDB asks for never",
        )  # fmt: skip


def swappiness(text: str) -> Iterator[Sign]:
    """A vm.swappiness that makes the kernel swap databases out, from `sysctl -a`."""
    match = re.search(r"(?m)^vm\.swappiness ?= ?(\d{1,3})$", text)
    if match is not None and int(match[1]) > 10:
        yield Sign(9, f"vm.swappiness is {match[1]} (TiDB asks for 0)")


_LOOSE = re.compile(
    r"(?m)^Leap status {1,20}: Not synchronised|\bleap_alarm\b|NTPSynchronized=no|clock synchronized: no"
)


def clock(text: str) -> Iterator[Sign]:
    """A clock that nothing keeps right, or that is off, from chronyc, ntpq or timedatectl."""
    ask = "chronyc -n tracking; chronyc -n sources -v; timedatectl"
    if _LOOSE.search(text):
        yield Sign(4, "the clock is not synchronised", ask, key="clock")
    offset = _offset(text)
    if offset >= CLOCK_OFF:
        yield Sign(2, f"the clock is {offset:.3f} s off", ask, key="clock")


def clock_daemons(text: str) -> Iterator[Sign]:
    """Time daemons that are installed while none of them runs, from `systemctl status`."""
    if re.search(r"(?m)^ {1,20}Loaded: loaded", text) and not re.search(r"(?m)^ {1,20}Active: active", text):
        ask = "systemctl status chronyd ntpd systemd-timesyncd"
        yield Sign(4, "none of the installed time daemons runs", ask, key="clock")


def processors(text: str) -> Iterator[Sign]:
    """CPUs that had next to nothing left, that waited for disks, or that the hypervisor took away, from the samples."""
    rows = [line.split("\t") for line in re.findall(r"(?m)^cpu\d{0,5}\t.{1,200}$", text)]
    if len(rows) < 2 or rows[0][1] != "%user":
        return
    share = dict(zip(rows[0], map(_number, rows[1]), strict=False))
    idle, waiting, stolen = (share.get(name, 0.0) for name in ("%idle", "%iowait", "%steal"))
    cores = len(rows) - 2
    # What collects takes a core itself for a moment: on a machine that has one only, that says nothing.
    if "%idle" in share and idle + waiting < IDLE and cores > 1:
        yield Sign(4, f"the CPUs were {100 - idle - waiting:.0f} % busy while they were sampled", key="busy")
    if waiting >= WAITING:
        yield Sign(
            4, f"the CPUs waited for disks {waiting:.0f} % of the time while they were sampled", key="iowait"
        )
    if stolen >= STOLEN:
        yield Sign(3, f"the hypervisor gave {stolen:.0f} % of the CPU time to others (steal)", key="steal")


def _number(text: str) -> float:
    return float(text) if re.fullmatch(r"\d{1,3}\.\d", text) else 0.0


def _offset(text: str) -> float:
    """Seconds that the daemon says the clock is off."""
    chrony = re.search(r"(?m)^System time {1,20}: (\d{1,9}\.\d{1,9}) seconds", text)
    ntpq = re.search(r"(?<![\w.])offset=[+-]?(\d{1,9}(?:\.\d{1,9})?)", text)
    return float(chrony[1]) if chrony is not None else float(ntpq[1]) / 1000 if ntpq is not None else 0.0


# systemctl marks a failed unit with a dot, which is a star where there is no UTF-8.
_UNIT = re.compile(
    r"^[^\w/]{0,4}([\w@:.\\-]{1,200}\.(?:service|mount|timer|socket|path|swap|target|scope|automount))\s+\S+\s+failed\s"
)


def failed_units(text: str) -> Iterator[Sign]:
    """Units that failed, in the output of `systemctl list-units`."""
    for line in text.split("\n"):
        match = _UNIT.match(line[:1000])
        if match is not None:
            yield Sign(6, f"the unit {match[1]} has failed", f"systemctl status --full {quote(match[1])}")


def disk_health(text: str) -> Iterator[Sign]:
    """Disks that say themselves that they are failing, from smartctl's health line after each device's name."""
    device = ""
    for line in text.split("\n"):
        if line.startswith("/dev/"):
            device = line.strip()[:64]
        elif re.match(r"SMART (?:overall-health|Health Status).{0,60}: (?!PASSED|OK)\S", line):
            verdict = line.rpartition(":")[2].strip()[:40]
            yield Sign(1, f"the disk {device or '(unnamed)'} says that it is failing: {verdict}")


def file_system_errors(text: str) -> Iterator[Sign]:
    """File systems and arrays whose own counters show damage, from `path:value` lines of /sys."""
    for match in re.finditer(r"(?m)^/sys/fs/ext4/([\w.-]{1,64})/errors_count:([1-9]\d{0,9})$", text):
        counted = f"the ext4 file system on {match[1]} counts {match[2]} errors"
        yield Sign(1, counted, f"sudo dumpe2fs -h /dev/{match[1]}")
    for match in re.finditer(r"(?m)^/sys/\S{0,200}/(md[\w-]{1,32})/md/degraded:([1-9]\d{0,5})$", text):
        yield Sign(
            2, f"the array {match[1]} lacks {match[2]} of its disks", f"sudo mdadm --detail /dev/{match[1]}"
        )


def units(text: str) -> Iterator[Sign]:
    """Units that systemd had to start again, from the blocks of `systemctl show`."""
    for block in text.split("\n\n"):
        name = re.search(r"(?m)^Id=([\w@:.\\-]{1,200})$", block)
        restarts = re.search(r"(?m)^NRestarts=([1-9]\d{0,8})$", block)
        if name is not None and restarts is not None:
            ask = f"journalctl -u {quote(name[1])} -n 200 --no-pager"
            yield Sign(
                3, f"systemd has restarted {name[1]} {restarts[1]} times since the machine booted", ask
            )


def open_files(text: str) -> Iterator[Sign]:
    """Processes that are near their limit of open files: `pid open soft hard`, separated by tabs."""
    for pid, held, soft in re.findall(r"(?m)^(\d{1,10})\t(\d{1,10})\t(\d{1,10})\t", text):
        if int(held) * 100 >= int(soft) * FULL:
            yield Sign(2, f"the process {pid} has {int(held):,} of at most {int(soft):,} files open")
