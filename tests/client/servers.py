"""Servers on loopback that do to a client whatever a test says, and certificates to do it with."""

from __future__ import annotations

import socket
import ssl
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest


class Peer:
    """One connection, from the server's side."""

    def __init__(self, connection: socket.socket, stop: threading.Event) -> None:
        self.connection = connection
        self._stop = stop

    def head(self) -> bytes:
        """Reads a request up to the empty line, and its body where a length is given; empty at the end."""
        data = b""
        while b"\r\n\r\n" not in data:
            more = self.connection.recv(65536)
            if not more:
                return b""
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        for line in head.split(b"\r\n"):
            if line.lower().startswith(b"content-length:"):
                while len(body) < int(line.split(b":")[1]):
                    body += self.connection.recv(65536)
        return head + b"\r\n\r\n" + body

    def send(self, data: bytes) -> None:
        """Sends all of it."""
        self.connection.sendall(data)

    def answer(
        self, body: bytes, *headers: str, status: str = "200 OK", kind: str = "application/json"
    ) -> None:
        """A whole, proper answer."""
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", f"Content-Type: {kind}", *headers]
        self.send("\r\n".join([*lines, "", ""]).encode("latin-1") + body)

    def sleep(self, seconds: float = 60.0) -> None:
        """Waits, at most until the test ends."""
        self._stop.wait(seconds)

    def trickle(self, data: bytes, pause: float = 0.05) -> None:
        """Sends a byte now and then, over and over."""
        while not self._stop.is_set():
            for at in range(len(data)):
                self.send(data[at : at + 1])
                self.sleep(pause)
            if not data:
                self.sleep()

    def reset(self) -> None:
        """Ends the connection with RST."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


Script = Callable[[Peer], None]
Serve = Callable[..., "Server"]


class Server:
    """Runs a script for each connection."""

    def __init__(self, script: Script, context: ssl.SSLContext | None, host: str) -> None:
        self._script = script
        self._context = context
        self.connections = 0
        self._stop = threading.Event()
        self._open: list[socket.socket] = []
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listening = socket.create_server((host, 0), family=family)
        self.port: int = self._listening.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        while not self._stop.is_set():
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._open.append(connection)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError):
            if self._context is not None:
                connection = self._context.wrap_socket(connection, server_side=True)
                self._open.append(connection)
            self._script(Peer(connection, self._stop))
        connection.close()

    def stop(self) -> None:
        """Ends it and all its connections."""
        self._stop.set()
        for one in (self._listening, *self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for thread in self._threads:
            thread.join(10)
        for one in self._open:
            one.close()


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a server: `serve(script, context=None, host="127.0.0.1")`."""
    running: list[Server] = []

    def start(script: Script, context: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> Server:
        running.append(Server(script, context, host))
        return running[-1]

    yield start
    for server in running:
        server.stop()


def silent_port() -> tuple[socket.socket, int]:
    """A socket whose queue of connections is full: the kernel drops what comes, as a dead host does."""
    full = socket.socket()
    full.bind(("127.0.0.1", 0))
    full.listen(0)
    return full, full.getsockname()[1]


def closed_port() -> int:
    """A port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
    return port


class Certificates:
    """CAs, and certificates that they signed, in a directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._openssl("req -x509 -days 3650 -subj /CN=the-cluster -keyout ca.key -out ca.pem", new=True)
        self._openssl("req -x509 -days 3650 -subj /CN=another -keyout other.key -out other.pem", new=True)
        self._sign("server", "IP:127.0.0.1,IP:::1,DNS:localhost")
        self._sign("expired", "IP:127.0.0.1", days=-1)
        self._sign("misnamed", "DNS:elsewhere.example")
        self._sign("client", "DNS:clinic")

    def path(self, name: str) -> Path:
        """The file called `name`: `ca.pem`, `client.key`."""
        return self._directory / name

    def context(self, name: str = "server", *, demand: bool = False) -> ssl.SSLContext:
        """For a server with the certificate `name`, which may demand one of the client."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.path(f"{name}.pem"), self.path(f"{name}.key"))
        if demand:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.path("ca.pem"))
        return context

    def _sign(self, name: str, names: str, days: int = 3650) -> None:
        self.path("san.cnf").write_text(f"subjectAltName = {names}\n")
        self._openssl(f"req -subj /CN={name} -keyout {name}.key -out {name}.csr", new=True)
        self._openssl(
            f"x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days {days}"
            f" -extfile san.cnf -out {name}.pem"
        )

    def _openssl(self, command: str, *, new: bool = False) -> None:
        words = command.split() + (
            "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -batch".split() if new else []
        )
        subprocess.run(["openssl", *words], cwd=self._directory, check=True, capture_output=True, timeout=30)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Certificates for loopback, made once."""
    try:
        return Certificates(tmp_path_factory.mktemp("certificates"))
    except FileNotFoundError:
        pytest.skip("not run: this machine has no openssl")
