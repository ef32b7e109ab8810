"""The plan: which items, in which order, and what they would cost. Printing it is the dry run."""

from __future__ import annotations

import fnmatch
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from clinic.bundle.names import safe_path
from clinic.bundle.record import Entry, Record
from clinic.collector import Collector, Instance, Item, Target
from clinic.errors import ItemError, UsageError
from clinic.guard import guarded
from clinic.kinds import Category, Content, Privilege, Stage, Volatility
from clinic.outcome import Reason, Status
from clinic.redact import Redactor
from clinic.source.base import Doors, Estimate
from clinic.units import KIB

LOOKERS = 8
"""Threads that take estimates: looking is mostly waiting for a host."""

GUESS = 6 * KIB
"""Plain bytes of an item whose source can't say: the mean of what commands give on a database machine."""

COMPRESSION = 4
"""Plain bytes for one stored byte of text: zstd at level 3 does 3.6 to 6 on database logs."""

_KEPT = 4
"""Of the room for the logs of one instance, one part in so many is kept for kinds of less priority."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What a person wants of all that could be collected."""

    include: tuple[str, ...] = ("default",)
    """Ids, dotted prefixes, globs, categories; `default` for what is on by default."""

    exclude: tuple[str, ...] = ()
    """What to leave out of that."""

    roles: tuple[str, ...] = ()
    """Only instances with one of these roles or of these components; machines without any are left out."""

    nodes: tuple[str, ...] = ()
    """Only these hosts or instances."""

    volatility: Volatility = Volatility.STABLE
    """The most lasting evidence that is still taken."""


@dataclass(frozen=True)
class Planned:
    """One item of the plan with everything that the run needs."""

    entry: Entry
    """The item as values, for the journal and the manifest."""

    item: Item
    """The declaration."""

    estimate: Estimate = field(default_factory=lambda: Estimate(None))
    """What it would give."""

    @property
    def size(self) -> int:
        """Plain bytes expected."""
        if self.estimate.impossible is not None:
            return 0
        if self.estimate.size is None:
            return GUESS
        return min(self.estimate.size, self.item.cap * max(1, self.estimate.parts))

    @property
    def lacks_root(self) -> bool:
        """Whether what it lacks are root's rights."""
        why = self.estimate.impossible
        needs = self.item.source.privilege is Privilege.ROOT
        return needs and why is not None and why.reason is Reason.NOT_PERMITTED

    @property
    def order(self) -> tuple[int, int, int, str]:
        """What runs first: what teaches the redactor, then what is gone soonest, then what matters most."""
        return self.item.stage, self.item.volatility, self.item.priority, self.entry.path


@dataclass(frozen=True)
class Plan:
    """Everything that will be collected, and what could not even be declared."""

    target: Target
    """The cluster and the window."""

    items: tuple[Planned, ...]
    """In the order in which they run."""

    broken: tuple[Record, ...] = ()
    """Collectors that raised while they declared: a failed record each."""

    contacted: tuple[str, ...] = ()
    """Hosts and servers that were looked at for the estimates."""

    @property
    def size(self) -> int:
        """Plain bytes that it will come to: what the sources say, and a guess for those that can't."""
        return sum(planned.size for planned in self.items)


def declare(
    collectors: Sequence[tuple[Collector, bool]], target: Target, selection: Selection, redactor: Redactor
) -> Plan:
    """The plan for `target` without looking at anything: pure.

    `collectors` are pairs with whether a third party wrote it. Raises `UsageError` for a pattern that
    matches nothing that any collector declares, since a typing error must not lose data in silence.
    """
    planned: list[Planned] = []
    broken: list[Record] = []
    for collector, foreign in collectors:
        try:
            planned.extend(_plan_items(collector, foreign, target, redactor))
        except ItemError as error:
            broken.append(_broken(collector, foreign, redactor.text(error.message)))
    _require_known(planned, selection)
    _require_places(target, selection)
    chosen = (one for one in planned if _wanted(one, selection) and _in_scope(one, target, selection))
    return Plan(target, tuple(_unique(sorted(chosen, key=lambda one: one.order))), tuple(broken))


