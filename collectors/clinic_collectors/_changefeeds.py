"""Every changefeed of TiCDC with its configuration and progress: the list has only the names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import cast

from clinic.collector import Collector, Content, Instance, Item, Source, Stage, Target, Volatility
from clinic.source.composed import Composed
from clinic.source.first import First
from clinic.source.http import Get
from clinic_collectors._servers import of

MOST = 200
"""Changefeeds that are asked for, each by itself."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
"""What TiCDC takes for a changefeed or namespace (pingcap/tiflow `cdc/model/changefeed.go`)."""


def changefeed_details(collector: Collector, target: Target) -> Iterator[Item]:
    """One document of all changefeeds. Their sinks are URIs with passwords in them."""
    if servers := of(target, "ticdc"):
        source = First(tuple(_details(server) for server in servers))
        yield Item(
            "topology/ticdc/changefeeds.json", source, id=f"{collector.name}.changefeeds", content=Content.JSON,
            stage=Stage.LEARN, volatility=Volatility.SECONDS, priority=20,
        )  # fmt: skip


def _details(server: Instance) -> Composed:
    listed = First(
        (Get(server, "/api/v2/changefeeds?state=all"), Get(server, "/api/v1/changefeeds?state=all"))
    )

    def each(held: Mapping[str, bytes]) -> Iterator[tuple[str, Source]]:
        for name, query in changefeeds(held.get("list", b"")):
            yield (
                name,
                First(
                    (
                        Get(server, f"/api/v2/changefeeds/{name}{query}"),
                        Get(server, f"/api/v1/changefeeds/{name}"),
                    )
                ),
            )

    return Composed("", (("list", listed),), together, needs=frozenset({"list"}), then=each)


def changefeeds(data: bytes) -> Iterator[tuple[str, str]]:
    """Name and query of each changefeed in a list, as API v1 or v2 gives it."""
    try:
        found: object = json.loads(data)
    except (ValueError, RecursionError):
        return
    listed = cast("dict[str, object]", found).get("items") if isinstance(found, dict) else found
    entries = cast("list[object]", listed) if isinstance(listed, list) else []
    for entry in entries[:MOST]:
        told = cast("dict[str, object]", entry) if isinstance(entry, dict) else {}
        name, space = (str(told.get(key) or "") for key in ("id", "namespace"))
        if _NAME.fullmatch(name):
            yield name, f"?namespace={space}" if _NAME.fullmatch(space) else ""


def together(held: Mapping[str, bytes]) -> bytes:
    """A JSON object: the list, and each changefeed under its name; one that is no JSON stays out."""
    parts = (
        b"  %s: %s" % (json.dumps(name).encode(), data.strip())
        for name, data in held.items()
        if _is_json(data)
    )
    return b"{\n" + b",\n".join(parts) + b"\n}\n"


def _is_json(data: bytes) -> bool:
    try:
        json.loads(data)
    except (ValueError, RecursionError):
        return False
    return True
