"""The instances on this machine, found among its processes. Linux only; nothing that is found is run or opened.

psutil names the processes, their start, and whether they are still the same ones. /proc is read directly for the rest
(see `looking`): psutil reads command lines whole, however long; it finds ports by walking the descriptors of every
process and every connection; and it knows the sockets of our own network namespace only.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import psutil

from clinic.cluster.discovery import looking
from clinic.cluster.discovery.argv import printable, shown
from clinic.cluster.discovery.component_table import COMPONENTS
from clinic.cluster.discovery.describe import Traits, deploy_dir, describe
from clinic.cluster.discovery.files import Files, files
from clinic.cluster.discovery.looking import Sighting
from clinic.cluster.discovery.placement import placement
from clinic.cluster.discovery.shared_ports import Claim, apart, called
from clinic.cluster.discovery.sockets import Listener, listeners, opened
from clinic.cluster.discovery.time_limits import patiently
from clinic.cluster.model import Instance
from clinic.units import plural

Mask = Callable[[Sequence[str]], tuple[str, ...]]
"""Gives a command line with its credentials masked."""

MOST_INSTANCES = 256
"""Processes that are looked at closely, the oldest numbers first: somebody may start any number of fakes."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found on this machine."""

    instances: tuple[Instance, ...]
    """Each with an id of its own."""

    unknown: tuple[str, ...] = ()
    """What could not be learned, a sentence each."""

    differences: tuple[str, ...] = ()
    """What contradicts itself, a sentence each."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """One instance, and what is to be said about it."""

    instance: Instance
    """The instance."""

    uid: int = -1
    """Its account; -1 when that is unknown."""

    claim: Claim | None = None
    """What is known of its port; None for an instance that was not looked at."""

    hidden: bool = False
    """Whether most of it can't be seen by us."""

    files: Callable[[], Files] | None = None
    """Looks where it keeps things; None where that is not to be asked."""

    remarks: tuple[str, ...] = ()
    """What could not be learned, a sentence each."""


def sightings() -> tuple[list[Sighting], list[tuple[Sighting, str]]]:
    """The processes that are components; and those that can't be looked at, each with the reason."""
    found, failures = patiently(psutil.pids(), looking.sight)
    blurred = [
        (sighting, why) for pid, why in failures.items() if (sighting := looking.glimpse(pid)) is not None
    ]
    return [sighting for sighting in found.values() if sighting is not None], blurred


def find(mask: Mask, host: str) -> Findings:
    """The instances on this machine, which the cluster calls `host`."""
    found, blurred = sightings()
    look = _Look(mask, host)
    chosen = {sighting.pid: sighting for sighting in found[:MOST_INSTANCES]}
    seen, failures = patiently(chosen, lambda pid: look(chosen[pid]))
    answers = _with_files({pid: answer for pid, answer in seen.items() if answer is not None})
    answers += [look.from_afar(chosen[pid], why) for pid, why in failures.items()]
    answers += [look.from_afar(sighting, why) for sighting, why in blurred]
    answers = _with_names(sorted(answers, key=_order))
    settled = apart([_claim(seen) for seen in answers])
    unknown = (*_unknown(answers, len(found)), *settled.unknown)
    return Findings(settled.instances, unknown, settled.differences)


def _claim(seen: _Seen) -> Claim:
    """What it claims, as complete as it is known by now."""
    return Claim(seen.instance) if seen.claim is None else replace(seen.claim, instance=seen.instance)


def _order(seen: _Seen) -> tuple[int, int, str, int]:
    names = [component.name for component in COMPONENTS]
    one = seen.instance
    return names.index(one.component), one.port, one.extra.get("address", ""), one.pid


