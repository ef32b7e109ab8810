"""What to ask the customer next: commands that can be pasted, made from what the bundle lacks and shows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from shlex import quote

from clinic.bundle.manifest import Run
from clinic.bundle.record import Record
from clinic.outcome import Reason, Status
from clinic.read.facts import Fact, Findings

LOUD = 3
"""How many of the loudest facts get a command of their own."""


def questions(run: Run, records: Sequence[Record], findings: Findings, name: str) -> Iterator[str]:
    """The next steps, the most useful first. `name` is that of the bundle's directory."""
    if not run.note:
        yield "What is wrong, since when, and what was changed before it began?"
    if any(record.status.resumable for record in records):
        yield f"clinic collect --resume {quote(name)} # what failed or was cut short"
    yield from _as_root(run, records)
    yield from _commands(findings.facts)
    down = [one for one in run.cluster.instances if _is_down(findings, one.id)]
    for instance in down[:LOUD]:
        yield f"Was {instance.component} {instance.id} stopped on purpose? systemctl --failed; its newest log"
    if run.profile == "quick":
        yield f"clinic collect {_window(run)} # the rest, once it runs again"


def _as_root(run: Run, records: Iterable[Record]) -> Iterator[str]:
    """The items that only more rights would bring, for the same window."""
    denied = [one for one in records if one.reason is Reason.NOT_PERMITTED and one.status is not Status.OK]
    if denied and not run.root:
        ids = sorted({one.entry.id for one in denied})
        chosen = ids if len(ids) <= LOUD else sorted({one.entry.collector for one in denied})
        yield f"sudo clinic collect {_window(run)} --include {quote(','.join(chosen))}"


def _window(run: Run) -> str:
    return f"--from {quote(run.window.start)} --to {quote(run.window.end)}"


def _commands(facts: Iterable[Fact]) -> Iterator[str]:
    asked = dict.fromkeys((fact.host, fact.ask) for fact in facts if fact.ask)
    for host, ask in list(asked)[:LOUD]:
        yield f"on {host}: {ask}" if host else ask


def _is_down(findings: Findings, instance: str) -> bool:
    state = findings.states.get(instance)
    return state is not None and (state.silent or (state.looked and not state.pid))
