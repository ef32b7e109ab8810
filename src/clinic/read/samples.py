"""The metrics of a bundle: which servers they are of, their series and chunks as a stream, and their samples."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from clinic.errors import BadBundle, UsageError
from clinic.formats import xorchunk
from clinic.formats.readframes import BadFrame, Chunk, Labels, messages, series
from clinic.read.diaganswers import BadAnswer, Series, series_of
from clinic.read.fromdiag import FromDiag
from clinic.read.open import Opened

FOLDER = "monitor/metrics/"
"""Where they are in a bundle, a folder for each server."""

XOR = 1
"""Encoding of a chunk of plain numbers; the others hold histograms."""


@dataclass(frozen=True, slots=True)
class MetricsOf:
    """What a bundle has of one server."""

    server: str
    """Its folder's name."""

    files: tuple[str, ...]
    """Files of frames and of exported lines, in order."""

    summary: str
    """The file that says what came of each metric; empty where there is none."""


def servers(opened: Opened) -> list[MetricsOf]:
    """Every server whose metrics are in the bundle."""
    found: dict[str, list[str]] = {}
    for file in opened.files():
        if file.name.startswith(FOLDER):
            server, _, name = file.name.removeprefix(FOLDER).rpartition("/")
            found.setdefault(server, []).append(name)
    if isinstance(opened.held, FromDiag):
        return [
            MetricsOf(server, tuple(f"{FOLDER}{server}/{name}" for name in sorted(names)), "")
            for server, names in sorted(found.items())
        ]
    return [_server(server, sorted(names)) for server, names in sorted(found.items())]


def _server(server: str, names: list[str]) -> MetricsOf:
    data = [f"{FOLDER}{server}/{name}" for name in names if name.startswith(("frames-", "export-"))]
    summary = f"{FOLDER}{server}/metrics.jsonl" if "metrics.jsonl" in names else ""
    return MetricsOf(server, tuple(data), summary)


def chosen(opened: Opened, server: str = "") -> list[MetricsOf]:
    """The servers, or the one called `server`. Raises `UsageError` where there is none."""
    found = servers(opened)
    if not found:
        raise UsageError("the bundle holds no metrics", hint="collect them: clinic collect --include metrics")
    wanted = [one for one in found if server in ("", one.server)]
    if not wanted:
        names = ", ".join(one.server for one in found)
        raise UsageError(f"the bundle has no metrics of {server}", hint=f"it has those of {names}")
    return wanted


def pieces(
    opened: Opened, path: str, wanted: Callable[[Labels], bool] | None = None
) -> Iterator[tuple[Labels, tuple[Chunk, ...]]]:
    """The series of one file with some of their chunks, as they came; a series may come in several pieces.

    Of what diag collected only those that are `wanted`: chunks have to be made of it. Raises `BadBundle` for a file
    that is not what was written; one of diag ends there.
    """
    if isinstance(opened.held, FromDiag):
        yield from _answered(opened, path, wanted)
        return
    with opened.member(path) as stream:
        try:
            if path.rpartition("/")[2].startswith("export-"):
                yield from map(_exported, stream)
            else:
                for message in messages(stream):
                    for each in series(message):
                        yield each.labels, each.chunks
        except (BadFrame, ValueError, KeyError, TypeError) as error:
            raise BadBundle(f"{path}: {error}") from error


def answers(opened: Opened, path: str) -> Iterator[Series]:
    """The series of a file that diag wrote, up to where it is damaged; that it is, `FromDiag.damaged` says then."""
    assert isinstance(opened.held, FromDiag)
    with opened.member(path) as stream:
        try:
            yield from series_of(stream)
        except (BadAnswer, BadBundle) as error:
            opened.held.damaged[path] = str(error)


def _answered(
    opened: Opened, path: str, wanted: Callable[[Labels], bool] | None
) -> Iterator[tuple[Labels, tuple[Chunk, ...]]]:
    for each in answers(opened, path):
        labels = _sorted(each.labels)
        if wanted is None or wanted(labels):
            yield labels, _chunks([(moment, xorchunk.to_bits(value)) for moment, value in each.samples])


def _sorted(labels: Mapping[str, str]) -> Labels:
    return tuple(sorted((name.encode(), value.encode()) for name, value in labels.items()))


def _chunks(samples: list[tuple[int, int]]) -> tuple[Chunk, ...]:
    groups = [samples[at : at + xorchunk.MOST] for at in range(0, len(samples), xorchunk.MOST)]
    return tuple(Chunk(group[0][0], group[-1][0], XOR, xorchunk.encode(group)) for group in groups)


def _exported(line: bytes) -> tuple[Labels, tuple[Chunk, ...]]:
    row = cast("dict[str, Any]", json.loads(line))
    samples = [
        (int(moment), xorchunk.to_bits(float(value)))
        for moment, value in zip(row["timestamps"], row["values"], strict=True)
    ]
    return _sorted(row["metric"]), _chunks(samples)


def samples_of(chunks: tuple[Chunk, ...]) -> Iterator[tuple[int, int]]:
    """The samples of chunks: milliseconds since 1970 and the value's 64 bits. Those of histograms are passed over.

    Raises `clinic.formats.xorchunk.BadChunk`.
    """
    for chunk in chunks:
        if chunk.encoding == XOR:
            yield from xorchunk.decode(chunk.data)
