"""A bundle as plain values: what `clinic inspect --json` prints.

The shape is stable: names are not renamed or taken away, new ones may come.

* `bundle`, `id` (null when not sealed), `sealed`, `complete`, `interrupted`, `parent`: the bundle itself
* `case`, `note`, `window` (`from`, `to`, `zone`), `run` (`tool`, `version`, `profile`, `started`, `ended`,
  `machine`, `user`, `root`, `options`)
* `cluster`: `name`, `id`, `version`, `deployed`, `hosts`, `unknown`, `differences`, and `instances`, each with
  `id`, `component`, `host`, `port`, `address`, `version`, `pid`, `unit`, `directory`, `state`
* `totals`: `items`, `files`, `plain` and `stored` bytes, `masked` credentials, `status` (items by how they ended)
* `contents`: for each `category` and `host` the `items`, `files`, `plain`, `stored`, `missing`
* `facts`: `host`, `text`, `ask` (a command), `path` (of the file that tells), the loudest first
* `missing`: groups of items with `hosts`, `status`, `reason`, `items` (ids), `count`, `messages`, `fixes`,
  `incomplete` (whether they make the bundle incomplete)
* `ask`: what to ask the customer next, mostly commands
* `items`: each record with `id`, `path`, `host`, `instance`, `category`, `sensitivity`, `what`, `foreign`,
  `status`, `reason`, `message`, `fix`, `started`, `seconds`, and `files`, each with `path`, `plain`, `stored`,
  `sha256`, `dropped` (bytes cut out; -1 when unknown)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from clinic.bundle.record import FileEntry, Record
from clinic.read.ask import questions
from clinic.read.fact import Findings
from clinic.read.missing import groups, is_missing
from clinic.read.open import Opened


@dataclass(frozen=True, slots=True)
class Content:
    """How much there is of one category on one host."""

    category: str
    """Kind of data."""

    host: str
    """The machine it is about; empty for what is about none."""

    items: int
    """Planned items."""

    files: int
    """Files in the bundle."""

    plain: int
    """Their bytes once decompressed."""

    stored: int
    """Their bytes on disk."""

    missing: int
    """Items that are not there, or not whole, and that somebody should hear of."""


def contents(records: Iterable[Record]) -> tuple[Content, ...]:
    """How much there is, by category and host, sorted."""
    found: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        found.setdefault((record.entry.category, record.entry.host), []).append(record)
    return tuple(
        Content(
            category,
            host,
            items=len(ours),
            files=sum(len(record.files) for record in ours),
            plain=sum(record.plain for record in ours),
            stored=sum(record.stored for record in ours),
            missing=sum(is_missing(record) for record in ours),
        )
        for (category, host), ours in sorted(found.items())
    )


def of_all_hosts(every: Iterable[Content]) -> tuple[Content, ...]:
    """The same by category alone, with how many hosts each is of in place of their names."""
    found: dict[str, list[Content]] = {}
    for one in every:
        found.setdefault(one.category, []).append(one)
    return tuple(
        Content(
            category,
            str(sum(bool(one.host) for one in ours) or ""),
            items=sum(one.items for one in ours),
            files=sum(one.files for one in ours),
            plain=sum(one.plain for one in ours),
            stored=sum(one.stored for one in ours),
            missing=sum(one.missing for one in ours),
        )
        for category, ours in found.items()
    )


def describe(opened: Opened, findings: Findings) -> dict[str, Any]:
    """The values, ready for JSON."""
    run, files = opened.run, opened.files()
    return {
        "bundle": opened.name,
        "id": opened.id or None,
        "sealed": opened.sealed,
        "complete": opened.complete,
        "interrupted": opened.interrupted,
        "parent": opened.parent,
        "case": run.case,
        "note": run.note,
        "window": {"from": run.window.start, "to": run.window.end, "zone": run.window.zone},
        "run": _run(opened),
        "cluster": _cluster(opened, findings),
        "totals": {
            "items": len(opened.records),
            "files": len(files),
            "plain": sum(file.plain for file in files),
            "stored": sum(file.stored for file in files),
            "masked": opened.masked,
            "status": dict(Counter(str(record.status) for record in opened.records)),
        },
        "contents": [asdict(content) for content in contents(opened.records)],
        "facts": [
            {"host": fact.host, "text": fact.text, "ask": fact.ask, "path": fact.path}
            for fact in findings.facts
        ],
        "missing": _missing(opened.records),
        "ask": list(questions(opened.run, opened.records, findings, opened.name)),
        "items": [_item(record) for record in opened.records],
    }


def _run(opened: Opened) -> dict[str, Any]:
    run = opened.run
    return {
        "tool": run.tool,
        "version": run.version,
        "profile": run.profile,
        "started": run.started,
        "ended": opened.ended or None,
        "machine": run.machine,
        "user": run.user,
        "root": run.root,
        "options": dict(run.options),
    }


def _cluster(opened: Opened, findings: Findings) -> dict[str, Any]:
    cluster = opened.run.cluster
    return {
        "name": cluster.name,
        "id": cluster.id or None,
        "version": cluster.version or None,
        "deployed": cluster.deployed,
        "hosts": list(cluster.machines),
        "unknown": list(cluster.unknown),
        "differences": list(cluster.differences),
        "instances": [
            {
                "id": one.id,
                "component": one.component,
                "host": one.host,
                "port": one.port,
                "address": one.address or None,
                "version": one.version or None,
                "pid": one.pid or None,
                "unit": one.unit or None,
                "directory": one.directory or None,
                "state": str(findings.states.get(one.id, "not looked at")),
            }
            for one in cluster.instances
        ],
    }


def _missing(records: Iterable[Record]) -> list[dict[str, Any]]:
    return [
        {
            "hosts": list(group.places),
            "status": str(group.status),
            "reason": _reason(group.reason),
            "items": list(group.ids),
            "count": group.count,
            "messages": list(group.messages),
            "fixes": list(group.fixes),
            "incomplete": group.incomplete,
        }
        for group in groups(records)
    ]


def _item(record: Record) -> dict[str, Any]:
    entry = record.entry
    return {
        "id": entry.id,
        "path": entry.path,
        "host": entry.host,
        "instance": entry.instance,
        "category": entry.category,
        "sensitivity": entry.sensitivity,
        "what": entry.what,
        "foreign": entry.foreign,
        "status": str(record.status),
        "reason": _reason(record.reason),
        "message": record.message,
        "fix": record.fix,
        "started": record.started,
        "seconds": record.seconds,
        "files": [_file(file) for file in record.files],
    }


def _file(file: FileEntry) -> dict[str, Any]:
    return {
        "path": file.path,
        "plain": file.plain,
        "stored": file.stored,
        "sha256": file.sha256,
        "dropped": file.dropped,
    }


def _reason(reason: object) -> str | None:
    return str(reason) if reason is not None else None
