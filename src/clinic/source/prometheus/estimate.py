"""How much the samples of a Prometheus will be: its series counted, and a sample of them read."""

from __future__ import annotations

import itertools
import math
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

from clinic.errors import ItemError, Skip
from clinic.formats.readframes import outlines
from clinic.formats.remoteread import LabelMatch, Match
from clinic.outcome import Reason
from clinic.source.prometheus.piece import Piece, quoted
from clinic.source.prometheus.range_selectors import ask
from clinic.source.prometheus.selection import Wish
from clinic.source.prometheus.server import PromServer
from clinic.units import MIB

AT_ONCE, LONGEST_NAMES = 100, 3000
"""Metrics that are counted with one question, and the characters of their names: proxies take some thousands."""

SECONDS = 4.0
"""For counting; what is not counted then is taken to be like the rest."""

SAMPLED, FEWEST = 64, 12
"""Metrics that are read, at most and at least: at points evenly over all series, so the large ones are among them."""

NEAR = 0.05
"""Two standard errors of the mean, as part of it, at which no more need be read."""

MANY, SOME = 400, 200
"""Series above which only those of some instances are read, evenly from all of them: about so many."""

READ = 2 * MIB
"""Bytes of one metric after which reading is broken off, which a server has to log."""


def batches(names: Sequence[str], most: int = AT_ONCE) -> Iterator[list[str]]:
    """The names in groups that fit into one question."""
    group: list[str] = []
    for name in names:
        if group and (len(group) >= most or sum(map(len, group)) + len(group) + len(name) > LONGEST_NAMES):
            yield group
            group = []
        group.append(name)
    if group:
        yield group


def estimate(talk: PromServer, wish: Wish) -> int | None:
    """Plain bytes; None where nothing can be said. Raises as `PromServer` does."""
    names = wish.wanted(talk.names())
    counted = _counted(talk, wish, names)
    total = sum(counted.values())
    if not counted or not total:
        return None
    if len(counted) < len(names):  # not all could be counted in time
        total = total * len(names) // len(counted)
    each = _mean(talk, wish, counted)
    return int(total * each) if each is not None else None


def _mean(talk: PromServer, wish: Wish, counted: dict[str, int]) -> float | None:
    """Bytes of a series, on the average."""
    few = len(counted) <= SAMPLED
    drawn = [name for name, series in counted.items() if series] if few else _drawn(counted)
    known: dict[str, float | None] = {}
    found: list[tuple[float, int]] = []
    for name in drawn:
        if name not in known:
            known[name] = _size(talk, wish, name, counted[name])
        if size := known[name]:
            found.append((size, counted[name] if few else 1))
        if not few and len(found) >= FEWEST and _near([size for size, _ in found]):
            break
    series = sum(weight for _, weight in found)
    return sum(size * weight for size, weight in found) / series if series else None


def _near(sizes: Sequence[float]) -> bool:
    return 2 * statistics.stdev(sizes) < NEAR * statistics.mean(sizes) * math.sqrt(len(sizes))


def _counted(talk: PromServer, wish: Wish, names: Sequence[str]) -> dict[str, int]:
    """The series of each metric; every n-th is asked first, so that those that are not stand for the others."""
    until = time.monotonic() + SECONDS
    known = talk.counts(wish.labels)
    groups = list(batches(names))
    for group in itertools.chain(*(groups[at::7] for at in range(7))):
        if time.monotonic() > until:
            break
        if wanted := [name for name in group if name not in known]:
            found = talk.counted(talk.piece(wanted, wish.labels))
            known.update({name: found[name] for name in wanted})
    return {name: known[name] for name in names if name in known}


def _drawn(counted: dict[str, int]) -> list[str]:
    """Metrics at points evenly over all their series; a large one at several. Neighbours do not follow each other."""
    total = sum(counted.values())
    points = [total * (2 * number + 1) // (2 * SAMPLED) for number in range(SAMPLED)]
    found: list[str] = []
    behind = 0
    for name, series in counted.items():
        behind += series
        while len(found) < SAMPLED and points[len(found)] < behind:
            found.append(name)
    return [found[number * 27 % SAMPLED] for number in range(SAMPLED)]


def _size(talk: PromServer, wish: Wish, name: str, series: int) -> float | None:
    """Bytes of a series of the metric."""
    try:
        piece = talk.piece([name], wish.labels, wish.step)
        return _asked(talk, _some(talk, piece, series) if series > MANY else piece)
    except ItemError:
        return None


def _some(talk: PromServer, piece: Piece, series: int) -> Piece:
    """Of a large metric the series of some instances."""
    values = talk.values(piece, "instance")
    every = max(1, min(len(values), series // SOME))
    chosen = "|".join(map(quoted, values[every // 2 :: every]))
    return (
        replace(piece, matches=(*piece.matches, LabelMatch(Match.REGEX, "instance", chosen)))
        if values
        else piece
    )


def _asked(talk: PromServer, piece: Piece) -> float | None:
    if not piece.step:
        try:
            return _read(talk, piece)
        except Skip as error:
            if error.reason is not Reason.NOT_APPLICABLE:
                raise
    lines = ask(talk, piece)
    return sum(map(len, lines)) / len(lines) if lines else None


def _read(talk: PromServer, piece: Piece) -> float | None:
    size, series = 0, set[int]()
    frames = talk.frames(piece)
    try:
        for one in frames:
            size += len(one.whole)
            series.update(each.labels for each in outlines(one.message))
            if size > READ:
                break
    finally:
        frames.close()
    return size / len(series) if series else None