class _Look:
    """Looks at one process after the other, and at each network namespace once."""

    def __init__(self, mask: Mask, host: str) -> None:
        self._mask = mask
        self._host = host
        self._networks: dict[str, tuple[Listener, ...]] = {}
        self._own = placement(looking.cgroups(os.getpid()))

    def __call__(self, sighting: Sighting) -> _Seen | None:
        """Everything about one process; None when it ended meanwhile."""
        try:
            process = psutil.Process(sighting.pid)
            seen = self._look(sighting, process.create_time())
            return seen if process.is_running() else None
        except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
            return None

    def from_afar(self, sighting: Sighting, why: str) -> _Seen:
        """What is left to say of a process that can't be looked at."""
        name, pid = sighting.component.name, sighting.pid
        instance = Instance(
            name, self._host, 0, pid=pid, binary=printable(sighting.exe.removesuffix(" (deleted)"))
        )
        return _Seen(instance, remarks=(f"{name} (process {pid}) could not be looked at: {why}",))

    def _look(self, sighting: Sighting, started: float) -> _Seen:
        pid, component = sighting.pid, sighting.component
        words, cut = looking.command_line(pid)
        argv = tuple(printable(word) for word in self._mask(words))
        who, held, place = looking.account(pid), looking.descriptors(pid), placement(looking.cgroups(pid))
        inside = place.container if place.container != self._own.container else ""
        known = self._network(pid)
        listening = opened(held.sockets, known)
        # Without its descriptors it is known who opened a socket, not which process.
        perhaps = [] if held.visible else [listener for listener in known if listener.uid == who.uid]
        cwd = _directory(looking.link(pid, "cwd"))
        traits = describe(component, argv, listening, cwd=cwd, perhaps={each.port for each in perhaps})
        binary, deleted = _binary(sighting.exe)
        deploy = deploy_dir(binary, cwd)
        instance = Instance(
            component=component.name,
            host=self._host,
            port=traits.port,
            status_port=traits.status_port,
            tls=traits.tls,
            pid=pid,
            started=started,
            user=str(who.uid),
            binary=binary,
            argv=shown(argv),
            unit=printable(place.unit),
            container=printable(inside),
            deploy_dir="" if inside else deploy,
            extra=_extra(traits, cut=cut, deleted=deleted),
        )
        remarks = list(_guesses(instance, traits))
        if inside:
            remarks.append(
                f"{called(instance)} runs in a container ({inside}): its files are not read from here"
            )
        return _Seen(
            instance,
            uid=who.uid,
            claim=Claim(
                instance,
                listens=bool(traits.address),
                bound=traits.address or traits.bound,
                perhaps=None
                if held.visible
                else [each.address for each in perhaps if each.port == traits.port],
            ),
            hidden=not sighting.exe,
            files=None if inside else partial(files, traits, tuple(map(printable, held.logs)), deploy, who),
            remarks=tuple(remarks),
        )

    def _network(self, pid: int) -> tuple[Listener, ...]:
        namespace = looking.link(pid, "ns/net")
        if namespace not in self._networks:
            # Where even the namespace is hidden, it is most likely ours.
            network = Path(looking.PROC, str(pid) if namespace else "self", "net")
            self._networks[namespace] = listeners(network)
        return self._networks[namespace]


def _directory(path: str) -> str:
    return "" if path.endswith(" (deleted)") else printable(path)


def _binary(exe: str) -> tuple[str, bool]:
    """Path of the program, and whether that file is no longer the one that runs."""
    return printable(exe.removesuffix(" (deleted)")), exe.endswith(" (deleted)")


def _extra(traits: Traits, *, cut: bool, deleted: bool) -> dict[str, str]:
    extra = dict(traits.extra)
    if traits.address:
        extra["address"] = traits.address
    if deleted:
        extra["binary"] = "deleted or replaced since the start"
    if cut:
        extra["argv"] = "cut: too long to be looked at whole"
    return extra


def _guesses(instance: Instance, traits: Traits) -> Iterable[str]:
    if traits.guessed:
        ports = traits.extra["ports"].replace(" ", ", ")
        whose = called(instance)
        yield f"no option says which of the ports {ports} of {whose} is for clients: {traits.port} is a guess"


def _with_files(answers: dict[int, _Seen]) -> list[_Seen]:
    """The same with what each of them keeps where."""
    asked = {pid: seen.files for pid, seen in answers.items() if seen.files is not None}
    found, failures = patiently(asked, lambda pid: asked[pid]())
    complete: list[_Seen] = []
    for pid, seen in answers.items():
        whose = called(seen.instance)
        remarks = [f"the files of {whose} could not be looked at: {failures[pid]}"] if pid in failures else []
        instance = seen.instance
        if pid in found:
            its = found[pid]
            if its.refused:
                named = ", ".join(its.refused)
                remarks.append(f"{whose} names what its own account can't read; left out: {named}")
            instance = replace(
                instance,
                data_dirs=its.data_dirs,
                config_files=its.config_files,
                log_files=its.log_files,
                log_dir=its.log_dir,
            )
        complete.append(replace(seen, instance=instance, remarks=(*seen.remarks, *remarks)))
    return complete


def _with_names(answers: list[_Seen]) -> list[_Seen]:
    """The same with the names of the accounts; the number stays where a directory service does not answer."""
    names, _ = patiently({seen.uid for seen in answers if seen.uid >= 0}, _name)
    return [
        replace(seen, instance=replace(seen.instance, user=names.get(seen.uid, seen.instance.user)))
        for seen in answers
    ]


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _unknown(answers: list[_Seen], found: int) -> Iterable[str]:
    if found > MOST_INSTANCES:
        yield f"{found} processes look like instances; only the first {MOST_INSTANCES} were looked at"
    if os.geteuid() != 0 and not Path(looking.PROC, "1").exists():
        yield "processes of other accounts are hidden here (/proc is mounted with hidepid): run as root to see them"
    hidden = sum(seen.hidden for seen in answers)
    if hidden:
        yield (
            f"{plural(hidden, 'instance')} of other accounts: their programs, directories, open files,"
            " and the ports that no option names, can't be seen; run as root to see them"
        )
    for seen in answers:
        yield from seen.remarks
