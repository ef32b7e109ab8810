"""Removes a bundle from the disk: the files that Clinic wrote, by its manifest or journal, and nothing else."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable
from pathlib import Path

from clinic.bundle.folder import Folder
from clinic.bundle.journal import Header
from clinic.bundle.manifest import Manifest
from clinic.bundle.names import JOURNAL, LOCK, MANIFEST, MANIFEST_NEW, PAGES, PARTIAL, SUMS
from clinic.bundle.reader import load_journal
from clinic.bundle.resume import is_of_the_plan
from clinic.bundle.structure import read_whole

_LAST = (SUMS, JOURNAL, MANIFEST)
"""Removed last, in this order: what is left when it is interrupted still says what it is."""


def remove_bundle(root: Path, owner: tuple[int, int] | None) -> tuple[str, ...]:
    """Remove the bundle in the directory `root`; the paths of files in it that Clinic did not write, which stay.

    The directory goes too where nothing is left in it. Links are removed, never followed. Raises `BadBundle` for what
    is no bundle, `Refused` for one that is someone else's or that a run is writing.
    """
    folder = Folder.existing(root, owner)
    try:
        folder.lock()
        is_ours = _ours(root)
        folder.require_here()
        files = [path for path, mode in folder.walk() if not stat.S_ISDIR(mode)]
        for path in sorted(filter(is_ours, files), key=_when):
            folder.remove(path)
        folder.prune()
        left = tuple(path for path in files if path != LOCK and not is_ours(path))
        folder.unlock()
    finally:
        folder.close()
    with contextlib.suppress(OSError):  # there is something left, which was said
        root.rmdir()
    return left


def _when(path: str) -> tuple[int, str]:
    return (_LAST.index(path) + 1 if path in _LAST else 0), path


def _ours(root: Path) -> Callable[[str], bool]:
    """Tells which paths Clinic wrote. Raises `BadBundle` where neither manifest nor journal is one of a bundle."""
    own = {MANIFEST, SUMS, JOURNAL, MANIFEST_NEW, *PAGES}
    headers: list[Header] = []
    if os.path.lexists(root / MANIFEST):
        manifest = Manifest.from_json(read_whole(root, MANIFEST))
        own |= {file.path for file in manifest.files()}
    else:
        journal = load_journal(root)
        own |= {file.path for record in journal.records.values() for file in record.files}
        own |= set(journal.derived)
        headers.append(journal.header)

    def is_ours(path: str) -> bool:
        inside = path.startswith(f"{PARTIAL}/") or any(is_of_the_plan(path, header) for header in headers)
        return path in own or (inside and path != LOCK)

    return is_ours
