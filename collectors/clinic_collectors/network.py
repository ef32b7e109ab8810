"""The network: interfaces and what they dropped, sockets and their queues, routes, names."""

from __future__ import annotations

from collections.abc import Iterator

from clinic.collector import Category, Collector, Item, Sensitivity, Target, Volatility
from clinic_collectors._rows import Row, attributes, files, on_machines, tool

SECONDS, RESTART, PUBLIC = Volatility.SECONDS, Volatility.RESTART, Sensitivity.PUBLIC

_DEVICE = """
operstate carrier carrier_changes speed duplex mtu tx_queue_len gro_flush_timeout flags rx_* tx_* collisions multicast
numa_node rps_cpus
"""
# busybox has an ip of its own, which ends with 1 and prints nothing for options that it does not know.
_OK = (0, 1)
# What ethtool ends with where it (before 5.8), the kernel or every interface knows nothing of the question.
_NO_STAR = (0, 1, 71, 75, 92)

SOCKETS = (
    # Without -p: the owners of all sockets are found by a walk through every open file of the machine.
    Row("sockets", "/ss.txt", tool("ss -an", "iproute2/iproute"), volatility=SECONDS, priority=20),
    Row(
        "listeners", "network/listeners.txt", tool("ss -lntup", "iproute2/iproute"),
        volatility=SECONDS, priority=20,
    ),
    Row(
        "tcp", "network/tcp.txt", tool("ss -tnoim state established", "iproute2/iproute"),
        volatility=SECONDS,
    ),
    Row(
        "socket-summary", "network/socket-summary.txt", tool("ss -s", "iproute2/iproute"),
        volatility=SECONDS, sensitivity=PUBLIC,
    ),
    Row(
        "counters", "network",
        files(
            "/proc/net/dev", "/proc/net/snmp", "/proc/net/snmp6", "/proc/net/netstat", "/proc/net/sockstat",
            "/proc/net/sockstat6", "/proc/net/softnet_stat", "/proc/net/arp", "/proc/net/bonding/*",
            "/proc/sys/net/netfilter/nf_conntrack_count", "/proc/sys/net/netfilter/nf_conntrack_max",
        ),
        volatility=SECONDS, folder=True,
    ),
)  # fmt: skip

LINKS = (
    Row(
        "interfaces", "network/interfaces.txt", tool("ip -d -s -s address show", "iproute2/iproute", ok=_OK),
        volatility=RESTART,
    ),
    Row(
        "routes", "network/routes.txt", tool("ip route show table all", "iproute2/iproute", ok=_OK),
        volatility=RESTART,
    ),
    Row(
        "routes6", "network/routes6.txt", tool("ip -6 route show table all", "iproute2/iproute", ok=_OK),
        volatility=RESTART,
    ),
    Row("rules", "network/rules.txt", tool("ip rule show", "iproute2/iproute", ok=_OK), volatility=RESTART),
    Row(
        "qdisc", "network/qdisc.txt", tool("tc -s qdisc show", "iproute2/iproute", ok=_OK),
        volatility=RESTART, sensitivity=PUBLIC,
    ),
    Row(
        "devices", "network/devices.txt",
        attributes("/sys/class/net", names=_DEVICE, depth=3, follow=True, skip="subsystem"),
        volatility=SECONDS, sensitivity=PUBLIC,
    ),
    # The star is ethtool's own word for all interfaces: their names can't be known here.
    Row("link", "network/link.txt", tool("ethtool *", "ethtool", ok=_NO_STAR), sensitivity=PUBLIC),
    Row("rings", "network/rings.txt", tool("ethtool -g *", "ethtool", ok=_NO_STAR), sensitivity=PUBLIC),
    Row(
        "channels", "network/channels.txt", tool("ethtool -l *", "ethtool", ok=_NO_STAR),
        sensitivity=PUBLIC,
    ),
    Row(
        "offloads", "network/offloads.txt", tool("ethtool -k *", "ethtool", ok=_NO_STAR),
        sensitivity=PUBLIC,
    ),
    Row(
        "names", "names",
        files(
            "/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/etc/nsswitch.conf", "/etc/host.conf", "/etc/gai.conf",
            "/run/systemd/resolve/resolv.conf",
        ),
        folder=True,
    ),
)  # fmt: skip


class Network(Collector):
    """How machines reach each other, and what got lost on the way."""

    name = "network"
    category = Category.SYSTEM
    summary = "interfaces, drops, rings, offloads, sockets, listen queues, routes, name resolution"

    def items(self, target: Target) -> Iterator[Item]:
        return on_machines(self, target, SOCKETS, LINKS)
