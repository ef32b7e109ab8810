"""`clinic collect --privacy`: collects, and makes the bundle without the customer's names when all names are known."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from clinic.bundle.names import INDEX
from clinic.cli.collect_options import Options
from clinic.cli.output import say
from clinic.errors import Refused, UsageError
from clinic.formats.logindexer import LogIndexer
from clinic.progress import Progress
from clinic.read.open import open_bundle
from clinic.read.privacypage import LITERALS, level_of
from clinic.read.pseudonymise import pseudonymise
from clinic.redact.privacy import Level
from clinic.run.session import Result, Session, Watch, collect

NAMED = "-with-names"
"""Appended to the new bundle's name for the one that still holds the names."""


def collect_private(
    session: Session, directory: Path, progress: Progress, watch: Watch, options: Options
) -> Result:
    """Collect beside `directory`, then make the bundle in it; the first is removed unless it is to be kept.

    Raises `UsageError` for a directory that holds something, before anything is collected.
    """
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise UsageError(f"{directory} is not empty", hint="name a new directory with -o")
    parent = directory.with_name(directory.name + NAMED)
    result = collect(session, parent, progress, watch)
    sealed = pseudonymise(
        open_bundle(parent),
        directory,
        Level(options.privacy),
        literals=options.no_sql_literals,
        rules=session.ready.redactor.rules,
        observers={INDEX: LogIndexer},
        progress=progress,
    )
    if options.keep_parent:
        say(f"{parent} still holds the names.", err=True, colour="yellow")
    else:
        shutil.rmtree(parent)
    return replace(result, sealed=sealed)


def refuse_private(directory: Path) -> None:
    """Raise `Refused` for a bundle whose names were replaced: what is collected now would have them."""
    run = open_bundle(directory).run
    if level_of(run) is not Level.NONE or run.options.get(LITERALS):
        raise Refused(
            f"{directory} has names or values replaced, and what is collected now would not",
            hint="resume the bundle that it was made from, then clinic redact it",
        )
