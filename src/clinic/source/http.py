"""What an HTTP server answers, once its status, type and shape say that it is data."""

from __future__ import annotations

import time
import urllib.parse
from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass, field, replace

from clinic.client.address import Address
from clinic.client.http import Answer, Method, Query
from clinic.errors import Failed, ItemError, NotYet, Partial, Retryable, Skip, TimedOut, Unready
from clinic.outcome import Reason
from clinic.source.base import Doors, Estimate, Part, Ran, Source
from clinic.source.server import Server, called, prefix, web, web_address
from clinic.source.shape import Expect, Json, is_page, wrong_type
from clinic.source.unreachable import Standing
from clinic.units import KIB, MIB, human_size

__all__ = ["Expect", "Get"]

HELD = 256 * KIB
"""Bytes of an answer that are held back until it is whole, or longer: most are shorter, and none of those is kept
in part."""


@dataclass(frozen=True)
class Get(Source):
    """The body of one answer. An error page, an empty or a broken answer is a reason, never a file like data."""

    server: Server | Address = field(hash=False)
    """The instance that is asked on its HTTP port, or an address."""

    path: str
    """Path of the URL with its query, where that is fixed: `/pd/api/v1/stores?state=2`."""

    _: KW_ONLY
    """What follows is given by name."""

    expect: Expect = "json"
    """What the body must be: an object or array (`json`), any JSON value (`value`), text that is no web page, `any`."""

    query: Query = ()
    """Further parameters, which need no quoting."""

    method: Method = "GET"
    """POST only for what reads: etcd's gateway, Prometheus."""

    body: str = ""
    """What is sent with it: JSON."""

    cap: int = 64 * MIB
    """Bytes after which no more is read."""

    deadline: float | None = 20.0  # pyright: ignore[reportIncompatibleMethodOverride] # a field is a property too
    """Seconds for the connection, the headers and the whole body."""

    begin: float | None = None
    """Seconds for the beginning of the answer, where it takes the server longer than usual to make it."""

    stall: float | None = None  # pyright: ignore[reportIncompatibleMethodOverride] # a field is a property too
    """Seconds without a byte after which it counts as stuck; for long answers, with a long `deadline` or None."""

    @property
    def lane(self) -> str:
        return f"server:{self._called}"

    @property
    def what(self) -> str:
        try:
            begin = web_address(self.server).url
        except ItemError:
            begin = f"http://{self._called}"
        query = f"?{urllib.parse.urlencode(self.query)}" if self.query else ""
        return f"{self.method} {begin}{self._path}{query}"

    def plan(self, doors: Doors) -> Estimate:
        """Nothing is asked yet, so nothing is known of its size."""
        del doors
        try:
            web_address(self.server)
        except ItemError as error:
            return Estimate(None, impossible=error)
        return Estimate(None)

    def open(self, doors: Doors) -> Iterator[Part]:
        yield Part(self._chunks(doors))

    def narrow(self, size: int) -> Source:
        """Its beginning: a server can't be asked for the end of an answer."""
        return replace(self, cap=min(size, self.cap))

    @property
    def _path(self) -> str:
        return prefix(self.server) + self.path

    @property
    def _called(self) -> str:
        server = self.server
        return (
            str(server) if isinstance(server, Address) else called(server, server.status_port or server.port)
        )

    def _chunks(self, doors: Doors) -> Iterator[bytes]:
        door = web(self.server, doors)
        started, answer, ended = time.monotonic(), None, "stopped"
        try:
            with door.exchange(
                self._path,
                doors.deadline,
                method=self.method,
                query=self.query,
                body=self.body,
                begin=self.begin,
            ) as answer:
                answer.require_good()
                yield from self._checked(answer)
            ended = ""
            door.ended(in_time=True)
        except ItemError as error:
            ended = str(error.reason)
            if answer is not None and isinstance(error, TimedOut):
                door.ended(in_time=False)
            if isinstance(error, NotYet | Unready):
                doors.shared(Standing, Standing).note_unready(self.lane, error)
            raise
        finally:
            outcome = _outcome(answer, ended)
            doors.ran(
                Ran("http", self.what, str(door.address), door.user, outcome, time.monotonic() - started)
            )

    def _checked(self, answer: Answer) -> Iterator[bytes]:
        """The body as soon as it is known to be what it should be."""
        if why := wrong_type(self.expect, answer.content_type):
            raise self._wrong(why)
        follower = Json(scalars=self.expect == "value") if self.expect in ("json", "value") else None
        held: bytearray | None = bytearray()
        try:
            for data in answer.chunks():
                self._follow(follower, data, held)
                if held is None:
                    yield self._within(answer, data)
                else:
                    held += data
                    if len(held) > HELD or answer.received > self.cap:
                        self._require_no_page(held)
                        yield self._within(answer, bytes(held))
                        held = None
                if answer.received > self.cap:
                    text = f"longer than {human_size(self.cap)}: its beginning is here"
                    raise Partial(Reason.TRUNCATED, text)
        except Partial as error:
            if held is None:
                raise
            raise Retryable(error.reason, error.message, fix=error.fix) from error
        yield from self._ended(follower, held)

    def _follow(self, follower: Json | None, data: bytes, held: bytearray | None) -> None:
        if follower is not None:
            follower.feed(data)
            if follower.wrong:
                raise self._wrong(follower.wrong, (held or b"") + data)

    def _within(self, answer: Answer, data: bytes) -> bytes:
        """`data`, the last that came, without what is over the cap."""
        over = max(0, answer.received - self.cap)
        return data[: len(data) - over]

    def _ended(self, follower: Json | None, held: bytearray | None) -> Iterator[bytes]:
        if held is not None and not held.strip():
            raise Skip(Reason.EMPTY, f"{self.what} was answered with nothing")
        if follower is not None and (why := follower.finish()):
            raise self._wrong(why, held or b"")
        if follower is not None and follower.null:
            raise Skip(Reason.EMPTY, f"{self.what} was answered with null: there is none")
        if held is not None:
            self._require_no_page(held)
            yield bytes(held)

    def _require_no_page(self, held: bytearray) -> None:
        if self.expect == "text" and is_page(bytes(held[:200])):
            raise self._wrong("it is a web page, not text", held)

    def _wrong(self, why: str, body: bytes | bytearray = b"") -> ItemError:
        """Status 200, and yet no data."""
        from clinic.client.refusal import said

        words = said(bytes(body[: 4 * KIB]))
        text = f"{self.what} was answered with success, but {why}" + (f": {words}" if words else "")
        return Failed(Reason.BAD_ANSWER, text)


def _outcome(answer: Answer | None, ended: str) -> str:
    """`200 OK application/json 12.3 KiB`, and how it ended where that was not well."""
    if answer is None:
        return ended
    told = (str(answer.status), answer.phrase, answer.content_type, human_size(answer.received))
    return " ".join(word for word in told if word) + (f": {ended}" if ended else "")
