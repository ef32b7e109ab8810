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
    """What was started inside the window; many instances of one host are one fact."""
    by_host: dict[str, list[tuple[InstanceFacts, datetime]]] = {}
    for one in starts(instances, found, seen, scope.start, scope.end):
        if one.instance is None:
            yield _machine(one, scope, journals)
        else:
            by_host.setdefault(one.host, []).append((one.instance, one.when))
    for host, ours in by_host.items():
        ours.sort(key=lambda pair: pair[1])
        for group in [[one] for one in ours] if len(ours) <= FEW else [ours]:
            ask = next((told for one in group if (told := journals.before(*one))), "")
            yield Fact(1, host, _text(group, scope), ask, "")


def _machine(one: Started, scope: Scope, journals: Journals) -> Fact:
    text = f"the machine was started inside the window, at {scope.shown(one.when)}"
    return Fact(1, one.host, text, journals.boot(one.host), "")


def _text(group: Sequence[tuple[InstanceFacts, datetime]], scope: Scope) -> str:
    last = scope.shown(group[-1][1])
    if len(group) == 1:
        return f"{called(group[0][0])} was started inside the window, at {last}"
    names = some([called(instance) for instance, _ in group], FEW)
    return f"{len(group)} instances were started inside the window, the last at {last}: {names}"
