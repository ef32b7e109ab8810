"""The metrics of a bundle: which servers they are of, their series and chunks as a stream, and their samples."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from clinic.errors import BadBundle, UsageError
from clinic.formats import xorchunk
from clinic.formats.readframes import BadFrame, Chunk, Labels, messages, series
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


def pieces(opened: Opened, path: str) -> Iterator[tuple[Labels, tuple[Chunk, ...]]]:
    """The series of one file with some of their chunks, as they came; a series may come in several pieces.

    Raises `BadBundle` for a file that is not what was written.
    """
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


def _exported(line: bytes) -> tuple[Labels, tuple[Chunk, ...]]:
    row = cast("dict[str, Any]", json.loads(line))
    labels = tuple(sorted((name.encode(), value.encode()) for name, value in row["metric"].items()))
    samples = [
        (int(moment), xorchunk.to_bits(float(value)))
        for moment, value in zip(row["timestamps"], row["values"], strict=True)
    ]
    groups = [samples[at : at + xorchunk.MOST] for at in range(0, len(samples), xorchunk.MOST)]
    return labels, tuple(Chunk(group[0][0], group[-1][0], XOR, xorchunk.encode(group)) for group in groups)


def samples_of(chunks: tuple[Chunk, ...]) -> Iterator[tuple[int, int]]:
    """The samples of chunks: milliseconds since 1970 and the value's 64 bits. Those of histograms are passed over.

    Raises `clinic.formats.xorchunk.BadChunk`.
    """
    for chunk in chunks:
        if chunk.encoding == XOR:
            yield from xorchunk.decode(chunk.data)
