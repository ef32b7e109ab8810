"""A sealed bundle as one file, verified while it is packed, and beside it what it holds."""

from __future__ import annotations

import hashlib
import itertools
import os
import re
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

from clinic.bundle.manifest import Manifest, Run
from clinic.bundle.member import open_stored
from clinic.bundle.names import MANIFEST, SUMS, safe_name
from clinic.bundle.package import ENDING, Kept, LeakResult, Package
from clinic.bundle.record import FileEntry
from clinic.container import age, archive, diag
from clinic.container.in_threads import Behind, Follower
from clinic.container.split import Parts
from clinic.errors import BadBundle, Refused, UsageError
from clinic.formats.certificate import read_certificate
from clinic.kinds import Sensitivity
from clinic.newfile import NewFile, put
from clinic.progress import Progress
from clinic.read.leaveout import Chosen, choose
from clinic.read.missing import group_lines, groups
from clinic.read.open import Opened
from clinic.units import KIB, MIB

PLAIN, AGE, DIAG = "tar.zst", "tar.zst.age", "diag"
"""The containers, as `Package.container` calls them."""

ITSELF = "bundle"
"""What the manifest, the digests and the summary count as."""

_COLUMNS = 200

_SMALL = 256 * KIB
"""Bytes that are hashed sooner than handed over."""

_THREADS = 2
"""That compress what was decompressed for a `.diag`; each needs memory."""


def pack(
    opened: Opened,
    out: Path,
    *,
    recipients: Sequence[str] = (),
    certificate: str = "",
    without: Sequence[str] = (),
    split: int | None = None,
    leaks: LeakResult | None = None,
    progress: Progress | None = None,
) -> Package:
    """Make the package `out` of a sealed bundle, and `out` + `.json` with what it holds, both 0600.

    With `recipients` (`age1...`) it is encrypted to them, and nothing of it reaches the disk in clear. With a PEM
    `certificate` it is the `.diag` that the Clinic Server takes. `without` leaves out files: see `choose`. With `split`
    it comes as parts of so many bytes in the directory `out` + `.parts`. `leaks` is what was found in the bundle.
    Every byte is held against its digest on the way.

    What fails leaves nothing. Raises `UsageError` for a bundle that is not sealed, a pattern that means nothing and
    what is no recipient; `BadBundle` for a byte that is not the one that was sealed; `DiskFull`; `Refused` where
    something is called `out` already.
    """
    if os.path.lexists(out):
        raise Refused(f"there is something at {out} already", hint="remove it, or name another file with -o")
    if recipients and certificate:
        raise UsageError("a .diag is encrypted to its certificate alone", hint="leave the recipients away")
    container = DIAG if certificate else AGE if recipients else PLAIN
    _require_honest(out.name, container)
    chosen = choose(opened, without)
    if recipients:
        age.parse_recipients(recipients)
    if certificate:
        diag.public_key(certificate)
    keys = (read_certificate(certificate).sha256,) if certificate else tuple(recipients)
    job = _Job(opened, chosen, keys, certificate, progress or Progress())
    found = leaks or LeakResult("")
    if split is not None:
        with Parts(out.with_name(f"{out.name}.parts"), out.name, split) as parts:
            package = replace(job.fill(parts.write, out), left_out=tuple(without), leaks=found)
            parts.put(out.name + ENDING, package.to_json())
            parts.keep()
        return package
    with NewFile(out) as new:
        package = replace(job.fill(new.write, out), left_out=tuple(without), leaks=found)
        # First the facts: where there is a package they are beside it.
        put(out.with_name(out.name + ENDING), package.to_json())
        new.keep()
    return package


def _require_honest(name: str, container: str) -> None:
    """Raise `UsageError` for a name that promises encryption and would be a lie."""
    promised = next((kind for ending, kind in ((".age", AGE), (".diag", DIAG)) if name.endswith(ending)), "")
    if promised and promised != container:
        raise UsageError(
            f"{name} would be called as if it were {promised}, and is {container}",
            hint="name a --recipient for .age or a --cert for .diag, or another file with -o",
        )


def default_name(opened: Opened, container: str) -> str:
    """What a package of the bundle is called where nobody says otherwise."""
    return f"{folder_name(opened.run)}.{container}"


def folder_name(run: Run) -> str:
    """The one folder in a package: the same for the same bundle, whatever its directory is called."""
    return safe_name(f"clinic-{run.cluster.name}-{re.sub('[^0-9TZ]', '', run.created)}")


