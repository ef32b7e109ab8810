"""One way to open what a person names: a sealed bundle, or what a run that was killed left."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Container, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from clinic.bundle.manifest import Run
from clinic.bundle.member import Stretches
from clinic.bundle.names import JOURNAL, MANIFEST, is_confined
from clinic.bundle.reader import Bundle, Unsealed
from clinic.bundle.record import Entry, FileEntry, Record
from clinic.bundle.spool import Root
from clinic.errors import BadBundle, Refused
from clinic.outcome import Reason, Status
from clinic.progress import Progress
from clinic.read.fromdiag import FromDiag, is_tree, of_directory


@dataclass(frozen=True)
class Opened:
    """A bundle for its readers, whatever it was opened from."""

    held: Bundle | Unsealed | FromDiag
    """What gives the bytes."""

    run: Run
    """What was asked for."""

    records: tuple[Record, ...]
    """Every planned item; in an unsealed one those that never ended are `cancelled`."""

    id: str = ""
    """The bundle's id; empty when it is not sealed."""

    ended: str = ""
    """When it was sealed, RFC 3339, UTC; empty when it is not."""

    interrupted: bool = True
    """Whether the run was stopped before it was through."""

    parent: str | None = None
    """Id of the sealed bundle that it was made from."""

    masked: int = 0
    """How many credentials were masked on the way to the disk."""

    package: Path | None = None
    """The package that it is in; None for a directory."""

    @property
    def root(self) -> Root:
        """Its directory, or the spool of the package that it is in."""
        return self.held.root

    @property
    def name(self) -> str:
        """What a person calls it: its directory, or the package that it is in."""
        return str(self.package or self.root)

    @property
    def sealed(self) -> bool:
        """Whether it has an id that says what belongs to it."""
        return isinstance(self.held, Bundle)

    @property
    def foreign(self) -> bool:
        """Whether diag collected it: nothing in it has a digest, and no credential was masked."""
        return isinstance(self.held, FromDiag)

    @property
    def complete(self) -> bool:
        """Whether nothing that was wanted is missing."""
        return not self.interrupted and not any(record.incomplete for record in self.records)

    def files(self) -> tuple[FileEntry, ...]:
        """Every file that it lists, derived ones too."""
        return self.held.files()

    def member(self, path: str) -> BinaryIO:
        """The plain bytes of the file `path`, named with or without the ending of its compression.

        Raises `UsageError` when there is none; reading raises `BadBundle` where it is not as it should be.
        """
        return self.held.member(path)

    def stretches(self, path: str) -> Stretches | None:
        """The file `path` to be read from anywhere; None where that takes reading it from its beginning."""
        return self.held.stretches(path)


def is_unsealed(path: Path) -> bool:
    """Whether `path` is what a run left that did not come to its end.

    Raises `Refused` where this account may not look: bundles are private to their owner.
    """
    try:
        with os.scandir(path):
            return os.path.lexists(path / JOURNAL) and not os.path.lexists(path / MANIFEST)
    except PermissionError as error:
        raise Refused(
            f"{path} can't be read: {error.strerror}", hint="do it as its owner, or with sudo"
        ) from error
    except OSError:
        return False  # not there, or no directory: who opens it says so


def open_bundle(path: Path) -> Opened:
    """The bundle at `path`, sealed or cut short.

    Raises `BadBundle` when it is neither, and for every defect that its listing shows; `Refused` where this
    account may not look.
    """
    if is_unsealed(path):
        return _unsealed(Bundle.unsealed(path))
    if not os.path.lexists(path):
        raise BadBundle(f"there is nothing at {path}", hint="name the directory of a bundle")
    return _sealed(Bundle.open(path))


def is_package(path: Path) -> bool:
    """Whether `path` is a file, so that it can only be a package: a bundle is a directory."""
    return os.path.isfile(path)  # noqa: PTH113 - a path that can't be reached is no file, and no error


def open_package(path: Path) -> BinaryIO:
    """The bytes of the file at `path`. Raises `BadBundle` for anything else: a pipe might never say a word."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise BadBundle(f"{path} is not a regular file", hint="name the file of a package")
        return path.open("rb")
    except OSError as error:
        raise BadBundle(f"{path} can't be read: {error.strerror}", hint="check its name and owner") from error


@contextlib.contextmanager
def opening(
    path: Path, identities: Sequence[Path] = (), progress: Progress | None = None, *, key: Path | None = None
) -> Generator[Opened]:
    """The bundle or package at `path`, or what diag collected. A package is unpacked into a spool: nothing stays of it.

    `identities` are files of those that open an encrypted one, `key` is that of a `.diag`. Raises as `open_bundle`,
    `unpack` and `examine_diag` do.
    """
    if not is_package(path):
        yield _collected(of_directory(path)) if is_tree(path) else open_bundle(path)
        return
    # A directory is read on any system, a package where paths can be held open.
    from clinic.read.diagfile import is_diag, spooled_diag
    from clinic.read.unpack import spooled

    if is_diag(path):
        with spooled_diag(path, key, progress) as held:
            yield replace(_collected(held), package=path)
        return

    with spooled(path, identities=identities, progress=progress) as bundle:
        yield replace(_sealed(bundle), package=path)


def _sealed(bundle: Bundle) -> Opened:
    manifest = bundle.manifest
    return Opened(
        bundle, manifest.run, manifest.records, bundle.id, manifest.ended, manifest.interrupted, manifest.parent,
        sum(manifest.redaction.counts.values()),
    )  # fmt: skip


def _collected(held: FromDiag) -> Opened:
    return Opened(held, held.run, held.records, interrupted=False)


def _unsealed(left: Unsealed) -> Opened:
    for record in left.records():
        if not all(is_confined(file.path) for file in record.files):
            raise BadBundle(f"{JOURNAL} names a path outside the bundle, for {record.entry.path!r}")
    masked = sum(count for file in left.files() for count in file.redactions.values())
    records = (*left.records(), *never_ended(left.missing(), left.begun, left.root))
    return Opened(left, left.header.run, records, parent=left.header.parent, masked=masked)


def never_ended(entries: Iterable[Entry], begun: Container[str], root: Root) -> Iterator[Record]:
    """The records of planned items that have none; `begun` are the paths of those that were started."""
    for entry in entries:
        when = "while it was read" if entry.path in begun else "before it began"
        yield Record(
            entry,
            Status.CANCELLED,
            Reason.INTERRUPTED,
            f"the run was cut short {when}",
            f"clinic collect --resume {root}",
        )
