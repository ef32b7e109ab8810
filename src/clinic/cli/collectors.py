"""`clinic collectors`: what can be collected from this machine, and what each item runs or reads."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Sequence
from typing import Any

import click

from clinic import registry
from clinic.cli.options import collector_option
from clinic.cli.output import print_json, say, table
from clinic.errors import UsageError
from clinic.plan import Plan, Planned, Selection
from clinic.run.prepare import Steering, load, prepare
from clinic.units import human_size, plural
from clinic.window import resolve


@click.command("collectors")
@click.argument("name", required=False)
@collector_option
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def command(name: str | None, collectors: tuple[str, ...], as_json: bool) -> int:
    """List what can be collected from this machine.

    With NAME (of a collector, a category, or an item's id, globs too) print what each of its items runs or
    reads, where it goes, and how it is treated. Nothing is collected. A third party's collector is loaded
    only when it is named with --collector.

    \b
    Examples:
      clinic collectors
      clinic collectors storage
      clinic collectors 'system.cpu*'
      clinic collectors mine --collector ./mine.yaml
    """
    found = load(collectors)
    steering = Steering(Selection(include=("*",)), collectors=collectors)
    ready = prepare(steering, resolve(None, None), offline=True)
    try:
        plan = ready.plan
    finally:
        ready.common.close()
    chosen = [planned for planned in plan.items if name is None or _is_meant(planned, name)]
    if name is not None and not chosen:
        broken = next((record.message for record in plan.broken if record.entry.collector == name), "")
        raise UsageError(
            broken or f"nothing that this machine has is called {name!r}",
            hint="clinic collectors lists the names",
        )
    if as_json:
        print_json(_as_json(found, chosen))
    elif name is None:
        _show_all(found, plan)
    else:
        _show_items(chosen)
    return 0


def _is_meant(planned: Planned, name: str) -> bool:
    entry = planned.entry
    return name in (entry.collector, entry.category) or fnmatch.fnmatchcase(entry.id, name)


def _show_all(found: Sequence[registry.Found], plan: Plan) -> None:
    rows = (
        (
            one.collector.name,
            str(one.collector.category),
            len(
                {planned.entry.id for planned in plan.items if planned.entry.collector == one.collector.name}
            ),
            one.collector.summary + (f"  (third party: {one.origin})" if one.foreign else ""),
        )
        for one in found
    )
    table(("NAME", "CATEGORY", "ITEMS", "WHAT"), rows, right=(2,))
    for record in plan.broken:
        say(f"{record.entry.id}: {record.message}", colour="red")
    for name, distribution in _not_loaded(found):
        say(f"{name}: installed by {distribution}; run only when named with --collector {name}")
    say()
    say("clinic collectors NAME shows what each item runs or reads.")


def _not_loaded(found: Sequence[registry.Found]) -> list[tuple[str, str]]:
    loaded = {one.origin for one in found if one.foreign}
    return [
        (name, distribution) for name, distribution in registry.foreign_names() if distribution not in loaded
    ]


def _show_items(chosen: Sequence[Planned]) -> None:
    """Each id once, with what it reads on each host and for each instance."""
    for number, (identity, group) in enumerate(_by_id(chosen)):
        if number:
            say()
        say(identity, bold=True)
        for label, text in _traits(group[0]):
            say(f"  {label:<12}{text}")
        for planned in group:
            say(f"  {'reads':<12}{planned.entry.what}")
            say(f"  {'goes to':<12}{planned.entry.path}{'/' if planned.entry.folder else ''}")
    say()
    say(plural(len({planned.entry.id for planned in chosen}), "item"))


def _by_id(chosen: Sequence[Planned]) -> list[tuple[str, list[Planned]]]:
    groups: dict[str, list[Planned]] = {}
    for planned in chosen:
        groups.setdefault(planned.entry.id, []).append(planned)
    return sorted(groups.items())


def _traits(planned: Planned) -> Iterator[tuple[str, str]]:
    entry, item = planned.entry, planned.item
    yield "collector", f"{entry.collector}, {entry.category}{', third party' if entry.foreign else ''}"
    yield "sensitivity", entry.sensitivity
    yield "volatility", item.volatility.name.lower()
    yield "collected", "by default" if item.default else f"only when named: --include {entry.id}"
    yield "needs", "root" if item.source.privilege == "root" else "no privilege of its own"
    yield "cap", f"{human_size(item.cap)} a file, then head and tail"


def _as_json(found: Sequence[registry.Found], chosen: Sequence[Planned]) -> dict[str, Any]:
    return {
        "collectors": [
            {
                "name": one.collector.name,
                "category": str(one.collector.category),
                "summary": one.collector.summary,
                "origin": one.origin,
                "foreign": one.foreign,
                "items": [
                    _item(planned) for planned in chosen if planned.entry.collector == one.collector.name
                ],
            }
            for one in found
        ],
        "not_loaded": [{"name": name, "distribution": origin} for name, origin in _not_loaded(found)],
    }


def _item(planned: Planned) -> dict[str, Any]:
    entry, item = planned.entry, planned.item
    return {
        "id": entry.id,
        "path": entry.path,
        "folder": entry.folder,
        "host": entry.host,
        "instance": entry.instance,
        "what": entry.what,
        "sensitivity": entry.sensitivity,
        "content": entry.content,
        "volatility": item.volatility.name.lower(),
        "stage": item.stage.name.lower(),
        "privilege": str(item.source.privilege),
        "default": item.default,
        "required": item.required,
        "cap": item.cap,
    }
