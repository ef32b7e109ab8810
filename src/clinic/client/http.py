"""The door to an HTTP server: every exchange ends in time, and no answer can fill, lead elsewhere or mislead.

with Web(Address("10.0.1.5", 2379)) as pd:
    with pd.ask("/pd/api/v1/members", deadline) as answer:
        body = answer.read(limit)
"""

from __future__ import annotations

import threading
import time
import urllib.parse
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from clinic import __version__
from clinic.client import wire
from clinic.client.account import Account
from clinic.client.address import Address, is_path, read_url
from clinic.client.readiness import Readiness
from clinic.client.tls import Tls
from clinic.client.wire import Cut, Reach
from clinic.deadline import Deadline
from clinic.errors import Failed, ItemError, Partial, Retryable, Silent, TimedOut
from clinic.outcome import Reason
from clinic.secret import Secret
from clinic.units import KIB, MIB, human_size

if TYPE_CHECKING:
    from clinic.client.adapter import Adapter

Method = Literal["GET", "POST"]
Query = tuple[tuple[str, str], ...]

SLICE = 64 * KIB
"""Most bytes of one piece of a body. A piece is given as soon as it is there, however small."""

REDIRECTS = 3
"""Most redirects that are followed, all within one server."""

_REFUSED_BODY = 4 * KIB
"""Bytes of a refusal that are read for their words."""

_MOVED = (301, 302, 303, 307, 308)
_UNPACKED = ("", "identity")


class Answer:
    """The head of an answer, and its body as it comes."""

    def __init__(self, raw: Any, response: Any, cut: Cut, deadline: Deadline, where: str) -> None:
        self._raw = raw
        self._cut = cut
        self._deadline = deadline
        self._where = where
        self.status: int = response.status_code
        self.phrase: str = response.reason or ""
        self.headers: Mapping[str, str] = response.headers
        self._broken: Exception | None = None
        self.received = 0
        """Bytes of the body so far."""
        self.require_good: Callable[[], None] = lambda: None
        """Raises what a status that is not 2xx means; see `Web.ask`."""

    @property
    def content_type(self) -> str:
        """The media type in lower case, without parameters; empty where none was given."""
        return self.headers.get("Content-Type", "").split(";")[0].strip().lower()

    def chunks(self, *, full: bool = False) -> Iterator[bytes]:
        """The body in pieces of at most `SLICE` bytes, each given as soon as it is there; `full` waits for whole ones.

        Raises `Retryable` or, after the first byte, `Partial` where it ends too early; what the deadline raises.
        """
        while data := self._piece(full=full):
            self.received += len(data)
            self._deadline.moved()
            yield data
            self._cut.check()

    def read(self, limit: int = MIB) -> bytes:
        """The whole body. Raises `Failed` where it is longer than `limit` bytes, and as `chunks` does."""
        body = bytearray()
        for data in self.chunks():
            body += data
            if len(body) > limit:
                text = f"{self._where} answered with more than {human_size(limit)}"
                raise Failed(Reason.BAD_ANSWER, text)
        return bytes(body)

    def _piece(self, *, full: bool) -> bytes:
        left: int | None = self._raw.length_remaining
        if self._broken is not None:
            raise self._cut_short() from self._broken
        if left == 0:
            return b""
        # Never past the announced length: old Pythons would hand out what comes after it.
        size = SLICE if left is None else min(SLICE, left)
        try:
            read = self._raw.read if full else self._raw.read1
            data: bytes = read(size, decode_content=False)
        except _errors() as error:
            self._cut.check()
            self._broken = error
            data = _came(error)
            if not data:
                raise self._cut_short() from error
        if not data:
            # A connection that we shut down ends like one that ended by itself.
            self._cut.check()
        return data

    def _cut_short(self) -> ItemError:
        kind = Partial if self.received else Retryable
        text = f"{self._where} broke off its answer after {human_size(self.received)}"
        return kind(Reason.UNREACHABLE, text, fix="look into the server's own log")


