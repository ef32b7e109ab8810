"""What is done with a piece that a server does not give at once: tried again, halved, or given up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from clinic.errors import Failed, ItemError, NotYet, Partial, Retryable, Skip, TimedOut, Unready
from clinic.outcome import Reason
from clinic.source.prometheus.piece import Piece
from clinic.source.prometheus.server import PromServer

TRIES = 3
"""Requests for the same piece before it is halved."""

MOST_FAILURES = 24
"""Requests that fail one after another before a metric is given up: ten halves of its time, ten of its series."""

LONGEST_WAIT = 60.0
"""Seconds that are waited at most, whatever a server asks for."""

SHORTEST = 60_000
"""Milliseconds below which a stretch of time is not halved."""

LONG = 900_000
"""Milliseconds above which samples are halved by time first."""


class Patience:
    """How often one group is tried."""

    def __init__(self) -> None:
        self._tries = self._failures = 0

    @property
    def left(self) -> bool:
        """Whether smaller pieces are worth a try."""
        return self._failures < MOST_FAILURES

    def went_well(self) -> None:
        """A piece came."""
        self._failures = 0

    def wait(self, error: ItemError) -> float | None:
        """Seconds after which to try the same again; None when it is to be halved.

        A server's `Retry-After` counts. What may be a matter of size is not tried again as it is.
        """
        self._failures += 1
        self._tries += 1
        passing = error.transient or isinstance(error, Partial)
        if not passing or isinstance(error, Unready) or self._tries >= TRIES:
            return None
        return min(LONGEST_WAIT, error.after if isinstance(error, NotYet) else float(self._tries))

    def gone(self, error: ItemError, talk: PromServer) -> bool:
        """Whether the server does not answer anything any more."""
        if error.reason is not Reason.UNREACHABLE:
            return False
        try:
            talk.value("1")
        except (Retryable, TimedOut):
            return True
        except (Skip, Failed, Partial):
            pass
        return False


def halves(talk: PromServer, piece: Piece, *, time_first: bool = False) -> list[Piece]:
    """The piece in two: by metrics, by the values of a label, by time. None where it can't be halved.

    Chunks stay whole where series are divided; samples are as well divided by time, which needs no question.
    """
    if found := piece.by_names():
        return found
    if time_first and (found := piece.by_time(LONG)):
        return found
    for label, values in _labels(talk, piece):
        if found := piece.by_label(label, values):
            return found
    return piece.by_time(SHORTEST)


def _labels(talk: PromServer, piece: Piece) -> Iterator[tuple[str, list[str]]]:
    """The labels and their values, `instance` first; from the list of series where that question is refused."""
    refusals = (Skip, Failed, Retryable, Partial, TimedOut)
    with suppress(*refusals):
        for label in sorted(talk.labels(piece), key=_rank):
            if label != "__name__":
                yield label, talk.values(piece, label)
        return
    with suppress(*refusals):
        found: dict[str, set[str]] = {}
        for labels in talk.series(piece):
            for label, value in labels.items():
                found.setdefault(label, set()).add(value)
        for label in sorted(found, key=_rank):
            yield label, sorted(found[label])


def _rank(label: str) -> tuple[bool, str]:
    return label != "instance", label
