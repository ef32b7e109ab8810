"""A bundle or package for the commands that read one."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Generator, Sequence
from pathlib import Path

import click

from clinic.cli.progress import Bars
from clinic.cli.signals import handling
from clinic.read.open import Opened, opening

identity_option = click.option(
    "--identity", "identities", multiple=True, type=click.Path(path_type=Path), metavar="FILE",
    help="Opens an encrypted package. A package is unpacked into a nameless file on the disk of TMPDIR.",
)  # fmt: skip
"""What opens an encrypted package."""


key_option = click.option(
    "--key", type=click.Path(path_type=Path), metavar="FILE",
    help="The private key (PEM) that opens a .diag; without it only its header is read.",
)  # fmt: skip
"""What opens a `.diag`."""


def read_bundle(path: Path, identities: Sequence[Path] = (), key: Path | None = None) -> Opened:
    """The bundle, the package or what diag collected at `path`, open until the command ends.

    A package is unpacked into a file without a name, of which nothing stays however the command ends.
    """
    return click.get_current_context().with_resource(_reading(path, identities, key))


@contextlib.contextmanager
def _reading(path: Path, identities: Sequence[Path], key: Path | None) -> Generator[Opened]:
    with terminating(), Bars() as bars, opening(path, identities, bars, key=key) as opened:
        yield opened


@contextlib.contextmanager
def terminating() -> Generator[None]:
    """Within it SIGTERM and SIGHUP end the command as Ctrl-C does, so that what is half made is cleared away."""
    with handling(signal.default_int_handler):
        yield
