"""The calls of the Clinic API, and what their answers say. Nothing in an answer is believed before it is checked."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import cast
from urllib.parse import urlencode

from clinic.client.refusal import said
from clinic.errors import Unreachable
from clinic.secret import Secret
from clinic.units import GIB
from clinic.upload.door import Door, Reply, Stretch

API = "/clinic/api/v1/diag"
"""Where it is on its server."""

FLUSH_STALL = 900.0
"""Seconds for the end: the server reads all of it back."""


@dataclass(frozen=True, slots=True)
class Place:
    """How far the server is."""

    offset: int
    """Bytes of the payload that it has from the beginning; for one that counts parts, what these make."""

    block: int
    """Most bytes of a part."""

    numbered: bool
    """Whether it knows parts by their numbers only, as PingCAP's does."""

    complete: bool
    """Whether the upload is over already."""


class Calls:
    """The API of one server."""

    def __init__(self, door: Door, token: Secret) -> None:
        self.door = door
        self._token = token
        self._base = door.path.rstrip("/") + API

    def precreate(self, query: dict[str, str], metadata: bytes, sha256: str) -> Reply:
        """Announce an upload, or ask how far one is."""
        headers = {"Idempotency-Key": query["uuid"], "Repr-Digest": digest_header(bytes.fromhex(sha256))}
        return self.door.insist("POST", self._path("precreate", query), metadata, self._headers(headers))

    def part(self, query: dict[str, str], body: Stretch, sha256: bytes | None) -> Reply:
        """Hand over one part, once. Raises `ItemError` when it broke off."""
        headers = {"Content-Digest": digest_header(sha256)} if sha256 is not None else {}
        return self.door.ask("POST", self._path("upload", query), body, self._headers(headers))

    def flush(self, query: dict[str, str]) -> Reply:
        """Say that this is all. Asked again, a server answers the same."""
        headers = self._headers({"Idempotency-Key": query["uuid"]})
        return self.door.insist("POST", self._path("flush", query), headers=headers, stall=FLUSH_STALL)

    def probe(self, uuid: str) -> Reply:
        """A flush of what was never begun: a server that knows the token says that it does not know the upload."""
        return self.door.ask("POST", self._path("flush", {"uuid": uuid}), headers=self._headers({}))

    def delete(self, uuid: str) -> Reply:
        """Ask for an upload to be deleted, past proxies that let only GET and POST through."""
        path = self._path("package", {"uuid": uuid})
        reply = self.door.insist("DELETE", path, headers=self._headers({}))
        if reply.status in (405, 501):
            reply = self.door.insist(
                "POST", path, headers=self._headers({"X-HTTP-Method-Override": "DELETE"})
            )
        return reply

    def _path(self, call: str, query: dict[str, str]) -> str:
        return f"{self._base}/{call}?{urlencode(query)}"

    def _headers(self, more: dict[str, str]) -> dict[str, Secret | str]:
        headers: dict[str, Secret | str] = {
            "x-clinic-client": "upload", "Content-Type": "application/octet-stream", **more
        }  # fmt: skip
        if self._token:
            headers["Authorization"] = Secret(f"Bearer {self._token.reveal()}")
        return headers


def digest_header(sha256: bytes) -> str:
    """As RFC 9530 writes it."""
    return f"sha-256=:{base64.b64encode(sha256).decode()}:"


def answer(reply: Reply) -> dict[str, object]:
    """The JSON object of an answer. Raises `Unreachable` where it is none: a portal's page, another program."""
    try:
        found: object = json.loads(reply.body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Unreachable(
            f"{reply.asked} was answered with {reply.status} and what is no answer of a Clinic Server:"
            f" {said(reply.body[:200]) or 'nothing'}",
            hint="check the destination's address, and whether a portal or a proxy answers in its place",
        )
    return cast("dict[str, object]", found)


def place(reply: Reply, length: int) -> Place:
    """How far a server says that it is. Raises `Unreachable` for what can't be so."""
    found = answer(reply)
    block, sequence, offset = (found.get(name) for name in ("blockbytes", "sequence", "offset"))
    if not isinstance(block, int) or not isinstance(sequence, int) or not 0 < block <= GIB or sequence < 0:
        raise Unreachable(
            f"{reply.asked} was answered with neither a place nor a size of parts",
            hint="check that a Clinic Server is there",
        )
    numbered = not isinstance(offset, int) or isinstance(offset, bool)
    at = min(sequence * block, length) if numbered else cast("int", offset)
    if not 0 <= at <= length:
        raise Unreachable(f"{reply.asked}: the server says that it has {at} of {length} bytes")
    return Place(at, block, numbered, found.get("complete") is True)


def code(reply: Reply) -> str:
    """What our own server calls its refusal; empty for others."""
    try:
        found: object = json.loads(reply.body)
    except (ValueError, RecursionError):
        return ""
    word = cast("dict[str, object]", found).get("code") if isinstance(found, dict) else ""
    return word if isinstance(word, str) else ""
