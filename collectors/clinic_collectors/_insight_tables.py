"""Clock, limits, kernel settings and tables of the kernel for insight.json."""

from __future__ import annotations

import re
from ipaddress import IPv4Address

from clinic_collectors._dmesg import messages
from clinic_collectors._insight_parts import Inputs, Json, decimal, lean, text, whole

_RV = {
    **{
        name: name
        for name in (
            "version",
            "stratum",
            "precision",
            "rootdelay",
            "rootdisp",
            "refid",
            "peer",
            "tc",
            "mintc",
        )
    },
    **{name: name for name in ("offset", "frequency", "clk_jitter", "clk_wander", "status")},
    "sys_jitter": "jitter",
}
_WORDS = ("version", "refid", "status")
_WHOLE = ("stratum", "precision", "peer", "tc", "mintc")

_TRACKING = {
    "Reference ID": "referenceid", "Stratum": "stratum", "Ref time (UTC)": "ref_time",
    "System time": "system_time", "Last offset": "last_offset", "RMS offset": "rms_offset",
    "Frequency": "frequency", "Residual freq": "residual_freq", "Skew": "skew", "Root delay": "root_delay",
    "Root dispersion": "root_dispersion", "Update interval": "update_interval", "Leap status": "leap_status",
}  # fmt: skip
_THOUSANDTHS = ("last_offset", "rms_offset", "frequency", "root_delay", "root_dispersion", "update_interval")


def ntp(inputs: Inputs) -> Json:
    """What ntpd says of itself (ntpq's `rv`); times in milliseconds."""
    said = text(inputs, "ntpq")
    if not said:
        return {}
    state = re.search(r"\bsync_\w+", said)
    found: Json = {"sync": state[0] if state else "none"}
    for name, value in re.findall(r'(\w+)=("[^"]*"|[^,\s]+)', said):
        if name in _RV:
            read = str if name in _WORDS else whole if name in _WHOLE else decimal
            found[_RV[name]] = read(value.strip('"'))
    return lean(found)


def chrony(inputs: Inputs) -> Json:
    """What chronyd says of itself. Times in milliseconds; diag takes the frequency times a thousand too."""
    said = text(inputs, "chronyc")
    if not said:
        return {}
    found: Json = {"leap_status": "none"}
    for line in said.splitlines():
        label, _, value = (part.strip() for part in line.partition(" : "))
        key = _TRACKING.get(label, "")
        if key in _THOUSANDTHS:
            found[key] = decimal(value) * 1000
        elif key:
            found[key] = whole(value) if key == "stratum" else value
    found["leap_status"] = found["leap_status"].lower()
    return lean(found)


def limits(inputs: Inputs) -> list[Json]:
    """The rows of limits.conf whose value is a whole number: its readers take no other. The file has them all."""
    rows = [line.split() for line in text(inputs, "/etc/security/limits.conf").splitlines()]
    return [
        {"domain": row[0], "type": row[1], "item": row[2], "value": int(row[3])}
        for row in rows
        if len(row) >= 4 and not row[0].startswith("#") and re.fullmatch(r"[+-]?\d+", row[3])
    ]


def sysctl(inputs: Inputs) -> dict[str, str]:
    """Every setting of the kernel."""
    pairs = (line.partition(" = ") for line in text(inputs, "sysctl").splitlines())
    return {name.strip(): value.strip() for name, mark, value in pairs if mark}


def kernel_messages(inputs: Inputs) -> list[Json]:
    """The kernel's log; the fields are those of Go's type, which names none."""
    found = messages(inputs.get("dmesg", b""))
    return [
        {
            "Severity": message.number & 7, "Facility": message.number >> 3, "Sequence": sequence,
            "Timestamp": message.microseconds, "Message": message.text,
        }
        for sequence, message in enumerate(found)
    ]  # fmt: skip


def sockets(inputs: Inputs) -> list[Json]:
    """Established TCP connections over IPv4, from /proc/net/tcp of a little-endian machine."""
    pattern = re.compile(
        r"^\s*\d+: ([0-9A-F]{8}):([0-9A-F]{4}) ([0-9A-F]{8}):([0-9A-F]{4}) 01 ", re.MULTILINE
    )
    return [
        {
            "family": 2, "state": 1, "source_addr": _address(source), "source_port": int(source_port, 16),
            "dest_addr": _address(target), "dest_port": int(target_port, 16),
        }
        for source, source_port, target, target_port in pattern.findall(text(inputs, "/proc/net/tcp"))
    ]  # fmt: skip


def _address(hexadecimal: str) -> str:
    return str(IPv4Address(bytes.fromhex(hexadecimal)[::-1]))


def slabs(inputs: Inputs) -> list[Json]:
    """The kernel's caches, from slabinfo 2.1 (slabinfo(5))."""
    rows = [line.replace(":", " ").split() for line in text(inputs, "slabinfo").splitlines()[2:]]
    return [
        _slab(row[0], [int(word) for word in row[1:] if word.isdigit()]) for row in rows if len(row) >= 14
    ]


def _slab(name: str, number: list[int]) -> Json:
    order = ("active_objs", "num_objs", "objsize", "objperslab", "pagesperslab")
    return {
        "name": name, **dict(zip(order, number, strict=False)),
        "tunables": dict(zip(("limit", "batchcount", "sharedfactor"), number[5:8], strict=False)),
        "slabdata": dict(zip(("active_slabs", "nums_slab", "sharedavail"), number[8:11], strict=False)),
    }  # fmt: skip
