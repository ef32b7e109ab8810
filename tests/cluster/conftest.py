"""Real processes that look like components, and servers to be asked.

A process is a shell under another name, with the sockets of a server. A server is a PD or TiDB that answers what was
recorded, one that says nothing, or an address that swallows every connection.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from clinic.cluster.discovery.looking import PROC

NOBODY = 65534
"""The account without rights, on every Linux."""

WAIT = "read -r line"
"""What a shell does until its standard input ends, as it does with the test."""


@dataclass(frozen=True)
class Pretender:
    """A process that pretends to be a component."""

    process: subprocess.Popen[bytes]
    """The process."""

    binary: Path
    """Its program."""

    @property
    def pid(self) -> int:
        return self.process.pid


Start = Callable[..., Pretender]


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """An empty directory that every account may enter."""
    with tempfile.TemporaryDirectory(prefix="clinic-cluster-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def pretend(open_folder: Path) -> Iterator[Start]:
    """Starts a copy of the shell as `<root>/bin/<name>` with any arguments; it ends with the test."""
    started: list[subprocess.Popen[bytes]] = []

    def start(
        name: str,
        arguments: Sequence[str | bytes] = (),
        *,
        command: str = "",
        called: str = "",
        code: str = WAIT,
        cwd: Path | None = None,
        listening: Sequence[socket.socket] = (),
        prefix: Sequence[str] = (),
        output: Path | None = None,
        root: Path | None = None,
        account: int | None = None,
    ) -> Pretender:
        cwd = cwd or open_folder
        binary = (root or open_folder) / "bin" / name
        binary.parent.mkdir(exist_ok=True)
        if not binary.exists():
            shutil.copy(_shell(), binary)
        if command:
            # The first argument is a word: for the shell, a file of commands.
            (cwd / command).write_text(code + "\n")
        words = [command] if command else ["-c", code, "sh"]
        log = output.open("ab") if output else None
        process = subprocess.Popen(
            [*prefix, *([called or str(binary)]), *words, *arguments],
            executable=None if prefix else binary,
            stdin=subprocess.PIPE,
            stdout=log or subprocess.DEVNULL,
            stderr=log or subprocess.DEVNULL,
            cwd=cwd,
            pass_fds=[each.fileno() for each in listening],
            user=account,
            group=account,
        )
        if log:
            log.close()
        started.append(process)
        _until_it_runs(process, binary)
        return Pretender(process, binary)

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def listen() -> Iterator[Callable[..., socket.socket]]:
    """Opens a listening socket on loopback."""
    opened: list[socket.socket] = []

    def one(address: str = "127.0.0.1", port: int = 0) -> socket.socket:
        each = socket.socket()
        opened.append(each)
        each.bind((address, port))
        each.listen()
        return each

    yield one
    for each in opened:
        each.close()


@pytest.fixture
def somebody() -> int | None:
    """Who a hostile process runs as: an account without rights, or whoever runs the tests when that is not root."""
    return NOBODY if os.geteuid() == 0 else None


Work = Callable[[], dict[str, Any]]


@pytest.fixture
def forked() -> Callable[[Work], dict[str, Any]]:
    """Does something in a copy of ourselves, which ends with it, and gives what it found."""
    return _forked


@pytest.fixture
def without_rights() -> Callable[[Work], dict[str, Any]]:
    """As `forked`, with no more rights than any account has."""
    if os.geteuid() != 0:
        pytest.skip("not run: only root can become another account")

    def drop_and(work: Work) -> dict[str, Any]:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        return work()

    return lambda work: _forked(lambda: drop_and(work))


def _forked(work: Work) -> dict[str, Any]:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        answer: dict[str, Any] = {}
        try:
            answer = work()
        finally:
            os.write(writing, json.dumps(answer).encode())
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    return dict(json.loads(text))


def _shell() -> str:
    found = shutil.which("bash")
    assert found is not None, "these tests copy bash to have a process with any name and arguments"
    return found


def _until_it_runs(process: subprocess.Popen[bytes], binary: Path) -> None:
    """Wait until the program has replaced the copy of ourselves, or a prefix, that it was started from."""
    deadline = time.monotonic() + 5
    while Path(PROC, str(process.pid), "exe").readlink() != binary:
        assert process.poll() is None, f"{binary} ended with {process.returncode}"
        assert time.monotonic() < deadline, f"{binary} does not start"
        time.sleep(0.002)


PATHS = {
    "/pd/api/v1/cluster": "cluster", "/pd/api/v1/config/cluster-version": "config-cluster-version",
    "/pd/api/v1/members": "members", "/pd/api/v1/health": "health", "/pd/api/v1/stores": "stores",
}  # fmt: skip


@dataclass
class Pd:
    """A PD on loopback. Its own address stands in its answers for that of the first recorded one."""

    recordings: Path
    """Recorded answers."""

    host: str = "127.0.0.1"
    """Where it listens."""

    port: int = 0
    """Its port."""

    status: int = 200
    """What it answers with instead of the recorded status."""

    replaced: dict[str, str] = field(default_factory=dict[str, str])
    """Texts in its answers, and what stands there instead."""

    asked: list[str] = field(default_factory=list[str])
    """Paths, and prefixes of keys, that it was asked for."""

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    def body(self, name: str) -> bytes:
        text = (self.recordings / f"{name}.json").read_text()
        for old, new in {"127.0.1.1:2379": self.address, **self.replaced}.items():
            text = text.replace(old, new)
        return text.encode()

    def range(self, request: dict[str, Any]) -> bytes:
        prefix = base64.b64decode(request["key"]).decode()
        self.asked.append(prefix + (" keys" if request.get("keys_only") else ""))
        assert request["serializable"], "a PD without a leader answers nothing else in time"
        pairs = [
            pair
            for name in ("etcd-range-topology", "etcd-range-tidb-cdc")
            for pair in json.loads(self.body(name))["kvs"]
            if base64.b64decode(pair["key"]).decode().startswith(prefix)
        ]
        if request.get("keys_only"):
            pairs = [{"key": pair["key"]} for pair in pairs]
        return json.dumps({"header": {}, "kvs": pairs}).encode()


class _Server(ThreadingHTTPServer):
    request_queue_size = 64  # As every server's: with the standard library's 5 some of many wait a second.


class _Handler(BaseHTTPRequestHandler):
    pd: Pd

    def do_GET(self) -> None:
        self.pd.asked.append(self.path)
        name = PATHS.get(self.path)
        self._answer(404 if name is None else self.pd.status, self.pd.body(name) if name else b"")

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._answer(self.pd.status, self.pd.range(request))

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        del format, args


@pytest.fixture
def serve_pd(root: Path) -> Iterator[Callable[..., Pd]]:
    """Starts a PD."""
    servers: list[ThreadingHTTPServer] = []

    def start(**fields: Any) -> Pd:
        pd = Pd(root / "tests/lab/standin/recordings/pd/healthy", **fields)
        server = _Server((pd.host, 0), type("Handler", (_Handler,), {"pd": pd}))
        pd.port = server.server_port
        servers.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return pd

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def mute() -> Iterator[str]:
    """The address of a server that takes connections and never says a word."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        yield f"127.0.0.1:{listening.getsockname()[1]}"


@pytest.fixture
def swallows() -> Iterator[Callable[[], str]]:
    """Gives addresses at which a connection is never made and never refused, as at a host that is off."""
    opened: list[socket.socket] = []

    def one() -> str:
        listening = socket.socket()
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        opened.append(listening)
        for _ in range(2):  # With its queue full, Linux drops every further SYN.
            waiting = socket.socket()
            waiting.setblocking(False)
            waiting.connect_ex(listening.getsockname())
            opened.append(waiting)
        return f"127.0.0.1:{listening.getsockname()[1]}"

    yield one
    for each in opened:
        each.close()


@pytest.fixture
def serve_tidb(root: Path) -> Iterator[Callable[[str], int]]:
    """Starts the HTTP API of a TiDB whose PD is at an address; gives its port."""
    servers: list[ThreadingHTTPServer] = []
    folder = root / "tests/lab/standin/recordings/tidb"

    def start(pd: str) -> int:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name = {"/config": "config", "/info/all": "info-all"}[self.path]
                body = (folder / f"{name}.json").read_text().replace("127.0.1.1:2379", pd).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                del format, args

        server = _Server(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return server.server_port

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()
