"""Bundles as the readers see them: a sealed one that was checked, or what a killed run left."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import BinaryIO

from clinic.bundle.journal import Header, Journal, read_journal
from clinic.bundle.manifest import Manifest
from clinic.bundle.member import Stretches, open_plain, open_stretches
from clinic.bundle.names import JOURNAL, is_confined
from clinic.bundle.record import Entry, FileEntry, Record
from clinic.bundle.spool import Root
from clinic.bundle.structure import examine, read_whole
from clinic.errors import BadBundle, UsageError


class Bundle:
    """A sealed bundle whose manifest, digests list and set of files agree. No other object of it can exist.

    That the files' contents have their digests is what `clinic.bundle.verify` finds out.
    """

    root: Root
    """Its directory, or the spool of the package that it is in."""

    manifest: Manifest
    """What it says of itself."""

    id: str
    """SHA-256 of the manifest, hexadecimal."""

    def __init__(self, root: Root) -> None:
        """Check what is in `root`. Raises `BadBundle` that names every defect."""
        found = examine(root)
        if found.manifest is None or found.defects:
            raise refusal(root, found.defects)
        self.root = root
        self.manifest = found.manifest
        self.id = found.id
        self._files = _by_name(found.manifest.files())

    @classmethod
    def open(cls, path: Path) -> Bundle:
        """The sealed bundle in the directory `path`. Raises `BadBundle` that names every defect."""
        return cls(path)

    @staticmethod
    def unsealed(path: Path) -> Unsealed:
        """What a run that was killed left in the directory `path`. Raises `BadBundle` without a journal."""
        return Unsealed(path)

    def records(self) -> tuple[Record, ...]:
        """Every planned item, in the plan's order, and what became of it."""
        return self.manifest.records

    def files(self) -> tuple[FileEntry, ...]:
        """Every file that its manifest lists."""
        return tuple(self.manifest.files())

    def member(self, path: str) -> BinaryIO:
        """The plain bytes of the file `path`, named with or without the ending of its compression.

        Raises `UsageError` when there is none. Reading raises `BadBundle` where it is not as the manifest says.
        """
        return open_plain(self.root, _named(self._files, path))

    def stretches(self, path: str) -> Stretches | None:
        """The file `path` to be read from anywhere; None where that takes reading it from its beginning."""
        return open_stretches(self.root, _named(self._files, path))


class Unsealed:
    """What a run left that never came to its end: the journal, and the files of the records in it."""

    root: Path
    """Its directory."""

    header: Header
    """What was planned."""

    torn: bool
    """Whether the journal's last line was cut in the middle and is not counted."""

    begun: Mapping[str, str]
    """When items that have no record were started, by the entry's path."""

    def __init__(self, root: Path) -> None:
        """Read the journal in the directory `root`. Raises `BadBundle` where there is none that can be read."""
        journal = load_journal(root)
        self.root = root
        self.header = journal.header
        self.torn = journal.torn
        self.begun = journal.begun
        self._journal = journal
        self._files = _by_name(self.files())

    def records(self) -> tuple[Record, ...]:
        """What became of the items that ended, in the order in which they did."""
        return tuple(self._journal.records.values())

    def missing(self) -> tuple[Entry, ...]:
        """The planned items that have no record."""
        return tuple(entry for entry in self.header.entries if entry.path not in self._journal.records)

    def files(self) -> tuple[FileEntry, ...]:
        """The files of its records, where their paths are inside the bundle."""
        named = (file for record in self.records() for file in record.files)
        return tuple(file for file in (*named, *self._journal.derived.values()) if is_confined(file.path))

    def member(self, path: str) -> BinaryIO:
        """The plain bytes of the file `path`, as `Bundle.member` gives them."""
        return open_plain(self.root, _named(self._files, path))

    def stretches(self, path: str) -> Stretches | None:
        """The file `path` to be read from anywhere, as `Bundle.stretches` gives it."""
        return open_stretches(self.root, _named(self._files, path))


def load_journal(root: Path) -> Journal:
    """The journal in the directory `root`. Raises `BadBundle` where there is none that can be read."""
    if not os.path.isdir(root):  # noqa: PTH112 - a path that can't be reached is no directory, and no error
        raise BadBundle(f"{root} is not a directory", hint="name the directory of a bundle")
    if not os.path.lexists(root / JOURNAL):
        raise BadBundle(f"{root} is not a bundle: it has no {JOURNAL}", hint="name the directory of a bundle")
    return read_journal(read_whole(root, JOURNAL))


def _by_name(files: Iterable[FileEntry]) -> dict[str, FileEntry]:
    listed = tuple(files)
    return {**{file.name: file for file in listed}, **{file.path: file for file in listed}}


def _named(files: Mapping[str, FileEntry], path: str) -> FileEntry:
    if path not in files:
        raise UsageError(
            f"there is no file {path!r} in the bundle", hint="clinic inspect BUNDLE lists its files"
        )
    return files[path]


def refusal(root: Root, defects: tuple[str, ...]) -> BadBundle:
    """The error that names every one of `defects`, a line each."""
    if len(defects) == 1:
        return BadBundle(f"{root}: {defects[0]}")
    return BadBundle("\n".join((f"{root}: {len(defects)} defects", *(f"  {defect}" for defect in defects))))
