"""What Clinic has left on this machine: bundles, packages, and the keys of pseudonyms."""

from __future__ import annotations

import enum
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from clinic.bundle.manifest import Manifest, Run
from clinic.bundle.names import JOURNAL, MANIFEST, SUMS
from clinic.bundle.package import ENDING, Package
from clinic.bundle.reader import Unsealed
from clinic.bundle.record import FileEntry
from clinic.bundle.remove import remove_bundle
from clinic.bundle.structure import read_whole
from clinic.errors import BadBundle, ClinicError, UsageError
from clinic.home import calling_user
from clinic.read.privacypage import LITERALS, level_of
from clinic.read.privatemap import PrivateMap
from clinic.redact.privacy import Level
from clinic.scratch import left, sweep
from clinic.units import MIB

_LARGEST_SIDECAR = 16 * MIB
PARTS = ".parts"
"""Ending of the directory with the parts of a package."""

_SCRATCH = re.compile(r"\.clinic-\w+|\..+\.parts\.[0-9a-f]{8}|clinic-promql-\w+")
"""What `clinic.scratch` and `clinic.container.split` call theirs."""

_PIECE = re.compile(r"\.\d{3,}")


class What(str, enum.Enum):
    """Kinds of things that are left."""

    BUNDLE = "bundle"
    UNSEALED = "unsealed"
    """What a run left that never came to its end."""

    PACKAGE = "package"
    SCRATCH = "left over"
    """A temporary directory of a command that was killed."""

    KEY = "key"
    """The key of a cluster's pseudonyms, and what each stands for."""

    def __str__(self) -> str:
        return str(self.value)


@dataclass(frozen=True, slots=True)
class Left:
    """One thing that Clinic made and that is still there."""

    what: What
    """Its kind."""

    path: Path
    """Where it is."""

    cluster: str
    """Name of the cluster; of a key the name of its directory."""

    created: str
    """When it was made, RFC 3339, UTC; empty when nobody can say."""

    size: int = 0
    """Bytes on disk."""

    privacy: str = "none"
    """What was replaced in it: `none`, `identifiers`, `strict`, `values in SQL`."""

    id: str = ""
    """The cluster's id, by which its key is kept; empty when unknown."""

    names: int = 0
    """Of a key: how many pseudonyms can be turned back with it."""

    def age(self, now: datetime) -> float | None:
        """Seconds since it was made; None when nobody can say."""
        try:
            return max(
                0.0, (now - datetime.fromisoformat(self.created.replace("Z", "+00:00"))).total_seconds()
            )
        except (ValueError, TypeError):
            return None


def things(places: Iterable[Path]) -> Iterator[Left]:
    """The bundles and packages at `places`, each one itself or a directory in which they are; not further down.

    Raises `UsageError` for a place that is not there.
    """
    seen: set[Path] = set()
    for place in places:
        if not os.path.lexists(place):
            raise UsageError(
                f"there is nothing at {place}", hint="name a bundle, a package or a directory of them"
            )
        for path in _candidates(place):
            found = _look(path) if path.absolute() not in seen else None
            seen.add(path.absolute())
            if found is not None:
                yield found


def _candidates(place: Path) -> list[Path]:
    if not place.is_dir() or _look(place) is not None:
        return [place]
    return sorted(place.iterdir())


def _look(path: Path) -> Left | None:
    """What is at `path`; None for what Clinic did not make. A link is never followed."""
    if path.is_symlink():
        return None
    try:
        return (_scratch(path) or _parts(path) or _bundle(path)) if path.is_dir() else _package(path)
    except (ClinicError, OSError):
        return None  # a stranger's manifest.json, or what this account may not read


def _scratch(path: Path) -> Left | None:
    """A temporary directory that no command holds any more."""
    if not _SCRATCH.fullmatch(path.name) or path not in left(path.parent, path.name):
        return None
    size = sum(file.lstat().st_size for file in path.rglob("*") if not file.is_dir())
    when = datetime.fromtimestamp(path.stat().st_mtime, timezone.utc).isoformat(timespec="seconds")
    return Left(What.SCRATCH, path, "", when, size)


