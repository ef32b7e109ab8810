"""How much the samples of a Prometheus will be: its series counted, and a sample of them read."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Iterator, Sequence

from clinic.errors import Failed, ItemError, Partial, Retryable, Skip
from clinic.formats.readframes import outlines
from clinic.source.promselect import ask
from clinic.source.promserver import PromServer
from clinic.source.promwish import Wish
from clinic.units import KIB

AT_ONCE, LONGEST_NAMES = 100, 3000
"""Metrics that are counted with one question, and the characters of their names: proxies take some thousands."""

SECONDS = 4.0
"""For counting; what is not counted then is taken to be like the rest."""

SAMPLED = 48
"""Points, evenly over all series, whose metrics are read: the larger a metric, the likelier it is among them."""

READ = 256 * KIB
"""Bytes of one metric that are read."""


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
    sizes = [size for name, times in _drawn(counted) for size in [_size(talk, wish, name)] * times if size]
    return int(total * sum(sizes) / len(sizes)) if sizes else None


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


def _drawn(counted: dict[str, int]) -> list[tuple[str, int]]:
    """Metrics at points evenly over all their series, and at how many points each is."""
    total = sum(counted.values())
    points = [total * (2 * number + 1) // (2 * SAMPLED) for number in range(SAMPLED)]
    found: Counter[str] = Counter()
    behind = 0
    for name, series in counted.items():
        while points and points[0] < behind + series:
            points.pop(0)
            found[name] += 1
        behind += series
    return list(found.items())


def _size(talk: PromServer, wish: Wish, name: str) -> float | None:
    """Bytes of a series of the metric."""
    piece = talk.piece([name], wish.labels, wish.step)
    try:
        if not wish.step:
            return _read(talk, wish, name)
    except Skip:
        pass
    except (Failed, Retryable, Partial):
        return None
    try:
        lines = ask(talk, piece)
    except ItemError:
        return None
    return sum(map(len, lines)) / len(lines) if lines else None


def _read(talk: PromServer, wish: Wish, name: str) -> float | None:
    size, series = 0, set[int]()
    frames = talk.frames(talk.piece([name], wish.labels))
    try:
        for one in frames:
            size += len(one.whole)
            series.update(each.labels for each in outlines(one.message))
            if size > READ:
                break
    finally:
        frames.close()
    return size / len(series) if series else None
