"""A block of Prometheus' TSDB, written from chunks as they are.

Formats: tsdb/docs/format/{chunks,index}.md of Prometheus, index version 2. Every section of the index and every chunk
has a CRC-32C, which is passed in: the standard library has none.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from clinic.formats.protobuf import number, zigzag

CHUNKS_MAGIC = bytes.fromhex("85bd40dd") + b"\x01\x00\x00\x00"
"""Of a chunk segment, with its version and padding."""

INDEX_MAGIC = bytes.fromhex("baaad700") + b"\x02"
"""Of an index, with its version."""

SEGMENT = 512 * 1024 * 1024
"""Bytes of the largest chunk segment (chunks.DefaultChunkSegmentSize)."""

Labels = tuple[tuple[bytes, bytes], ...]
"""Names and values, sorted by name."""

Crc = Callable[[bytes], int]
"""CRC-32C (Castagnoli) of some bytes."""


@dataclass(frozen=True, slots=True)
class ChunkRef:
    """Where a chunk is, and what time it covers."""

    start: int
    """Time of its first sample, milliseconds since 1970."""

    end: int
    """Time of its last sample."""

    at: int
    """Segment (from 0) in the upper 32 bits, offset in the lower."""

    samples: int
    """How many it holds."""


def _be32(value: int) -> bytes:
    return value.to_bytes(4, "big")


class ChunkWriter:
    """Writes chunk segments; `segment(number)` opens the next one for writing."""

    def __init__(self, segment: Callable[[int], BinaryIO], crc: Crc) -> None:
        self._open = segment
        self._crc = crc
        self._number = -1
        self._at = SEGMENT
        self._file: BinaryIO | None = None

    def add(self, encoding: int, data: bytes) -> int:
        """Write a chunk; gives its reference. `encoding` as tsdb/chunkenc has it: 1 XOR, 2 and 3 histograms."""
        body = bytes([encoding]) + data
        whole = number(len(data)) + body + _be32(self._crc(body))
        if self._at + len(whole) > SEGMENT or self._file is None:
            self._next()
        assert self._file is not None
        ref = self._number << 32 | self._at
        self._file.write(whole)
        self._at += len(whole)
        return ref

    def _next(self) -> None:
        self.close()
        self._number += 1
        self._file = self._open(self._number)
        self._file.write(CHUNKS_MAGIC)
        self._at = len(CHUNKS_MAGIC)

    def close(self) -> None:
        """Close the segment that is open. Safe to call twice."""
        if self._file is not None:
            self._file.close()
        self._file = None


class _Sections:
    """The index file as it grows: padded, measured, each section with its checksum."""

    def __init__(self, out: BinaryIO, crc: Crc) -> None:
        self._out = out
        self._crc = crc
        self.at = 0

    def write(self, data: bytes) -> None:
        self._out.write(data)
        self.at += len(data)

    def pad(self, size: int) -> None:
        self.write(b"\0" * (-self.at % size))

    def section(self, body: bytes) -> int:
        """A section with a length of four bytes; gives where it starts."""
        start = self.at
        self.write(_be32(len(body)) + body + _be32(self._crc(body)))
        return start

    def series(self, body: bytes) -> int:
        """A series; gives its reference, the place in units of 16 bytes."""
        self.pad(16)
        ref = self.at // 16
        self.write(number(len(body)) + body + _be32(self._crc(body)))
        return ref


def write_index(out: BinaryIO, series: Sequence[tuple[Labels, Sequence[ChunkRef]]], crc: Crc) -> None:
    """The index of a block. `series` are sorted by labels, their chunks by time."""
    sections = _Sections(out, crc)
    sections.write(INDEX_MAGIC)
    symbols = sorted({word for labels, _ in series for pair in labels for word in pair})
    numbers = {word: index for index, word in enumerate(symbols)}
    symbols_at = sections.section(_symbols(symbols))
    sections.pad(16)
    series_at = sections.at
    postings: dict[tuple[bytes, bytes], list[int]] = {(b"", b""): []}
    for labels, chunks in series:
        ref = sections.series(_series(labels, chunks, numbers))
        for pair in ((b"", b""), *labels):
            postings.setdefault(pair, []).append(ref)
    sections.pad(4)
    postings_at = sections.at
    places = {pair: _postings(sections, refs) for pair, refs in sorted(postings.items())}
    table_at = sections.section(_table(places))
    # Label indexes are no longer read (index.md): their references are zero, which means that there is no such section.
    toc = b"".join(at.to_bytes(8, "big") for at in (symbols_at, series_at, 0, 0, postings_at, table_at))
    sections.write(toc + _be32(crc(toc)))


def _symbols(symbols: Sequence[bytes]) -> bytes:
    return _be32(len(symbols)) + b"".join(number(len(word)) + word for word in symbols)


def _series(labels: Labels, chunks: Sequence[ChunkRef], numbers: Mapping[bytes, int]) -> bytes:
    out = [number(len(labels))]
    out += [number(numbers[name]) + number(numbers[value]) for name, value in labels]
    out.append(number(len(chunks)))
    out += _chunks(chunks)
    return b"".join(out)


def _chunks(chunks: Sequence[ChunkRef]) -> Iterator[bytes]:
    end = at = 0
    for index, chunk in enumerate(chunks):
        if index:
            # From the second on as differences; the time to the chunk before is unsigned, they don't overlap.
            yield number(chunk.start - end) + number(chunk.end - chunk.start) + zigzag(chunk.at - at)
        else:
            yield zigzag(chunk.start) + number(chunk.end - chunk.start) + number(chunk.at)
        end, at = chunk.end, chunk.at


def _postings(sections: _Sections, refs: Sequence[int]) -> int:
    sections.pad(4)
    return sections.section(_be32(len(refs)) + b"".join(map(_be32, refs)))


def _table(places: Mapping[tuple[bytes, bytes], int]) -> bytes:
    rows = (
        b"\x02" + number(len(name)) + name + number(len(value)) + value + number(at)
        for (name, value), at in places.items()
    )
    return _be32(len(places)) + b"".join(rows)


def meta(ulid: str, series: Sequence[Sequence[ChunkRef]]) -> bytes:
    """The block's `meta.json`. Its end is exclusive."""
    counts = [(chunk.start, chunk.end, chunk.samples) for chunks in series for chunk in chunks]
    kept = [len(chunks) for chunks in series]
    body = {
        "ulid": ulid,
        "minTime": min(start for start, _, _ in counts),
        "maxTime": max(end for _, end, _ in counts) + 1,
        "stats": {
            "numSamples": sum(samples for _, _, samples in counts),
            "numSeries": len(kept),
            "numChunks": sum(kept),
        },
        "compaction": {"level": 1, "sources": [ulid]},
        "version": 1,
    }
    return json.dumps(body, indent="\t").encode() + b"\n"


def no_tombstones(crc: Crc) -> bytes:
    """The file `tombstones` of a block from which nothing was deleted (tsdb/docs/format/tombstones.md)."""
    return bytes.fromhex("0130ba30") + b"\x01" + _be32(crc(b""))


_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def ulid(moment: int, rest: bytes) -> str:
    """The name of a block: 48 bits of milliseconds since 1970 and 80 more, as github.com/ulid/spec writes them."""
    value = int.from_bytes(moment.to_bytes(6, "big") + rest[:10], "big")
    return "".join(_CROCKFORD[value >> shift & 31] for shift in range(125, -1, -5))
