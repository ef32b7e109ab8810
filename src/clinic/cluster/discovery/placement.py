"""Where a process lives, by its control groups: the unit that keeps it, the container that holds it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_UNIT = re.compile(r"/([^/]+\.service)(?=/|$)")
_USERS_MANAGER = re.compile(r"user@\d+\.service")
"""The unit of a user's own systemd; the unit that this one keeps stands below it."""

_BY_ID = re.compile(r"(?:^|[/:])(?:([A-Za-z][A-Za-z.]*(?:-[a-z]+)*)[-/:])?([0-9a-f]{64})(?=[./]|$)")
"""`docker/ID`, `docker-ID.scope`, `cri-containerd-ID.scope`, `libpod-ID.scope`, or an ID alone below a pod."""

_BY_NAME = re.compile(r"/(?:(lxc)(?:\.payload)?[./]|(machine)-)([^/]+?)(?:\.scope)?(?=/|$)")
"""`/lxc/NAME`, `/lxc.payload.NAME`, and `machine-NAME.scope` of systemd-nspawn."""


@dataclass(frozen=True, slots=True)
class Placement:
    """What the control groups of a process say."""

    unit: str = ""
    """The systemd service that keeps it; empty when none does."""

    container: str = ""
    """Runtime and short id or name of its container; empty when it is in none, or in the one we are in."""


def placement(cgroups: str) -> Placement:
    """What /proc/PID/cgroup says, in the format of cgroups(7): `hierarchy:controllers:path` a line."""
    lines = [line.split(":", 2) for line in cgroups.splitlines() if line.count(":") >= 2]
    # The unified hierarchy and systemd's own name the unit; other controllers may have been left behind.
    lines.sort(key=lambda fields: fields[1] not in ("", "name=systemd"))
    paths = [path for _, _, path in lines]
    return Placement(_first(map(_unit, paths)), _first(map(_container, paths)))


def _first(found: Iterable[str]) -> str:
    return next(filter(None, found), "")


def _unit(path: str) -> str:
    units = [name for name in _UNIT.findall(path) if not _USERS_MANAGER.fullmatch(name)]
    return units[-1] if units else ""


def _container(path: str) -> str:
    by_id = _BY_ID.search(path)
    if by_id is not None:
        runtime = "kubernetes" if "kubepods" in path else by_id[1] or "container"
        return f"{runtime} {by_id[2][:12]}"
    by_name = _BY_NAME.search(path)
    return f"{by_name[1] or by_name[2]} {by_name[3]}" if by_name is not None else ""
