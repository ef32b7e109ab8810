"""The samples of a bundle as PingCAP's diag keeps them: answers of Prometheus' query API, compressed, one a file."""

from __future__ import annotations

import itertools
import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import BinaryIO

import zstandard

from clinic.bundle.names import safe_name
from clinic.errors import BadBundle
from clinic.formats.readframes import Chunk, Labels
from clinic.formats.xorchunk import STALE, BadChunk, to_float
from clinic.newfile import disk_errors
from clinic.read.open import Opened
from clinic.read.samples import XOR, MetricsOf, pieces, samples_of

_BEGIN = b'{"status":"success","data":{"resultType":"matrix","result":['
_END = b"]}}"
_NAME = b"__name__"


def write_metrics(opened: Opened, one: MetricsOf, folder: Path, histograms: Counter[str]) -> Iterator[str]:
    """Write a file for each metric of a server into `folder`; their names. Several where its series are not together.

    One series is held at a time. Samples of native histograms, which diag has no form for, are left out and counted
    in `histograms` by metric. Raises `BadBundle` for a damaged chunk.
    """
    taken: dict[str, int] = {}
    series = itertools.chain.from_iterable(pieces(opened, path) for path in one.files)
    for metric, group in itertools.groupby(series, key=lambda each: dict(each[0]).get(_NAME, b"")):
        temporary = folder / ".part"
        with disk_errors(folder), temporary.open("wb") as out:
            span, left_out = _write(group, out)
        if left_out:
            histograms[metric.decode("utf-8", "replace")] += left_out
        if span is None:
            temporary.unlink()
            continue
        name = f"{safe_name(metric.decode('utf-8', 'replace'))}-{_moment(span[0])}-{_moment(span[1])}"
        number = taken[name] = taken.get(name, 0) + 1
        final = f"{name}.json" if number == 1 else f"{name}.{number}.json"
        temporary.rename(folder / final)
        yield final


def _write(
    series: Iterator[tuple[Labels, Sequence[Chunk]]], out: BinaryIO
) -> tuple[tuple[int, int] | None, int]:
    """The answer that holds these series; times of its first and last sample, None without one; histograms left out."""
    low, high, comma, left_out = 0, 0, b"", 0
    with zstandard.ZstdCompressor(level=3, write_checksum=True).stream_writer(out, closefd=False) as writer:
        writer.write(_BEGIN)
        for labels, group in itertools.groupby(series, key=lambda each: each[0]):
            chunks = [chunk for _, some in group for chunk in some]
            values = _values(labels, chunks)
            left_out += _histograms(chunks)
            if values:
                named = {
                    name.decode("utf-8", "replace"): text.decode("utf-8", "replace") for name, text in labels
                }
                texts = ",".join(f'[{moment / 1000:.15g},"{value}"]' for moment, value in values)
                head = f'{{"metric":{json.dumps(named, ensure_ascii=False)},"values":['
                writer.write(comma + f"{head}{texts}]}}".encode())
                low = min(low, values[0][0]) if comma else values[0][0]
                high = max(high, values[-1][0])
                comma = b","
        writer.write(_END)
    return ((low, high) if comma else None), left_out


def _values(labels: Labels, chunks: Sequence[Chunk]) -> list[tuple[int, str]]:
    """Milliseconds since 1970 and the value as Prometheus writes it; a series' end and what came twice is dropped."""
    found: list[tuple[int, str]] = []
    try:
        for moment, bits in samples_of(tuple(chunks)):
            if bits != STALE and (not found or moment > found[-1][0]):
                found.append((moment, number(to_float(bits))))
    except BadChunk as error:
        name = dict(labels).get(_NAME, b"a series").decode("utf-8", "replace")
        raise BadBundle(f"a chunk of {name} is damaged: {error}") from error
    return found


def _histograms(chunks: Sequence[Chunk]) -> int:
    """How many samples of native histograms there are; a chunk that came twice counts once."""
    return sum({(each.start, each.end): each.samples for each in chunks if each.encoding != XOR}.values())


def number(value: float) -> str:
    """`value` as Prometheus' query API writes it, to be read back to the same bits."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return repr(value).removesuffix(".0")


def _moment(milliseconds: int) -> str:
    return f"{datetime.fromtimestamp(milliseconds / 1000, timezone.utc):%Y-%m-%dT%H:%M:%SZ}"
