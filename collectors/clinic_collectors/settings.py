"""How the machine is set up: limits, kernel settings, security modules, packages."""

from __future__ import annotations

from collections.abc import Iterator

from clinic.collector import Category, Collector, Content, Item, Sensitivity, Target, Volatility
from clinic_collectors._rows import Row, attributes, file, files, on_machines, tool

_CGROUP = """
cpu.max cpu.weight cpu.stat cpu.cfs_quota_us cpu.cfs_period_us cpu.shares cpuset.cpus cpuset.cpus.effective cpuset.mems
memory.max memory.high memory.low memory.min memory.current memory.peak memory.swap.max memory.events
memory.limit_in_bytes memory.usage_in_bytes memory.max_usage_in_bytes memory.failcnt memory.oom_control
io.max io.weight blkio.throttle.*_device pids.max pids.current
"""

_DPKG_FORMAT = r"${db:Status-Abbrev}\t${Package}\t${Version}\t${Architecture}\n"
_RPM_FORMAT = r"%{NAME}\t%{VERSION}-%{RELEASE}\t%{ARCH}\n"

# What a database leans on, or is compared with when it misbehaves; patterns of both worlds' package names.
_DEBIAN = """
libc6 libstdc++6 openssl libssl* linux-image-* libjemalloc* zlib1g libzstd1 liblz4-1 libsnappy* systemd numactl chrony
ntp ntpsec sysstat irqbalance tuned *-microcode tidb* tikv* tiup* mysql-* mariadb-* etcd* prometheus* grafana*
"""
_REDHAT = """
glibc libstdc++ openssl openssl-libs kernel kernel-core jemalloc zlib libzstd lz4-libs snappy systemd numactl chrony
ntp sysstat irqbalance tuned microcode_ctl tidb* tikv* tiup* mysql-* mariadb-* etcd* prometheus* grafana*
"""

ROWS = (
    Row(
        "cgroups", "limits/cgroups.txt", attributes("/sys/fs/cgroup", names=_CGROUP, depth=4),
        volatility=Volatility.RESTART,
    ),
    Row("limits", "/limits.conf", file("/etc/security/limits.conf")),
    Row(
        "limits-files", "limits",
        files(
            "/etc/security/limits.d/*", "/etc/systemd/system.conf", "/etc/systemd/system.conf.d/*.conf",
            "/proc/sys/fs/file-nr",
        ),
        folder=True,
    ),
    # 255 is how procps and busybox say that some of the keys may not be read.
    Row(
        "sysctl", "/sysctl.conf", tool("sysctl -a", "procps/procps-ng", ok=(0, 1, 255)),
        content=Content.INI, volatility=Volatility.RESTART,
    ),
    Row(
        "sysctl-files", "sysctl",
        files("/etc/sysctl.conf", "/etc/sysctl.d/*.conf", "/usr/lib/sysctl.d/*.conf", "/etc/tuned/active_profile"),
        folder=True,
    ),
    Row(
        "security", "security",
        files(
            "/sys/fs/selinux/enforce", "/etc/selinux/config", "/sys/module/apparmor/parameters/enabled",
            "/sys/kernel/security/lsm",
        ),
        folder=True,
    ),
    Row(
        "apparmor", "security/apparmor-profiles.txt",
        tool("cat /sys/kernel/security/apparmor/profiles", "coreutils", root=True, ok=(0, 1), empty="not_applicable"),
    ),
    # Installed packages only; what a pattern does not match is an error to dpkg-query, and none to us.
    Row(
        "dpkg", "packages/dpkg.txt",
        tool(f"dpkg-query -W -f {_DPKG_FORMAT} {_DEBIAN}", "", ok=(0, 1)),
        sensitivity=Sensitivity.PUBLIC,
    ),
    Row(
        "rpm", "packages/rpm.txt",
        tool(f"rpm -qa --qf {_RPM_FORMAT} {_REDHAT}", "", ok=(0, 1), empty="not_applicable"),
        sensitivity=Sensitivity.PUBLIC,
    ),
)  # fmt: skip


class Settings(Collector):
    """What the machine allows and how it was tuned."""

    name = "settings"
    category = Category.SYSTEM
    summary = "limits, cgroup limits, sysctl, SELinux and AppArmor, packages that matter"

    def items(self, target: Target) -> Iterator[Item]:
        return on_machines(self, target, ROWS)
