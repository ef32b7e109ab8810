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


def read_bundle(path: Path, identities: Sequence[Path] = ()) -> Opened:
    """The bundle or package at `path`, open until the command ends.

    A package is unpacked into a file without a name, of which nothing stays however the command ends.
    """
    return click.get_current_context().with_resource(_reading(path, identities))


@contextlib.contextmanager
def _reading(path: Path, identities: Sequence[Path]) -> Generator[Opened]:
    with terminating(), Bars() as bars, opening(path, identities, bars) as opened:
        yield opened


@contextlib.contextmanager
def terminating() -> Generator[None]:
    """Within it SIGTERM and SIGHUP end the command as Ctrl-C does, so that what is half made is cleared away."""
    with handling(signal.default_int_handler):
        yield
