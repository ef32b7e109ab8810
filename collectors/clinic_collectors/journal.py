"""What systemd knows: units, their state and files, and the journal inside the window."""

from __future__ import annotations

from collections.abc import Iterator

from clinic.collector import (
    Category,
    Collector,
    Content,
    Item,
    Sensitivity,
    Stage,
    Target,
    Volatility,
    Window,
)
from clinic.source.command import Command
from clinic_collectors._rows import Row, on_machines, tool

SECONDS, RESTART, DAYS = Volatility.SECONDS, Volatility.RESTART, Volatility.DAYS

_LINES = 50_000
"""Lines of the journal that an item takes at most, the newest: about the cap of its file."""

_CAP = 16 << 20

# systemctl ends with 1 on a machine that was not booted with systemd, and says so: nothing to collect there.
_LIST = "systemctl list-units --full --no-pager --plain"

UNITS = (
    Row(
        "units", "units/all.txt", tool(f"{_LIST} --all", "systemd", ok=(0, 1), empty="not_applicable"),
        volatility=RESTART,
    ),
    Row(
        "failed", "units/failed.txt",
        tool(f"{_LIST} --state=failed", "systemd", ok=(0, 1), empty="not_applicable"),
        volatility=RESTART, priority=20,
    ),
)  # fmt: skip


class Journal(Collector):
    """The units that keep the instances, and what they and the kernel logged in the window."""

    name = "journal"
    category = Category.SYSTEM
    summary = "unit states and files, journal of the instances' units and of the kernel in the window"

    def items(self, target: Target) -> Iterator[Item]:
        yield from on_machines(self, target, UNITS)
        for machine in target.machines:
            units = sorted(
                {i.unit for i in target.instances(host=machine.name) if i.unit and not i.unit.startswith("-")}
            )
            if units:
                yield from _units(machine.name, units)
                chosen = (word for unit in units for word in ("-u", unit))
                yield _journal(machine.name, "instances", target.window, *chosen)
            yield _journal(machine.name, "kernel", target.window, "_TRANSPORT=kernel")
            yield _journal(machine.name, "warnings", target.window, "-p", "warning")


def _units(host: str, units: list[str]) -> Iterator[Item]:
    """Environment= in a unit may hold credentials: they are read before everything else."""
    show = ("systemctl", "show", "--no-pager", *units)
    yield Item(
        f"{host}/system/units/instances.txt", _systemctl(host, show), id="journal.show",
        content=Content.ENV, stage=Stage.LEARN, volatility=RESTART,
    )  # fmt: skip
    cat = ("systemctl", "cat", "--no-pager", *units)
    yield Item(
        f"{host}/system/units/files.txt", _systemctl(host, cat), id="journal.files",
        content=Content.INI, stage=Stage.LEARN,
    )  # fmt: skip


def _systemctl(host: str, argv: tuple[str, ...]) -> Command:
    return Command(host, argv, ok=(0, 1), package="systemd", empty="not_applicable")


def _journal(host: str, name: str, window: Window, *match: str) -> Item:
    argv = (
        "journalctl", "--no-pager", "--quiet", "--output=short-iso", f"--lines={_LINES}",
        f"--since=@{window.start.timestamp():.0f}", f"--until=@{window.end.timestamp() + 1:.0f}", *match,
    )  # fmt: skip
    return Item(
        f"{host}/system/journal/{name}.log", Command(host, argv, ok=(0, 1), package="systemd", deadline=60.0),
        id=f"journal.{name}", content=Content.LOG, sensitivity=Sensitivity.USER_DATA, volatility=DAYS, cap=_CAP,
    )  # fmt: skip
