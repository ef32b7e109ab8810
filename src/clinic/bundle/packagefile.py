"""A package as a file with its facts beside it."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from clinic.bundle.package import ENDING, Package
from clinic.errors import BadBundle, UsageError
from clinic.progress import Progress
from clinic.units import MIB

LIMIT = 64 * MIB
"""Bytes of the longest `PACKAGE.json` that is read."""


def read_package(path: Path, progress: Progress | None = None) -> Package:
    """What stands beside the package `path`, once the package is known to be the file that it tells of.

    Raises `UsageError` where one of the two is not there, `BadBundle` where they don't belong together.
    """
    if path.is_dir():
        raise UsageError(
            f"{path} is a directory", hint=f"make a package of a bundle first: clinic pack {path}"
        )
    package = read_facts(path)
    size, digest = _measured(path, progress or Progress())
    require_same(package, path, size, digest)
    return package


def require_same(package: Package, path: Path, size: int, digest: str) -> None:
    """Raise `BadBundle` unless the file at `path`, with this size and SHA-256, is the one that `package` tells of."""
    if (size, digest) != (package.size, package.sha256):
        raise BadBundle(
            f"{path} is not the package that {path.name}{ENDING} tells of",
            hint="make it anew: clinic pack BUNDLE",
        )


def read_facts(path: Path) -> Package:
    """What stands beside the package `path`, whatever the package is. Raises `UsageError`, `BadBundle`."""
    beside = path.with_name(path.name + ENDING)
    try:
        with beside.open("rb") as stream:
            data = stream.read(LIMIT + 1)
    except FileNotFoundError as error:
        raise UsageError(
            f"{beside} is not there, and without it nobody can say what {path.name} holds",
            hint="keep the two together; clinic pack BUNDLE makes both",
        ) from error
    if len(data) > LIMIT:
        raise BadBundle(f"{beside} is longer than {LIMIT} bytes")
    return Package.from_json(data, str(beside))


def _measured(path: Path, progress: Progress) -> tuple[int, str]:
    """Bytes and SHA-256 of the file."""
    if not path.is_file():
        raise UsageError(f"there is no package {path}", hint="name a file that clinic pack made")
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as stream:
        progress.begin("checking", 1, os.fstat(stream.fileno()).st_size)
        while data := stream.read(MIB):
            digest.update(data)
            size += len(data)
            progress.moved(path.name, len(data))
        progress.ended(path.name, "ok")
        progress.end()
    return size, digest.hexdigest()
