"""A source that makes one document of several others: a JSON from twenty reads, a rate from two samples."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from clinic.deadline import Deadline
from clinic.errors import Failed, ItemError, Partial, Skip, TimedOut
from clinic.host.base import Host
from clinic.kinds import Privilege
from clinic.outcome import Reason
from clinic.secret import SecretRegister
from clinic.source.base import Doors, Estimate, Gap, Part, Ran, Source
from clinic.window import Window

T = TypeVar("T")

INPUT_CAP = 16 << 20
"""Most bytes of all inputs together: they are held in memory, unlike those of any other source."""


@dataclass(frozen=True)
class Composed(Source):
    """What `build` makes of the bytes of `inputs`, which are read one after another."""

    host: str
    """Name of the machine that the inputs are read on; empty where they come from a server: that of the first."""

    inputs: tuple[tuple[str, Source], ...]
    """Each source with the name under which `build` gets its bytes.

    Of a source that gives several files, each comes under that name with the file's path behind it.
    """

    build: Callable[[Mapping[str, bytes]], bytes] = field(compare=False)
    """Pure. An input that could not be had, or that gave nothing, is not in the mapping."""

    needs: frozenset[str] = frozenset()
    """Names of inputs without which there is nothing to build: their error is then the item's."""

    then: Callable[[Mapping[str, bytes]], Iterable[tuple[str, Source]]] | None = field(
        default=None, compare=False
    )
    """Pure. Further inputs, known only once the first ones were read: the files that a configuration names."""

    seconds: float = 30.0
    """For the whole; no single input may take more than its own source allows."""

    @property
    def lane(self) -> str:
        return f"host:{self.host}" if self.host else self.inputs[0][1].lane

    @property
    def what(self) -> str:
        return "; ".join(dict.fromkeys(source.what for _, source in self.inputs))

    @property
    def privilege(self) -> Privilege:
        needed = {source.privilege for name, source in self.inputs if name in self.needs}
        return Privilege.ROOT if Privilege.ROOT in needed else Privilege.NONE

    @property
    def deadline(self) -> float | None:
        return self.seconds

    def plan(self, doors: Doors) -> Estimate:
        """Possible where the needed inputs are; its size is known only once it is made."""
        needed = (source.plan(doors) for name, source in self.inputs if name in self.needs)
        impossible = next((found.impossible for found in needed if found.impossible is not None), None)
        return Estimate(None, impossible=impossible)

    def open(self, doors: Doors) -> Iterator[Part]:
        yield Part(self._chunks(doors))

    def _chunks(self, doors: Doors) -> Iterator[bytes]:
        held: dict[str, bytes] = {}
        lost: list[str] = []
        for name, source in self._inputs(held):
            error = _read(name, source, doors, held)
            if error is None:
                continue
            doors.deadline.check()
            if name in self.needs and not any(key.startswith(name) for key in held):
                raise error
            if _matters(error):
                lost.append(f"{source.what}: {error.message}")
        yield self.build(held)
        if lost:
            raise Partial(Reason.SOME_FILES, "made without " + "; ".join(lost))

    def _inputs(self, held: Mapping[str, bytes]) -> Iterator[tuple[str, Source]]:
        yield from self.inputs
        if self.then is not None:
            yield from self.then(dict(held))


def _matters(error: ItemError) -> bool:
    """Whether it is a fault, and not merely that a machine has no such file or tool, or no right to it."""
    return not isinstance(error, Skip) and error.reason is not Reason.NOT_FOUND


def _read(name: str, source: Source, doors: Doors, held: dict[str, bytes]) -> ItemError | None:
    """Put what `source` gives into `held`; the first error that was met."""
    first: ItemError | None = None
    inner = InnerDoors(doors, source.deadline)
    try:
        for part in source.open(inner):
            data = bytearray()
            try:
                _fill(data, part, INPUT_CAP - sum(map(len, held.values())))
            except ItemError as error:
                first = first or error
            if data:
                held[name + part.name] = bytes(data)
    except ItemError as error:
        first = first or error
    return first


def _fill(data: bytearray, part: Part, room: int) -> None:
    for chunk in part.chunks:
        if isinstance(chunk, Gap):
            raise Failed(Reason.GAP, "bytes are missing in the middle")
        data += chunk
        if len(data) > room:
            del data[room:]
            raise Failed(Reason.TRUNCATED, f"cut at {INPUT_CAP >> 20} MiB")


class _Within(Deadline):
    """A shorter clock inside a longer one: ends with either."""

    def __init__(self, outer: Deadline, seconds: float | None) -> None:
        super().__init__(seconds)
        self._outer = outer
        self._end = None if seconds is None else time.monotonic() + seconds

    def moved(self) -> None:
        super().moved()
        self._outer.moved()

    def cancel(self) -> None:
        self._outer.cancel()

    def remaining(self) -> float | None:
        bounds = [left for left in (super().remaining(), self._outer.remaining()) if left is not None]
        return min(bounds) if bounds else None

    def check(self) -> None:
        self._outer.check()
        if self._end is not None and time.monotonic() >= self._end:
            raise TimedOut(Reason.DEADLINE, f"not done after {self.seconds:g} s")


@dataclass(frozen=True)
class InnerDoors:
    """The doors of the whole item, with a shorter clock: that of one source among several."""

    outer: Doors
    """The item's own."""

    seconds: float | None
    """What the input may take."""

    deadline: Deadline = field(init=False)
    """The input's clock."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "deadline", _Within(self.outer.deadline, self.seconds))

    @property
    def window(self) -> Window:
        """What time is wanted."""
        return self.outer.window

    @property
    def secrets(self) -> SecretRegister:
        """The run's secrets."""
        return self.outer.secrets

    def host(self, name: str) -> Host:
        """The door to a machine."""
        return self.outer.host(name)

    def shared(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` gives, made once in a run."""
        return self.outer.shared(key, make)

    def ran(self, done: Ran) -> None:
        """Put on record what was done."""
        self.outer.ran(done)
