"""A package as the bundle it was made from. Nothing in it is believed before it was held against its manifest."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import BinaryIO

from clinic.bundle.manifest import LARGEST, Manifest
from clinic.bundle.names import MANIFEST, SUMS, fold, is_confined
from clinic.bundle.packagefile import read_facts
from clinic.bundle.reader import Bundle
from clinic.bundle.record import FileEntry
from clinic.bundle.spool import Spool
from clinic.bundle.structure import listed_files, sums
from clinic.container import age, archive
from clinic.container.ageheader import MAGIC
from clinic.errors import BadBundle, ClinicError, UsageError
from clinic.progress import Progress
from clinic.read.newdirectory import new_directory, write_file
from clinic.read.open import open_package
from clinic.units import MIB, human_size

_ZSTD = b"\x28\xb5\x2f\xfd"
_HEAD = len(MAGIC)

Put = Callable[[str, Iterable[bytes]], str]
"""Writes a file and gives the SHA-256 of its bytes."""


def default_directory(package: Path) -> Path:
    """Where a package is unpacked to when nobody says: its name without its endings, in the working directory."""
    name = package.name
    for ending in (".age", ".zst", ".tar"):
        name = name.removesuffix(ending)
    return Path(name if name != package.name else f"{name}.bundle")


def unpack(
    package: Path, out: Path, *, identities: Sequence[Path] = (), progress: Progress | None = None
) -> Bundle:
    """The bundle in the new directory `out`, 0700, every byte of it held against its manifest.

    `identities` are files of those that open an encrypted package. What fails leaves nothing. Raises `BadBundle` for
    a package that is damaged, was changed, or was made to harm: no path leaves the directory, no link, device or name
    that is there twice is made, and no more is written than the manifest says, which comes first.
    """
    told = progress or Progress()
    with opened_package(package, identities) as stream, new_directory(out) as folder:
        _Unpacking(package, partial(write_file, folder), told).run(archive.read(stream, str(package)))
        return Bundle.open(out)


@contextlib.contextmanager
def spooled(
    package: Path, *, identities: Sequence[Path] = (), progress: Progress | None = None
) -> Generator[Bundle]:
    """The bundle in `package` while this is open, held against its manifest as `unpack` does; nothing of it stays."""
    told = progress or Progress()
    with Spool(package) as spool:
        with opened_package(package, identities) as stream:
            _Unpacking(package, spool.put, told).run(archive.read(stream, str(package)))
        yield Bundle(spool)


@contextlib.contextmanager
def opened_package(package: Path, identities: Sequence[Path] = ()) -> Generator[BinaryIO]:
    """The `.tar.zst` in the file `package`, decrypted where it has to be.

    Raises `BadBundle` for what is no package, `UsageError` where identities are missing.
    """
    with open_package(package) as stream:
        head = stream.read(_HEAD)
        stream.seek(0)
        if head.startswith(_ZSTD):
            yield stream
        elif head == MAGIC:
            if not identities:
                raise UsageError(
                    f"{package} is encrypted", hint="name the file of your age identity: --identity FILE"
                )
            keys = [key for path in identities for key in age.identities_in(path)]
            with age.decrypting(stream, str(package), keys, _recipients(package)) as plain:
                yield plain
        else:
            raise BadBundle(f"{package} is no package: it is neither .tar.zst nor .tar.zst.age")


def _recipients(package: Path) -> tuple[str, ...]:
    """Whom the package is for, as the facts beside it say; empty where they can't."""
    try:
        return read_facts(package).recipients
    except ClinicError:
        return ()


class _Unpacking:
    """One package on its way to the disk."""

    def __init__(self, package: Path, put: Put, progress: Progress) -> None:
        self._package = package
        self._put = put
        self._progress = progress
        self._seen: set[str] = set()
        self._sums = b""

    def run(self, members: Iterator[archive.Found]) -> None:
        raw, root = self._manifest(members)
        listed = listed_files(Manifest.from_json(raw))
        self._sums = sums(listed.values(), hashlib.sha256(raw).hexdigest())
        self._progress.begin("unpacking", len(listed), sum(file.stored for file in listed.values()))
        for found in members:
            self._member(found, root, listed)
        self._progress.end()
        missing = [path for path in (SUMS, *listed) if path not in self._seen]
        if missing:
            raise self._bad(
                f"{missing[0]!r} is missing" + (f", and {len(missing) - 1} more" if missing[1:] else "")
            )
        # The manifest is the seal: until it has its name nobody takes this for a bundle.
        self._put(MANIFEST, (raw,))

    def _manifest(self, members: Iterator[archive.Found]) -> tuple[bytes, str]:
        """The manifest's bytes, and the folder in which everything is."""
        first = next(members, None)
        root, _, name = first.name.partition("/") if first is not None else ("", "", "")
        if first is None or name != MANIFEST or not is_confined(root):
            raise self._bad(f"its first member is not {MANIFEST}")
        if first.size > LARGEST:
            raise self._bad(
                f"its {MANIFEST} has {human_size(first.size)}, more than the {human_size(LARGEST)} it may"
            )
        return first.stream.read(), root

    def _member(self, found: archive.Found, root: str, listed: dict[str, FileEntry]) -> None:
        folder, _, path = found.name.partition("/")
        if folder != root or not is_confined(path):
            raise self._bad(f"{found.name!r} is not a path inside of {root!r}")
        if fold(path) in self._seen:
            raise self._bad(f"{path!r} is there twice")
        self._seen |= {path, fold(path)}
        if path == SUMS and not found.folder:
            if found.size != len(self._sums) or found.stream.read() != self._sums:
                raise self._bad(f"its {SUMS} is not that of its {MANIFEST}")
            self._put(path, (self._sums,))
        elif found.folder or path not in listed:
            raise self._bad(f"{path!r} is not in {MANIFEST}")
        else:
            self._file(found, listed[path])

    def _file(self, found: archive.Found, file: FileEntry) -> None:
        if found.size != file.stored:
            raise self._bad(f"{file.path!r} has {found.size:,} bytes instead of {file.stored:,}")
        self._progress.started(file.path, file.path)
        if self._put(file.path, self._pieces(found.stream, file.path)) != file.sha256:
            raise self._bad(f"{file.path!r} is not the file that was sealed: its digest differs")
        self._progress.ended(file.path, "ok")

    def _pieces(self, stream: BinaryIO, path: str) -> Iterator[bytes]:
        while data := stream.read(MIB):
            self._progress.moved(path, len(data))
            yield data

    def _bad(self, what: str) -> BadBundle:
        return BadBundle(f"{self._package}: {what}")
