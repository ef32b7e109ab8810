"""Talking to a Prometheus, or what speaks its API: what it has, how it is, and the samples as it holds them."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from clinic.client.address import Address
from clinic.client.http import Web
from clinic.deadline import Deadline
from clinic.errors import Failed, ItemError, Retryable, Skip
from clinic.formats.readframes import LONGEST, crc32c
from clinic.formats.remoteread import HEADERS, STREAMED, LabelMatch, Match, request
from clinic.outcome import Reason
from clinic.source.base import Doors, Ran
from clinic.source.server import Server, access, web_address
from clinic.units import MIB, human_size

NAMES = 64 * MIB
"""Bytes of a list of metric names: a hundred thousand of them have four."""

ANSWER = 30.0
"""Seconds for a small question."""

_NUMBER = re.compile(rb"^([a-z_]+)(?:\{[^}\n]*\})? ([-+0-9.eE]+|NaN|[+-]Inf)$", re.MULTILINE)
_NO_READ = (400, 404, 405, 415, 501)
"""How servers say that they know no remote read: VictoriaMetrics with 400, proxies with the others."""

_OWN = (b"process_resident", b"prometheus_tsdb_compaction")
_SERIES_NAME = re.compile(rb'"__name__":"((?:[^"\\]|\\.)*)"')
_LENGTH = re.compile(rb"[\x80-\xff]{0,4}[\x00-\x7f]")


@dataclass(frozen=True, slots=True)
class Health:
    """How a server is, by its own word."""

    memory: int
    """Bytes of its resident memory; 0 when it does not say."""

    seconds: float
    """How long it took to say so."""

    chunk_bytes: float = 0.0
    """Bytes of a sample in its compacted chunks; 0 when it has compacted none."""


class PromServer:
    """One server, asked within one attempt at an item."""

    def __init__(self, server: Server | Address, doors: Doors) -> None:
        address, given = web_address(server), access(doors)
        account = None if isinstance(server, Address) else given.web.get(server.component)
        self._doors = doors
        self._web = doors.shared(
            ("web", address), lambda: Web(address, given.tls, account=account, proxy=given.proxy)
        )
        window = doors.window
        self.start, self.end = (int(moment.timestamp() * 1000) for moment in (window.start, window.end))
        self.where = str(address)

    def fetch(self, path: str, query: Sequence[tuple[str, str]] = (), limit: int = MIB) -> bytes:
        """The body of a small answer, on record. Raises as `Web.fetch` does."""
        started, outcome = time.monotonic(), "stopped"
        try:
            data = self._web.fetch(path, self._short(), limit=limit, query=tuple(query))
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

    # -- what it has

    def names(self) -> list[str]:
        """Names of all metrics that have a sample in the window, sorted. Raises `Failed` for what is no such list."""
        query = [("start", _seconds(self.start)), ("end", _seconds(self.end))]
        found = _data(self.fetch("/api/v1/label/__name__/values", query, NAMES))
        if not isinstance(found, list):
            raise Failed(Reason.BAD_ANSWER, f"{self.where} answered with no list of metrics")
        return sorted({name for name in cast("list[object]", found) if isinstance(name, str)})

    def value(self, expression: str) -> float | None:
        """The one value of an instant query at the window's end; None where there is none."""
        query = [("query", expression), ("time", _seconds(self.end))]
        found = _data(self.fetch("/api/v1/query", query))
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
            if name.startswith((b"process", b"prom"))
        }
        samples = numbers.get(b"prometheus_tsdb_compaction_chunk_samples_sum", 0.0)
        size = numbers.get(b"prometheus_tsdb_compaction_chunk_size_bytes_sum", 0.0)
        memory = int(numbers.get(b"process_resident_memory_bytes", 0.0))
        return Health(memory, time.monotonic() - began, size / samples if samples else 0.0)

    def series_of(self, names: Sequence[str]) -> Counter[str]:
        """How many series each of these metrics has in the window, by the server's own list."""
        query = [
            ("match[]", '{__name__=~"' + "|".join(names) + '"}'), ("start", _seconds(self.start)),
            ("end", _seconds(self.end)),
        ]  # fmt: skip
        found: Counter[str] = Counter()
        started, outcome, held = time.monotonic(), "stopped", b""
        try:
            with self._web.ask("/api/v1/series", self._doors.deadline, query=tuple(query)) as answer:
                for data in answer.chunks():
                    held += data
                    ends = 0
                    for one in _SERIES_NAME.finditer(held):
                        found[json.loads(b'"' + one[1] + b'"')] += 1
                        ends = one.end()
                    # A name may go on in the next piece.
                    held = held[max(ends, len(held) - 1024) :]
                outcome = f"200 {human_size(answer.received)}"
        except ItemError as error:
            outcome = str(error.reason)
            raise
        finally:
            self._ran("GET /api/v1/series", outcome, started)
        return found

    # -- its samples

    def frames(
        self, names: Sequence[str], start: int, end: int, matches: Sequence[LabelMatch]
    ) -> Iterator[bytes]:
        """The frames of all series of these metrics, checked, as they came.

        Raises `Skip` where the server has no remote read in chunks, `Retryable` where it broke off, `Failed` for a
        frame that is none.
        """
        wanted = [LabelMatch(Match.REGEX, "__name__", "|".join(names)), *matches]
        what = f"POST /api/v1/read __name__=~{'|'.join(names)[:80]}"
        started, outcome = time.monotonic(), "stopped"
        try:
            body = request(start, end, wanted)
            with self._web.exchange(
                "/api/v1/read", self._doors.deadline, method="POST", body=body, headers=HEADERS
            ) as answer:
                if answer.status in _NO_READ:
                    raise Skip(Reason.NOT_APPLICABLE, f"{self.where} has no remote read")
                answer.require_good()
                if answer.content_type != STREAMED:
                    raise Skip(Reason.NOT_APPLICABLE, f"{self.where} has no remote read in chunks")
                yield from _checked(answer.chunks(), self.where)
                outcome = f"200 {human_size(answer.received)}"
        except ItemError as error:
            outcome = str(error.reason)
            raise
        finally:
            self._ran(what, outcome, started)


def _checked(pieces: Iterator[bytes], where: str) -> Iterator[bytes]:
    """Whole frames whose checksums are right."""
    held = b""
    for piece in pieces:
        held += piece
        while (end := _frame_end(held)) is not None:
            frame, held = held[:end], held[end:]
            _require_right(frame, where)
            yield frame
    if held:
        raise Retryable(Reason.BAD_ANSWER, f"{where} broke off in the middle of a frame")


def _frame_end(data: bytes) -> int | None:
    head = _LENGTH.match(data)
    if head is None:
        return None
    length = 0
    for byte in reversed(head.group()):
        length = length << 7 | byte & 0x7F
    if length > LONGEST:
        raise Failed(Reason.BAD_ANSWER, f"a frame of {human_size(length)}, which no server makes")
    end = head.end() + 4 + length
    return end if end <= len(data) else None


def message_of(frame: bytes) -> bytes:
    """The message in a whole frame."""
    head = _LENGTH.match(frame)
    return frame[head.end() + 4 :] if head is not None else b""


def _require_right(frame: bytes, where: str) -> None:
    message = message_of(frame)
    at = len(frame) - len(message) - 4
    if crc32c(message) != int.from_bytes(frame[at : at + 4], "big"):
        raise Retryable(Reason.BAD_ANSWER, f"{where} sent a frame whose checksum is wrong")


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
