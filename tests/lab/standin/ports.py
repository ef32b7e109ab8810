"""The ports of an instance that speak neither HTTP nor SQL here, and TiProxy's, which passes on to a TiDB."""

from __future__ import annotations

import contextlib
import os
import socket
import socketserver
import threading
from typing import Any

from tests.lab.standin.faults import FaultFile
from tests.lab.standin.members import Member
from tests.lab.standin.spec import Spec
from tests.lab.standin.web import closed

CHUNK = 64 * 1024


class Listening(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """A port where every connection has a thread."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, address: tuple[str, int], faults: FaultFile) -> None:
        self._faults = faults
        super().__init__(address, socketserver.BaseRequestHandler)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Serves one connection."""
        assert isinstance(request, socket.socket)
        with contextlib.suppress(OSError):
            kind = self._faults.kind()
            if kind == "stalled":
                self._faults.hold(kind, lambda: closed(request))
            elif kind == "garbage":
                request.sendall(os.urandom(256))
            else:
                self.converse(request)

    def converse(self, connection: socket.socket) -> None:
        """What is done with a connection that no fault is in the way of."""
        raise NotImplementedError


class Grpc(Listening):
    """A port for gRPC or raft: it is open, and closes on whoever says something, for it speaks neither."""

    def converse(self, connection: socket.socket) -> None:
        connection.recv(CHUNK)


class Proxy(Listening):
    """TiProxy's port: the first TiDB that can be reached is on the other side."""

    def __init__(self, address: tuple[str, int], faults: FaultFile, spec: Spec) -> None:
        self._spec = spec
        super().__init__(address, faults)

    def converse(self, connection: socket.socket) -> None:
        for server in self._spec.of("tidb"):
            backend = _connect(server)
            if backend is not None:
                with backend:
                    back = threading.Thread(target=_pass_on, args=(backend, connection), daemon=True)
                    back.start()
                    _pass_on(connection, backend)
                    back.join()
                return


def _connect(server: Member) -> socket.socket | None:
    try:
        connection = socket.create_connection((server.host, server.port), timeout=5)
    except OSError:
        return None
    connection.settimeout(None)
    return connection


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(CHUNK):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
