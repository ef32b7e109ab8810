"""Talking to a Prometheus, or what speaks its API: what it has, how it is, and the samples as it holds them."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from clinic.client.address import Address
from clinic.deadline import Deadline
from clinic.errors import Failed, ItemError, Retryable, Skip
from clinic.formats.readframes import BadFrame, Frame, Splitter
from clinic.formats.remoteread import HEADERS, STREAMED, LabelMatch, Match, request
from clinic.outcome import Reason
from clinic.source.base import Doors, Ran
from clinic.source.prometheus.piece import Piece, quoted
from clinic.source.server import Server, prefix, web
from clinic.units import MIB, human_size

NAMES = 64 * MIB
"""Bytes of a list of metric names: a hundred thousand of them have four."""

SERIES = 4 * MIB
"""Bytes of a list of series that is held: some ten thousand."""

ANSWER = 30.0
"""Seconds for a small question."""

_NUMBER = re.compile(rb"^([a-z_]+)(?:\{[^}\n]*\})? ([-+0-9.eE]+|NaN|[+-]Inf)$", re.MULTILINE)
_NO_READ = (400, 404, 405, 415, 501)
"""How servers say that they know no remote read: VictoriaMetrics with 400, proxies with the others."""

_HEAP = (
    b"process_resident_memory_anon_bytes", b"go_memstats_heap_inuse_bytes", b"process_resident_memory_bytes",
)  # fmt: skip
"""What tells the memory that a server uses for itself, the best first: VictoriaMetrics has the first."""

_SERIES_NAME = re.compile(rb'"__name__":"((?:[^"\\]|\\.)*)"')

READ, QUERY = "/api/v1/read", "/api/v1/query"
"""The paths of remote read and of queries."""


@dataclass(frozen=True, slots=True)
class Health:
    """How a server is, by its own word."""

    heap: int
    """Bytes that it uses for itself. Not its resident memory: that counts pages of files, which cost it nothing."""

    goal: int
    """Bytes to which its heap may grow before it is cleaned, whoever asks; 0 when it does not say."""

    seconds: float
    """How long it took to say so."""


class PromServer:
    """One server, asked within one attempt at an item."""

    def __init__(self, server: Server | Address, doors: Doors) -> None:
        self._doors = doors
        self._web = web(server, doors)
        self._prefix = prefix(server)
        window = doors.window
        self.start, self.end = (int(moment.timestamp() * 1000) for moment in (window.start, window.end))
        self.where = f"{self._web.address}{self._prefix}"

    def fetch(self, path: str, query: Sequence[tuple[str, str]] = (), limit: int = MIB) -> bytes:
        """The body of a small answer, on record. Raises as `Web.fetch` does."""
        started, outcome = time.monotonic(), "stopped"
        try:
            data = self._web.fetch(
                self._prefix + path, self._short(), limit=limit, query=tuple(query), begin=ANSWER
            )
            outcome = f"200 {human_size(len(data))}"
            return data
        except ItemError as error:
            outcome = str(error.reason)
            raise
        finally:
            self._ran(f"GET {path}", outcome, started)

    def _short(self) -> Deadline:
        left = self._doors.deadline.remaining()
        return Deadline(ANSWER if left is None else min(ANSWER, left))

    def _ran(self, what: str, outcome: str, started: float) -> None:
        self._doors.ran(Ran("http", what, self.where, self._web.user, outcome, time.monotonic() - started))

    def piece(self, names: Sequence[str], matches: Sequence[LabelMatch] = (), step: int = 0) -> Piece:
        """All of these metrics in the whole window."""
        return Piece(tuple(names), self.start, self.end, tuple(matches), step)

    def counts(self, matches: Sequence[LabelMatch]) -> dict[str, int]:
        """Series by metric as far as they were counted in this run: the plan's counting need not be done again."""
        return self._doors.shared(
            ("series of", self.where, self.start, self.end, tuple(matches)), dict[str, int]
        )

    # -- what it has

    def names(self) -> list[str]:
        """Names of all metrics that have a sample in the window, sorted. Raises `Failed` for what is no such list."""
        query = [("start", _seconds(self.start)), ("end", _seconds(self.end))]
        return _texts(_data(self.fetch("/api/v1/label/__name__/values", query, NAMES)))

    def value(self, expression: str) -> float | None:
        """The one value of an instant query at the window's end; None where there is none."""
        query = [("query", expression), ("time", _seconds(self.end))]
        found = _data(self.fetch(QUERY, query))
        result = cast("dict[str, object]", found).get("result") if isinstance(found, dict) else None
        try:
            return float(cast("list[dict[str, list[str]]]", result)[0]["value"][1])
        except (TypeError, IndexError, KeyError, ValueError):
            return None

    def health(self) -> Health:
        """Its memory, and how quickly it answers."""
        began = time.monotonic()
        data = self.fetch("/metrics", limit=16 * MIB)
        numbers = {
            name: float(value)
            for name, value in _NUMBER.findall(data)
            if name.startswith((b"process_resident", b"go_memstats"))
        }
        heap = next((int(numbers[name]) for name in _HEAP if name in numbers), 0)
        goal = int(numbers.get(b"go_memstats_next_gc_bytes", 0.0))
        return Health(heap, goal, time.monotonic() - began)

    def counted(self, piece: Piece) -> Counter[str]:
        """How many series each metric of the piece has, by the server's own list, which is read as it comes."""
        found: Counter[bytes] = Counter()
        started, outcome, held = time.monotonic(), "stopped", b""
        try:
            with self._web.ask(
                f"{self._prefix}/api/v1/series", self._short(), query=_matching(piece), begin=ANSWER
            ) as answer:
                for data in answer.chunks(full=True):
                    held += data
                    ends = 0
                    for one in _SERIES_NAME.finditer(held):
                        found[one[1]] += 1
                        ends = one.end()
                    # A name may go on in the next piece.
                    held = held[max(ends, len(held) - 1024) :]
                outcome = f"200 {human_size(answer.received)}"
        except ItemError as error:
            outcome = str(error.reason)
            raise
        finally:
            self._ran("GET /api/v1/series", outcome, started)
        return Counter({_text(name): series for name, series in found.items()})

    def labels(self, piece: Piece) -> list[str]:
        """The labels that the piece's series have."""
        return _texts(_data(self.fetch("/api/v1/labels", _matching(piece), NAMES)))

    def values(self, piece: Piece, label: str) -> list[str]:
        """The values that a label has in the piece's series."""
        return _texts(_data(self.fetch(f"/api/v1/label/{label}/values", _matching(piece), NAMES)))

    def series(self, piece: Piece) -> list[dict[str, str]]:
        """The labels of the piece's series, where they are not too many to be held."""
        found = _data(self.fetch("/api/v1/series", _matching(piece), SERIES))
        rows = cast("list[object]", found) if isinstance(found, list) else []
        return [
            {name: str(value) for name, value in cast("dict[str, object]", row).items()}
            for row in rows
            if isinstance(row, dict)
        ]

    # -- its samples

    def frames(self, piece: Piece) -> Generator[Frame, None, None]:
        """The frames of all series of the piece, checked, as they came.

        Raises `Skip` where the server has no remote read in chunks, `Retryable` where it broke off or sent a frame
        that is none.
        """
        wanted = [LabelMatch(Match.REGEX, "__name__", "|".join(map(quoted, piece.names))), *piece.matches]
        what = f"POST {READ} __name__=~{'|'.join(piece.names)[:80]}"
        started, outcome = time.monotonic(), "stopped"
        try:
            with self._web.exchange(
                self._prefix + READ, self._doors.deadline, method="POST",
                body=request(piece.start, piece.end, wanted), headers=HEADERS, begin=ANSWER,
            ) as answer:  # fmt: skip
                if answer.status in _NO_READ:
                    raise Skip(Reason.NOT_APPLICABLE, f"{self.where} has no remote read")
                answer.require_good()
                if answer.content_type != STREAMED:
                    raise Skip(Reason.NOT_APPLICABLE, f"{self.where} has no remote read in chunks")
                yield from _checked(answer.chunks(full=True), self.where)
                outcome = f"200 {human_size(answer.received)}"
        except ItemError as error:
            outcome = str(error.reason)
            raise
        finally:
            self._ran(what, outcome, started)


