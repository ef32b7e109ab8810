"""What to ask the customer next: commands that can be pasted, made from what the bundle lacks and shows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from shlex import quote

from clinic.bundle.manifest import InstanceFacts, Option, Run
from clinic.bundle.record import Record
from clinic.outcome import Reason, Status
from clinic.read.fact import Fact, Findings, Scope
from clinic.read.instances import called

LOUD = 3
"""How many of the loudest facts get a command of their own."""

EXACT = 8
"""So many items are asked for by their ids; of more, all of their collectors."""

_ROOT = re.compile(r"\bas root\b|\bsudo(?:ers)?\b")
"""What a fix says that makes root succeed; where it names an account of a database, root fails as others do."""

_WHERE = ("home", "topology", "pd", "tidb", "prometheus", "ca", "cert", "key")
"""Options that say which cluster is meant, besides its name."""


def questions(run: Run, records: Sequence[Record], findings: Findings, name: str) -> Iterator[str]:
    """The next steps, the most useful first, each once. `name` is that of the bundle's directory."""
    asked: set[str] = set()
    for question in _questions(run, records, findings, name):
        command = question.partition(" # ")[0]
        if command not in asked:
            asked.add(command)
            yield question


def _questions(run: Run, records: Sequence[Record], findings: Findings, name: str) -> Iterator[str]:
    if not run.note:
        yield "What is wrong, since when, and what was changed before it began?"
    if any(record.status.resumable for record in records):
        yield f"clinic collect --resume {quote(name)} # what failed or was cut short"
    yield from _as_root(run, records)
    yield from _commands(findings.facts)
    yield from _down(run.cluster.instances, findings)
    if run.profile == "quick":
        yield f"{_collect(run)} # the rest, once it runs again"


def _as_root(run: Run, records: Iterable[Record]) -> Iterator[str]:
    """The items that only more rights would bring, for the same window."""
    denied = [
        one
        for one in records
        if one.reason is Reason.NOT_PERMITTED
        and one.status is not Status.OK
        and (not one.fix or _ROOT.search(one.fix))
    ]
    if denied and not run.root:
        ids = sorted({one.entry.id for one in denied})
        chosen = ids if len(ids) <= EXACT else sorted({f"{one.entry.collector}.*" for one in denied})
        yield f"sudo {_collect(run)} --include {quote(','.join(chosen))}"


def _collect(run: Run) -> str:
    """The command that collects from the same cluster for the same window, in whole seconds that hold it."""
    scope = Scope.of(run)
    try:
        start, end = scope.start.replace(microsecond=0), scope.end.replace(microsecond=0)
        end += timedelta(seconds=end < scope.end)
        window = f"--from {start.isoformat()} --to {end.isoformat()}"
    except OverflowError:  # of a manifest in which the window is none
        window = f"--from {quote(run.window.start)} --to {quote(run.window.end)}"
    return " ".join(("clinic", "collect", *_cluster(run.options), window))


def _cluster(options: Mapping[str, Option]) -> Iterator[str]:
    """The words that name the cluster."""
    name = options.get("cluster")
    if name and isinstance(name, str):
        yield quote(name)
    for option in _WHERE:
        value = options.get(option)
        for word in value if isinstance(value, tuple) else (value,):
            if word and isinstance(word, str):
                yield f"--{option} {quote(word)}"


def _commands(facts: Iterable[Fact]) -> Iterator[str]:
    asked = dict.fromkeys((fact.host, fact.ask) for fact in facts if fact.ask)
    for host, ask in list(asked)[:LOUD]:
        yield f"on {host}: {ask}" if host else ask


def _down(instances: Iterable[InstanceFacts], findings: Findings) -> Iterator[str]:
    """Why they do not run, a question for each component: from the journal where that can be asked."""
    down: dict[str, list[InstanceFacts]] = {}
    for one in instances:
        if one.id in findings.states and findings.states[one.id].down:
            down.setdefault(one.component, []).append(one)
    for ours in list(down.values())[:LOUD]:
        told = ((one.host, ask) for one in ours if (ask := findings.journals.last(one)))
        yield next((f"on {host}: {ask}" for host, ask in told), "") or _on_purpose(ours)


def _on_purpose(down: Sequence[InstanceFacts]) -> str:
    if len(down) == 1:
        return f"Was {called(down[0])} stopped on purpose? If not: the end of its newest log"
    rest = f"{called(down[0])} and {len(down) - 1} more of its kind"
    return f"Were {rest} stopped on purpose? If not: the end of their newest logs"
