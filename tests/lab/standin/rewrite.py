"""Puts a cluster's own addresses, ports and paths where the recorded ones stand.

A path is that of the host named last before it, since every recorded object names its address before its
directories; what an instance says of itself is about itself.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping

from tests.lab.standin.members import KINDS, Member, host_in
from tests.lab.standin.spec import Spec

_PATTERN = re.compile(
    r"(?P<scheme>http://(?=127\.0\.[1-6]\.))?"
    r"(?P<host>127\.0\.[1-9]\.\d{1,3})(?P<port>[:-]\d+)?"
    r"|(?P<any>0\.0\.0\.0):(?P<any_port>\d+)"
    r"|/tidb-(?P<tree>deploy|data)/(?P<role>[a-z]+)-\d+"
    r'|(?P<key>"(?:status_port|listening_port|port)":\s?"?)(?P<value>\d+)'
)
MONITOR = "127.0.9.1"
"""Where the recorded Prometheus, Alertmanager and Grafana were."""

PORT_IS_NEAR = 20
_MONITORED = {9090: "prometheus", 9093: "alertmanager"}


class Rewriter:
    """Rewrites what was recorded, for the answers of one instance."""

    def __init__(self, spec: Spec, own: Member) -> None:
        self._spec = spec
        self._own = own
        self._by_host = {member.recorded_host: member for member in spec.members}

    def text(self, text: str, *, mine: bool = False) -> str:
        """`text` with this cluster's addresses; with `mine` the first of a component stands for this instance."""
        return _Pass(self._spec, self._own, self._hosts(mine), mine).run(text)

    def data(self, data: bytes, *, mine: bool = False) -> bytes:
        """The same for bytes, whatever their encoding."""
        text = data.decode("utf-8", "surrogateescape")
        return self.text(text, mine=mine).encode("utf-8", "surrogateescape")

    def base64(self, text: str) -> str:
        """The same for text in base64, as etcd's gateway gives keys and values."""
        return base64.b64encode(self.data(base64.b64decode(text))).decode()

    def _hosts(self, mine: bool) -> Mapping[str, Member]:
        if not mine:
            return self._by_host
        first = self._spec.of(self._own.component)[0]
        return {**self._by_host, first.recorded_host: self._own}


class _Pass:
    """One text that is gone through from its start to its end."""

    def __init__(self, spec: Spec, own: Member, hosts: Mapping[str, Member], mine: bool) -> None:
        self._spec = spec
        self._own = own
        self._hosts = hosts
        self._mine = mine
        self._last: Member | None = None
        self._monitoring = False

    def run(self, text: str) -> str:
        return _PATTERN.sub(self._replaced, text)

    def _replaced(self, found: re.Match[str]) -> str:
        if found["host"]:
            after = found.string[found.end() : found.end() + PORT_IS_NEAR]
            return self._scheme(found) + self._address(found["host"], found["port"] or "", after)
        if found["any"]:
            return f"0.0.0.0:{_port(self._own, int(found['any_port']))}"
        if found["tree"]:
            return self._path(found["tree"], found["role"], found[0])
        return found["key"] + self._number(int(found["value"]))

    def _scheme(self, found: re.Match[str]) -> str:
        return f"{self._spec.scheme}://" if found["scheme"] else ""

    def _address(self, host: str, port: str, after: str) -> str:
        monitor = self._monitor(host, port, after)
        self._monitoring = bool(monitor)
        if monitor:
            return monitor if port else monitor.rpartition(":")[0]
        member = self._last = self._hosts.get(host)
        if member is None:
            return host_in(self._spec.network, host) + port
        return member.host + (port[:1] + str(_port(member, int(port[1:]))) if port else "")

    def _monitor(self, host: str, port: str, after: str) -> str:
        """The lab's Prometheus or Alertmanager, where the recorded one is named; its port may be a key of its own."""
        near = re.match(r'","port":(\d+)', after)
        number = int(port[1:]) if port else int(near[1]) if near else 0
        return self._spec.monitoring.get(_MONITORED.get(number, ""), "") if host == MONITOR else ""

    def _number(self, value: int) -> str:
        """A port that stands apart from its address."""
        if self._monitoring:
            return self._spec.monitoring[_MONITORED[value]].rpartition(":")[2]
        return str(_port(self._last, value) if self._last else value)

    def _path(self, tree: str, role: str, whole: str) -> str:
        member = self._owner(role)
        if member is None:
            return f"{self._own.root}{whole}"
        directory = member.deploy_dir if tree == "deploy" else member.data_dir
        return str(directory)

    def _owner(self, role: str) -> Member | None:
        same = [each for each in self._spec.members if each.kind.role == role]
        if self._mine and self._own in same:
            return self._own
        if self._last in same:
            return self._last
        return self._own if self._own in same else next(iter(same), None)


def _port(member: Member, recorded: int) -> int:
    """The port that a member has for the purpose of a recorded one."""
    for use, usual in KINDS[member.component].usual.items():
        if usual == recorded:
            return member.ports[use]
    return recorded
