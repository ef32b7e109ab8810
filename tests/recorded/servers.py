"""Plays recorded servers: real HTTP and MySQL servers on loopback that answer what others were recorded to answer.

What a component answers is in the lab's recordings and in `servers/COMPONENT/` beside this file: an `index.json`
lists each answer, and says whether it was recorded from a running server, and if not, where it is from.
"""

from __future__ import annotations

import http.server
import importlib.util
import json
import threading
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from clinic.client.address import Address
from clinic.source.server import Server, sql_address, web_address

HERE = Path(__file__).parent
FOLDERS = (HERE / "servers", HERE.parent / "lab" / "standin" / "recordings")
SCENARIOS = ("", "healthy", "scaling", "disconnected", "down", "tombstone")
"""States of a cluster whose answers are played together, the first that has one first."""


@dataclass(frozen=True)
class Recorded:
    """One answer."""

    target: str
    """The path with its query that was asked for."""

    scenario: str
    """The state that the cluster was in; empty where there is but one."""

    status: int
    """The status."""

    content_type: str | None
    """The type."""

    file: Path
    """What holds the body."""

    method: str = "GET"
    """How it was asked for."""


def recorded(component: str) -> list[Recorded]:
    """Every answer that is recorded of a component: to a GET, and to what else is asked without a word of its own."""
    found: list[Recorded] = []
    for folder in FOLDERS:
        index = folder / component / "index.json"
        if index.exists():
            for entry in json.loads(index.read_text("utf-8"))["entries"]:
                if (
                    entry.get("method", "GET") in ("GET", "POST")
                    and entry.get("status")
                    and not entry.get("request_body")
                ):
                    file = folder / component / entry["file"]
                    scenario = entry.get("scenario", "")
                    found.append(
                        Recorded(
                            entry["path"],
                            scenario,
                            entry["status"],
                            entry.get("content_type"),
                            file,
                            entry.get("method", "GET"),
                        )
                    )
    return found


class RecordedWeb:
    """An HTTP server on loopback that plays a component."""

    def __init__(self, component: str, scenarios: Iterable[str] = SCENARIOS) -> None:
        self.asked: list[str] = []
        self._answers = [
            one for scenario in scenarios for one in recorded(component) if one.scenario == scenario
        ]
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def find(self, target: str, method: str = "GET") -> Recorded | None:
        """The answer to exactly this, else to this path; one that says something is preferred."""
        path = target.partition("?")[0]
        answers = [one for one in self._answers if one.method == method]
        exact = [one for one in answers if one.target == target]
        alike = [one for one in answers if one.target.partition("?")[0] == path] if not exact else []
        good = [
            one for one in (*exact, *alike) if one.status == 200 and one.file.read_bytes().strip() != b"null"
        ]
        return next(iter([*good, *exact, *alike]), None)

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        web = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                web.asked.append(self.path)
                found = web.find(self.path, self.command)
                status, kind, body = 404, "text/plain", b"404 page not found\n"
                if found is not None:
                    status, kind, body = found.status, found.content_type or "", found.file.read_bytes()
                self.send_response_only(status)
                if kind:
                    self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.do_GET()

            def log_message(self, format: str, *args: Any) -> None:
                """Nobody reads it."""

        return Handler


class Servers:
    """Recorded servers, each started when its instance is asked first."""

    def __init__(self) -> None:
        self._web: dict[str, RecordedWeb] = {}
        self._sql: dict[str, Any] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        """End all of them."""
        for server in (*self._web.values(), *self._sql.values()):
            server.close()

    def web_address(self, server: Server | Address) -> Address:
        """In the place of the source's own: where the component of an instance is played."""
        web_address(server)  # what has no such port is refused here too
        component = "" if isinstance(server, Address) else server.component
        with self._lock:
            if component not in self._web:
                self._web[component] = RecordedWeb(component)
        return Address("127.0.0.1", self._web[component].port)

    def sql_address(self, server: Server | Address) -> Address:
        """The same for SQL."""
        sql_address(server)
        component = "" if isinstance(server, Address) else server.component
        with self._lock:
            if component not in self._sql:
                self._sql[component] = _sql().RecordedSql(HERE / "servers" / component / "sql.json")
        return Address("127.0.0.1", self._sql[component].port)


def _sql() -> Any:
    """The module beside this one; what it imports takes a second, so it is loaded when it is needed."""
    spec = importlib.util.spec_from_file_location("recorded_sql", HERE / "sql.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextmanager
def played() -> Generator[Servers, None, None]:
    """Whoever asks an instance's server in the meantime asks the one that plays it."""
    started = Servers()
    with pytest.MonkeyPatch.context() as instead:
        instead.setattr("clinic.source.http.web_address", started.web_address)
        instead.setattr("clinic.source.server.web_address", started.web_address)
        instead.setattr("clinic.source.sql.sql_address", started.sql_address)
        try:
            yield started
        finally:
            started.close()
