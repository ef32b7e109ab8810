"""A sealed bundle as one file, verified while it is packed, and beside it what it holds."""

from __future__ import annotations

import hashlib
import itertools
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path

from clinic.bundle.layout import MANIFEST, SUMS, safe_name
from clinic.bundle.manifest import Manifest, Run
from clinic.bundle.member import open_stored
from clinic.bundle.package import ENDING, Kept, LeakResult, Package
from clinic.bundle.record import FileEntry
from clinic.container import age, archive
from clinic.container.behind import Behind
from clinic.container.split import Parts
from clinic.errors import BadBundle, Refused
from clinic.kinds import Sensitivity
from clinic.newfile import NewFile, put
from clinic.progress import Progress
from clinic.read.leaveout import Chosen, choose
from clinic.read.missing import groups
from clinic.read.open import Opened
from clinic.read.summary import group_lines
from clinic.units import MIB

PLAIN, AGE = "tar.zst", "tar.zst.age"
"""The containers, as `Package.container` calls them."""

ITSELF = "bundle"
"""What the manifest, the digests and the summary count as."""

_COLUMNS = 200


def pack(
    opened: Opened,
    out: Path,
    *,
    recipients: Sequence[str] = (),
    without: Sequence[str] = (),
    split: int | None = None,
    leaks: LeakResult | None = None,
    progress: Progress | None = None,
) -> Package:
    """Make the package `out` of a sealed bundle, and `out` + `.json` with what it holds, both 0600.

    With `recipients` (`age1...`) it is encrypted to them, and nothing of it reaches the disk in clear. `without` leaves
    out files: see `choose`. With `split` it comes as parts of so many bytes in the directory `out` + `.parts`. `leaks`
    is what was found in the bundle. Every byte is held against its digest on the way.

    What fails leaves nothing. Raises `UsageError` for a bundle that is not sealed, a pattern that means nothing and
    what is no recipient; `BadBundle` for a byte that is not the one that was sealed; `DiskFull`; `Refused` where
    something is called `out` already.
    """
    if os.path.lexists(out):
        raise Refused(f"there is something at {out} already", hint="remove it, or name another file with -o")
    chosen = choose(opened, without)
    if recipients:
        age.parse_recipients(recipients)
    job = _Job(opened, chosen, recipients, tuple(without), leaks or LeakResult(""), progress or Progress())
    if split is not None:
        with Parts(out.with_name(f"{out.name}.parts"), out.name, split) as parts:
            package = job.fill(parts.write, out.name)
            parts.put(out.name + ENDING, package.to_json())
            parts.keep()
        return package
    with NewFile(out) as new:
        package = job.fill(new.write, out.name)
        # First the facts: where there is a package they are beside it.
        put(out.with_name(out.name + ENDING), package.to_json())
        new.keep()
    return package


def default_name(opened: Opened, *, encrypted: bool) -> str:
    """What a package of the bundle is called where nobody says otherwise."""
    return f"{folder_name(opened.run)}.{AGE if encrypted else PLAIN}"


def folder_name(run: Run) -> str:
    """The one folder in a package: the same for the same bundle, whatever its directory is called."""
    return safe_name(f"clinic-{run.cluster.name}-{re.sub('[^0-9TZ]', '', run.created)}")


class _Job:
    """One package on its way."""

    def __init__(
        self,
        opened: Opened,
        chosen: Chosen,
        recipients: Sequence[str],
        without: tuple[str, ...],
        leaks: LeakResult,
        progress: Progress,
    ) -> None:
        self._opened = opened
        self._chosen = chosen
        self._recipients = recipients
        self._without = without
        self._leaks = leaks
        self._progress = progress

    def fill(self, write: Callable[[bytes], None], name: str) -> Package:
        """Hand the package's bytes to `write`; what it is then."""
        files = self._chosen.files
        self._progress.begin("packing", len(files), sum(file.stored for file in files))
        pieces = archive.write(self._members(), _moment(self._chosen.manifest))
        with Behind(write) as behind:
            if self._recipients:
                age.encrypt(pieces, self._recipients, behind.write)
            else:
                for piece in pieces:
                    behind.write(piece)
            digest = behind.finish()
        self._progress.end()
        return self._package(name, digest, behind.size)

    def _members(self) -> Iterator[archive.Member]:
        folder, made = folder_name(self._chosen.manifest.run), self._chosen.made
        for name in (MANIFEST, SUMS):
            yield archive.Member(f"{folder}/{name}", len(made[name]), [made[name]])
        for file in self._chosen.files:
            content = [made[file.path]] if file.path in made else self._content(file)
            yield archive.Member(f"{folder}/{file.path}", file.stored, content, packed=file.compressed)

    def _content(self, file: FileEntry) -> Iterator[bytes]:
        """The stored bytes of `file`. Raises `BadBundle` at the end where they are not the ones that were sealed."""
        root, digest = self._opened.root, hashlib.sha256()
        self._progress.started(file.path, file.path)
        with open_stored(root, file.path) as stream:
            left = file.stored
            while left and (data := stream.read(min(MIB, left))):
                digest.update(data)
                left -= len(data)
                self._progress.moved(file.path, len(data))
                yield data
            if left or stream.read(1) or digest.hexdigest() != file.sha256:
                raise BadBundle(
                    f"{root}: {file.path!r} is not the file that was sealed", hint=f"clinic verify {root}"
                )
        self._progress.ended(file.path, "ok")

    def _package(self, name: str, sha256: str, size: int) -> Package:
        manifest = self._chosen.manifest
        run, cluster = manifest.run, manifest.run.cluster
        return Package(
            bundle=self._chosen.id, name=name, sha256=sha256, size=size,
            container=AGE if self._recipients else PLAIN,
            created=datetime.now(timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z"),
            complete=manifest.complete, cluster=cluster.name, cluster_id=cluster.id, version=cluster.version,
            start=run.window.start, end=run.window.end, case=run.case, recipients=tuple(self._recipients),
            kept=tuple(_kept(self._chosen)), missing=tuple(_missing(manifest)), redaction=manifest.redaction,
            privacy=str(run.options.get("privacy", "none")), leaks=self._leaks, left_out=self._without,
        )  # fmt: skip


def _moment(manifest: Manifest) -> int:
    try:
        return int(datetime.fromisoformat(manifest.ended.replace("Z", "+00:00")).timestamp())
    except ValueError as error:
        raise BadBundle(f"{MANIFEST}: ended is {manifest.ended!r}, which is no time") from error


def _kept(chosen: Chosen) -> Iterator[Kept]:
    found: dict[tuple[str, str], list[FileEntry]] = {}
    for record in chosen.manifest.records:
        found.setdefault((record.entry.category, record.entry.sensitivity), []).extend(record.files)
    for (category, sensitivity), files in sorted(found.items()):
        if files:
            yield _sum(category, sensitivity, files)
    whole = [FileEntry(name, len(chosen.made[name]), len(chosen.made[name]), "") for name in (MANIFEST, SUMS)]
    yield _sum(ITSELF, str(Sensitivity.INTERNAL), [*whole, *chosen.manifest.derived])


def _sum(category: str, sensitivity: str, files: Iterable[FileEntry]) -> Kept:
    listed = list(files)
    plain, stored = sum(file.plain for file in listed), sum(file.stored for file in listed)
    return Kept(category, sensitivity, len(listed), plain, stored)


def _missing(manifest: Manifest) -> Iterator[str]:
    for group in groups(manifest.records):
        yield from (line.strip() for line in itertools.islice(group_lines(group, _COLUMNS, 1), 1))