class _Job:
    """One package on its way."""

    def __init__(
        self, opened: Opened, chosen: Chosen, keys: tuple[str, ...], certificate: str, progress: Progress
    ) -> None:
        self._opened = opened
        self._chosen = chosen
        self._keys = keys
        self._certificate = certificate
        self._progress = progress
        self._checking = Follower()

    def fill(self, write: Callable[..., None], out: Path) -> Package:
        """Hand the package's bytes to `write`; what it is then. `out` is what it will be called."""
        files = self._chosen.files
        self._progress.begin("packing", len(files), sum(file.stored for file in files))
        kept, lost = tuple(_kept(self._chosen)), ""
        with Behind(write) as behind, self._checking:
            if self._certificate:
                kept, lost = self._diag(out.parent, behind.write)
            elif self._keys:
                age.encrypt(self._archive(), self._keys, behind.write)
            else:
                for piece in self._archive():
                    behind.write(piece)
            self._checking.finish()
            digest = behind.finish()
        self._progress.end()
        return self._package(out.name, digest, behind.size, kept, lost)

    def _diag(self, scratch: Path, write: Callable[[bytes], None]) -> tuple[tuple[Kept, ...], str]:
        """The same as a `.diag`: what is in it, and what of the bundle is not."""
        from clinic.read.diagtree import diag_tree, members, metadata

        manifest = self._chosen.manifest
        with diag_tree(self._opened, self._chosen, scratch, self._progress) as tree:
            pieces = archive.write(members(tree), _moment(manifest), threads=_THREADS)
            diag.encrypt(metadata(tree, manifest), pieces, self._certificate, write)
            return tuple(_kept_of(manifest, tree.kept)), tree.lost

    def _archive(self) -> Iterator[bytes | memoryview]:
        return archive.write(self._members(), _moment(self._chosen.manifest))

    def _members(self) -> Iterator[archive.Member]:
        folder, made = folder_name(self._chosen.manifest.run), self._chosen.made
        for name in (MANIFEST, SUMS):
            yield archive.Member(f"{folder}/{name}", len(made[name]), [made[name]])
        for file in self._chosen.files:
            content = [made[file.path]] if file.path in made else self._content(file)
            yield archive.Member(f"{folder}/{file.path}", file.stored, content, packed=file.compressed)

    def _content(self, file: FileEntry) -> Iterator[bytes]:
        """The stored bytes of `file`. They are held against its digest behind, so the package ends, or does not."""
        digest = hashlib.sha256()
        do = self._checking.do if file.stored > _SMALL else _at_once
        self._progress.started(file.path, file.path)
        with open_stored(self._opened.root, file.path) as stream:
            left = file.stored
            while left and (data := stream.read(min(MIB, left))):
                do(digest.update, data)
                left -= len(data)
                self._progress.moved(file.path, len(data))
                yield data
            do(self._require_sealed, file, digest.hexdigest, not left and not stream.read(1))
        self._progress.ended(file.path, "ok")

    def _require_sealed(self, file: FileEntry, found: Callable[[], str], whole: bool) -> None:
        if not whole or found() != file.sha256:
            root = self._opened.root
            raise BadBundle(
                f"{root}: {file.path!r} is not the file that was sealed", hint=f"clinic verify {root}"
            )

    def _package(self, name: str, sha256: str, size: int, kept: tuple[Kept, ...], lost: str) -> Package:
        container = DIAG if self._certificate else AGE if self._keys else PLAIN
        facts = foreseen(self._chosen, name, container, self._keys)
        missing = (*facts.missing, *([lost] if lost else []))
        return replace(facts, sha256=sha256, size=size, kept=kept, missing=missing)


def foreseen(chosen: Chosen, name: str, container: str, keys: tuple[str, ...]) -> Package:
    """What can be said of a package before it is made: all but its digest and size.

    A `.diag` holds what diag knows of it; which that is shows when it is made, and is left away here.
    """
    manifest = chosen.manifest
    run, cluster = manifest.run, manifest.run.cluster
    return Package(
        bundle=chosen.id, name=name, sha256="", size=0, container=container,
        created=datetime.now(timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z"),
        complete=manifest.complete, cluster=cluster.name, cluster_id=cluster.id, version=cluster.version,
        start=run.window.start, end=run.window.end, case=run.case, recipients=keys,
        kept=() if container == DIAG else tuple(_kept(chosen)), missing=tuple(_missing(manifest)),
        redaction=manifest.redaction, privacy=str(run.options.get("privacy", "none")),
    )  # fmt: skip


def _at_once(work: Callable[..., object], *given: object) -> None:
    work(*given)


def _moment(manifest: Manifest) -> int:
    try:
        return int(datetime.fromisoformat(manifest.ended.replace("Z", "+00:00")).timestamp())
    except ValueError as error:
        raise BadBundle(f"{MANIFEST}: ended is {manifest.ended!r}, which is no time") from error


def _kept(chosen: Chosen) -> Iterator[Kept]:
    yield from _kept_of(chosen.manifest)
    whole = [FileEntry(name, len(chosen.made[name]), len(chosen.made[name]), "") for name in (MANIFEST, SUMS)]
    yield _sum(ITSELF, str(Sensitivity.INTERNAL), [*whole, *chosen.manifest.derived])


def _kept_of(manifest: Manifest, paths: Container[str] | None = None) -> Iterator[Kept]:
    """What the items left, or of that the files with these paths."""
    found: dict[tuple[str, str], list[FileEntry]] = {}
    for record in manifest.records:
        kept = [file for file in record.files if paths is None or file.path in paths]
        found.setdefault((record.entry.category, record.entry.sensitivity), []).extend(kept)
    for (category, sensitivity), files in sorted(found.items()):
        if files:
            yield _sum(category, sensitivity, files)


def _sum(category: str, sensitivity: str, files: Iterable[FileEntry]) -> Kept:
    listed = list(files)
    plain, stored = sum(file.plain for file in listed), sum(file.stored for file in listed)
    return Kept(category, sensitivity, len(listed), plain, stored)


def _missing(manifest: Manifest) -> Iterator[str]:
    for group in groups(manifest.records):
        yield from (line.strip() for line in itertools.islice(group_lines(group, _COLUMNS, 1), 1))
