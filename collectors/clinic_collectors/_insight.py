"""The document that diag's `insight` prints, made of what was read from a machine.

Names and units are those of the types in pingcap/diag, collector/sysinfo and collector/kmsg, and of
AstroProfundis/sysinfo, which it uses; as there, what is empty is left out. Always empty here: serial
numbers, asset tags, the product's and the machine's id (nobody diagnoses by them), and what only the raw
DMI tables tell (type and speed of memory).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from clinic_collectors._insight_devices import network, partitions, storage
from clinic_collectors._insight_parts import Inputs, Json, decimal, lean, text, whole
from clinic_collectors._insight_tables import chrony, kernel_messages, limits, ntp, slabs, sockets, sysctl

_HYPERVISORS = {"none": "", "microsoft": "hyperv", "xen": "xenhvm", "amazon": "kvm", "qemu": "kvm"}
"""What sysinfo calls what systemd-detect-virt calls otherwise."""

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def insight(inputs: Mapping[str, bytes]) -> bytes:
    """The document, from files by their paths and outputs by the names that `insight.py` gives them."""
    document = {
        "meta": _meta(inputs),
        "sysinfo": _sysinfo(inputs),
        "ntp": ntp(inputs),
        "chrony": chrony(inputs),
        "partitions": partitions(inputs),
        "epoll_exclusive": _epoll_exclusive(text(inputs, "/proc/sys/kernel/osrelease")),
        "system_configs": lean({"sec_limit": limits(inputs), "sysctl": sysctl(inputs)}),
        "dmesg": kernel_messages(inputs),
        "sockets": sockets(inputs),
        "slabinfo": slabs(inputs),
    }
    return (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode("utf-8", "replace")


def _meta(inputs: Inputs) -> Json:
    now = re.sub(r"([+-]\d\d)(\d\d)$", r"\1:\2", text(inputs, "date"))
    up, idle = [*text(inputs, "/proc/uptime").split(), "0", "0"][:2]
    return {
        "timestamp": now or "0001-01-01T00:00:00Z", **lean({"uptime": decimal(up), "idle_time": decimal(idle)}),
        "sysinfo_ver": "", "version": "", "git_branch": "", "git_commit": "", "go_version": "",
    }  # fmt: skip


def _sysinfo(inputs: Inputs) -> Json:
    machine = text(inputs, "machine")
    seen = text(inputs, "hypervisor")
    kernel = {
        key: text(inputs, f"/proc/sys/kernel/{name}")
        for key, name in (("release", "osrelease"), ("version", "version"))
    }
    return {
        "sysinfo": {"version": "", "timestamp": _meta(inputs)["timestamp"]},
        "node": lean({
            "hostname": text(inputs, "/proc/sys/kernel/hostname"), "hypervisor": _HYPERVISORS.get(seen, seen),
            "timezone": text(inputs, "/etc/timezone"),
        }),
        "os": _os(inputs, machine),
        "kernel": lean({**kernel, "architecture": machine}),
        "product": _dmi(inputs, name="product_name", vendor="sys_vendor", version="product_version", sku="product_sku"),
        "board": _dmi(inputs, name="board_name", vendor="board_vendor", version="board_version"),
        "chassis": lean({
            "type": whole(text(inputs, "/sys/class/dmi/id/chassis_type")),
            **_dmi(inputs, vendor="chassis_vendor", version="chassis_version"),
        }),
        "bios": _dmi(inputs, vendor="bios_vendor", version="bios_version", date="bios_date"),
        "cpu": _cpu(inputs),
        "memory": _memory(text(inputs, "/proc/meminfo")),
        "storage": storage(inputs),
        "network": network(inputs),
    }  # fmt: skip


def _dmi(inputs: Inputs, **names: str) -> Json:
    return lean({key: text(inputs, f"/sys/class/dmi/id/{name}") for key, name in names.items()})


def _os(inputs: Inputs, machine: str) -> Json:
    found = dict(re.findall(r'^(\w+)="?(.*?)"?$', text(inputs, "/etc/os-release"), re.MULTILINE))
    release = text(inputs, "/etc/debian_version") or text(inputs, "/etc/redhat-release")
    numbered = re.search(r"\d[\d.]*", release or found.get("PRETTY_NAME", ""))
    return lean({
        "name": found.get("PRETTY_NAME", ""), "vendor": found.get("ID", ""), "version": found.get("VERSION_ID", ""),
        "release": numbered[0] if numbered else release, "architecture": _ARCHITECTURES.get(machine, machine),
    })  # fmt: skip


def _cpu(inputs: Inputs) -> Json:
    pairs = re.findall(r"^([^\t:\n]+?)\s*: *(.*)$", text(inputs, "/proc/cpuinfo"), re.MULTILINE)
    first, package = dict(reversed(pairs)), ""
    packages: set[str] = set()
    cores: set[tuple[str, str]] = set()
    for name, value in pairs:  # each core's id follows that of its package
        if name == "physical id":
            package = value
            packages.add(value)
        elif name == "core id":
            cores.add((package, value))
    top = text(inputs, "/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq")
    return lean({
        "vendor": first.get("vendor_id", ""), "model": " ".join(first.get("model name", "").split()),
        "speed": whole(top) // 1000 or whole(first.get("cpu MHz", "")), "cache": whole(first.get("cache size", "")),
        "cpus": len(packages), "cores": len(cores), "threads": sum(name == "processor" for name, _ in pairs),
        "governor": text(inputs, "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
    })  # fmt: skip


def _memory(meminfo: str) -> Json:
    found = {
        name: whole(value) // 1024 for name, value in re.findall(r"^(\w+): +(\d+) kB$", meminfo, re.MULTILINE)
    }
    return lean({"size": found.get("MemTotal", 0), "swap": found.get("SwapTotal", 0)})


def _epoll_exclusive(release: str) -> bool:
    """EPOLLEXCLUSIVE came with Linux 4.5 (epoll_ctl(2))."""
    return tuple(int(number) for number in re.findall(r"\d+", release)[:2]) >= (4, 5)