def _bundle(path: Path) -> Left | None:
    if os.path.lexists(path / MANIFEST):
        raw = read_whole(path, MANIFEST)
        manifest = Manifest.from_json(raw)
        return _of_run(What.BUNDLE, path, manifest.run, manifest.ended, manifest.files(), len(raw))
    if os.path.lexists(path / JOURNAL):
        left = Unsealed(path)
        return _of_run(What.UNSEALED, path, left.header.run, left.header.run.created, left.files(), 0)
    return None


def _of_run(what: What, path: Path, run: Run, when: str, files: Iterable[FileEntry], more: int) -> Left:
    level, size = level_of(run), more + sum(file.stored for file in files)
    hidden = "values in SQL" if level is Level.NONE and run.options.get(LITERALS) else str(level)
    return Left(what, path, run.cluster.name, when, size, hidden, run.cluster.id or run.cluster.name)


def _package(path: Path) -> Left | None:
    """A package by the facts beside it; without them it could be anybody's file."""
    found = _facts(path.with_name(path.name + ENDING))
    if found is None:
        return None
    if found.name != path.name or found.size != path.stat().st_size:
        raise BadBundle(f"{path.name}{ENDING} is about another file")
    return _left(path, found)


def _parts(path: Path) -> Left | None:
    """The directory of a package that `clinic pack --split` made, by the facts in it."""
    name = path.name.removesuffix(PARTS)
    found = _facts(path / (name + ENDING)) if name != path.name else None
    return None if found is None or found.name != name else _left(path, found)


def _facts(path: Path) -> Package | None:
    if not path.is_file() or path.is_symlink() or path.stat().st_size > _LARGEST_SIDECAR:
        return None
    return Package.from_json(path.read_bytes(), path.name)


def _left(path: Path, found: Package) -> Left:
    size = sum(file.stat().st_size for file in _files(path))
    cluster = found.cluster_id or found.cluster
    return Left(What.PACKAGE, path, found.cluster, found.created, size, found.privacy, cluster)


def _files(path: Path) -> list[Path]:
    """What belongs to the package or the directory of its parts at `path`, its facts last."""
    if not path.is_dir():
        return [path, path.with_name(path.name + ENDING)]
    name = path.name.removesuffix(PARTS)
    pieces = [one for one in sorted(path.iterdir()) if _PIECE.fullmatch(one.name.removeprefix(name))]
    return [*pieces, *(one for one in (path / SUMS, path / (name + ENDING)) if one.is_file())]


def keys() -> Iterator[Left]:
    """The keys of pseudonyms in the user's state directory."""
    for private in PrivateMap.every():
        files = [file for file in private.files() if file.is_file()]
        made = min((file.stat().st_mtime for file in files), default=0.0)
        when = datetime.fromtimestamp(made, timezone.utc).isoformat(timespec="seconds") if made else ""
        name, size = private.directory.name, sum(file.stat().st_size for file in files)
        yield Left(What.KEY, private.directory, name, when, size, id=name, names=len(private.names()))


def remove(thing: Left) -> tuple[str, ...]:
    """Remove it; what stays because Clinic did not make it. Raises as `remove_bundle` does."""
    if thing.what is What.KEY:
        return PrivateMap(thing.path.name).remove()
    if thing.what is What.SCRATCH:
        sweep(thing.path.parent, thing.path.name)
        return ()
    if thing.what is not What.PACKAGE:
        return remove_bundle(thing.path, calling_user())
    if _look(thing.path) is None:
        raise BadBundle(f"{thing.path} is no longer what it was a moment ago")
    for path in _files(thing.path):
        path.unlink(missing_ok=True)
    if not thing.path.is_dir():
        return ()
    left = tuple(sorted(path.name for path in thing.path.iterdir()))
    if not left:
        thing.path.rmdir()
    return left
