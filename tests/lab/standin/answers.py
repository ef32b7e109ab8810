"""What an HTTP API is asked and answers: the types, and the answers of an API that just plays its recordings."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tests.lab.standin.members import Member
from tests.lab.standin.recorded import Entry, entries
from tests.lab.standin.rewrite import Rewriter
from tests.lab.standin.spec import CLUSTER_ID, Spec

KEEP = 64 * 1024
"""Bodies larger than this are rewritten once and kept: metrics are asked for every few seconds."""

PLAIN = "text/plain; charset=utf-8"
JSON = "application/json"
OTHER_CLUSTER_ID = "7000000000000000001"
NOSNIFF = {"X-Content-Type-Options": "nosniff"}


@dataclasses.dataclass(frozen=True)
class Request:
    """What somebody asks."""

    method: str
    """The method."""

    target: str
    """The path with its query, as it was sent."""

    headers: Mapping[str, str]
    """The headers, their names in small letters."""

    body: bytes
    """The body."""

    @property
    def path(self) -> str:
        """The target without the query."""
        return self.target.partition("?")[0]


@dataclasses.dataclass(frozen=True)
class Answer:
    """What is answered."""

    status: int
    """The status."""

    body: bytes = b""
    """The body."""

    content_type: str | None = None
    """The type; none to send none."""

    headers: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    """Other headers."""

    chunked: bool = False
    """Whether the body is sent in chunks."""

    seconds: float = 0.0
    """How long to wait before."""


def not_found() -> Answer:
    """What Go's own HTTP server says to a path that it does not know."""
    return Answer(404, b"404 page not found\n", PLAIN, NOSNIFF)


def json_answer(value: object, status: int = 200, indent: int | None = None) -> Answer:
    """A JSON body."""
    return Answer(status, json.dumps(value, indent=indent).encode(), JSON)


class Api:
    """An HTTP API that answers what is recorded for its component."""

    mine: frozenset[str] = frozenset()
    """Paths whose answer is about the instance itself: what was recorded of the first is said of each."""

    def __init__(self, spec: Spec, member: Member, port: str = "status") -> None:
        self.spec = spec
        self.member = member
        self.rewriter = Rewriter(spec, member)
        self.entries = [each for each in entries(member.component) if each.port == port]
        self._kept: dict[tuple[str, bool], bytes] = {}

    def answer(self, request: Request) -> Answer:
        """The answer to a request."""
        found = self.find(request, self.entries)
        return self.play(found) if found else self.unknown(request)

    def unknown(self, request: Request) -> Answer:
        """The answer to a request of which nothing is recorded."""
        return not_found()

    def find(self, request: Request, among: Iterable[Entry]) -> Entry | None:
        """The recorded request that is the same, else one that asks for the same with other values, or with none."""
        alike = [each for each in among if each.method == request.method and each.path == request.path]
        same = [each for each in alike if bool(each.request_body) == bool(request.body)] or alike
        exact = [each for each in same if each.target == request.target]
        names = _names(request.target)
        similar = [each for each in same if names and _names(each.target) == names]
        return _first(exact) or _first(similar) or _first([each for each in same if "?" not in each.target])

    def play(self, entry: Entry) -> Answer:
        """The recorded answer with this cluster's addresses."""
        headers = {
            name: value
            for name, value in entry.headers.items()
            if name not in {"Content-Length", "Transfer-Encoding"}
        }
        return Answer(
            entry.status,
            self.body(entry),
            entry.content_type,
            headers,
            entry.chunked,
            entry.seconds * self.spec.options.delay_scale,
        )

    def body(self, entry: Entry) -> bytes:
        """The recorded body with this cluster's addresses."""
        key = (entry.file, mine := entry.path in self.mine)
        if key in self._kept:
            return self._kept[key]
        body = self.rewriter.data(entry.body(), mine=mine)
        if len(body) > KEEP:
            self._kept[key] = body
        return body


def _names(target: str) -> frozenset[str]:
    """The names in a query."""
    query = target.partition("?")[2]
    return frozenset(part.partition("=")[0] for part in query.split("&") if part)


def _first(found: Sequence[Entry]) -> Entry | None:
    return found[0] if found else None


def of_other_cluster(answer: Answer) -> Answer:
    """The same answer with another cluster's id."""
    body = answer.body.replace(CLUSTER_ID.encode(), OTHER_CLUSTER_ID.encode())
    return dataclasses.replace(answer, body=body)


def as_json(body: bytes) -> Any:
    """The JSON value in a body."""
    return json.loads(body)
