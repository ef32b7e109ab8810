"""Whether a directory is the bundle that its manifest describes, seen without reading the files' contents."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from clinic.bundle.manifest import LARGEST, Manifest
from clinic.bundle.member import open_stored
from clinic.bundle.names import FIXED, JOURNAL, MANIFEST, PAGES, SUMS, UNLISTED, fold, is_confined
from clinic.bundle.record import FileEntry
from clinic.bundle.spool import Root, Spool
from clinic.errors import BadBundle

_DIGEST = re.compile(r"[0-9a-f]{64}\Z")
_SUM_LINE = re.compile(r"([0-9a-f]{64})  ([^\r\n]+)\Z")


@dataclass(frozen=True, slots=True)
class Structure:
    """What was found in a directory."""

    manifest: Manifest | None
    """What it says of itself; None when that can't be read."""

    id: str
    """The bundle's id: SHA-256 of the manifest."""

    defects: tuple[str, ...]
    """Everything that is not as it should be, a line each."""

    sound: tuple[FileEntry, ...] = ()
    """The listed files that are there in their size; whether their contents are right was not looked at."""


def examine(root: Root) -> Structure:
    """Compare the manifest, `SHA256SUMS` and the directory's listing, or that of the spool, with each other.

    Raises `BadBundle` where `root` is no sealed bundle at all.
    """
    if not isinstance(root, Spool):
        _require_sealed(root)
    defects: list[str] = []
    try:
        raw = read_whole(root, MANIFEST)
        sums = dict(_read_sums(root, defects))
        identity = hashlib.sha256(raw).hexdigest()
        if sums.pop(MANIFEST, identity) != identity:
            defects.append(f"{SUMS} has another digest of {MANIFEST!r} than the file")
        manifest = Manifest.from_json(raw)
    except BadBundle as error:
        return Structure(None, "", (*defects, error.message))
    listed = _listed(manifest, defects)
    defects += _compare_sums(manifest, sums)
    sound: list[FileEntry] = []
    defects += _compare_disk(root, listed, sound)
    return Structure(manifest, identity, tuple(defects), tuple(sound))


def _require_sealed(root: Path) -> None:
    if not os.path.isdir(root):  # noqa: PTH112 - a path that can't be reached is no directory, and no error
        raise BadBundle(f"{root} is not a directory", hint="name the directory of a bundle")
    if not os.path.lexists(root / MANIFEST):
        if os.path.lexists(root / JOURNAL):
            raise BadBundle(
                f"{root} is not sealed: its run did not come to an end",
                hint="clinic collect --resume DIR completes it, clinic seal DIR seals what there is",
            )
        raise BadBundle(
            f"{root} is not a bundle: it has no {MANIFEST}", hint="name the directory of a bundle"
        )


def read_whole(root: Root, name: str, *, limit: int = LARGEST) -> bytes:
    """The bytes of one of the fixed files. Raises `BadBundle` when it is not there, or absurdly large."""
    with open_stored(root, name) as stream:
        data = stream.read(limit + 1)
    if len(data) > limit:
        raise BadBundle(f"{name!r} is larger than {limit:,} bytes")
    return data


def _read_sums(root: Root, defects: list[str]) -> Iterator[tuple[str, str]]:
    """Path and digest of each line."""
    try:
        lines = read_whole(root, SUMS).decode("utf-8", "backslashreplace").split("\n")
    except BadBundle as error:
        defects.append(error.message)
        return
    if lines.pop():
        defects.append(f"{SUMS} is cut short")
    seen: set[str] = set()
    for number, line in enumerate(lines, 1):
        match = _SUM_LINE.match(line)
        if match is None:
            defects.append(f"{SUMS}: line {number} is not a digest, two blanks and a path")
        elif match[2] in seen:
            defects.append(f"{SUMS} lists {match[2]!r} twice")
        else:
            seen.add(match[2])
            yield match[2], match[1]
    if MANIFEST not in seen:
        defects.append(f"{SUMS} does not list {MANIFEST!r}")


