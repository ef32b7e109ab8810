"""PD's etcd gateway: ranges over the keys that were recorded, answered as its JSON gateway does."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from typing import Any

from tests.lab.standin.answers import JSON, Answer
from tests.lab.standin.recorded import RECORDINGS
from tests.lab.standin.rewrite import Rewriter

FILES = ("topology", "tidb-server", "tidb-ddl", "tidb-cdc")
"""The recorded answers that hold the keys."""

GRPC = {"Grpc-Metadata-Content-Type": "application/grpc"}
CHUNK = 2048
"""Go's HTTP server sends a body in chunks that is larger than its buffer."""


class Store:
    """The keys of the recorded etcd, with this cluster's addresses in them."""

    def __init__(self, rewriter: Rewriter) -> None:
        self._header: dict[str, Any] = {}
        self._pairs: dict[bytes, dict[str, Any]] = {}
        for name in FILES:
            self._read(name, rewriter)

    def _read(self, name: str, rewriter: Rewriter) -> None:
        answer = json.loads((RECORDINGS / "pd/healthy" / f"etcd-range-{name}.json").read_text())
        self._header = self._header or answer["header"]
        for pair in answer["kvs"]:
            changed = {part: rewriter.base64(pair[part]) for part in ("key", "value") if part in pair}
            self._pairs[base64.b64decode(changed["key"])] = {**pair, **changed}

    def range(self, body: bytes) -> Answer:
        """What `/v3/kv/range` answers to a JSON request."""
        try:
            asked = json.loads(body)
            key = base64.b64decode(asked.get("key", ""), validate=True)
            end = base64.b64decode(asked.get("range_end", ""), validate=True)
        except (ValueError, binascii.Error, AttributeError):
            return _bad_request(body)
        found = [self._pairs[each] for each in sorted(self._pairs) if _inside(each, key, end)]
        return _answer(self._header, found, asked)


def _inside(key: bytes, first: bytes, end: bytes) -> bool:
    if not end:
        return key == first
    return key >= first and (end == b"\0" or key < end)


def _answer(header: Mapping[str, Any], found: list[dict[str, Any]], asked: Mapping[str, Any]) -> Answer:
    limit = int(asked.get("limit", 0))
    shown = found[:limit] if limit else found
    value: dict[str, Any] = {"header": header}
    if shown and not asked.get("count_only"):
        value["kvs"] = list(_without_values(shown)) if asked.get("keys_only") else shown
    if len(shown) < len(found):
        value["more"] = True
    if found:
        value["count"] = str(len(found))
    body = json.dumps(value, separators=(",", ":")).encode()
    return Answer(200, body, JSON, GRPC, chunked=len(body) > CHUNK)


def _without_values(pairs: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for pair in pairs:
        yield {name: part for name, part in pair.items() if name != "value"}


def _bad_request(body: bytes) -> Answer:
    """Which of the two errors that were recorded: one for bad base64, one for bad JSON."""
    try:
        json.loads(body)
    except ValueError:
        name = "etcd-range-bad-json.json"
    else:
        name = "etcd-range-bad-base64.json"
    return Answer(400, (RECORDINGS / "pd/healthy" / name).read_bytes(), JSON)
