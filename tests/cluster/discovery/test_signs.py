"""A cluster of TiDB is in sight, or it is not."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import Any

import pytest

from clinic.cluster.discovery import signs as module
from clinic.cluster.discovery.looking import comm
from clinic.cluster.discovery.signs import signs

Forked = Callable[[Callable[[], dict[str, Any]]], dict[str, Any]]


@pytest.fixture
def telling(monkeypatch: pytest.MonkeyPatch, listen: Callable[[], socket.socket]) -> socket.socket:
    """A socket at a port that counts as TiKV's."""
    one = listen()
    monkeypatch.setattr(module, "TELLING_PORTS", {one.getsockname()[1]: "tikv"})
    return one


def about(word: object) -> list[str]:
    return [sign for sign in signs() if str(word) in sign]


def test_a_process_of_the_family_is_a_sign(pretend: Callable[..., Any]) -> None:
    own = pretend("tikv-server")
    assert about(f"process {own.pid}") == [f"tikv runs here as process {own.pid}"]


def test_another_database_is_none(pretend: Callable[..., Any]) -> None:
    own = pretend("mariadbd")
    assert about(own.pid) == []


def test_a_usual_port_of_a_program_that_is_something_else_is_none(telling: socket.socket) -> None:
    """Much is developed on port 4000."""
    assert about(telling.getsockname()[1]) == []


def test_a_port_that_is_forwarded_to_a_container_is_a_sign(
    telling: socket.socket, pretend: Callable[..., Any]
) -> None:
    port = telling.getsockname()[1]
    own = pretend("docker-proxy", listening=[telling])
    telling.close()
    deadline = time.monotonic() + 5
    while comm(own.pid) != "docker-proxy":
        assert time.monotonic() < deadline
    assert about(port) == [f"port {port}, tikv's usual one, is forwarded by docker-proxy"]


def test_a_usual_port_whose_process_is_hidden_is_a_sign(
    telling: socket.socket, without_rights: Forked
) -> None:
    port = telling.getsockname()[1]

    def seen_without_the_socket() -> dict[str, Any]:
        telling.close()
        return {"signs": about(port)}

    found = without_rights(seen_without_the_socket)
    assert found["signs"] == [f"port {port} is open here, tikv's usual one; its process can't be seen"]