def _plan_items(collector: Collector, foreign: bool, target: Target, redactor: Redactor) -> list[Planned]:
    items = guarded(lambda: list(collector.items(target)))
    return guarded(lambda: [Planned(_entry(collector, foreign, item, redactor), item) for item in items])


def _entry(collector: Collector, foreign: bool, item: Item, redactor: Redactor) -> Entry:
    kind, _, place = item.source.lane.partition(":")
    return Entry(
        id=item.id or f"{collector.name}.{item.stem}",
        path=safe_path(redactor.text(item.path)),
        collector=collector.name,
        category=str(collector.category),
        sensitivity=str(item.sensitivity),
        content=str(item.content),
        folder=item.folder,
        host=item.host or (place if kind == "host" else ""),
        instance=item.instance,
        what=redactor.text(item.source.what),
        required=item.required,
        foreign=foreign,
    )


def _broken(collector: Collector, foreign: bool, message: str) -> Record:
    entry = Entry(
        id=collector.name, path=f"{collector.name}.failed", collector=collector.name,
        category=str(collector.category), sensitivity="public", content="text", foreign=foreign,
    )  # fmt: skip
    text = f"the collector {collector.name} raised while it declared its items: {message}"
    return Record(
        entry, Status.FAILED, Reason.COLLECTOR_ERROR, text, fix="report it to the collector's author"
    )


def _unique(ordered: Iterable[Planned]) -> Iterator[Planned]:
    """Each with a path of its own: two items that meant the same path are both kept."""
    taken: set[str] = set()
    for planned in ordered:
        path = planned.entry.path
        for number in itertools.count(2):
            if path.lower() not in taken:
                break
            path = f"{planned.entry.path}.{number}"
        taken.add(path.lower())
        yield (
            planned
            if path == planned.entry.path
            else replace(planned, entry=replace(planned.entry, path=path))
        )


def matches(planned: Planned, pattern: str) -> bool:
    """Whether `pattern` means this item: its id, a dotted prefix of it, a glob, its category, or `default`."""
    identity = planned.entry.id
    if pattern == "default":
        return planned.item.default
    return (
        pattern in (identity, planned.entry.category)
        or identity.startswith(pattern + ".")
        or fnmatch.fnmatchcase(identity, pattern)
    )


def _wanted(planned: Planned, selection: Selection) -> bool:
    if planned.item.volatility > selection.volatility and planned.item.stage is not Stage.LEARN:
        return False
    if any(matches(planned, pattern) for pattern in selection.exclude):
        return False
    if planned.item.by_name:
        return planned.entry.id in selection.include
    return any(matches(planned, pattern) for pattern in selection.include)


def _require_known(planned: Sequence[Planned], selection: Selection) -> None:
    patterns = (*selection.include, *selection.exclude)
    unknown = [
        pattern
        for pattern in patterns
        if pattern not in ("default", "*", "debug") and not any(matches(one, pattern) for one in planned)
    ]
    if unknown:
        raise UsageError(
            f"nothing is called {', '.join(unknown)}",
            hint="clinic collectors lists the ids; categories and globs work too",
        )


def _require_places(target: Target, selection: Selection) -> None:
    """Raise `UsageError` for a role or node that the cluster does not have, naming those that it has."""
    instances = target.cluster.instances
    roles = {name for one in instances for name in (one.component, *map(str, one.roles))}
    nodes = {machine.name for machine in target.machines}.union(*map(_places, instances))
    for what, wanted, known in (("role", selection.roles, roles), ("node", selection.nodes, nodes)):
        unknown = [name for name in wanted if name not in known]
        if unknown:
            raise UsageError(
                f"the cluster has no {what} {', '.join(unknown)}",
                hint=f"it has {', '.join(sorted(known)) or 'none'}",
            )


def _in_scope(planned: Planned, target: Target, selection: Selection) -> bool:
    if not selection.roles and not selection.nodes:
        return True
    return (planned.entry.host, planned.entry.instance) in _scope(target, selection) or (
        planned.entry.host == "" and planned.entry.instance == ""
    )


