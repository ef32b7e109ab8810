"""Whether what stands beside a package is what its own manifest says: what a person is shown must be inside."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from clinic.bundle.manifest import LARGEST, Manifest
from clinic.bundle.names import MANIFEST
from clinic.bundle.package import Package
from clinic.container import archive
from clinic.errors import BadBundle
from clinic.read.pack import ITSELF, PLAIN
from clinic.read.unpack import opened_package

Sums = dict[tuple[str, str], tuple[int, int, int]]


def require_inside(path: Path, package: Package) -> bool:
    """Hold `package` against the manifest in the file `path`; False where that can't be read, being encrypted.

    Raises `BadBundle` naming everything that differs.
    """
    if package.container != PLAIN:
        return False
    raw = _first(path)
    wrong = [*_differing(package, hashlib.sha256(raw).hexdigest(), Manifest.from_json(raw))]
    if wrong:
        raise BadBundle(
            f"what stands beside {path} is not what is in it: {', '.join(wrong)}",
            hint="make the package anew: clinic pack BUNDLE",
        )
    return True


def _first(path: Path) -> bytes:
    """The manifest, which is the first member."""
    with opened_package(path) as stream:
        found = next(archive.read(stream, str(path)), None)
        if found is None or found.name.partition("/")[2] != MANIFEST or found.size > LARGEST:
            raise BadBundle(f"{path}: its first member is not {MANIFEST}")
        return found.stream.read()


def _differing(package: Package, bundle: str, manifest: Manifest) -> Iterator[str]:
    run = manifest.run
    pairs: dict[str, tuple[object, object]] = {
        "the bundle id": (package.bundle, bundle),
        "the files": (_told(package), _held(manifest)),
        "the cluster": (package.cluster, run.cluster.name),
        "the window": ((package.start, package.end), (run.window.start, run.window.end)),
        "the case": (package.case, run.case),
        "whether it is complete": (package.complete, manifest.complete),
        "what was masked": (package.redaction, manifest.redaction),
        "the privacy level": (package.privacy, str(run.options.get("privacy", "none"))),
    }
    yield from (what for what, (told, held) in pairs.items() if told != held)


def _told(package: Package) -> Sums:
    return {
        (kept.category, kept.sensitivity): (kept.files, kept.plain, kept.stored)
        for kept in package.kept
        if kept.category != ITSELF
    }


def _held(manifest: Manifest) -> Sums:
    found: Sums = {}
    for record in manifest.records:
        key = (record.entry.category, record.entry.sensitivity)
        for file in record.files:
            files, plain, stored = found.get(key, (0, 0, 0))
            found[key] = (files + 1, plain + file.plain, stored + file.stored)
    return found
