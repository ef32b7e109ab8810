"""The HTTP server of an instance, with the faults that a server can have."""

from __future__ import annotations

import contextlib
import dataclasses
import http.server
import os
import select
import socket
import socketserver
import ssl
import time
from typing import Any

from tests.lab.standin.access import AccessLog
from tests.lab.standin.answers import Answer, Api, Request, of_other_cluster
from tests.lab.standin.body import bomb, endless, trickle
from tests.lab.standin.faults import Fault, FaultFile

PAGE = b"""<!DOCTYPE html>
<html><head><title>Sign in</title></head>
<body><h1>Sign in to continue</h1><form method="post"><input name="user"></form></body></html>
"""
TRICKLE_PAUSE = 1.0


@dataclasses.dataclass(frozen=True)
class Site:
    """One port that speaks HTTP."""

    api: Api
    """What it answers."""

    port: str
    """The purpose of the port."""

    faults: FaultFile
    """The faults of the instance."""

    access: AccessLog
    """Where its requests are noted."""

    tls: ssl.SSLContext
    """What it speaks when it speaks TLS: with a client certificate demanded."""

    always_tls: bool
    """Whether it speaks TLS without a fault, too."""

    elsewhere: str
    """The URL that `redirect` sends clients to."""


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """One port; every connection has a thread."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], site: Site) -> None:
        self.site = site
        super().__init__(address, Handler)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Serves one connection, in its own thread."""
        assert isinstance(request, socket.socket)
        with contextlib.suppress(OSError):
            kind = self.site.faults.kind()
            if kind == "stalled":
                self.site.access.add(self.site.port, "connect", "", "fault stalled")
                self.site.faults.hold(kind, lambda: closed(request))
            elif kind == "garbage":
                request.sendall(os.urandom(256))
            else:
                self._serve(request, client_address, kind)

    def _serve(self, connection: socket.socket, client_address: Any, kind: str) -> None:
        if not self.site.always_tls and kind != "client-certificate":
            super().finish_request(connection, client_address)
            return
        connection.settimeout(10)
        with self.site.tls.wrap_socket(connection, server_side=True) as secured:
            secured.settimeout(None)
            super().finish_request(secured, client_address)


def closed(connection: socket.socket) -> bool:
    """Whether the other side has closed a connection on which nothing is said."""
    readable, _, _ = select.select([connection], [], [], 0)
    if not readable:
        return False
    try:
        return connection.recv(1, socket.MSG_PEEK) == b""
    except OSError:
        return True


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"

    @property
    def site(self) -> Site:
        """What the port is."""
        assert isinstance(self.server, Server)
        return self.server.site

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, self.path, headers, body)
        site = self.site
        fault = site.faults.read()
        kind = fault.kind if fault else ""
        if kind == "client-certificate" and not isinstance(self.connection, ssl.SSLSocket):
            self.close_connection = True  # it was open before the fault came
        elif kind == "stalled":
            self._note("fault stalled")
            site.faults.hold(kind, lambda: closed(self.connection))
            self.close_connection = True
        elif fault and kind in _WRONG:
            self._note(f"fault {kind}")
            _WRONG[kind](self, request)
        else:
            if fault and kind == "slow":
                time.sleep(fault.seconds)
            self._right(request, fault)

    do_GET = do_POST = do_HEAD = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = _answer

    def _right(self, request: Request, fault: Fault | None) -> None:
        answer = self.site.api.answer(request)
        if fault and fault.kind == "other-cluster":
            answer = of_other_cluster(answer)
        time.sleep(answer.seconds)
        self._note(str(answer.status))
        self._send(answer)

    def _send(self, answer: Answer) -> None:
        self._head(answer)
        if self.command == "HEAD":
            return
        if answer.chunked:
            for at in range(0, len(answer.body), 4096):
                part = answer.body[at : at + 4096]
                self.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
            self.wfile.write(b"0\r\n\r\n")
        else:
            self.wfile.write(answer.body)

    def _head(self, answer: Answer, length: int | None = None) -> None:
        self.send_response_only(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.content_type is not None:
            self.send_header("Content-Type", answer.content_type)
        self.send_header("Date", self.date_time_string())
        if answer.chunked:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(len(answer.body) if length is None else length))
        self.end_headers()

    def _note(self, ended: str) -> None:
        site = self.site
        agent = self.headers.get("User-Agent") or ""
        site.access.add(site.port, f"{self.command} {self.path}", agent, ended)

    def log_message(self, format: str, *args: Any) -> None:
        """Writes nothing: the access log has it."""

    def wrong_500(self, _request: Request) -> None:
        """An error of the server."""
        self._send(Answer(500, b"internal server error\n", "text/plain; charset=utf-8"))

    def wrong_page(self, _request: Request) -> None:
        """Somebody else's page."""
        self._send(Answer(200, PAGE, "text/html; charset=utf-8"))

    def wrong_endless(self, request: Request) -> None:
        """No end."""
        right = self.site.api.answer(request)
        self._head(dataclasses.replace(right, status=200, chunked=True))
        endless(self.wfile.write)

    def wrong_bomb(self, _request: Request) -> None:
        """Small on the wire, huge unpacked."""
        self._send(Answer(200, bomb(), "application/json", {"Content-Encoding": "gzip"}))

    def wrong_redirect(self, request: Request) -> None:
        """To another host."""
        self._send(Answer(302, headers={"Location": self.site.elsewhere + request.target}))

    def wrong_short(self, request: Request) -> None:
        """A Content-Length that lies."""
        right = dataclasses.replace(self.site.api.answer(request), chunked=False)
        self._head(right, length=len(right.body) + 1000)
        self.wfile.write(right.body)
        self.close_connection = True

    def wrong_stalled(self, request: Request) -> None:
        """Half of the body, and silence."""
        right = dataclasses.replace(self.site.api.answer(request), chunked=False)
        self._head(right)
        self.wfile.write(right.body[: len(right.body) // 2])
        self.wfile.flush()
        self.site.faults.hold("stalled-body", lambda: closed(self.connection))
        self.close_connection = True

    def wrong_trickle(self, request: Request) -> None:
        """A byte a second."""
        right = dataclasses.replace(self.site.api.answer(request), chunked=False)
        self._head(right)
        scale = self.site.api.spec.options.delay_scale
        trickle(self.wfile.write, right.body, TRICKLE_PAUSE * scale)


_WRONG = {
    "http-500": Handler.wrong_500,
    "error-page": Handler.wrong_page,
    "endless-body": Handler.wrong_endless,
    "gzip-bomb": Handler.wrong_bomb,
    "redirect": Handler.wrong_redirect,
    "short-body": Handler.wrong_short,
    "stalled-body": Handler.wrong_stalled,
    "trickle": Handler.wrong_trickle,
}
