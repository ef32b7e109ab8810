"""The door to a destination: one exchange, whose body is a stretch of the package and is never held in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import requests
from requests.utils import select_proxy

from clinic import __version__
from clinic.client.adapter import BROKEN, Adapter, Line
from clinic.client.address import Address, is_path, read_url
from clinic.client.refusal import broken, said
from clinic.client.tls import Tls
from clinic.client.wire import Cut, Reach
from clinic.consent.origin import is_loopback
from clinic.deadline import Deadline
from clinic.errors import (
    Cancelled,
    ClinicError,
    Failed,
    ItemError,
    Refused,
    Retryable,
    Unreachable,
    UsageError,
)
from clinic.outcome import Reason
from clinic.secret import Secret
from clinic.units import KIB, MIB
from clinic.upload.flow import Flow, http_date, interrupted, passing_trouble, retry_after
from clinic.upload.outgoing import Outgoing

if TYPE_CHECKING:
    from requests import Response

CONNECT = 10.0
"""Seconds for a connection: the way to a support team is longer than inside a cluster."""

PIECE = 256 * KIB
"""Bytes that are handed over at a time: a line on which that takes longer than the stall time is too slow."""

LARGEST_ANSWER = MIB
"""Most bytes of an answer that are read."""

AGAIN = (408, 425, 429, 500, 502, 503, 504)
"""Answers after which the same thing may succeed."""

_MOVED = (301, 302, 303, 307, 308)


class Stretch:
    """Bytes of a package as the body of a request."""

    def __init__(self, outgoing: Outgoing, start: int, end: int) -> None:
        self.outgoing = outgoing
        self.start = start
        self.end = end

    def __len__(self) -> int:
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Route:
    """How to get to a destination."""

    tls: Tls = field(default_factory=Tls)
    """Which CAs are trusted, and the certificate that we show."""

    proxy: str | None = None
    """URL of a proxy; None takes what the environment says (`HTTPS_PROXY`, `NO_PROXY`), empty takes none."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, whole."""

    status: int
    """Its status."""

    headers: Mapping[str, str]
    """Its headers."""

    body: bytes
    """Its body, at most `LARGEST_ANSWER` bytes."""

    asked: str
    """What was asked, for messages: method and path, never a query, which may hold a signature."""

    @property
    def good(self) -> bool:
        """Whether the status says that it was done. Nothing in the body can say so."""
        return 200 <= self.status < 300

    @property
    def words(self) -> str:
        """What it says, fit for a terminal."""
        told = said(self.body[: 4 * KIB])
        return f"{self.asked} was answered with {self.status}" + (f": {told}" if told else "")