def _scope(target: Target, selection: Selection) -> set[tuple[str, str]]:
    """Pairs of host and instance that are wanted; an empty instance stands for the host itself."""
    found: set[tuple[str, str]] = set()
    for instance in target.cluster.instances:
        names = {instance.component, *(str(role) for role in instance.roles)}
        if selection.roles and not names & set(selection.roles):
            continue
        if selection.nodes and not _places(instance) & set(selection.nodes):
            continue
        found |= {(instance.host, instance.id), (instance.host, ""), ("", instance.id)}
    if not selection.roles:
        found |= {(machine.name, "") for machine in target.machines if machine.name in selection.nodes}
    return found


def _places(instance: Instance) -> set[str]:
    """What `--node` may call an instance: its host, its id, or an address and port as people write them."""
    address, dash, port = instance.id.rpartition("-")
    written = {f"{address}:{port}"} if dash and port == str(instance.port) else set[str]()
    return {instance.host, instance.id, f"{instance.host}:{instance.port}"} | written


def look(plan: Plan, doors: Callable[[Planned], Doors]) -> Plan:
    """The same plan with estimates: every source looks at what it would give, in parallel, reading nothing."""

    def estimate_one(planned: Planned) -> Estimate:
        return _estimate(planned, doors)

    with ThreadPoolExecutor(LOOKERS, thread_name_prefix="clinic-look") as pool:
        estimates = list(pool.map(estimate_one, plan.items))
    items = tuple(
        replace(
            planned,
            estimate=estimate,
            entry=replace(planned.entry, estimate=estimate.size, exact=estimate.exact),
        )
        for planned, estimate in zip(plan.items, estimates, strict=True)
    )
    return replace(plan, items=items, contacted=tuple(sorted({one.item.source.lane for one in items})))


def _estimate(planned: Planned, doors: Callable[[Planned], Doors]) -> Estimate:
    try:
        return planned.item.source.plan(doors(planned))
    except ItemError as error:
        return Estimate(None, impossible=error)


def share(plan: Plan, max_size: int) -> Plan:
    """The plan narrowed to `max_size`: room goes by priority, and what gets less than it needs is narrowed."""
    narrowed = _narrowed(plan.items, max_size)
    return replace(plan, items=tuple(narrowed.get(one.entry.path, one) for one in plan.items))


def share_logs(plan: Plan, max_size: int) -> Plan:
    """The plan with the logs of each instance narrowed to `max_size`.

    Room goes by priority; a little of it is kept for every kind, so that the newest part of each is there.
    """
    of: dict[tuple[str, str], list[Planned]] = {}
    for planned in plan.items:
        if planned.entry.category == Category.LOGS.value:
            of.setdefault((planned.entry.host, planned.entry.instance), []).append(planned)
    narrowed: dict[str, Planned] = {}
    for logs in of.values():
        narrowed |= _narrowed(logs, max_size, max_size // (_KEPT * len(logs)))
    return replace(plan, items=tuple(narrowed.get(one.entry.path, one) for one in plan.items))


def _narrowed(items: Iterable[Planned], room: int, least: int = 0) -> dict[str, Planned]:
    """Those that get less room than they need, by their paths; `room`, and `least` for each, are in stored bytes."""
    ordered = sorted(items, key=lambda one: (one.item.priority, one.order))
    left, kept = room, sum(min(least, stored_size(one)) for one in ordered)
    narrowed: dict[str, Planned] = {}
    for planned in ordered:
        need = stored_size(planned)
        kept -= min(least, need)
        given = left - kept
        if need > given:
            narrowed[planned.entry.path] = _bounded(planned, given * COMPRESSION)
        left -= min(need, given)
    return narrowed


def _bounded(planned: Planned, size: int) -> Planned:
    source = planned.item.source.narrow(size)
    if source is planned.item.source:
        return planned
    item = replace(planned.item, source=source)
    estimate = replace(planned.estimate, size=min(size, planned.size), exact=False)
    entry = replace(planned.entry, estimate=estimate.size, exact=False)
    return replace(planned, item=item, estimate=estimate, entry=entry)


def stored_size(planned: Planned) -> int:
    """Bytes on disk that the estimate comes to."""
    plain = planned.size
    return plain if planned.item.content is Content.OPAQUE else plain // COMPRESSION
