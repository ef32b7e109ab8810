"""Disks, partitions and interfaces for insight.json."""

from __future__ import annotations

import re
from collections.abc import Mapping

from clinic_collectors._insight_parts import Inputs, Json, attributes, lean, text, whole

_BLANK = {"KNAME": "", "PKNAME": "", "UUID": ""}
"""A row of lsblk that says nothing."""

_SECTORS_IN_GB = 1953125
"""Sectors of 512 bytes in a billion bytes: sysinfo tells the size of disks in these."""


def storage(inputs: Inputs) -> list[Json]:
    """The disks that hardware, real or not, stands behind: no loop devices, no mapped ones."""
    found = attributes(inputs, "disks")
    disks = sorted({key.split("/")[0] for key in found if key.split("/")[1:2] == ["device"]})
    return [
        lean({
            "name": disk, "driver": _driver(found.get(f"{disk}/device/uevent", "")), "vendor": _vendor(found, disk),
            "model": found.get(f"{disk}/device/model", "").strip(),
            "size": whole(found.get(f"{disk}/size", "")) // _SECTORS_IN_GB,
        })
        for disk in disks
    ]  # fmt: skip


def _driver(uevent: str) -> str:
    match = re.search(r"^DRIVER=(.+)$", uevent, re.MULTILINE)
    return match[1] if match else ""


def _vendor(found: Mapping[str, str], disk: str) -> str:
    vendor = found.get(f"{disk}/device/vendor", "").strip()
    return "" if vendor.startswith("0x") else vendor


def partitions(inputs: Inputs) -> list[Json]:
    """Block devices with their partitions, where they are mounted, and what lies upon what."""
    found = attributes(inputs, "disks")
    rows = [
        _BLANK | dict(re.findall(r'(\w+)="([^"]*)"', line)) for line in text(inputs, "lsblk").splitlines()
    ]
    mounts = _mounts(inputs)
    devices: list[Json] = []
    for disk in sorted({key.split("/")[0] for key in found}):
        inner = sorted(
            {key.split("/")[1] for key in found if re.fullmatch(rf"{re.escape(disk)}/[^/]+/partition", key)}
        )
        parts = [_device(found, rows, mounts, f"{disk}/{part}", partition=True) for part in inner]
        devices.append({**_device(found, rows, mounts, disk), **lean({"subdev": parts})})
    return devices


def _device(
    found: Mapping[str, str],
    rows: list[dict[str, str]],
    mounts: Mapping[str, Json],
    key: str,
    *,
    partition: bool = False,
) -> Json:
    name = key.rpartition("/")[2]
    sectors = whole(found.get(f"{key}/size", ""))
    uuids = [row["UUID"] for row in rows if row["KNAME"] == name]
    return lean({
        "name": name, "partition": partition, "mount": mounts.get(found.get(f"{key}/dm/name", name), {}),
        "uuid": uuids[0] if uuids else "", "sectors": sectors, "size": sectors * 512,
        "holder_of": [row["KNAME"] for row in rows if row["PKNAME"] == name and not row["KNAME"].startswith(name)],
        "slave_of": [row["PKNAME"] for row in rows if row["KNAME"] == name and row["PKNAME"] and not partition],
        "rotational": found.get(f"{key}/queue/rotational", ""),
    })  # fmt: skip


def _mounts(inputs: Inputs) -> dict[str, Json]:
    """By the last part of the device's name, as its readers look for it."""
    rows = [line.split() for line in text(inputs, "/proc/mounts").splitlines()]
    found: dict[str, Json] = {
        row[0].split("/")[-1]: {"mount_point": row[1], "filesystem": row[2], "mount_options": row[3]}
        for row in rows
        if len(row) >= 4
    }
    for line in filter(str.strip, text(inputs, "/proc/swaps").splitlines()[1:]):
        found[line.split()[0].split("/")[-1]] = {"mount_point": "[SWAP]", "filesystem": "swap"}
    return found


def network(inputs: Inputs) -> list[Json]:
    """Interfaces but the loopback, with their addresses."""
    found = attributes(inputs, "links")
    addresses = re.findall(r"^\d+: (\S+?)(?:@\S+)?\s+inet6? (\S+)", text(inputs, "addresses"), re.MULTILINE)
    names = sorted({key.split("/")[0] for key in found if "/" in key} - {"lo"})
    return [
        lean({
            "name": name, "driver": _driver(found.get(f"{name}/device/uevent", "")),
            "macaddress": found.get(f"{name}/address", ""),
            "ipaddress": [address for link, address in addresses if link == name],
            "speed": max(0, whole(found.get(f"{name}/speed", ""))), "mtu": whole(found.get(f"{name}/mtu", "")),
        })
        for name in names
    ]  # fmt: skip
