"""What TiDB, TiProxy, TiCDC and TiUP write into PD's etcd about themselves, read through its HTTP gateway. Pure.

Keys below `/topology/` (pingcap/tidb `pkg/domain/infosync`, pingcap/tiproxy `pkg/manager/infosync`, pingcap/tiup
`pkg/cluster/manager`, pingcap/tiflow `cdc/capture`), and captures of a TiCDC before v7.1 below `/tidb/cdc/`.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Mapping

from clinic.cluster.discovery.view import Fact, address_of, bad, deploy_dir, parsed, placed, version_of
from clinic.cluster.model import Instance
from clinic.errors import ItemError

REGISTERED = ("tidb", "tiproxy", "ticdc")
"""Components of which every instance that runs registers itself; of monitoring only one of each is in there."""

_INFO = re.compile(r"/topology/(tidb|tiproxy)/([^/]+)/(info|ttl)\Z")
_TICDC = re.compile(r"/topology/ticdc/[^/]+/([^/]+)\Z")
_ONE = re.compile(r"/topology/(prometheus|grafana|alertmanager)\Z")
_CAPTURES = re.compile(r"(/tidb/cdc/(?:[^/]+/__cdc_meta__/)?capture/)[^/]+\Z")

MOST_CLUSTERS = 8
"""TiCDC clusters in one etcd whose captures are read."""


def range_request(prefix: str, *, keys_only: bool = False) -> bytes:
    """The body that asks for all keys that begin with `prefix`.

    Serializable, so that a PD without a leader answers at once what it knows, and not after 12 s with an error.
    """
    key = prefix.encode()
    end = key[:-1] + bytes([key[-1] + 1])
    asked: dict[str, object] = {
        "key": _coded(key),
        "range_end": _coded(end),
        "serializable": True,
        "limit": "10000",
    }
    return json.dumps({**asked, "keys_only": True} if keys_only else asked).encode()


def _coded(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


def pairs(value: object) -> dict[str, str]:
    """The keys and values of a parsed answer. Raises `Failed` where it is an error, or no such answer."""
    fact = Fact(value)
    if "header" not in fact.keys:
        raise bad(fact.text("message") or "the answer is not etcd's")
    found: dict[str, str] = {}
    for pair in fact.facts("kvs"):
        key = _decoded(pair, "key")
        if key.isprintable():
            found[key] = _decoded(pair, "value")
    return found


def _decoded(pair: Fact, part: str) -> str:
    text = pair.raw(part)
    try:
        return base64.b64decode(text, validate=True).decode("utf-8", "replace")
    except (ValueError, binascii.Error):
        return ""


def capture_prefixes(value: object) -> tuple[str, ...]:
    """The prefixes below which captures are, in the parsed answer to the keys below `/tidb/cdc/`."""
    found = (match[1] for key in pairs(value) if (match := _CAPTURES.match(key)))
    return tuple(dict.fromkeys(found))[:MOST_CLUSTERS]


def joined(values: Iterable[object]) -> bytes:
    """Several parsed answers as one, without their headers."""
    found = {key: value for value in values for key, value in pairs(value).items()}
    kvs = [{"key": _coded(key.encode()), "value": _coded(value.encode())} for key, value in found.items()]
    return json.dumps({"header": {}, "kvs": kvs}).encode()


def read_keys(keys: Mapping[str, str]) -> list[Instance]:
    """The instances that are registered below `/topology/`."""
    alive = {match[2] for key in keys if (match := _INFO.match(key)) and match[3] == "ttl"}
    return [found for key, value in keys.items() if (found := _registered(key, value, alive)) is not None]


def read_captures(keys: Mapping[str, str]) -> list[Instance]:
    """The TiCDC instances that registered as captures."""
    return [
        found
        for key, value in keys.items()
        if _CAPTURES.match(key) and (found := _capture(value)) is not None
    ]


def _registered(key: str, value: str, alive: Iterable[str]) -> Instance | None:
    info, ticdc, one = _INFO.match(key), _TICDC.match(key), _ONE.match(key)
    if info is not None and info[3] == "info":
        return _server(info[1], info[2], _value(value), beats=info[2] in alive)
    if ticdc is not None:
        return _capture(value)
    if one is not None:
        return _monitor(one[1], _value(value))
    return None


def _value(text: str) -> Fact:
    try:
        return Fact(parsed(text.encode()))
    except ItemError:
        return Fact(None)


def _server(component: str, place: str, fact: Fact, *, beats: bool) -> Instance | None:
    address = address_of(place)
    if address is None:
        return None
    extra = {"labels": fact.labels("labels")} if "labels" in fact.keys else {}
    if not beats:
        extra["state"] = "registered, without a sign of life"
    return Instance(
        component=component,
        host=address.host,
        port=address.port,
        status_port=_port(fact.number("status_port")),
        version=version_of(fact.text("version")),
        deploy_dir=deploy_dir(fact.path("deploy_path")),
        extra={name: text for name, text in extra.items() if text},
    )


def _capture(value: str) -> Instance | None:
    fact = _value(value)
    address = address_of(fact.text("address"))
    if address is None:
        return None
    cluster = fact.text("cluster-id")
    return Instance(
        component="ticdc",
        host=address.host,
        port=address.port,
        version=version_of(fact.text("version")),
        deploy_dir=deploy_dir(fact.path("deploy-path")),
        extra={"cdc_cluster": cluster} if cluster else {},
    )


def _monitor(component: str, fact: Fact) -> Instance | None:
    host, port = fact.text("ip"), fact.number("port")
    address = placed(host, port)
    if address is None:
        return None
    path = deploy_dir(fact.path("deploy_path"))
    return Instance(component=component, host=address.host, port=address.port, deploy_dir=path)


def _port(number: int) -> int:
    return number if 0 < number < 65536 else 0