class Door:
    """Exchanges with one server. Safe to use from several threads."""

    def __init__(self, url: str, route: Route, flow: Flow) -> None:
        """Raises `Refused` for a URL that would be sent to in the clear, `UsageError` for one that is none."""
        try:
            self.address, self.path = read_url(url)
        except ValueError as error:
            raise UsageError(f"the destination's URL can't be used: {error}") from error
        if not self.address.tls and not is_loopback(self.address.host):
            raise Refused(
                f"{self.address} would be sent to in the clear",
                hint="give an address that begins with https://",
            )
        self.flow = flow
        self._tls = route.tls
        self._proxy = _proxy(self.address, route.proxy)
        try:
            self._adapter = Adapter(route.tls.context() if self.address.tls else None)
        except ItemError as error:
            raise UsageError(error.message, hint=error.fix) from error

    def close(self) -> None:
        """Close the connections that were kept."""
        self._adapter.close()

    def insist(
        self, method: str, path: str, body: bytes | Stretch = b"", headers: Mapping[str, Secret | str] | None = None,
        *, stall: float | None = None,
    ) -> Reply:  # fmt: skip
        """Ask until there is an answer that is final, whatever it is. Raises `ClinicError` where none can be had."""
        while True:
            reply, why = self._try(method, path, body, headers or {}, stall)
            if reply is not None and reply.status not in AGAIN:
                return reply
            self.flow.patience.wait(why, None if reply is None else retry_after(reply.headers))

    def _try(
        self,
        method: str,
        path: str,
        body: bytes | Stretch,
        headers: Mapping[str, Secret | str],
        stall: float | None,
    ) -> tuple[Reply | None, str]:
        try:
            reply = self.ask(method, path, body, headers, stall=stall)
        except ItemError as error:
            if not passing_trouble(error):
                raise final(error) from error
            return None, error.message
        return reply, reply.words

    def ask(
        self, method: str, path: str, body: bytes | Stretch = b"", headers: Mapping[str, Secret | str] | None = None,
        *, stall: float | None = None,
    ) -> Reply:  # fmt: skip
        """One exchange. Raises `ItemError` for one that broke, `Refused` for a redirect."""
        if not is_path(path):
            raise Refused(f"{path.split('?', maxsplit=1)[0]!r} is no path of a URL")
        deadline = self.flow.deadline(stall)
        data = _Body(body, self.flow, deadline) if isinstance(body, Stretch) else body
        request = self._request(method, path, data, headers or {})
        with Cut(deadline) as cut:
            line = Line(Reach(self.address, CONNECT), deadline, cut)
            try:
                response = self._adapter.exchange(request, line, self._proxy)
            except BROKEN as error:
                cut.check()
                raise self._explained(error, path) from error
            reply = self._reply(response, f"{method} {self.address.url}{path.split('?', maxsplit=1)[0]}", cut)
        self._require_here(reply)
        return reply

    def _request(
        self, method: str, path: str, data: bytes | _Body, headers: Mapping[str, Secret | str]
    ) -> requests.PreparedRequest:
        sent = {
            "User-Agent": f"clinic/{__version__}", "Accept": "*/*", "Accept-Encoding": "identity",
            **{name: value.reveal() if isinstance(value, Secret) else value for name, value in headers.items()},
        }  # fmt: skip
        if isinstance(data, bytes) and method in ("POST", "PUT"):
            sent["Content-Length"] = str(len(data))
        return requests.Request(method, self.address.url + path, headers=sent, data=data or None).prepare()

    def _reply(self, response: Response, asked: str, cut: Cut) -> Reply:
        raw: Any = response.raw
        try:
            body: bytes = raw.read(LARGEST_ANSWER, decode_content=False)
        except BROKEN as error:
            cut.check()
            raise Retryable(Reason.UNREACHABLE, f"{self.address} broke off its answer") from error
        finally:
            response.close()
        return Reply(response.status_code, response.headers, body, asked)

    def _explained(self, error: Exception, path: str) -> ItemError:
        if (refused := _refused_by_proxy(error)) is not None:
            text = f"the proxy {_named(self._proxy)} refuses to connect to {self.address}: {refused}"
            return Failed(
                Reason.NOT_PERMITTED, text, fix="ask for a way out, or give --proxy with an account"
            )
        found = broken(error, str(self.address), self._tls if self.address.tls else None)
        # What libraries say may quote the URL, and its query may be a signature.
        found.message = found.message.replace(path, path.split("?", maxsplit=1)[0])
        return found

    def _require_here(self, reply: Reply) -> None:
        if reply.status not in _MOVED:
            return
        where = reply.headers.get("Location", "").split("?", maxsplit=1)[0]
        raise Refused(
            f"{self.address} redirects to {said(where.encode()) or 'nowhere'}, which is not followed",
            hint="if that is the right place, name it as the destination; consent is asked for it",
        )


class _Body:
    """The pieces of a stretch. Each that was taken counts as a sign of life."""

    def __init__(self, stretch: Stretch, flow: Flow, deadline: Deadline) -> None:
        self._stretch = stretch
        self._flow = flow
        self._deadline = deadline

    def __len__(self) -> int:
        return len(self._stretch)

    def __iter__(self) -> Iterator[bytes]:
        at, end = self._stretch.start, self._stretch.end
        while at < end:
            data = self._stretch.outgoing.read(at, min(PIECE, end - at))
            self._flow.passing(len(data), self._deadline)
            if at + len(data) == end:
                # Without its last bytes a request is none: what was written to meanwhile does not arrive whole.
                self._stretch.outgoing.require_unchanged()
            yield data
            self._deadline.moved()
            self._flow.went(len(data))
            at += len(data)


def final(error: ItemError) -> ClinicError:
    """What ends an upload, where trying again can't help."""
    if isinstance(error, Cancelled):
        return interrupted()
    if error.reason in (Reason.UNSAFE, Reason.NOT_PERMITTED):
        return Refused(error.message, hint=error.fix)
    return Unreachable(error.message, hint=error.fix or None)


def clock_difference(reply: Reply, now: float) -> float | None:
    """Seconds by which this machine's clock is ahead of the server's; None where it does not tell."""
    told = http_date(reply.headers.get("Date", ""))
    return None if told is None else now - told.timestamp()


def _proxy(address: Address, given: str | None) -> str:
    if given is not None:
        return given
    # `get_environ_proxies` heeds NO_PROXY, also for networks.
    proxies = requests.utils.get_environ_proxies(address.url)
    found: str | None = select_proxy(address.url, proxies)
    return found or ""


def _named(proxy: str) -> str:
    """A proxy without the account that may be in its URL."""
    return proxy.rpartition("@")[2] or proxy


def _refused_by_proxy(error: BaseException) -> str | None:
    """What a proxy said that would not connect us. One that connects and then breaks off is another matter."""
    seen: BaseException | None = error
    for _ in range(10):
        if seen is None:
            break
        if "Tunnel connection failed" in str(seen):
            return said(str(seen).rpartition("Tunnel connection failed:")[2].strip(" ')").encode())
        reason = getattr(seen, "reason", None)
        seen = reason if isinstance(reason, BaseException) else seen.__cause__ or seen.__context__
    return None
