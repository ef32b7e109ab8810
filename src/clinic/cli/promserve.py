"""A Prometheus of this machine over a rebuilt data directory: on loopback, without root's rights, bounded."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from clinic.client.address import Address
from clinic.client.http import Web
from clinic.deadline import Deadline
from clinic.errors import ItemError, Refused, UsageError

NOBODY = 65534
"""The account that a Prometheus over a stranger's data runs as when root starts it."""

MOST_SAMPLES = 20_000_000
"""Samples that one query may load: a bundle is hostile to its reader."""

MEMORY = "2GiB"
"""What Go's runtime tries to stay below (GOMEMLIMIT)."""

READY = 60.0
"""Seconds until it must answer."""


def program() -> str:
    """The prometheus of this machine. Raises `UsageError` where there is none."""
    found = shutil.which("prometheus")
    if found is None:
        raise UsageError("there is no prometheus on the PATH", hint="install it: apt install prometheus")
    return found


def free_port() -> int:
    """A port of loopback that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def arguments(binary: str, port: int) -> list[str]:
    """The words that run a Prometheus over the data in its working directory: on loopback, queries bounded.

    Relative, since the account that it runs as may not get to the directory by its path.
    """
    return [
        binary, "--config.file=prometheus.yml", "--storage.tsdb.path=.",
        f"--web.listen-address=127.0.0.1:{port}", "--storage.tsdb.retention.time=100y",
        f"--query.max-samples={MOST_SAMPLES}", "--query.timeout=60s", "--query.max-concurrency=4",
        "--enable-feature=native-histograms", "--log.level=warn",
    ]  # fmt: skip


@contextmanager
def serving(binary: str, place: Path, port: int) -> Generator[subprocess.Popen[bytes], None, None]:
    """It runs over the data in `place` until the block is left."""
    (place / "prometheus.yml").write_text("scrape_configs: []\n")
    as_root = hasattr(os, "geteuid") and os.geteuid() == 0
    if as_root:
        _give_away([place, *place.rglob("*")])
    user, groups = (NOBODY, ()) if as_root else (None, None)
    environment = {"PATH": os.environ.get("PATH", ""), "GOMEMLIMIT": MEMORY}
    with subprocess.Popen(
        arguments(binary, port), cwd=place, env=environment, user=user, group=user, extra_groups=groups
    ) as running:
        try:
            yield running
        finally:
            running.terminate()
            running.wait()


def _give_away(paths: Sequence[Path]) -> None:
    for path in paths:
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)


def await_ready(running: subprocess.Popen[bytes], port: int) -> Web:
    """The door to it once it answers. Raises `Refused` where it ended or does not answer in time."""
    until = time.monotonic() + READY
    while time.monotonic() < until and running.poll() is None:
        web = Web(Address("127.0.0.1", port))
        try:
            web.fetch("/-/ready", Deadline(5))
            return web
        except ItemError:
            web.close()
            time.sleep(0.1)
    raise Refused("prometheus does not open the rebuilt data", hint="what it wrote above says why")
