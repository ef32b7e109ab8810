"""The recordings: which requests there are, and what was answered.

`recordings/COMPONENT/index.json` lists them; each entry says whether it was recorded from a running server, and
if not, where its content is from.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

RECORDINGS = Path(__file__).resolve().parent / "recordings"


@dataclasses.dataclass(frozen=True)
class Entry:
    """One request and its answer."""

    component: str
    """Whose answer it is."""

    scenario: str
    """The state that the cluster was in; empty where there is but one."""

    asked: str
    """The `host:port` that was asked; empty where nobody was."""

    method: str
    """The request's method."""

    target: str
    """The request's path with its query."""

    request_headers: Mapping[str, str]
    """Headers of the request that made a difference."""

    request_body: str
    """The body of the request."""

    status: int
    """The status of the answer."""

    content_type: str | None
    """Its type; none where it has none."""

    headers: Mapping[str, str]
    """Its other headers."""

    file: str
    """The file that holds its body."""

    seconds: float
    """How long it took to come."""

    port: str
    """The purpose of the port, where an instance has several that speak HTTP."""

    @property
    def path(self) -> str:
        """The target without the query."""
        return self.target.partition("?")[0]

    @property
    def chunked(self) -> bool:
        """Whether the body came in chunks."""
        return self.headers.get("Transfer-Encoding") == "chunked"

    def body(self) -> bytes:
        """The body as it was recorded."""
        return (RECORDINGS / self.component / self.file).read_bytes()


@functools.cache
def entries(component: str) -> tuple[Entry, ...]:
    """Every answered request to a component, in the order of its index."""
    return tuple(_entries(component))


def _entries(component: str) -> Iterator[Entry]:
    for raw in _index(component):
        if raw.get("path") and raw.get("status") and raw.get("file"):
            yield Entry(
                component=component,
                scenario=raw.get("scenario", ""),
                asked=raw.get("asked", ""),
                method=raw.get("method", "GET"),
                target=raw["path"],
                request_headers=raw.get("request_headers", {}),
                request_body=raw.get("request_body", ""),
                status=raw["status"],
                content_type=raw.get("content_type"),
                headers=raw.get("headers", {}),
                file=raw["file"],
                seconds=raw.get("seconds", 0.0),
                port=raw.get("port", "status"),
            )


def _index(component: str) -> list[dict[str, Any]]:
    index: dict[str, Any] = json.loads((RECORDINGS / component / "index.json").read_text())
    listed: list[dict[str, Any]] = index["entries"]
    return listed


@functools.cache
def text(name: str) -> str:
    """A file of the recordings as text."""
    return (RECORDINGS / name).read_text()
