"""What happened to the instances and their machines: what ended while it was looked at, what was started."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from clinic.bundle.manifest import InstanceFacts
from clinic.formats.page import some
from clinic.read.fact import Fact, Scope
from clinic.read.instances import Processes, Started, State, called, starts
from clinic.read.journal import Journals
from clinic.units import plural

FEW = 3
"""Instances of one host that are named each by itself."""

_Start = tuple[InstanceFacts, datetime]
"""An instance, and when it was started."""


def ended(
    instances: Iterable[InstanceFacts], found: Mapping[str, State], journals: Journals
) -> Iterator[Fact]:
    """A fact for each host on which instances ended while they were looked at."""
    for host, ours in _by_host(one for one in instances if found[one.id].ended).items():
        text = f"{plural(len(ours), 'instance')} ended while {'it was' if len(ours) == 1 else 'they were'} looked at"
        ask = next((told for one in ours if (told := journals.last(one))), "")
        yield Fact(0, host, f"{text}: {some([called(one) for one in ours], FEW)}", ask, "")


def _by_host(instances: Iterable[InstanceFacts]) -> dict[str, list[InstanceFacts]]:
    found: dict[str, list[InstanceFacts]] = {}
    for one in instances:
        found.setdefault(one.host, []).append(one)
    return found


def started(
    instances: Sequence[InstanceFacts],
    found: Mapping[str, State],
    seen: Processes,
    scope: Scope,
    journals: Journals,
) -> Iterator[Fact]:
    """What was started inside the window; many instances of one host are one fact, as are those of one component."""
    alone: list[_Start] = []
    by_host: dict[str, list[_Start]] = {}
    for one in starts(instances, found, seen, scope.start, scope.end):
        if one.instance is None:
            yield _machine(one, scope, journals)
        else:
            by_host.setdefault(one.host, []).append((one.instance, one.when))
    for ours in by_host.values():
        if len(ours) > FEW:
            yield _together(ours, scope, journals)
        else:
            alone += ours
    yield from _of_components(alone, scope, journals)


def _of_components(alone: Iterable[_Start], scope: Scope, journals: Journals) -> Iterator[Fact]:
    """A component that was started on several hosts is one fact: a cluster that was restarted is not a page of them."""
    by_component: dict[str, list[_Start]] = {}
    for one in alone:
        by_component.setdefault(one[0].component, []).append(one)
    for ours in by_component.values():
        several = len({instance.host for instance, _ in ours}) > 1
        for group in [ours] if several else [[one] for one in ours]:
            yield _together(group, scope, journals)


def _together(group: list[_Start], scope: Scope, journals: Journals) -> Fact:
    """What is said of instances that were started, with a command for the journal of the first that has one."""
    group.sort(key=lambda start: start[1])
    hosts = list(dict.fromkeys(instance.host for instance, _ in group))
    asks = ((instance.host, told) for instance, when in group if (told := journals.before(instance, when)))
    host, ask = next(asks, ("", ""))
    if len(hosts) == 1:
        return Fact(1, hosts[0], _text(group, scope), ask, "")
    return Fact(1, "", _text(group, scope), f"on {host}: {ask}" if ask else "", "")


def _machine(one: Started, scope: Scope, journals: Journals) -> Fact:
    text = f"the machine was started inside the window, at {scope.shown(one.when)}"
    return Fact(1, one.host, text, journals.boot(one.host), "")


def _text(group: Sequence[_Start], scope: Scope) -> str:
    first, last = scope.shown(group[0][1]), scope.shown(group[-1][1])
    if len(group) == 1:
        return f"{called(group[0][0])} was started inside the window, at {last}"
    names = some([called(instance) for instance, _ in group], FEW)
    when = f"at {last}" if first == last else f"from {first} to {last}"
    return f"{len(group)} instances were started inside the window, {when}: {names}"
