"""insight.json has the shape of diag's, whatever could be read, and no serial number."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinic_collectors._insight import insight

Play = Callable[[str, str], bytes]
# The keys of InsightInfo and of sysinfo's SysInfo, in the order in which Go prints them.
TOP = [
    "meta",
    "sysinfo",
    "ntp",
    "chrony",
    "partitions",
    "epoll_exclusive",
    "system_configs",
    "dmesg",
    "sockets",
    "slabinfo",
]
SYSINFO = [
    "sysinfo", "node", "os", "kernel", "product", "board", "chassis", "bios", "cpu", "memory", "storage", "network",
]  # fmt: skip

SLABINFO = b"""\
slabinfo - version: 2.1
# name <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables <limit> <batchcount> <sharedfactor>
ext4_inode_cache 33 68 1184 27 8 : tunables 0 0 0 : slabdata 3 4 0
a_broken_line 1
"""
TCP = b"""\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:0FA0 00000000:0000 0A 00000000:00000000 00:00000000 00000000   999        0 20637 1
   1: 0B0200C0:0FA0 0C0200C0:A06E 01 00000000:00000000 00:00000000 00000000   999        0 20639 1
"""


def document(**inputs: bytes) -> Any:
    """The document made of inputs whose names have no slash."""
    return json.loads(insight(inputs))


@pytest.fixture
def debian(play: Play) -> Any:
    return json.loads(play("debian-12", "insight.json"))


def test_it_has_the_shape_that_its_readers_know(debian: Any) -> None:
    assert list(debian) == TOP
    assert list(debian["sysinfo"]) == SYSINFO
    assert isinstance(debian["meta"]["uptime"], float)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d", debian["meta"]["timestamp"])


def test_it_tells_the_machine(debian: Any) -> None:
    found = debian["sysinfo"]
    assert found["os"]["vendor"] == "debian"
    assert {"vendor", "model", "speed", "cache", "cpus", "cores", "threads"} <= found["cpu"].keys()
    assert found["cpu"]["threads"] >= found["cpu"]["cores"] >= found["cpu"]["cpus"] >= 1
    assert found["memory"]["size"] > 20_000
    assert [(disk["name"], disk["driver"]) for disk in found["storage"]] == [("vda", "virtio_blk")]
    link = next(one for one in found["network"] if one["name"] == "eth0")
    assert link["ipaddress"][0] == "192.0.2.11/24"
    assert link["ipaddress"][1].startswith("2001:db8::")


def test_a_disk_has_its_size_and_its_mount(debian: Any) -> None:
    disk = next(one for one in debian["partitions"] if one["name"] == "vda")
    assert disk["size"] == disk["sectors"] * 512
    assert disk["mount"]["filesystem"] == "ext4"
    assert disk["rotational"] in ("0", "1")


def test_mapped_devices_are_told_with_what_they_lie_on() -> None:
    disks = (
        "/sys/block/sda/size:2048\n/sys/block/sda/device/model:DISK \n/sys/block/sda/sda1/partition:1\n"
        "/sys/block/sda/sda1/size:1024\n/sys/block/dm-0/size:1000\n/sys/block/dm-0/dm/name:vg-data\n"
    )
    lsblk = 'KNAME="sda" PKNAME="" UUID=""\nKNAME="sda1" PKNAME="sda" UUID="u1"\nKNAME="dm-0" PKNAME="sda1" UUID="u2"\n'
    read = {
        "disks": disks.encode(),
        "lsblk": lsblk.encode(),
        "/proc/mounts": b"/dev/mapper/vg-data /data xfs rw 0 0\n",
    }
    mapped, disk = json.loads(insight(read))["partitions"]
    assert mapped["slave_of"] == ["sda1"]
    assert mapped["mount"] == {"mount_point": "/data", "filesystem": "xfs", "mount_options": "rw"}
    assert disk["subdev"] == [
        {
            "name": "sda1",
            "partition": True,
            "uuid": "u1",
            "sectors": 1024,
            "size": 524288,
            "holder_of": ["dm-0"],
        }
    ]


def test_clocks_are_in_milliseconds(play: Play) -> None:
    found = json.loads(play("rhel-9", "insight.json"))
    assert found["chrony"]["last_offset"] == pytest.approx(-0.006747)
    assert found["chrony"]["leap_status"] == "normal"
    assert found["ntp"]["sync"] == "sync_ntp"
    assert found["ntp"]["stratum"] == 3
    assert found["ntp"]["offset"] == -0.123456


@pytest.mark.parametrize(
    "said", ["506 Cannot talk to daemon", "Stratum : x\nLast offset : \n", "no such thing"]
)
def test_a_clock_that_answers_nonsense_costs_nothing(said: str) -> None:
    found = document(chronyc=said.encode(), ntpq=said.encode())
    assert found["chrony"]["leap_status"] == "none"
    assert found["ntp"]["sync"] == "none"


def test_limits_that_are_no_numbers_are_left_out_here() -> None:
    text = b"# a comment\ntidb soft nofile 1000000\n* - memlock unlimited\n"
    found = json.loads(insight({"/etc/security/limits.conf": text}))["system_configs"]["sec_limit"]
    assert found == [{"domain": "tidb", "type": "soft", "item": "nofile", "value": 1000000}]


def test_kernel_tables() -> None:
    found = json.loads(
        insight({"slabinfo": SLABINFO, "/proc/net/tcp": TCP, "dmesg": b"<30>[    1.500000] a; b\n"})
    )
    assert found["slabinfo"] == [
        {
            "name": "ext4_inode_cache", "active_objs": 33, "num_objs": 68, "objsize": 1184, "objperslab": 27,
            "pagesperslab": 8, "tunables": {"limit": 0, "batchcount": 0, "sharedfactor": 0},
            "slabdata": {"active_slabs": 3, "nums_slab": 4, "sharedavail": 0},
        }
    ]  # fmt: skip
    assert found["sockets"] == [
        {
            "family": 2, "state": 1, "source_addr": "192.0.2.11", "source_port": 4000, "dest_addr": "192.0.2.12",
            "dest_port": 41070,
        }
    ]  # fmt: skip
    assert found["dmesg"] == [
        {"Severity": 6, "Facility": 3, "Sequence": 0, "Timestamp": 1500000, "Message": "a; b"}
    ]


@pytest.mark.parametrize(
    ("release", "told"), [("3.10.0-1160.el7", False), ("4.5.0", True), ("6.1", True), ("", False)]
)
def test_exclusive_wakeups_came_with_linux_4_5(release: str, told: bool) -> None:
    found = json.loads(insight({"/proc/sys/kernel/osrelease": release.encode()}))
    assert found["epoll_exclusive"] is told


def test_no_serial_number_is_asked_for(machines: Path) -> None:
    asked = {key for part in machines.glob("*/insight.json") for key in json.loads(part.read_text("utf-8"))}
    assert len(asked) > 50
    assert [key for key in asked if re.search(r"(?i)serial|asset|product_uuid|machine-id", key)] == []


NAMES = (
    "date", "machine", "hypervisor", "disks", "lsblk", "links", "addresses", "sysctl", "ntpq", "chronyc", "slabinfo",
    "dmesg", "/proc/uptime", "/proc/cpuinfo", "/proc/meminfo", "/proc/mounts", "/proc/swaps", "/proc/net/tcp",
    "/etc/os-release", "/etc/security/limits.conf", "/proc/sys/kernel/osrelease", "/sys/class/dmi/id/chassis_type",
)  # fmt: skip
PIECES = st.sampled_from(
    [b"\n", b" ", b":", b" : ", b"=", b'"', b"0", b"99999999999", b"/sys/block/", b"sda", b"/size", b"/partition",
     b"/sys/class/net/eth0/speed", b"UUID", b"KNAME", b"<6>[", b"]", b"stratum", b"Last offset", b"kB", b"\xff", b"-"]
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(NAMES), st.lists(PIECES, max_size=12).map(b"".join)))
def test_nothing_that_a_machine_says_breaks_it(inputs: dict[str, bytes]) -> None:
    assert list(json.loads(insight(inputs))) == TOP
