"""The first of several sources that answers: servers of which any one will do, an API's new path and its old one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from clinic.errors import Cancelled, ItemError
from clinic.outcome import Reason
from clinic.source.base import Chunk, Doors, Estimate, Part, Source
from clinic.source.composed import InnerDoors


@dataclass(frozen=True)
class First(Source):
    """What the first of `sources` gives that gives a byte; each has the time that it asks for itself."""

    sources: tuple[Source, ...]
    """In the order in which they are tried. At least one."""

    seconds: float = 60.0
    """For all of them together."""

    def __post_init__(self) -> None:
        if not self.sources:
            raise ValueError("there must be a source to try")

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

    def open(self, doors: Doors) -> Iterator[Part]:
        errors: list[ItemError] = []
        for source in self.sources:
            parts = source.open(InnerDoors(doors, source.deadline))
            try:
                begun = _begun(parts)
            except Cancelled:
                raise
            except ItemError as error:
                doors.deadline.check()
                if error.reason is Reason.EMPTY:
                    raise  # it answered: there is none, and nobody else has one
                errors.append(error)
                continue
            if begun is not None:
                yield begun
                yield from parts
                return
        if errors:
            raise _worst(errors)


def _begun(parts: Iterator[Part]) -> Part | None:
    """The first part with its first chunk read already; None where there is none, which is no answer either."""
    part = next(parts, None)
    first = next((chunk for chunk in part.chunks if chunk != b""), None) if part is not None else None
    return None if part is None or first is None else Part(_chained(first, part), part.name, part.content)


def _chained(first: Chunk, part: Part) -> Iterator[Chunk]:
    yield first
    yield from part.chunks


def _worst(errors: list[ItemError]) -> ItemError:
    """What the last one said that could be reached, with what all said."""
    told = [error for error in errors if error.reason is not Reason.UNREACHABLE]
    chosen = told[-1] if told else errors[-1]
    said = "; ".join(dict.fromkeys(error.message for error in errors))
    return type(chosen)(chosen.reason, said, fix=chosen.fix)
