"""Time: whether the machine's clock is kept right, by what, and how far it is off."""

from __future__ import annotations

from collections.abc import Iterator

from clinic.collector import Category, Collector, Item, Target, Volatility
from clinic_collectors._rows import Row, files, on_machines, tool

SECONDS = Volatility.SECONDS

_DAEMONS = "chronyd chrony systemd-timesyncd ntp ntpd ntpsec"

ROWS = (
    Row(
        "now", "clock/now.txt", tool("date +%Y-%m-%dT%H:%M:%S.%N%z,%s,%Z", "coreutils"),
        volatility=SECONDS, priority=10,
    ),
    # -n: no look-up of names, which would wait for a name server. Without its daemon it says so, and ends with 1.
    Row(
        "chrony", "clock/chrony.txt",
        tool(
            "chronyc -n -m tracking sources sourcestats", "", ok=(0, 1), deadline=10.0, empty="not_applicable",
        ),
        volatility=SECONDS,
    ),
    Row(
        "ntpq", "clock/ntpq.txt",
        tool("ntpq -n -c rv -c peers 127.0.0.1", "", ok=(0, 1), deadline=10.0, empty="not_applicable"),
        volatility=SECONDS,
    ),
    # What PID 1 knows of the daemons, with timesyncd's own word about its server. 3 and 4: not running, not there.
    Row(
        "daemons", "clock/daemons.txt",
        tool(f"systemctl status --no-pager -l -n 0 {_DAEMONS}", "systemd", ok=(0, 1, 3, 4), empty="not_applicable"),
        volatility=SECONDS,
    ),
    Row(
        "files", "clock",
        files(
            "/sys/devices/system/clocksource/clocksource0/current_clocksource",
            "/sys/devices/system/clocksource/clocksource0/available_clocksource", "/etc/adjtime", "/etc/chrony.conf",
            "/etc/chrony/chrony.conf", "/etc/chrony/sources.d/*", "/etc/ntp.conf", "/etc/ntpsec/ntp.conf",
            "/etc/systemd/timesyncd.conf", "/etc/systemd/timesyncd.conf.d/*.conf",
        ),
        folder=True,
    ),
    # Off by default: D-Bus starts systemd-timedated where it does not run.
    Row(
        "timedatectl", "clock/timedatectl.txt",
        tool("timedatectl status", "systemd", ok=(0, 1), empty="not_applicable"),
        volatility=SECONDS, default=False,
    ),
)  # fmt: skip


class Clock(Collector):
    """The state of the clock: logs of two machines can only be compared through it."""

    name = "clock"
    category = Category.SYSTEM
    summary = "time, zone, synchronisation state and offset"

    def items(self, target: Target) -> Iterator[Item]:
        return on_machines(self, target, ROWS)
