"""A way to a server that can go dead: nothing passes any more, and nobody is told."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from types import TracebackType

PIECE = 4096


class Wire:
    """Passes on what comes to a port of its own, until it is cut: then connections stay open, and silent."""

    def __init__(self, port: int, most: int | None = None) -> None:
        """Leads to `port` of this machine; it is cut after `most` bytes of the server's."""
        self._server_port = port
        self._most = most
        self._lock = threading.Lock()
        self._cut = threading.Event()
        self._open: list[socket.socket] = []
        self.passed = 0
        """Bytes that came from the server."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        """Where it begins."""
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Wire:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The connections end at last."""
        self._listener.shutdown(socket.SHUT_RDWR)  # closing it alone would not wake who accepts
        self._listener.close()
        for one in self._open:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def cut(self) -> None:
        """Nothing passes from now on."""
        self._cut.set()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client = self._listener.accept()[0]
                server = socket.create_connection(("127.0.0.1", self._server_port))
                self._open += [client, server]
                threading.Thread(target=self._pass, args=(client, server, False), daemon=True).start()
                threading.Thread(target=self._pass, args=(server, client, True), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, counted: bool) -> None:
        with suppress(OSError):
            while data := source.recv(PIECE):
                data = data[: self._room()] if counted else data
                if self._cut.is_set():
                    return
                target.sendall(data)
                if counted and self._count(len(data)):
                    return
            target.shutdown(socket.SHUT_WR)

    def _room(self) -> int:
        return PIECE if self._most is None else max(0, self._most - self.passed)

    def _count(self, size: int) -> bool:
        """Count what passed; whether that was the last."""
        with self._lock:
            self.passed += size
        if self._most is not None and self.passed >= self._most:
            self._cut.set()
        return self._cut.is_set()
