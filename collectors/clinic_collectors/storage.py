"""Disks and file systems: what there is, how it is set up, how full and how healthy it is."""

from __future__ import annotations

from collections.abc import Iterator

from clinic.collector import Category, Collector, Item, Sensitivity, Source, Stage, Target, Volatility
from clinic.source.command import Command
from clinic.source.composed import Composed
from clinic_collectors._rows import Row, attributes, file, files, on_machines, tool

SECONDS, PUBLIC = Volatility.SECONDS, Sensitivity.PUBLIC

_COLUMNS = (
    "NAME,KNAME,MAJ:MIN,TYPE,SIZE,FSTYPE,MOUNTPOINT,UUID,VENDOR,MODEL,TRAN,ROTA,SCHED,RQ-SIZE,RA,RO,STATE,"
    "LOG-SEC,PHY-SEC,MIN-IO,OPT-IO,DISC-GRAN,DISC-MAX"
)
_QUEUE = """
scheduler rotational nr_requests read_ahead_kb max_sectors_kb max_hw_sectors_kb nomerges rq_affinity
wbt_lat_usec write_cache fua discard_granularity discard_max_bytes logical_block_size physical_block_size
io_timeout iostats add_random zoned queue_depth model vendor rev firmware_rev state timeout size ro removable
"""
_ERRORS = """
errors_count warning_count first_error_time last_error_time first_error_func last_error_func lifetime_write_kbytes
ioerr_cnt iotmo_cnt iodone_cnt iorequest_cnt mismatch_cnt array_state degraded sync_action
"""


def _smart(host: str) -> Source:
    """Health and error counters of every disk, one after another; without -i, which prints serial numbers.

    A sleeping disk is left asleep. smartctl's exit status is a set of bits about the disk; find drops it.
    """
    disks = " -o ".join(
        f"-name {name}" for name in ("sd[a-z]", "sd[a-z][a-z]", "nvme[0-9]n[0-9]", "nvme[0-9][0-9]n[0-9]")
    )
    line = f"find /dev -maxdepth 1 -type b ( {disks} ) -print -exec smartctl -n standby -H -A -l error {{}} ;"
    inputs = (
        ("version", Command(host, ("smartctl", "--version"), package="smartmontools")),
        ("health", Command(host, tuple(line.split()), ok=(0, 1), root=True, empty="not_applicable")),
    )
    return Composed(host, inputs, lambda read: read["health"], needs=frozenset({"version", "health"}))


# A remote file system whose server is dead blocks df for ever: the local ones (-l) are asked alone, and
# busybox, which has no -l, says nothing there. What df ends with 1 for is a single mount it may not see.
ROWS = (
    Row("lsblk", "storage/lsblk.txt", tool(f"lsblk -o {_COLUMNS}", "util-linux", ok=(0, 1, 32, 64))),
    Row(
        "queues", "storage/queues.txt", attributes("/sys/block", names=_QUEUE, depth=3, follow=True, skip="loop* ram*"),
    ),
    Row(
        "errors", "storage/errors.txt",
        attributes("/sys/block", "/sys/fs/ext4", names=_ERRORS, depth=3, follow=True, skip="loop* ram* subsystem"),
    ),
    Row(
        "counters", "storage", files("/proc/diskstats", "/proc/partitions", "/proc/mdstat"),
        volatility=SECONDS, folder=True,
    ),
    Row("mounts", "storage/mountinfo.txt", file("/proc/self/mountinfo"), volatility=Volatility.RESTART),
    # An fstab may hold the password of a network share.
    Row("fstab", "storage/fstab.txt", file("/etc/fstab"), stage=Stage.LEARN),
    Row(
        "df", "storage/df.txt", tool("df -P -T -k -l", "coreutils", ok=(0, 1), deadline=10.0),
        volatility=SECONDS,
    ),
    Row(
        "inodes", "storage/inodes.txt", tool("df -P -T -i -l", "coreutils", ok=(0, 1), deadline=10.0),
        volatility=SECONDS,
    ),
    Row(
        "df-all", "storage/df-all.txt", tool("df -P -k", "coreutils", ok=(0, 1), deadline=5.0),
        volatility=SECONDS,
    ),
    Row("smart", "storage/smart.txt", _smart, sensitivity=PUBLIC),
)  # fmt: skip


class Storage(Collector):
    """Block devices, mounts and room, on each machine; the file systems of the instances' data apart."""

    name = "storage"
    category = Category.SYSTEM
    summary = "block devices, queues, mounts, room and inodes, error counters, SMART"

    def items(self, target: Target) -> Iterator[Item]:
        yield from on_machines(self, target, ROWS)
        for machine in target.machines:
            held = {path for instance in target.instances(host=machine.name) for path in instance.data_dirs}
            if paths := tuple(sorted(path for path in held if path.startswith("/"))):
                argv = ("df", "-P", "-T", "-k", *paths)
                yield Item(
                    f"{machine.name}/system/storage/df-data.txt",
                    Command(machine.name, argv, ok=(0, 1), package="coreutils", deadline=5.0),
                    id="storage.df-data", volatility=SECONDS, priority=20,
                )  # fmt: skip
