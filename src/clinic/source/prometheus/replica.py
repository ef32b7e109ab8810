"""Two Prometheus that scrape the same: one is taken whole, of the other only what fills the holes of the first."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, cast

from clinic.errors import Failed, Partial, Retryable, Skip, TimedOut
from clinic.outcome import Reason
from clinic.source.base import Doors, Ran
from clinic.source.prometheus.selection import Wish
from clinic.source.prometheus.server import PromServer
from clinic.units import MIB

STEPS, SHORTEST = 500, 60_000
"""Into how many stretches the window is cut to look for holes, and their milliseconds at least."""

ANSWER = 16 * MIB
"""Bytes of the answer that says when each target was up."""

_EXTERNAL = re.compile(r"^  external_labels:\n((?:    [^\n]*\n)+)", re.MULTILINE)
_LABEL = re.compile(r"^    ([a-zA-Z_]\w*): (.*)$", re.MULTILINE)

Up = dict[str, set[int]]
"""By target, in which stretches it was scraped."""


@dataclass(frozen=True, slots=True)
class Hole:
    """What has to be filled."""

    of: str
    """The server that has it."""

    start: int
    """Milliseconds since 1970."""

    end: int
    """The last of them."""


def hole(talk: PromServer, wish: Wish, doors: Doors) -> Hole | None:
    """The stretch that a server before this one lacks, where it is the same but for a label that says replica.

    None where this one has to be taken whole. Raises `Skip` where the other lacks nothing that this one has.
    """
    if not wish.before:
        return None
    unclear = (Skip, Failed, Retryable, Partial, TimedOut)
    try:
        mine = _labels(talk)
        for server in wish.before:
            other = PromServer(server, doors)
            if _replicas(mine, _labels(other)):
                found = _lacking(_up(other), _up(talk))
                break
        else:
            return None
    except (*unclear, ValueError, KeyError, TypeError):
        doors.deadline.check()
        return None
    text = f"{talk.where} is a replica of {other.where}"
    if not found:
        raise Skip(Reason.NOT_APPLICABLE, f"{text}, which lacks nothing that this one has")
    step = _step(talk)
    start = max(talk.start, talk.start + (min(found) - 1) * step)
    end = min(talk.end, talk.start + (max(found) + 2) * step)
    doors.ran(Ran("way", f"{text}: only what that one lacks, from {start} to {end}", talk.where))
    return Hole(other.where, start, end)


def _labels(talk: PromServer) -> dict[str, str]:
    """A server's external labels."""
    answer = json.loads(talk.fetch("/api/v1/status/config", limit=4 * MIB))
    found = _EXTERNAL.search(str(answer["data"]["yaml"]))
    return dict(_LABEL.findall(found[1])) if found is not None else {}


def _replicas(mine: dict[str, str], theirs: dict[str, str]) -> bool:
    """Whether all external labels are the same but for those that say replica, of which there is one."""
    differing = {name for name in mine.keys() | theirs.keys() if mine.get(name) != theirs.get(name)}
    return bool(differing) and all("replica" in name.lower() for name in differing)


def _step(talk: PromServer) -> int:
    return max(SHORTEST, -(-(talk.end - talk.start) // STEPS))


def _up(talk: PromServer) -> Up:
    step = _step(talk)
    query = [
        ("query", f"sum_over_time(up[{step}ms]) > 0"), ("start", f"{(talk.start + step) / 1000:.3f}"),
        ("end", f"{(talk.end + step) / 1000:.3f}"), ("step", f"{step / 1000:.3f}"),
    ]  # fmt: skip
    answer = json.loads(talk.fetch("/api/v1/query_range", query, ANSWER))
    found: Up = {}
    for row in cast("list[dict[str, Any]]", answer["data"]["result"]):
        target = json.dumps(row["metric"], sort_keys=True)
        found[target] = {round((float(at) * 1000 - talk.start) / step) - 1 for at, _ in row["values"]}
    return found


def _lacking(first: Up, second: Up) -> set[int]:
    """The stretches in which a target was scraped by the second alone."""
    return {at for target, stretches in second.items() for at in stretches - first.get(target, set())}
