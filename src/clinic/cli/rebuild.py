"""`clinic rebuild`: the metrics of a bundle as a Prometheus data directory, and a Prometheus over it."""

from __future__ import annotations

from pathlib import Path

import click

from clinic.cli.output import say
from clinic.cli.progress import Bars
from clinic.cli.promserve import free_port, program, serving
from clinic.cli.reading import identity_option, key_option, read_bundle
from clinic.errors import UsageError
from clinic.read.open import Opened
from clinic.read.rebuild import rebuild
from clinic.read.samples import MetricsOf, chosen
from clinic.units import human_size, plural


@click.command("rebuild")
@click.argument("bundle", type=click.Path(path_type=Path))
@identity_option
@key_option
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
    key: Path | None,
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
    opened = read_bundle(bundle, identities, key)
    wanted = chosen(opened, server)
    if serve and len(wanted) > 1:
        names = ", ".join(one.server for one in wanted)
        raise UsageError("--serve shows one server", hint=f"name it with --server: {names}")
    binary = program() if serve else ""
    place = directory or bundle.with_name(f"{bundle.name.rstrip('/')}-metrics")
    places = [_rebuild(opened, one, place / one.server) for one in wanted]
    if binary:
        return _serve(binary, places[0], port or free_port())
    say(f"Next: clinic rebuild {bundle} --serve, or prometheus --storage.tsdb.path={places[0]}")
    return 0


def _rebuild(opened: Opened, one: MetricsOf, place: Path) -> Path:
    with Bars() as bars:
        bars.begin(f"metrics of {one.server}", len(one.files), None)
        done = rebuild(opened, one, place, bars)
    what = f"{plural(done.series, 'series', 'series')}, {done.samples:,} samples in {plural(done.blocks, 'block')}"
    say(f"{place}: {what}, {human_size(done.bytes)}")
    return place


def _serve(binary: str, place: Path, port: int) -> int:
    with serving(binary, place, port) as running:
        say(f"Prometheus shows it at http://127.0.0.1:{port} until Ctrl-C.")
        try:
            return int(running.wait())
        except KeyboardInterrupt:
            return 0
