"""What common tools print is understood, and anything else says nothing."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinic.read import signs
from clinic.read.signs import Sign

DF = """\
Filesystem              Type     1024-blocks     Used Available Capacity Mounted on
devtmpfs                devtmpfs    12334460        0  12334460       0% /dev
/dev/vda                ext4       264212084 231510152  19991112      93% /
/dev/nvme0n1            xfs        264212084 263510152    701932     100% /data
/dev/nvme0n1            xfs        264212084 263510152    701932     100% /var/lib/docker
/dev/loop3              squashfs       65536    65536         0     100% /snap/core20/1405
nas:/export/my backup   nfs4       264212084 240510152  19991112      93% /mnt/back up
/dev/vdb                ext4       264212084 221510152  39991112      84% /fine
"""
INODES = """\
Filesystem              Type       Inodes  IUsed    IFree IUse% Mounted on
/dev/vda                ext4     16777216 16109000   668216   97% /
/dev/vdb                vfat            0      0        0     - /boot/efi
"""
BUSYBOX_DF = """\
Filesystem           1024-blocks    Used Available Capacity Mounted on
overlay              264212084  248510152  15991112  94% /
"""
SWAPS = """\
Filename                                Type            Size            Used            Priority
/dev/dm-1                               partition       8388604         2097152         -2
/swapfile                               file            2097148         0               -3
"""
CHRONY = """\
Reference ID    : 0A000105 (10.0.1.5)
Stratum         : 3
Ref time (UTC)  : Wed Nov 25 04:00:00 2026
System time     : 4.117300000 seconds slow of NTP time
Last offset     : -0.000001 seconds
Leap status     : Normal
"""
CHRONY_LOOSE = """\
Reference ID    : 00000000 ()
Stratum         : 0
Ref time (UTC)  : Thu Jan 01 00:00:00 1970
System time     : 0.000000000 seconds fast of NTP time
Leap status     : Not synchronised
"""
NTPQ = """\
associd=0 status=0615 leap_none, sync_ntp, 1 event, clock_sync,
version="ntpd 4.2.8p15", stratum=3, precision=-24, rootdelay=1.2, refid=10.0.1.5,
offset=-812.345678, frequency=0.1, sys_jitter=0.1
"""
DAEMONS = """\
○ chronyd.service - NTP client/server
     Loaded: loaded (/usr/lib/systemd/system/chronyd.service; disabled; preset: enabled)
     Active: inactive (dead)
"""
TIMEDATECTL = "System clock synchronized: no\n              NTP service: inactive\n"
FAILED = """\
  UNIT                  LOAD   ACTIVE SUB    DESCRIPTION
● tikv-20160.service    loaded failed failed tikv service
* chronyd.service       loaded failed failed NTP client/server
sshd.service            loaded active running OpenSSH server daemon

LOAD   = Reflects whether the unit definition was properly loaded.
"""
SHOW = "Id=tidb-4000.service\nNRestarts=0\n\nId=tikv-20160.service\nNRestarts=17\nActiveState=active\n"
SMART = """\
/dev/sda
=== START OF READ SMART DATA SECTION ===
SMART overall-health self-assessment test result: PASSED
/dev/sdb
=== START OF READ SMART DATA SECTION ===
SMART overall-health self-assessment test result: FAILED!
Drive failure expected in less than 24 hours. SAVE ALL DATA.
/dev/sdc
SMART Health Status: OK
"""
ERRORS = "/sys/fs/ext4/vda/errors_count:0\n/sys/fs/ext4/vdb/errors_count:3\n/sys/block/md0/md/degraded:1\n"
OPEN_FILES = (
    "pid\topen\tsoft\thard\n777\t990\t1000\t1000\n778\t12\t1000\t1000\n779\t1000\tunlimited\tunlimited\n"
)
THP = "/sys/kernel/mm/transparent_hugepage/enabled:[always] madvise never\n"


def texts(found: Iterator[Sign]) -> list[str]:
    """What they say."""
    return [sign.text for sign in found]


def test_file_systems_over_85_per_cent_are_told_once_with_what_is_left() -> None:
    assert texts(signs.room(DF)) == [
        "/ (/dev/vda): 93 % used, 19.1 GiB left",
        "/data (/dev/nvme0n1): 100 % used, 685.5 MiB left",
        "/mnt/back up (nas:/export/my backup): 93 % used, 19.1 GiB left",
    ]


def test_inodes_that_run_out_are_told_as_such() -> None:
    assert texts(signs.room(INODES)) == ["inodes of / (/dev/vda): 97 % used, 668,216 inodes left"]


def test_a_df_without_types_is_read_too() -> None:
    assert texts(signs.room(BUSYBOX_DF)) == ["/ (overlay): 94 % used, 15.3 GiB left"]


def test_a_mount_point_can_not_put_a_command_into_what_the_customer_is_asked_to_run() -> None:
    hostile = "/dev/vda ext4 100 96 4 96% /data; rm -rf ~ #$(id)`id`\n"
    (sign,) = signs.room("Filesystem Type 1024-blocks Used Available Capacity Mounted on\n" + hostile)
    words = shlex.split(sign.ask)
    assert "/data; rm -rf ~ #$(id)`id`" in words


def test_swap_in_use_is_told_and_a_little_of_it_is_not() -> None:
    assert texts(signs.swap(SWAPS)) == ["2.0 GiB of 10.0 GiB swap are in use"]
    assert texts(signs.swap(SWAPS.replace("2097152", "1024"))) == []
    assert texts(signs.swap("Filename Type Size Used Priority\n")) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (CHRONY, ["the clock is 4.117 s off"]),
        (CHRONY_LOOSE, ["the clock is not synchronised"]),
        (CHRONY.replace("4.1173", "0.0001"), []),
        (NTPQ, ["the clock is 0.812 s off"]),
        (NTPQ.replace("leap_none", "leap_alarm").replace("812", "0"), ["the clock is not synchronised"]),
        (TIMEDATECTL, ["the clock is not synchronised"]),
        (TIMEDATECTL.replace("synchronized: no", "synchronized: yes"), []),
    ],
)
def test_a_clock_that_is_off_or_loose_is_told(text: str, expected: list[str]) -> None:
    assert texts(signs.clock(text)) == expected


def test_time_daemons_of_which_none_runs_are_told() -> None:
    assert texts(signs.clock_daemons(DAEMONS)) == ["none of the installed time daemons runs"]
    assert texts(signs.clock_daemons(DAEMONS.replace("inactive (dead)", "active (running) since Wed"))) == []
    assert texts(signs.clock_daemons("Unit ntpd.service could not be found.")) == []


def test_failed_units_are_told_and_running_ones_are_not() -> None:
    assert texts(signs.failed_units(FAILED)) == [
        "the unit tikv-20160.service has failed",
        "the unit chronyd.service has failed",
    ]


def test_units_that_systemd_started_again_are_told() -> None:
    assert texts(signs.units(SHOW)) == [
        "systemd has restarted tikv-20160.service 17 times since the machine booted"
    ]


def test_a_disk_that_says_it_is_failing_is_told_by_its_name() -> None:
    assert texts(signs.disk_health(SMART)) == ["the disk /dev/sdb says that it is failing: FAILED!"]


def test_damage_that_file_systems_and_arrays_count_is_told() -> None:
    assert texts(signs.file_system_errors(ERRORS)) == [
        "the ext4 file system on vdb counts 3 errors",
        "the array md0 lacks 1 of its disks",
    ]


def test_a_process_near_its_limit_of_files_is_told() -> None:
    assert texts(signs.open_files(OPEN_FILES)) == ["the process 777 has 990 of at most 1,000 files open"]


def test_huge_pages_that_are_always_on_are_told() -> None:
    assert len(texts(signs.huge_pages(THP))) == 1
    assert len(texts(signs.huge_pages("[always] madvise never\n"))) == 1
    assert texts(signs.huge_pages(THP.replace("[always] madvise", "always [madvise]"))) == []


def test_swappiness_is_told_where_it_is_high() -> None:
    assert texts(signs.swappiness("vm.swap_x = 1\nvm.swappiness = 60\n")) == [
        "vm.swappiness is 60 (TiDB asks for 0)"
    ]
    assert texts(signs.swappiness("vm.swappiness = 1\n")) == []


RATES = """\
over 2.08 s; all rates are per second

