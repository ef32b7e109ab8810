"""`clinic doctor`: what this account can and can't collect on this machine, and the fix, before an incident."""

from __future__ import annotations

import ctypes
import platform
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

import click

import clinic
from clinic import profile
from clinic.bundle.record import Record
from clinic.cli import doctor_cluster
from clinic.cli.collect_options import Options
from clinic.cli.options import collector_option
from clinic.cli.output import print_json, say
from clinic.cli.ssh import ssh_options
from clinic.cluster.discover import Where
from clinic.errors import Incomplete, Refused, UsageError
from clinic.formats.page import COLUMNS, wrap
from clinic.host.local import LocalHost
from clinic.outcome import Reason
from clinic.plan import Selection, stored_size
from clinic.read.missing import Group, groups, is_missing
from clinic.run.attempt import waiting
from clinic.run.prepare import Ready, Steering, prepare
from clinic.units import human_size, plural
from clinic.window import resolve

_TIME_ERROR = 5
"""What adjtimex(2) returns while nothing keeps the clock right."""

_TIMEX_BYTES = 512
"""More than `struct timex` has on any system (208 on 64-bit Linux)."""


@dataclass(frozen=True)
class Checkup:
    """What was found."""

    ready: Ready
    """The default plan, with a look at each source."""

    host: str
    """This machine's name."""

    user: str
    """The account."""

    root: bool
    """Whether root's rights are at hand for all that needs them."""

    directory: Path
    """Where a bundle would go."""

    free: int
    """Bytes free there."""

    needed: int
    """Bytes that must be free before a run begins: what is known of the plan, and what a run leaves free."""

    synchronised: bool | None
    """Whether something keeps the clock right; None when the system does not say."""

    mistakes: tuple[str, ...]
    """What is wrong with the configuration, with the fix."""

    blocked: tuple[Record, ...]
    """The items that can't be collected, as the records that they would have."""

    @property
    def good(self) -> bool:
        """Whether nothing stands in the way: a tool that is absent makes no run incomplete, a lacking right does."""
        barred = [record for record in self.blocked if record.reason is not Reason.TOOL_ABSENT]
        return not barred and not self.mistakes and self.free > self.needed


@click.command("doctor")
@collector_option
@click.option("--cluster", default="", metavar="NAME", help="Visit every machine of this cluster of TiUP's.")
@click.option("--topology", default="", metavar="FILE", help="The same for a cluster that a file describes.")
@click.option("--home", default="", metavar="DIR", help="Home of the user who runs TiUP, or a TIUP_HOME.")
@ssh_options
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def command(collectors: tuple[str, ...], as_json: bool, **values: object) -> int:
    """Say what this account can and can't collect on this machine, with the exact fix.

    Looks at the same things as clinic collect, reads no content and sends nothing. The exit code is 3 when
    a right, room on the disk or a valid configuration is lacking; a tool that is absent is only named.

    With --cluster, --topology or --host every machine named is visited instead. Host keys that nobody
    knows are shown in one table, and one typed yes keeps them; then it says for each machine who logs in, how far its
    clock is off, and with which exact line of sudoers or access list the rest could be had.

    \b
    Examples:
      clinic doctor
      sudo clinic doctor
      clinic doctor --json
      clinic doctor --cluster prod
      clinic doctor --host tidb@10.0.1.5 --host tidb@10.0.1.6:2222
    """
    options = Options(**values)  # type: ignore[arg-type]  # click hands over what the decorators declare
    if options.where.values() != Where("").values():
        found, _ = _configured()
        return doctor_cluster.run(options.where, options.ssh, (*found, *collectors), as_json=as_json)
    found, mistakes = _configured()
    steering = Steering(Selection(), collectors=(*found, *collectors))
    ready = prepare(steering, resolve(None, None))
    try:
        needed = sum(stored_size(planned) for planned in ready.plan.items) + steering.keep_free
        checkup = _check(ready, needed, tuple(mistakes))
    finally:
        ready.common.close()
    if as_json:
        print_json(_as_json(checkup))
    else:
        _show(checkup)
    return 0 if checkup.good else Incomplete.exit_code


def _configured() -> tuple[tuple[str, ...], list[str]]:
    """Collectors that the configuration names, and what is wrong with it."""
    mistakes: list[str] = []
    try:
        config = profile.read_config()
    except (UsageError, Refused) as error:
        return (), [f"{error.message} ({error.hint})"]
    try:
        profile.find_profile(config.profile)
    except (UsageError, Refused) as error:
        mistakes.append(f"{error.message} ({error.hint})")
    return config.collectors, mistakes


