"""One JSON of the machine in the shape that diag's `insight` prints, so that what reads that reads this."""

from __future__ import annotations

from collections.abc import Iterator

from clinic.collector import Category, Collector, Content, Item, Source, Target, Volatility
from clinic.source.composed import Composed
from clinic.source.file import Files
from clinic_collectors._dmesg import kernel_log
from clinic_collectors._insight import insight
from clinic_collectors._rows import attributes, tool

_FILES = (
    "/proc/uptime", "/proc/cpuinfo", "/proc/meminfo", "/proc/mounts", "/proc/swaps", "/proc/net/tcp", "/proc/stat",
    "/proc/sys/kernel/hostname", "/proc/sys/kernel/osrelease", "/proc/sys/kernel/version",
    "/etc/os-release", "/etc/debian_version", "/etc/redhat-release", "/etc/timezone", "/etc/security/limits.conf",
    "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq",
    "/sys/class/dmi/id/product_name", "/sys/class/dmi/id/product_version", "/sys/class/dmi/id/product_sku",
    "/sys/class/dmi/id/sys_vendor", "/sys/class/dmi/id/board_name", "/sys/class/dmi/id/board_vendor",
    "/sys/class/dmi/id/board_version", "/sys/class/dmi/id/chassis_type", "/sys/class/dmi/id/chassis_vendor",
    "/sys/class/dmi/id/chassis_version", "/sys/class/dmi/id/bios_vendor", "/sys/class/dmi/id/bios_version",
    "/sys/class/dmi/id/bios_date",
)  # fmt: skip

_MADE = {
    "date": tool("date +%Y-%m-%dT%H:%M:%S%z", "coreutils"),
    "machine": tool("uname -m", "coreutils"),
    "hypervisor": tool("systemd-detect-virt --vm", "systemd", ok=(0, 1)),
    "disks": attributes(
        "/sys/block", names="size rotational partition model vendor uevent name", depth=3, follow=True,
        skip="loop* ram* zram* subsystem",
    ),
    "lsblk": tool("lsblk -P -o KNAME,PKNAME,UUID", "util-linux", ok=(0, 1, 32, 64)),
    "links": attributes("/sys/class/net", names="address mtu speed uevent", depth=3, follow=True, skip="subsystem"),
    "addresses": tool("ip -o address show", "iproute2/iproute", ok=(0, 1)),
    "sysctl": tool("sysctl -a", "procps/procps-ng", ok=(0, 1, 255)),
    "ntpq": tool("ntpq -n -c rv 127.0.0.1", "ntpsec", ok=(0, 1), deadline=5.0),
    "chronyc": tool("chronyc -n tracking", "chrony", ok=(0, 1), deadline=5.0),
    "slabinfo": tool("cat /proc/slabinfo", "coreutils", root=True),
}  # fmt: skip


class Insight(Collector):
    """Hardware, system and kernel settings in one file. Serial numbers and the machine's id stay where they are."""

    name = "insight"
    category = Category.SYSTEM
    summary = "hardware, clock, partitions, sysctl, limits, kernel log as diag's insight.json"

    def items(self, target: Target) -> Iterator[Item]:
        for machine in target.machines:
            yield Item(
                f"{machine.name}/insight.json", _source(machine.name), id="insight.json", content=Content.JSON,
                volatility=Volatility.RESTART,
            )  # fmt: skip


def _source(host: str) -> Source:
    made = tuple((name, make(host)) for name, make in _MADE.items())
    return Composed(host, (("", Files(host, _FILES)), *made, ("dmesg", kernel_log(host))), insight)
