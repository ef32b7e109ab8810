"""A Prometheus data directory from a bundle's chunks, as they are: no sample is decoded, so none can change."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from clinic.errors import Refused
from clinic.formats.readframes import Chunk, Labels, crc32c
from clinic.formats.tsdb import ChunkRef, ChunkWriter, meta, no_tombstones, ulid, write_index
from clinic.progress import Progress
from clinic.read.open import Opened
from clinic.read.samples import MetricsOf, pieces


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What was written."""

    blocks: int
    """Blocks: one, and another for each layer of chunks that overlap in time."""

    series: int
    """Series, each counted once."""

    samples: int
    """Samples, by the chunks' own headers."""

    bytes: int
    """Size of all blocks."""


class _Block:
    """A block that is being written."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.chunks = ChunkWriter(lambda segment: _new(place / "chunks" / f"{segment + 1:06d}"), crc32c)
        self.series: dict[Labels, list[ChunkRef]] = {}


def rebuild(opened: Opened, one: MetricsOf, place: Path, progress: Progress) -> Rebuilt:
    """Write the blocks of one server's metrics below the directory `place`, which is new or empty.

    `progress` has an item for each file. Raises `Refused` for a directory that is not empty, `BadBundle`.
    """
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(place.iterdir()):
        raise Refused(f"{place} is not empty", hint="name another directory with --dir")
    (place / "wal").mkdir(mode=0o700)  # promtool wants one
    blocks: list[_Block] = []
    for path in one.files:
        progress.started(path, path)
        for labels, chunks in pieces(opened, path):
            for chunk in chunks:
                _put(blocks, place, labels, chunk)
            progress.moved(path, sum(len(chunk.data) for chunk in chunks))
            progress.tick()
        progress.ended(path, "ok")
    return _finish(blocks, place, opened.id or str(opened.root))


def _put(blocks: list[_Block], place: Path, labels: Labels, chunk: Chunk) -> None:
    """Into the first block where it comes after all that is there of its series; what is there already is dropped."""
    for block in blocks:
        refs = block.series.setdefault(labels, [])
        if not refs or refs[-1].end < chunk.start:
            refs.append(_ref(block, chunk))
            return
        # What was asked for twice came twice: readers drop the second.
        if any((ref.start, ref.end, ref.samples) == (chunk.start, chunk.end, chunk.samples) for ref in refs):
            return
    block = _begin(place, len(blocks))
    blocks.append(block)
    block.series[labels] = [_ref(block, chunk)]


def _ref(block: _Block, chunk: Chunk) -> ChunkRef:
    return ChunkRef(chunk.start, chunk.end, block.chunks.add(chunk.encoding, chunk.data), chunk.samples)


def _begin(place: Path, number: int) -> _Block:
    """A block under a name that Prometheus passes over until it is whole."""
    here = place / f"block-{number}.tmp"
    (here / "chunks").mkdir(mode=0o700, parents=True)
    return _Block(here)


def _new(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _finish(blocks: list[_Block], place: Path, bundle: str) -> Rebuilt:
    known: set[Labels] = set()
    samples = size = 0
    for number, block in enumerate(blocks):
        block.chunks.close()
        series = sorted((labels, refs) for labels, refs in block.series.items() if refs)
        with _new(block.place / "index") as out:
            write_index(out, series, crc32c)
        start = min(refs[0].start for _, refs in series)
        name = ulid(max(0, start), hashlib.sha256(f"{bundle} {number}".encode()).digest())
        with _new(block.place / "tombstones") as out:
            out.write(no_tombstones(crc32c))
        with _new(block.place / "meta.json") as out:
            out.write(meta(name, [refs for _, refs in series]))
        final = place / name
        block.place.rename(final)
        known.update(labels for labels, _ in series)
        samples += sum(ref.samples for _, refs in series for ref in refs)
        size += sum(path.stat().st_size for path in final.rglob("*") if path.is_file())
    return Rebuilt(len(blocks), len(known), samples, size)