def _checked(pieces: Iterator[bytes], where: str) -> Iterator[Frame]:
    """Whole frames whose checksums are right."""
    splitter = Splitter()
    try:
        for piece in pieces:
            yield from splitter.feed(piece)
    except BadFrame as error:
        raise Retryable(Reason.BAD_ANSWER, f"{where} sent {error}") from error
    if splitter.rest:
        raise Retryable(Reason.BAD_ANSWER, f"{where} broke off in the middle of a frame")


def _text(quoted_name: bytes) -> str:
    """What stands between the quotes of a string in JSON. Raises `Failed`."""
    try:
        return str(json.loads(b'"' + quoted_name + b'"'))
    except ValueError as error:
        raise Failed(Reason.BAD_ANSWER, f"a list of series that is none: {error}") from error


def _matching(piece: Piece) -> tuple[tuple[str, str], ...]:
    return (("match[]", piece.selector), ("start", _seconds(piece.start)), ("end", _seconds(piece.end)))


def _texts(found: object) -> list[str]:
    if not isinstance(found, list):
        raise Failed(Reason.BAD_ANSWER, "an answer that is no list")
    return sorted({text for text in cast("list[object]", found) if isinstance(text, str)})


def _data(body: bytes) -> object:
    try:
        found = json.loads(body)
    except ValueError as error:
        raise Failed(Reason.BAD_ANSWER, f"an answer that is no JSON: {error}") from error
    answer = cast("dict[str, object]", found) if isinstance(found, dict) else {}
    if answer.get("status") != "success":
        raise Failed(Reason.BAD_ANSWER, f"an answer that is no success: {str(answer.get('error', ''))[:200]}")
    return answer.get("data")


def _seconds(milliseconds: int) -> str:
    return f"{milliseconds / 1000:.3f}"
