"""The first of several sources that answers: servers of which any one will do, an API's new path and its old one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from clinic.errors import Cancelled, Failed, ItemError, Retryable, Skip, TimedOut, Unready
from clinic.outcome import Reason, Status
from clinic.source.base import Chunk, Doors, Estimate, Part, Source
from clinic.source.composed import InnerDoors
from clinic.source.unreachable import Standing

SHORT = 5.0
"""Seconds that each further server gets once one said that it can't answer for the moment.

A cluster without a leader says so on each of its servers, after 3 s with PD, and each would be waited for.
"""


@dataclass(frozen=True)
class First(Source):
    """What the first of `sources` gives that gives a byte; each has the time that it asks for itself."""

    sources: tuple[Source, ...]
    """In the order in which they are tried, those last that failed a moment ago. At least one."""

    seconds: float = 60.0
    """For all of them together."""

    def __post_init__(self) -> None:
        if not self.sources:
            raise ValueError("there must be a source to try")

    @property
    def needs_account(self) -> bool:
        return all(source.needs_account for source in self.sources)

    @property
    def lane(self) -> str:
        return self.sources[0].lane

    @property
    def what(self) -> str:
        return " or ".join(dict.fromkeys(source.what for source in self.sources))

    @property
    def deadline(self) -> float | None:
        return self.seconds

    def plan(self, doors: Doors) -> Estimate:
        """What the first possible one would give; impossible where none is possible."""
        estimates = [source.plan(doors) for source in self.sources]
        return next((one for one in estimates if one.impossible is None), estimates[0])

    def narrow(self, size: int) -> Source:
        """The same, each of them narrowed."""
        return replace(self, sources=tuple(source.narrow(size) for source in self.sources))

    def open(self, doors: Doors) -> Iterator[Part]:
        standing = doors.shared(Standing, Standing)
        standing.require_ready(self._lanes)
        errors: list[tuple[str, ItemError]] = []
        failed: set[str] = set()
        sources = self._ordered(standing)
        for source in sources:
            if source.lane in failed:
                continue
            try:
                parts = source.open(InnerDoors(doors, _seconds(source, errors)))
                begun = _begun(parts)
            except Cancelled:
                raise
            except ItemError as error:
                doors.deadline.check()
                if error.reason is Reason.EMPTY:
                    raise  # it answered: there is none, and nobody else has one
                errors.append((source.lane, error))
                if error.transient or isinstance(error, TimedOut | Unready):
                    failed.add(source.lane)
                    standing.note(source.lane, failed=True)
                continue
            standing.note(source.lane, failed=False)
            if begun is not None:
                yield begun
                yield from parts
                return
        if errors:
            raise _worst(errors, several=len(failed) > 1 or len(sources) < len(self.sources))

    @property
    def _lanes(self) -> frozenset[str]:
        return frozenset(source.lane for source in self.sources)

    def _ordered(self, standing: Standing) -> list[Source]:
        """Those first that are well. Where none could answer, one stands for all: they were all asked just now."""
        well = [source for source in self.sources if standing.well(source.lane)]
        if well:
            return well + [source for source in self.sources if source not in well]
        return [source for source in self.sources if source.lane == self.lane]


def _seconds(source: Source, errors: list[tuple[str, ItemError]]) -> float | None:
    """How long it may take: less, once another one was reached, and could not answer for the moment or has none."""
    waited = any(
        (error.transient or isinstance(error, Skip | Unready))
        and error.reason is not Reason.UNREACHABLE
        and lane != source.lane
        for lane, error in errors
    )
    return min(SHORT, source.deadline or SHORT) if waited else source.deadline


def _begun(parts: Iterator[Part]) -> Part | None:
    """The first part with its first chunk read already; None where there is none, which is no answer either."""
    part = next(parts, None)
    first = next((chunk for chunk in part.chunks if chunk != b""), None) if part is not None else None
    return None if part is None or first is None else Part(_chained(first, part), part.name, part.content)


def _chained(first: Chunk, part: Part) -> Iterator[Chunk]:
    yield first
    yield from part.chunks


def _worst(errors: list[tuple[str, ItemError]], *, several: bool) -> ItemError:
    """What the servers come to, with what all of them said; of each server its last word counts.

    One that says that it has no such thing knows better than one that can't say. Where several servers failed it is
    not tried again: that was done here.
    """
    words = list(dict(errors).values())
    told = [error for error in words if error.reason is not Reason.UNREACHABLE]
    chosen = next((error for error in told if isinstance(error, Skip)), (told or words)[-1])
    said = "; ".join(dict.fromkeys(error.message for _, error in errors))
    kinds: dict[Status, type[ItemError]] = {Status.SKIPPED: Skip, Status.TIMED_OUT: TimedOut}
    kind = Retryable if chosen.transient and not several else kinds.get(chosen.status, Failed)
    return (type(chosen) if chosen.later else kind)(chosen.reason, said, fix=chosen.fix)