def _listed(manifest: Manifest, defects: list[str]) -> dict[str, FileEntry | None]:
    """The files of the manifest that can exist, by path; None for one of which nothing more can be said."""
    listed: dict[str, FileEntry | None] = {}
    twins = Counter(fold(path) for path in {file.path for file in manifest.files()})
    for file in manifest.files():
        if not is_confined(file.path):
            defects.append(f"{MANIFEST} lists {file.path!r}, which is not a path inside the bundle")
        elif file.path in FIXED - PAGES:
            defects.append(f"{MANIFEST} lists {file.path!r}, which it may not")
        elif file.path in listed:
            defects.append(f"{MANIFEST} lists {file.path!r} twice")
        elif min(file.plain, file.stored) < 0 or not _DIGEST.match(file.sha256):
            defects.append(f"{MANIFEST} has an impossible size or digest of {file.path!r}")
            listed[file.path] = None
        else:
            if twins[fold(file.path)] > 1:
                defects.append(f"{file.path!r} has the name of another file where case does not matter")
            listed[file.path] = file
    return listed


def sums(files: Iterable[FileEntry], manifest_digest: str) -> bytes:
    """The bytes of `SHA256SUMS`, sorted by path, as `sha256sum` writes them."""
    lines = {file.path: file.sha256 for file in files}
    lines[MANIFEST] = manifest_digest
    return "".join(f"{digest}  {path}\n" for path, digest in sorted(lines.items())).encode()


def listed_files(manifest: Manifest) -> dict[str, FileEntry]:
    """The files that a manifest lists, by path. Raises `BadBundle` for the first that can't be in a bundle."""
    defects: list[str] = []
    listed = _listed(manifest, defects)
    if defects:
        raise BadBundle(defects[0])
    return {path: file for path, file in listed.items() if file is not None}


def _compare_sums(manifest: Manifest, sums: dict[str, str]) -> Iterator[str]:
    if not sums:
        return
    digests = {file.path: file.sha256 for file in manifest.files()}
    for path, digest in digests.items():
        if path not in sums:
            yield f"{SUMS} does not list {path!r}"
        elif sums[path] != digest:
            yield f"{SUMS} has another digest of {path!r} than {MANIFEST}"
    for path in sorted(sums.keys() - digests.keys()):
        yield f"{SUMS} lists {path!r}, which {MANIFEST} does not"


def _compare_disk(root: Root, listed: dict[str, FileEntry | None], sound: list[FileEntry]) -> Iterator[str]:
    missing = set(listed)
    folders = {path[:at] for path in listed for at, char in enumerate(path) if char == "/"}
    for path, mode, size in _there(root):
        missing.discard(path)
        if stat.S_ISDIR(mode):
            if path not in folders:
                yield f"the folder {path!r} is not in {MANIFEST}"
        elif not stat.S_ISREG(mode):
            yield f"{path!r} is {_kind(mode)}, and only plain files may be in a bundle"
        elif path not in listed:
            if path not in UNLISTED:
                yield f"{path!r} is not in {MANIFEST}"
        elif (file := listed[path]) is not None:
            if size == file.stored:
                sound.append(file)
            else:
                yield f"{path!r} has {size:,} bytes instead of {file.stored:,}"
    yield from (f"{path!r} is missing" for path in listed if path in missing)


def _there(root: Root) -> Iterator[tuple[str, int, int]]:
    """Every path with its mode and size."""
    if isinstance(root, Spool):
        return ((path, stat.S_IFREG, size) for path, size in root.sizes())
    return ((path, status.st_mode, status.st_size) for path, status in walk(root))


def _kind(mode: int) -> str:
    if stat.S_ISLNK(mode):
        return "a link"
    return "a pipe" if stat.S_ISFIFO(mode) else "a socket" if stat.S_ISSOCK(mode) else "a device"


def walk(root: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Every path below `root` with what it is, sorted, links not followed."""
    pending = [""]
    while pending:
        folder = pending.pop()
        try:
            with os.scandir(root / folder) as found:
                entries = sorted((entry.name, entry.stat(follow_symlinks=False)) for entry in found)
        except OSError as error:
            raise BadBundle(f"{folder or str(root)!r} can't be listed: {error.strerror}") from error
        inner: list[str] = []
        for name, status in entries:
            path = f"{folder}/{name}" if folder else name
            yield path, status
            if stat.S_ISDIR(status.st_mode):
                inner.append(path)
        pending.extend(reversed(inner))