class Web:
    """The door to one server. Safe to use from several threads; `close` it at the end."""

    def __init__(
        self,
        address: Address,
        tls: Tls | None = None,
        *,
        account: Account | None = None,
        headers: Mapping[str, Secret] | None = None,
        proxy: str = "",
    ) -> None:
        """`tls` has the files for a server that speaks TLS, `account` what to log in with, `proxy` a proxy's URL.

        `headers` are sent with every request.

        Raises `ValueError` for a proxy's URL that is none, or holds a password.
        """
        if proxy:
            read_url(proxy)
        self.address = address
        self._tls = tls if tls is not None else Tls()
        self._account = account
        self._headers = dict(headers or {})
        self._proxy = proxy
        self._reach = Reach(address)
        self._lock = threading.Lock()
        self._adapter: Adapter | None = None
        self._readiness = Readiness(address)

    def __enter__(self) -> Web:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def user(self) -> str:
        """Who logs in; empty where nobody does."""
        return self._account.user if self._account is not None else ""

    def close(self) -> None:
        """Close the connections that were kept."""
        with self._lock:
            adapter, self._adapter = self._adapter, None
        if adapter is not None:
            adapter.close()

    @contextmanager
    def ask(
        self,
        path: str,
        deadline: Deadline,
        *,
        method: Method = "GET",
        query: Query = (),
        body: str | bytes = "",
        headers: Mapping[str, str] | None = None,
        begin: float | None = None,
    ) -> Generator[Answer, None, None]:
        """Ask and give a good answer; the exchange is over, one way or the other, when the block is left.

        Raises `Retryable` where the server can't be reached, `NotYet` where it is not ready and `Unready` where it was
        not for long, `Silent` where it does not begin to answer in time, `NotAsked` where it gave none before, `Skip`
        where it refuses us or knows no such page, `Failed` for every other status and for what is no HTTP.
        """
        with self.exchange(
            path, deadline, method=method, query=query, body=body, headers=headers, begin=begin
        ) as answer:
            answer.require_good()
            yield answer

    @contextmanager
    def exchange(
        self,
        path: str,
        deadline: Deadline,
        *,
        method: Method = "GET",
        query: Query = (),
        body: str | bytes = "",
        headers: Mapping[str, str] | None = None,
        begin: float | None = None,
    ) -> Generator[Answer, None, None]:
        """The same with whatever status it has, for who wants to put that on record: `require_good` judges it.

        `begin` are the seconds for the beginning of the answer, where what is asked for is no usual question.
        """
        path = require_path(path) + (f"?{urllib.parse.urlencode(query)}" if query else "")
        target = f"{self.address.url}{path}"
        self._reach.require_up()
        if method == "GET":
            self._readiness.require(path)
        with ExitStack() as stack:
            cut = stack.enter_context(Cut(deadline, first=self._begin(begin)))
            for _ in range(REDIRECTS + 1):
                try:
                    answer = self._send(stack, cut, deadline, method, target, body, headers or {})
                except Silent as error:
                    raise self._given_up(path, cut.began, error) from error
                if answer.status not in _MOVED:
                    break
                target = self._next(answer, target, method)
            else:
                raise Failed(Reason.BAD_ANSWER, f"{self.address} redirects more than {REDIRECTS} times")
            answer.require_good = partial(self._require_good, answer, f"{method} {target}", path)
            yield answer

    def fetch(
        self,
        path: str,
        deadline: Deadline,
        *,
        limit: int = 16 * MIB,
        query: Query = (),
        begin: float | None = None,
    ) -> bytes:
        """The whole body of a GET, at most `limit` bytes. Raises as `ask` and `Answer.read` do."""
        with self.ask(path, deadline, query=query, begin=begin) as answer:
            return answer.read(limit)

    def ended(self, *, in_time: bool) -> None:
        """Whoever read a body says whether it came to its end in time: how long is right only the reader knows."""
        if in_time:
            self._reach.ended()
        else:
            self._reach.unended()

    def again(self) -> None:
        """Everything else is done: it may be asked once more, if it was given up."""
        self._reach.again()

    def _begin(self, seconds: float | None) -> float:
        usual = wire.BEGIN_SECONDS if seconds is None else seconds
        return self._readiness.begin(self._reach.begin(usual))

    def _send(
        self,
        stack: ExitStack,
        cut: Cut,
        deadline: Deadline,
        method: Method,
        url: str,
        body: str | bytes,
        headers: Mapping[str, str],
    ) -> Answer:
        from clinic.client.adapter import Line

        request = self._request(method, url, body, headers)
        account = self._account
        with account.trying(str(self.address), deadline) if account is not None else nullcontext():
            try:
                response = self._connections().exchange(
                    request, Line(self._reach, deadline, cut), self._proxy
                )
            except _errors() as error:
                cut.check()
                raise self._broken(error) from error
            stack.callback(response.raw.close)
            self._reach.answered()
            cut.answered()
            deadline.moved()
            if account is not None and response.status_code == 401:
                account.refused(str(self.address))
        return Answer(response.raw, response, cut, deadline, str(self.address))

    def _given_up(self, path: str, since: float, error: Silent) -> ItemError:
        """What it means that the answer to a question of `since` did not begin."""
        if (unready := self._readiness.not_waited_for(path)) is not None:
            return unready
        if time.monotonic() - since >= self._reach.begin(wire.BEGIN_SECONDS):
            self._reach.silent(since)
        return error

    def _request(self, method: Method, url: str, body: str | bytes, headers: Mapping[str, str]) -> Any:
        import requests

        sent = {
            "User-Agent": f"clinic/{__version__}", "Accept": "*/*",
            # A packed answer could unpack to any size.
            "Accept-Encoding": "identity",
            **{name: value.reveal() for name, value in self._headers.items()},
            **headers,
        }  # fmt: skip
        if body:
            sent.setdefault("Content-Type", "application/json")
        if self._account is not None:
            sent["Authorization"] = self._account.header.reveal()
        return requests.Request(
            method, url, headers=sent, data=(body.encode() if isinstance(body, str) else body) or None
        ).prepare()

    def _connections(self) -> Adapter:
        from clinic.client.adapter import Adapter

        with self._lock:
            if self._adapter is None:
                self._adapter = Adapter(self._tls.context() if self.address.tls else None)
            return self._adapter

    def _broken(self, error: Exception) -> ItemError:
        from clinic.client.refusal import broken

        return broken(error, str(self.address), self._tls if self.address.tls else None)

    def _require_good(self, answer: Answer, what: str, path: str) -> None:
        from clinic.client.refusal import refusal

        packed = answer.headers.get("Content-Encoding", "").strip().lower()
        if packed not in _UNPACKED:
            raise Failed(
                Reason.BAD_ANSWER, f"{what} was answered packed ({packed[:20]}), which was not asked for"
            )
        if 200 <= answer.status < 300:
            self._readiness.answered(path)
            return
        after = answer.headers.get("Retry-After", "")
        refused = refusal(answer.status, answer.phrase, _beginning(answer), what, after)
        if refused.wait is None:
            raise refused.error
        raise self._readiness.refused(path, refused.error.message, refused.wait)

    def _next(self, answer: Answer, url: str, method: Method) -> str:
        """The URL that a redirect names. Raises `Failed` where it leads to another server."""
        named = answer.headers.get("Location", "")
        try:
            address, path = read_url(urllib.parse.urljoin(url, named))
        except ValueError as error:
            raise Failed(Reason.BAD_ANSWER, f"{self.address} redirects to what is no URL: {error}") from error
        if address != self.address or method != "GET":
            text = f"{self.address} redirects to {address.url}, which is not followed"
            raise Failed(Reason.BAD_ANSWER, text, fix="name the server that answers itself")
        return address.url + require_path(path)


def require_path(path: str) -> str:
    """`path` when it is one that stays on its server. Raises `Failed`."""
    if not is_path(path):
        raise Failed(Reason.UNSAFE, f"{path!r} is no path of a URL")
    return path


def _beginning(answer: Answer) -> bytes:
    """As much of a refusal as is there and small; that it is cut or late is no news."""
    body = bytearray()
    with suppress(Partial, Retryable, TimedOut):
        for data in answer.chunks():
            body += data
            if len(body) >= _REFUSED_BODY:
                break
    return bytes(body[:_REFUSED_BODY])


def _came(error: Exception) -> bytes:
    """What came of a piece before the exchange broke off."""
    from http.client import IncompleteRead

    inner = next((one for one in (error, *error.args) if isinstance(one, IncompleteRead)), None)
    partial: Any = inner.partial if inner is not None else b""  # urllib3's own has a number there
    return partial if isinstance(partial, bytes) else b""


def _errors() -> tuple[type[Exception], ...]:
    """What a broken exchange raises."""
    from clinic.client.adapter import BROKEN

    return BROKEN
