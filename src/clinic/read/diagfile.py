"""A `.diag` file for its reader: its header, with the key its metadata, its files, and whether it is whole."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from clinic.bundle.names import fold, is_confined
from clinic.bundle.spool import Spool
from clinic.container import archive, diag
from clinic.errors import BadBundle, UsageError
from clinic.progress import Progress
from clinic.read.fromdiag import FromDiag
from clinic.read.newdirectory import new_directory, write_file
from clinic.read.open import is_package, open_package
from clinic.units import MIB


@dataclass(frozen=True, slots=True)
class DiagFacts:
    """What was found in a `.diag`."""

    metadata: Mapping[str, Any]
    """What it says of itself."""

    files: tuple[tuple[str, int], ...]
    """Path and bytes of each file, in its order."""


def is_diag(path: Path) -> bool:
    """Whether the file `path` begins like one."""
    if not is_package(path):
        return False  # to open a pipe would wait for somebody to write into it
    try:
        with path.open("rb") as stream:
            return stream.read(len(diag.MAGIC)) == diag.MAGIC
    except OSError:
        return False  # who opens it says why


def head_of(path: Path) -> diag.Head:
    """What stands in clear. Raises `BadBundle`."""
    with open_package(path) as stream:
        return diag.read_head(stream, str(path))


@contextmanager
def _decrypted(path: Path, key: Path | None) -> Generator[tuple[Mapping[str, Any], Iterator[archive.Found]]]:
    if key is None:
        raise UsageError(f"{path} is encrypted", hint="name the private key of its certificate: --key FILE")
    with (
        open_package(path) as stream,
        diag.decrypting(stream, str(path), diag.private_key(key)) as (data, payload),
    ):
        yield _metadata(path, data), _checked(path, archive.read(payload, str(path)))


def _metadata(path: Path, data: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BadBundle(f"{path}: its metadata is damaged") from error
    if not isinstance(found, dict):
        raise BadBundle(f"{path}: its metadata is damaged")
    return cast("Mapping[str, Any]", found)


def _checked(path: Path, members: Iterator[archive.Found]) -> Iterator[archive.Found]:
    """The files among `members`. Raises `BadBundle` for a path that leaves the directory, or comes twice."""
    seen: set[str] = set()
    for found in members:
        name = found.name.rstrip("/") if found.folder else found.name
        # diag's names of metrics have colons in them.
        if not is_confined(name.replace(":", "_")):
            raise BadBundle(f"{path}: {found.name!r} is not a path inside of it")
        if found.folder:
            continue
        if fold(name) in seen:
            raise BadBundle(f"{path}: {name!r} is there twice")
        seen.add(fold(name))
        yield found


def examine_diag(path: Path, key: Path | None, progress: Progress | None = None) -> DiagFacts:
    """Read all of it. Raises `BadBundle` where it is damaged, or does not hold as many bytes as it says."""
    told = progress or Progress()
    with _decrypted(path, key) as (metadata, members):
        told.begin("reading", 1, None)
        files: list[tuple[str, int]] = []
        for found in members:
            files.append((found.name, found.size))
            while data := found.stream.read(MIB):
                told.moved(found.name, len(data))
        _require_size(path, metadata, sum(size for _, size in files))
        told.end()
    return DiagFacts(metadata, tuple(files))


def unpack_diag(path: Path, out: Path, key: Path | None, progress: Progress | None = None) -> DiagFacts:
    """Write its files into the new directory `out`. What fails leaves nothing; raises as `examine_diag` does."""
    told = progress or Progress()
    with _decrypted(path, key) as (metadata, members), new_directory(out) as folder:
        told.begin("unpacking", 1, None)
        files: list[tuple[str, int]] = []
        for found in members:
            files.append((found.name, found.size))
            _require_room(path, metadata, sum(size for _, size in files))
            write_file(folder, found.name, _pieces(found.stream))
        _require_size(path, metadata, sum(size for _, size in files))
        told.end()
    return DiagFacts(metadata, tuple(files))


@contextmanager
def spooled_diag(path: Path, key: Path | None, progress: Progress | None = None) -> Generator[FromDiag]:
    """Its files for the readers while this is open; nothing of them stays. Raises as `examine_diag` does."""
    told = progress or Progress()
    with Spool(path) as spool:
        with _decrypted(path, key) as (metadata, members):
            told.begin("reading", 1, None)
            size = 0
            for found in members:
                size += found.size
                _require_room(path, metadata, size)
                spool.put(found.name, _pieces(found.stream))
            _require_size(path, metadata, size)
            told.end()
        yield FromDiag(spool, spool.sizes())


def _pieces(stream: BinaryIO) -> Iterator[bytes]:
    while data := stream.read(MIB):
        yield data


def _require_room(path: Path, metadata: Mapping[str, Any], size: int) -> None:
    """Nothing else bounds what a made-up archive would write."""
    stated = metadata.get("dir_size")
    if not isinstance(stated, int) or size > stated:
        raise BadBundle(f"{path}: it holds more than the {stated!a} bytes that it says")


def _require_size(path: Path, metadata: Mapping[str, Any], size: int) -> None:
    if metadata.get("dir_size") != size:
        raise BadBundle(f"{path}: it holds {size:,} bytes, and says that it has {metadata.get('dir_size')!a}")
