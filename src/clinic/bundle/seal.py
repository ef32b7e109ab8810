"""The last steps of a bundle, each of which may be the one at which the machine loses its power."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from clinic.bundle.filter import Filter
from clinic.bundle.manifest import Manifest
from clinic.bundle.names import JOURNAL, MANIFEST, MANIFEST_NEW, PAGES, SUMS, Names, safe_path
from clinic.bundle.part import Placed
from clinic.bundle.record import FileEntry
from clinic.bundle.resume import Sealed
from clinic.bundle.store import Store
from clinic.bundle.structure import sums
from clinic.kinds import Content
from clinic.newfile import disk_errors
from clinic.outcome import Reason
from clinic.redact import Redactor


def derive(path: str, data: bytes, store: Store, redactor: Redactor, names: Names) -> Placed:
    """Write the derived file `path`, small and uncompressed, in the room for the seal if need be."""
    through = Filter(redactor.stream(Content.TEXT), Content.TEXT)
    version = redactor.register.version
    seen = through.feed(data) + through.finish()
    name = path if path in PAGES else names.claim(safe_path(path))
    store.put(name, seen)
    file = FileEntry(
        name, len(seen), len(seen), hashlib.sha256(seen).hexdigest(), redactions=through.counts,
        reason=Reason.REDACTION_FAILED if through.failure else None,
    )  # fmt: skip
    return Placed(file, version, Content.TEXT)


def write_seal(store: Store, root: Path, manifest: Manifest, step: Callable[[str], None]) -> Sealed:
    """Seal the bundle in `root` with `manifest`. `step` is told what was just done.

    Until the manifest has its name the bundle is not sealed and its journal counts; from then on it is.
    """
    data = manifest.to_json()
    identity = hashlib.sha256(data).hexdigest()
    store.put(MANIFEST_NEW, data)
    step("manifest")
    store.put(SUMS, sums(manifest.files(), identity))
    step("sums")
    store.syncer.flush()
    step("synced")
    store.space.give_room()
    with disk_errors(root):
        store.folder.prune()
        store.folder.rename(MANIFEST_NEW, MANIFEST)
        step("sealed")
        store.folder.sync()
        step("sealed and synced")
        store.folder.remove(JOURNAL)
    step("journal removed")
    return Sealed(identity, root, manifest)
