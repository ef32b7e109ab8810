"""`clinic rebuild`: the metrics of a bundle as a Prometheus data directory, and a Prometheus over it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from clinic.cli.output import say
from clinic.cli.progress import Bars
from clinic.cli.reading import identity_option, read_bundle
from clinic.errors import UsageError
from clinic.read.open import Opened
from clinic.read.rebuild import rebuild
from clinic.read.samples import MetricsOf, chosen
from clinic.units import human_size, plural

NOBODY = 65534
"""The account that a Prometheus over a stranger's data runs as when root starts it."""

MOST_SAMPLES = 20_000_000
"""Samples that one query may load: a bundle is hostile to its reader."""

MEMORY = "2GiB"
"""What Go's runtime tries to stay below (GOMEMLIMIT)."""


@click.command("rebuild")
@click.argument("bundle", type=click.Path(path_type=Path))
@identity_option
@click.option(
    "--dir", "directory", type=click.Path(path_type=Path), help="Where to; BUNDLE-metrics when not said."
)
@click.option("--server", default="", metavar="NAME", help="Of this server only.")
@click.option(
    "--serve", is_flag=True, help="Run the prometheus of this machine over it, on loopback, until Ctrl-C."
)
@click.option("--port", type=click.IntRange(1, 65535), help="Its port; a free one when not said.")
def command(
    bundle: Path,
    identities: tuple[Path, ...],
    directory: Path | None,
    server: str,
    serve: bool,
    port: int | None,
) -> int:
    """Write the metrics in BUNDLE as data that a Prometheus opens, one directory for each server.

    The chunks are written as they were collected, sample for sample. With --serve a Prometheus shows them:
    it listens on loopback only, scrapes nothing, and runs without root's rights.

    \b
    Examples:
      clinic rebuild clinic-db1-20261125T103000Z
      clinic rebuild clinic-db1-20261125T103000Z --serve --port 9090
      clinic rebuild clinic-db1-20261125T103000Z --dir /data/case-12345
    """
    opened = read_bundle(bundle, identities)
    wanted = chosen(opened, server)
    if serve and len(wanted) > 1:
        names = ", ".join(one.server for one in wanted)
        raise UsageError("--serve shows one server", hint=f"name it with --server: {names}")
    program = _program() if serve else ""
    place = directory or bundle.with_name(f"{bundle.name.rstrip('/')}-metrics")
    places = [_rebuild(opened, one, place / one.server) for one in wanted]
    if program:
        return _serve(program, places[0], port or _free_port())
    say(f"Next: clinic rebuild {bundle} --serve, or prometheus --storage.tsdb.path={places[0]}")
    return 0


def _rebuild(opened: Opened, one: MetricsOf, place: Path) -> Path:
    with Bars() as bars:
        bars.begin(f"metrics of {one.server}", len(one.files), None)
        done = rebuild(opened, one, place, bars)
    what = f"{plural(done.series, 'series', 'series')}, {done.samples:,} samples in {plural(done.blocks, 'block')}"
    say(f"{place}: {what}, {human_size(done.bytes)}")
    return place


def _program() -> str:
    found = shutil.which("prometheus")
    if found is None:
        raise UsageError("there is no prometheus on the PATH", hint="install it: apt install prometheus")
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def arguments(program: str, port: int) -> list[str]:
    """The words that run a Prometheus over the data in its working directory: on loopback, queries bounded.

    Relative, since the account that it runs as may not get to the directory by its path.
    """
    return [
        program, "--config.file=prometheus.yml", "--storage.tsdb.path=.",
        f"--web.listen-address=127.0.0.1:{port}", "--storage.tsdb.retention.time=100y",
        f"--query.max-samples={MOST_SAMPLES}", "--query.timeout=60s", "--query.max-concurrency=4",
        "--log.level=warn",
    ]  # fmt: skip


def _serve(program: str, place: Path, port: int) -> int:
    config = place / "prometheus.yml"
    config.write_text("scrape_configs: []\n")
    as_root = hasattr(os, "geteuid") and os.geteuid() == 0
    if as_root:
        _give_away([place, *place.rglob("*")])
    rights: dict[str, Any] = {"user": NOBODY, "group": NOBODY, "extra_groups": ()} if as_root else {}
    say(f"Prometheus shows it at http://127.0.0.1:{port} until Ctrl-C.")
    environment = {"PATH": os.environ.get("PATH", ""), "GOMEMLIMIT": MEMORY}
    with subprocess.Popen(arguments(program, port), cwd=place, env=environment, **rights) as running:
        try:
            return int(running.wait())
        except KeyboardInterrupt:
            running.terminate()
            running.wait()
            return 0


def _give_away(paths: Sequence[Path]) -> None:
    for path in paths:
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
