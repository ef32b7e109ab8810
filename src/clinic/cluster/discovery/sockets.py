"""Which TCP ports are listened on, and by which socket: from /proc/net, without walking every process.

The kernel lists listening sockets before all others (Documentation/networking/proc_net_tcp.rst), so reading
ends at the first one that is connected: the cost does not grow with a database's connections.
"""

from __future__ import annotations

import contextlib
import ipaddress
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

LISTEN = "0A"
"""State of a listening socket (include/net/tcp_states.h)."""


@dataclass(frozen=True, slots=True)
class Listener:
    """A socket that waits for connections."""

    port: int
    """Its TCP port."""

    address: str = ""
    """The address to connect to on this machine: loopback where it listens on all of them."""

    inode: int = 0
    """What names it in the descriptors of its process."""

    uid: int = -1
    """Account that opened it; -1 when that is unknown."""


def listeners(network: Path) -> tuple[Listener, ...]:
    """All listening sockets of a network namespace; `network` is its /proc/net or /proc/PID/net.

    Nothing where it can't be read.
    """
    found: list[Listener] = []
    for name in ("tcp", "tcp6"):
        with contextlib.suppress(OSError), (network / name).open(encoding="ascii", errors="replace") as lines:
            found.extend(parse(lines))
    return tuple(found)


def parse(lines: Iterable[str]) -> Iterator[Listener]:
    """The listening sockets in the text of /proc/net/tcp or tcp6."""
    for number, line in enumerate(lines):
        fields = line.split()
        if number == 0 or len(fields) < 10:
            continue
        if fields[3] != LISTEN:
            return
        address, _, port = fields[1].partition(":")
        yield Listener(int(port, 16), _reachable(address), int(fields[9]), int(fields[7]))


def _reachable(text: str) -> str:
    """The address behind the kernel's hexadecimal words, each of them in the byte order of the machine."""
    raw = bytes.fromhex(text)
    if sys.byteorder == "little":
        raw = b"".join(raw[start : start + 4][::-1] for start in range(0, len(raw), 4))
    address = ipaddress.ip_address(raw)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    # A socket on `::` takes IPv4 too unless it was told not to, which no component here does.
    return "127.0.0.1" if address.is_unspecified else str(address)


def opened(sockets: Iterable[int], known: Iterable[Listener]) -> tuple[Listener, ...]:
    """Those of `known` that the descriptors `sockets` (inodes, lowest descriptor first) stand for, each port once."""
    by_inode = {listener.inode: listener for listener in known}
    own: dict[int, Listener] = {}
    for inode in sockets:
        if inode in by_inode:
            own.setdefault(by_inode[inode].port, by_inode[inode])
    return tuple(own.values())