cpu\t%user\t%nice\t%system\t%idle\t%iowait\t%irq\t%softirq\t%steal\t%guest
cpu\t66.7\t0.0\t32.6\tIDLE\tWAIT\t0.0\t0.7\tSTEAL\t0.0
cpu0\t73.3\t0.0\t26.2\t0.0\t0.0\t0.0\t0.5\t0.0\t0.0
cpu1\t59.8\t0.0\t38.8\t0.0\t0.0\t0.0\t1.4\t0.0\t0.0

disk\tr/s
"""


@pytest.mark.parametrize(
    ("idle", "waiting", "stolen", "expected"),
    [
        ("0.0", "0.0", "0.0", ["the CPUs were 100 % busy while they were sampled"]),
        ("2.0", "2.0", "0.0", ["the CPUs were 96 % busy while they were sampled"]),
        ("5.0", "0.0", "9.9", []),
        ("0.0", "31.0", "0.0", ["the CPUs waited for disks 31 % of the time while they were sampled"]),
        ("50.0", "0.0", "12.5", ["the hypervisor gave 12 % of the CPU time to others (steal)"]),
    ],
)
def test_cpus_that_are_busy_that_wait_and_that_are_taken_away_are_told(
    idle: str, waiting: str, stolen: str, expected: list[str]
) -> None:
    text = RATES.replace("IDLE", idle).replace("WAIT", waiting).replace("STEAL", stolen)
    assert texts(signs.processors(text)) == expected


def test_a_single_cpu_that_is_busy_may_be_busy_with_us() -> None:
    text = RATES.replace("IDLE", "0.0").replace("WAIT", "0.0").replace("STEAL", "0.0")
    assert texts(signs.processors(text.replace("cpu1", "disk"))) == []


PARSERS = [
    signs.processors, signs.room, signs.swap, signs.clock, signs.clock_daemons, signs.failed_units, signs.units,
    signs.disk_health, signs.file_system_errors, signs.open_files, signs.huge_pages, signs.swappiness,
]  # fmt: skip
INPUTS = [RATES, DF, INODES, SWAPS, CHRONY, NTPQ, DAEMONS, FAILED, SHOW, SMART, ERRORS, OPEN_FILES, THP]


@pytest.mark.parametrize("parse", PARSERS)
@settings(max_examples=25)
@given(data=st.data())
def test_any_text_is_only_data(parse: Callable[[str], Iterator[Sign]], data: st.DataObject) -> None:
    """Pieces of real output with anything between them: nothing raises."""
    pieces = st.one_of(st.sampled_from(INPUTS), st.text(max_size=60), st.integers(0, 10**400).map(str))
    text = data.draw(st.lists(pieces, max_size=5).map("\n".join))
    cut = data.draw(st.integers(0, 50))
    list(parse(text[cut:]))


@pytest.mark.parametrize("parse", PARSERS)
def test_a_hostile_file_costs_no_time(parse: Callable[[str], Iterator[Sign]]) -> None:
    for piece in ("cpu\t", "a ", "/dev/x ", "1 ", "offset=", "/sys/block/", "Id=a\n", "\n"):
        list(parse(piece * 100_000))
