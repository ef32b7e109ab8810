"""Runs the receiver: on loopback as it is, anywhere else with TLS and tokens only."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn

from clinic.errors import Refused
from clinic.receive.app import app
from clinic.receive.problem import Problem
from clinic.receive.store import Limits, Store
from clinic.receive.tokens import entries

CONNECTIONS = 64
"""Most connections at a time: each holds a MiB or two."""


@dataclass(frozen=True, slots=True)
class Setup:
    """How to run it."""

    directory: Path
    """Where packages go."""

    host: str = "127.0.0.1"
    """Address to listen on."""

    port: int = 0
    """TCP port; 0 for any that is free."""

    cert: Path | None = None
    """Certificate with its chain, PEM; TLS is spoken when it is given."""

    key: Path | None = None
    """Its private key; it may be in the same file."""

    url: str = ""
    """Where senders find us, when another server stands in front."""

    limits: Limits = field(default_factory=Limits)
    """What is taken."""


def serve(setup: Setup, ready: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM; `ready` hears the URL once it listens. Raises `Refused`."""
    require_safe(setup)
    try:
        store = Store(setup.directory, setup.limits)
    except Problem as problem:
        raise Refused(str(problem), hint="end that one first, or name another directory") from problem
    try:
        store.sweep()
        listening = _listen(setup)
        name = f"[{setup.host}]" if ":" in setup.host else setup.host
        ready(f"{'https' if setup.cert else 'http'}://{name}:{listening.getsockname()[1]}")
        uvicorn.Server(_config(setup, store)).run([listening])
    finally:
        store.close()


def require_safe(setup: Setup) -> None:
    """Raise `Refused` for an address that others reach, without TLS or without a token."""
    if is_loopback(setup.host):
        return
    if setup.cert is None:
        raise Refused(
            f"{setup.host} can be reached from elsewhere, and no certificate is given",
            hint="give --cert and --key, or listen on 127.0.0.1 behind a server that speaks TLS",
        )
    if not entries(setup.directory):
        raise Refused(
            f"{setup.host} can be reached from elsewhere, and nobody has a token",
            hint=f"make one: clinic receive --dir {setup.directory} --new-token NAME",
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _listen(setup: Setup) -> socket.socket:
    family = socket.AF_INET6 if ":" in setup.host else socket.AF_INET
    try:
        return socket.create_server((setup.host, setup.port), family=family, backlog=128)
    except OSError as error:
        raise Refused(
            f"can't listen on {setup.host}:{setup.port}: {error.strerror}", hint="name another --listen"
        ) from error


def _config(setup: Setup, store: Store) -> uvicorn.Config:
    return uvicorn.Config(
        app(store, setup.url),
        log_level="warning",
        access_log=False,
        server_header=False,
        lifespan="off",
        ws="none",
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=5,
        ssl_certfile=setup.cert,
        ssl_keyfile=setup.key,
    )
