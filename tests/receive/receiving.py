"""The receiver as a process of its own, and the few words of HTTP that the tests say to it."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

API = "/clinic/api/v1/diag"


class Receiving:
    """`clinic receive` on loopback."""

    def __init__(self, directory: Path, *options: str | Path, prefix: Iterable[str] = ()) -> None:
        self.directory = directory
        self._options = options
        self._prefix = list(prefix)
        self.port = 0
        self.url = ""
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> Receiving:
        """Start it, on the port that it had before."""
        command: list[str | Path] = [
            *self._prefix,
            sys.executable,
            "-m",
            "clinic",
            "receive",
            "--dir",
            self.directory,
        ]
        command += ["--listen", f"127.0.0.1:{self.port}", *self._options]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
        assert self._process.stdout is not None
        said = self._process.stdout.readline()
        assert said.startswith("Receiving at "), said
        self.url = said.split()[2]
        self.port = int(self.url.rsplit(":", 1)[1])
        return self

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None
        return self._process.pid

    def kill(self, number: int = signal.SIGKILL) -> None:
        """End it."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
            self._process.wait(30)
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None

    def ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, object] | None = None,
        body: bytes | Iterable[bytes] = b"",
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, dict[str, Any]]:
        """One request, and its answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            target = f"{path}?{urlencode(query)}" if query else path
            connection.request(method, target, body or None, dict(headers or {}))
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"{}")
        finally:
            connection.close()

    def precreate(self, data: bytes, uuid: str, **more: object) -> tuple[int, dict[str, Any]]:
        """Announce `data` as we do: with its digest."""
        query = {"uuid": uuid, "length": len(data), **more}
        return self.ask("POST", f"{API}/precreate", query, headers={"Repr-Digest": digest(data)})

    def part(self, data: bytes, uuid: str, offset: int) -> tuple[int, dict[str, Any]]:
        """Send a part with its digest."""
        query = {"uuid": uuid, "length": len(data), "offset": offset}
        return self.ask("POST", f"{API}/upload", query, data, {"Content-Digest": digest(data)})

    def flush(self, uuid: str, issue: str = "") -> tuple[int, dict[str, Any]]:
        """Say that it is all."""
        return self.ask("POST", f"{API}/flush", {"uuid": uuid, "issue": issue})


def digest(data: bytes) -> str:
    """As RFC 9530 writes it."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(data).digest()).decode()}:"


@pytest.fixture(scope="module")
def receiving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiving]:
    """One receiver for all tests of a module."""
    pytest.importorskip("uvicorn")
    running = Receiving(tmp_path_factory.mktemp("received")).start()
    yield running
    running.kill()
