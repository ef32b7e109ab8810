"""Servers of others that take uploads: nginx with WebDAV's PUT, and an S3-compatible store."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from tests.lab.packages import obtain
from tests.lab.program import Launch, Place, Program, Tool, tool
from tests.lab.s3store import CannotBuild, obtain_store
from tests.lab.state import Server

KEYS = "CLINICTESTKEY:clinic/test+secret"
"""Of the S3 store that the tests start."""


class Nginx(Program):
    """Only what the lab needs to install it."""

    name = "nginx"
    tools = (Tool("nginx", ("nginx-light", "nginx")),)

    def prepare(self, place: Place) -> Launch:
        """It is not one of the lab's own servers."""
        raise NotImplementedError

    def check(self, server: Server) -> None:
        """As above."""
        raise NotImplementedError


CONFIG = """
daemon off;
pid {home}/pid;
error_log {home}/error.log;
{user}
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_max_body_size 0;
    client_body_temp_path {home}/temp;
    proxy_temp_path {home}/temp2; fastcgi_temp_path {home}/temp3;
    uwsgi_temp_path {home}/temp4; scgi_temp_path {home}/temp5;
    server {{
        listen 127.0.0.1:{port};
        root {home}/files;
        location / {{ dav_methods PUT; create_full_put_path on; }}
        location /refused/ {{ return 403; }}
    }}
}}
"""


class Running:
    """A server's process on loopback, with a directory of its own."""

    def __init__(
        self, home: Path, port: int, command: list[str], environment: Mapping[str, str] | None = None
    ) -> None:
        self.home = home
        self.url = f"http://127.0.0.1:{port}"
        self.files = home / "files"
        with (home / "log").open("wb") as log:
            self._process = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **(environment or {})},
            )
        deadline = time.monotonic() + 20
        while not _listens(port):
            assert self._process.poll() is None and time.monotonic() < deadline, (home / "log").read_text()
            time.sleep(0.05)

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(20)


@pytest.fixture(scope="session")
def nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """nginx that takes PUT below `/`, and refuses it below `/refused/`."""
    reasons = obtain([Nginx()], lambda text: None)
    if reasons:
        pytest.skip(f"not run: {reasons['nginx']}")
    home, port = tmp_path_factory.mktemp("nginx"), free_port()
    (home / "files").mkdir()
    user = "user root;" if os.geteuid() == 0 else ""
    (home / "nginx.conf").write_text(CONFIG.format(home=home, port=port, user=user))
    running = Running(home, port, [tool("nginx"), "-p", str(home), "-c", str(home / "nginx.conf")])
    yield running
    running.stop()


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """An S3-compatible store with one bucket, `bucket`, that takes `KEYS`."""
    try:
        program = obtain_store(lambda text: None)
    except CannotBuild as why:
        pytest.skip(f"not run: {why}")
    home, port = tmp_path_factory.mktemp("store"), free_port()
    (home / "files" / "bucket").mkdir(parents=True)
    access, _, secret = KEYS.partition(":")
    command = [
        program,
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--access-key",
        access,
        "--secret-key",
        secret,
    ]
    running = Running(home, port, [*command, str(home / "files")])
    yield running
    running.stop()


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
    return port


def _listens(port: int) -> bool:
    with socket.socket() as trying:
        return trying.connect_ex(("127.0.0.1", port)) == 0