def _check(ready: Ready, needed: int, mistakes: tuple[str, ...]) -> Checkup:
    plan = ready.plan
    host = LocalHost(plan.target.machines[0].name)
    directory = Path.cwd()
    try:
        blocked = [
            waiting(planned, planned.estimate.impossible)
            for planned in plan.items
            if planned.estimate.impossible is not None
        ]
        root = host.is_root and not any(planned.lacks_root for planned in plan.items)
        return Checkup(
            ready, host.name, host.user, root, directory, shutil.disk_usage(directory).free,
            needed, _clock_is_kept(), mistakes, (*plan.broken, *filter(is_missing, blocked)),
        )  # fmt: skip
    finally:
        host.close()


def _clock_is_kept() -> bool | None:
    """Whether the kernel counts its clock as synchronised: adjtimex(2) that changes nothing, which anyone may call."""
    adjtimex = getattr(ctypes.CDLL(None), "adjtimex", None)
    answer = adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES)) if adjtimex is not None else -1
    return None if answer < 0 else answer != _TIME_ERROR


def _libraries() -> Iterator[tuple[str, str]]:
    """Our dependencies and the versions that are installed."""
    try:
        named = requires("clinic-diag") or []
    except PackageNotFoundError:
        return
    for requirement in named:
        words = requirement.replace(">", " ").replace("=", " ").replace(";", " ").split()
        try:
            yield words[0], version(words[0])
        except PackageNotFoundError:
            continue  # needed by other versions of Python, or an extra that is not wanted here


def _show(checkup: Checkup) -> None:
    for label, text in _lines(checkup):
        for number, line in enumerate(wrap(text, COLUMNS - 13)):
            say(f"{label if number == 0 else '':<13}{line}")
    found = groups(checkup.blocked)
    for group in found:
        _show_group(group)
    say()
    if checkup.good:
        say("Nothing stands in the way of a collection. Nothing was collected or sent.", colour="green")
    else:
        say("Something stands in the way (exit code 3). Nothing was collected or sent.", colour="yellow")


def _lines(checkup: Checkup) -> Iterator[tuple[str, str]]:
    yield (
        "Account",
        f"{checkup.user} on {checkup.host}, {'with' if checkup.root else 'without'} root's rights",
    )
    libraries = ", ".join(f"{name} {number}" for name, number in _libraries())
    yield "Versions", f"clinic {clinic.__version__}, Python {platform.python_version()}, {libraries}"
    yield (
        "Room",
        (
            f"{human_size(checkup.free)} free in {checkup.directory}; "
            f"the default items need about {human_size(checkup.needed)}"
        ),
    )
    yield "Clock", _clock_text(checkup.synchronised)
    yield "Settings", "; ".join(checkup.mistakes) or "no mistakes found"
    cluster = checkup.ready.plan.target.cluster
    seen = ", ".join(f"{one.component} {one.id}" for one in cluster.instances)
    yield "Databases", seen or "no database or monitoring process in sight"
    for sentence in cluster.unknown:
        yield "", sentence
    total = len(checkup.ready.plan.items)
    yield "Items", f"{total - len(checkup.blocked)} of {total} that are collected by default can be"


def _clock_text(synchronised: bool | None) -> str:
    if synchronised is None:
        return "the system does not say whether it is synchronised"
    return (
        "synchronised"
        if synchronised
        else "not synchronised: times in logs will not match those of other machines"
    )


def _show_group(group: Group) -> None:
    say()
    say(f"{group.why.capitalize()}: {plural(group.count, 'item')}", bold=True)
    for line in wrap(", ".join(group.ids), COLUMNS - 2):
        say(f"  {line}")
    for text in group.fixes or group.messages:
        say(f"  {'fix: ' if group.fixes else ''}{text}")


def _as_json(checkup: Checkup) -> dict[str, Any]:
    cluster = checkup.ready.plan.target.cluster
    return {
        "good": checkup.good,
        "host": checkup.host,
        "user": checkup.user,
        "root": checkup.root,
        "versions": {"clinic": clinic.__version__, "python": platform.python_version(), **dict(_libraries())},
        "room": {"directory": str(checkup.directory), "free": checkup.free, "needed": checkup.needed},
        "clock_synchronised": checkup.synchronised,
        "configuration_mistakes": list(checkup.mistakes),
        "instances": [
            {"id": one.id, "component": one.component, "pid": one.pid} for one in cluster.instances
        ],
        "unknown": list(cluster.unknown),
        "items": len(checkup.ready.plan.items),
        "blocked": [
            {
                "id": record.entry.id,
                "instance": record.entry.instance,
                "reason": str(record.reason),
                "message": record.message,
                "fix": record.fix,
            }
            for record in checkup.blocked
        ],
    }
