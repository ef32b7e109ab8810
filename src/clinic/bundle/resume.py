"""What an earlier run left in a directory, and how much of it can be kept."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from clinic.bundle.folder import Folder
from clinic.bundle.journal import Header
from clinic.bundle.manifest import Manifest
from clinic.bundle.names import (
    JOURNAL,
    LOCK,
    MANIFEST,
    MANIFEST_NEW,
    PAGES,
    PARTIAL,
    SUMS,
    fold,
    is_confined,
)
from clinic.bundle.reader import Bundle, load_journal
from clinic.bundle.record import FileEntry, Record
from clinic.bundle.verify import content_defects, verify
from clinic.errors import BadBundle, Refused


@dataclass(frozen=True, slots=True)
class Sealed:
    """A bundle that is sealed."""

    bundle_id: str
    """SHA-256 of its manifest, hexadecimal."""

    path: Path
    """Its directory."""

    manifest: Manifest
    """What it says of itself."""


@dataclass(frozen=True, slots=True)
class State:
    """What an earlier run left."""

    header: Header
    """What was planned."""

    records: Mapping[str, Record]
    """What became of the items that ended and whose files are all there, by the entry's path."""

    derived: tuple[FileEntry, ...] = ()
    """Files that were made from others."""

    begun: Mapping[str, str] = field(default_factory=dict[str, str])
    """When items that have no record were started, by the entry's path."""

    sealed: Sealed | None = None
    """The bundle, where it came to its end."""


def header_of(root: Path) -> Header:
    """What was planned for the bundle in `root`, sealed or not. Raises `BadBundle` for what is none."""
    if os.path.lexists(root / MANIFEST):
        bundle = Bundle.open(root)
        return _header(bundle.manifest, bundle.id)
    return load_journal(root).header


def _header(manifest: Manifest, identity: str) -> Header:
    return Header(manifest.run, tuple(record.entry for record in manifest.records), identity)


def look(root: Path) -> State:
    """The state of the directory `root`; every file in it is read and compared with its digest.

    Raises `BadBundle` for a sealed bundle that is not whole, and for what is no bundle.
    """
    if os.path.lexists(root / MANIFEST):
        bundle = Bundle.open(root)
        verify(bundle)
        manifest = bundle.manifest
        return State(
            _header(manifest, bundle.id),
            {record.entry.path: record for record in manifest.records},
            manifest.derived,
            sealed=Sealed(bundle.id, root, manifest),
        )
    journal = load_journal(root)
    whole = {path: record for path, record in journal.records.items() if _is_whole(root, record)}
    lost = {path: record.started for path, record in journal.records.items() if path not in whole}
    return State(journal.header, whole, tuple(journal.derived.values()), {**lost, **journal.begun})


def _is_whole(root: Path, record: Record) -> bool:
    """Whether all files of `record` are there, byte for byte: after a power loss some may not be."""
    if not all(is_confined(file.path) for file in record.files):
        raise BadBundle(f"{JOURNAL} names a path outside the bundle, for {record.entry.path!r}")
    return next(content_defects(root, record.files), None) is None


def leftovers(folder: Folder, state: State) -> Iterator[str]:
    """Files in `folder` that no record lists and that Clinic made: of items that did not end, of a seal.

    Raises `Refused` that names a file that it did not make.
    """
    kept = {file.path for record in state.records.values() for file in record.files}
    ours = {MANIFEST_NEW, SUMS, *PAGES, *(file.path for file in state.derived)}
    for path, mode in folder.walk():
        if stat.S_ISDIR(mode) or path in kept or path in (JOURNAL, LOCK):
            continue
        if path in ours or path.startswith(f"{PARTIAL}/") or is_of_the_plan(path, state.header):
            yield path
        else:
            raise Refused(
                f"{folder.root} holds {path!r}, which no run of Clinic made",
                hint="move it out of the directory, then try again",
            )


def is_of_the_plan(path: str, header: Header) -> bool:
    """Whether a run of that plan may have written `path`, though no record lists it."""
    for entry in header.entries:
        folder, slash, name = entry.path.rpartition("/")
        stem = f"{folder}{slash}{name.partition('.')[0]}"
        begins = (entry.path + "/", entry.path + ".", entry.path + "~", stem + "~")
        if fold(path) == fold(entry.path) or path.startswith(begins):
            return True
    return False


def clean(folder: Folder, state: State) -> None:
    """Remove what `leftovers` finds, and the folders that are empty then."""
    for path in list(leftovers(folder, state)):
        folder.remove(path)
    folder.prune()
