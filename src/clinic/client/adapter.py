"""The one place that knows how requests and urllib3 reach a server. Imported by the first request, not before."""

from __future__ import annotations

import http.client
import socket
import threading
from typing import Any, cast

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError
from urllib3.poolmanager import PoolManager

from clinic.client.address import Address
from clinic.client.wire import Cut, Reach
from clinic.deadline import Deadline

KEPT = 2
"""Idle connections that are kept: as many as the engine asks one server at once."""


BROKEN = (requests.RequestException, HTTPError, http.client.HTTPException, OSError, ValueError)
"""What requests, urllib3 and http.client raise for a broken exchange."""


class _Now(threading.local):
    """The request that this thread is sending, for the connection that carries it."""

    line: Line | None = None


_NOW = _Now()


class Line:
    """How one request gets its connection: by our own dialler, watched to its end."""

    def __init__(self, reach: Reach, deadline: Deadline, cut: Cut) -> None:
        self._reach = reach
        self._deadline = deadline
        self._cut = cut

    def dial(self, host: str, port: int) -> socket.socket:
        """A new connection."""
        made = self._reach.dialled(Address(host, port), self._deadline)
        self._cut.watch(made)
        return made

    def watch(self, connection: socket.socket) -> None:
        """Watch a connection that was kept from an earlier request."""
        self._cut.watch(connection)


def _line() -> Line:
    assert _NOW.line is not None, "urllib3 sends within Adapter.exchange only"
    return _NOW.line


class _Plain(HTTPConnection):
    """A connection made by our dialler."""

    def _new_conn(self) -> socket.socket:
        return _line().dial(self._dns_host, self.port)

    def request(self, *args: Any, **kwargs: Any) -> None:
        if self.sock is not None:
            _line().watch(self.sock)
        super().request(*args, **kwargs)


class _Secure(HTTPSConnection):
    """The same with TLS."""

    def _new_conn(self) -> socket.socket:
        return _line().dial(self._dns_host, self.port)

    def request(self, *args: Any, **kwargs: Any) -> None:
        if self.sock is not None:
            _line().watch(self.sock)
        super().request(*args, **kwargs)


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = cast("Any", _Plain)  # urllib3's protocol for it is stricter than its own classes


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = cast("Any", _Secure)  # as above


class Adapter(HTTPAdapter):
    """Connections to one server: kept for the next request, never more of them than `KEPT`."""

    def __init__(self, context: Any) -> None:
        """`context` is the `ssl.SSLContext` for a server that speaks TLS, None for one that does not."""
        self._context = context
        super().__init__(pool_connections=1, pool_maxsize=KEPT)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        if self._context is not None:
            kwargs["ssl_context"] = self._context
        super().init_poolmanager(*args, **kwargs)
        _use_our_pools(self.poolmanager)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        if self._context is not None:
            kwargs["ssl_context"] = self._context
        manager = super().proxy_manager_for(*args, **kwargs)
        _use_our_pools(manager)
        return manager

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        # The context has the CAs that are trusted; requests would add a list of its own to them.
        del url, verify, cert
        conn.cert_reqs = "CERT_REQUIRED"

    def exchange(self, request: requests.PreparedRequest, line: Line, proxy: str) -> requests.Response:
        """Send `request` and read the head of the answer. The body is left on the wire.

        Not through a `requests.Session`: that reads the body of a redirect whole, whatever it unpacks to.
        """
        _NOW.line = line
        try:
            proxies = {"http": proxy, "https": proxy} if proxy else {}
            return self.send(request, stream=True, timeout=None, verify=True, proxies=proxies)
        finally:
            _NOW.line = None


def _use_our_pools(manager: PoolManager) -> None:
    pools: dict[str, type[HTTPConnectionPool]] = {"http": _PlainPool, "https": _SecurePool}
    manager.pool_classes_by_scheme = cast("Any", pools)
