"""The machine itself: distribution, kernel and its log, processor, memory."""

from __future__ import annotations

from collections.abc import Iterator

from clinic.collector import Category, Collector, Content, Item, Sensitivity, Target, Volatility
from clinic_collectors._dmesg import dmesg
from clinic_collectors._rows import Row, attributes, file, files, on_machines, tool

SECONDS, PUBLIC = Volatility.SECONDS, Sensitivity.PUBLIC

_CPU = """
scaling_governor scaling_driver scaling_min_freq scaling_max_freq scaling_cur_freq cpuinfo_max_freq
energy_performance_preference current_driver current_governor no_turbo boost microcode_version version
online offline isolated nohz_full possible active
"""
_THP = """
enabled defrag shmem_enabled alloc_sleep_millisecs scan_sleep_millisecs pages_to_scan max_ptes_none full_scans
pages_collapsed
"""
_HUGE = "nr_hugepages free_hugepages surplus_hugepages resv_hugepages nr_overcommit_hugepages"
_DMI = "sys_vendor product_name product_version board_vendor board_name bios_* chassis_type chassis_vendor"
DISTRIBUTION = (
    Row(
        "os", "os",
        files("/etc/os-release", "/etc/*-release", "/etc/debian_version", "/etc/timezone"),
        sensitivity=PUBLIC, folder=True,
    ),
    Row(
        "kernel", "kernel",
        files(
            "/proc/version", "/proc/cmdline", "/proc/modules", "/proc/filesystems", "/proc/sys/kernel/tainted",
            "/etc/modprobe.d/*.conf",
        ),
        folder=True,
    ),
    Row("dmi", "hardware/dmi.txt", attributes("/sys/class/dmi/id/", names=_DMI, depth=1), sensitivity=PUBLIC),
    Row(
        "virtualization", "hardware/virtualization.txt", tool("systemd-detect-virt", "systemd", ok=(0, 1)),
        sensitivity=PUBLIC,
    ),
    Row(
        "container", "hardware", files("/sys/hypervisor/type", "/run/systemd/container", "/proc/1/cgroup"),
        folder=True,
    ),
)  # fmt: skip

PROCESSOR = (
    Row("cpuinfo", "cpu/cpuinfo.txt", file("/proc/cpuinfo"), sensitivity=PUBLIC),
    Row("lscpu", "cpu/lscpu.txt", tool("lscpu", "util-linux"), sensitivity=PUBLIC),
    Row(
        "cpu", "cpu/settings.txt",
        attributes("/sys/devices/system/cpu", names=_CPU, depth=3),
        sensitivity=PUBLIC, volatility=Volatility.RESTART,
    ),
    Row(
        "mitigations", "cpu/mitigations.txt",
        attributes("/sys/devices/system/cpu/vulnerabilities", names="*", depth=1), sensitivity=PUBLIC,
    ),
    Row(
        "load", "cpu",
        files("/proc/loadavg", "/proc/uptime", "/proc/stat", "/proc/interrupts", "/proc/softirqs"),
        volatility=SECONDS, sensitivity=PUBLIC, folder=True,
    ),
    Row(
        "pressure", "pressure", files("/proc/pressure/*"),
        volatility=SECONDS, sensitivity=PUBLIC, folder=True,
    ),
)  # fmt: skip

DMESG = Row("dmesg", "/dmesg.log", dmesg, content=Content.LOG, volatility=Volatility.RESTART, priority=20)

MEMORY = (
    Row(
        "memory", "memory",
        files("/proc/meminfo", "/proc/vmstat", "/proc/buddyinfo", "/proc/zoneinfo", "/proc/swaps"),
        volatility=SECONDS, sensitivity=PUBLIC, folder=True,
    ),
    Row(
        "slabinfo", "memory/slabinfo.txt", tool("cat /proc/slabinfo", "coreutils", root=True),
        volatility=SECONDS, sensitivity=PUBLIC,
    ),
    Row(
        "numa", "memory/numa.txt",
        attributes("/sys/devices/system/node", names="meminfo numastat distance cpulist", depth=2),
        volatility=SECONDS, sensitivity=PUBLIC,
    ),
    Row(
        "thp", "memory/transparent_hugepage.txt",
        attributes("/sys/kernel/mm/transparent_hugepage", names=_THP, depth=2), sensitivity=PUBLIC,
    ),
    Row(
        "hugepages", "memory/hugepages.txt", attributes("/sys/kernel/mm/hugepages", names=_HUGE, depth=2),
        sensitivity=PUBLIC,
    ),
)  # fmt: skip


class System(Collector):
    """What the machine is, in the order in which one asks."""

    name = "system"
    category = Category.SYSTEM
    summary = "distribution, kernel and its log, virtualisation, CPU, memory, NUMA, huge pages, pressure"

    def items(self, target: Target) -> Iterator[Item]:
        return on_machines(self, target, DISTRIBUTION, PROCESSOR, MEMORY, (DMESG,))
