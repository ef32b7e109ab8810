"""The samples of a Prometheus in the window, as the server holds them, without hurting it.

They are asked for by groups of metrics, each group as large as the server is well: its memory and how quickly it
answers are looked at in between, and it is left alone for a while, or for good, where it runs short.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from clinic.client.address import Address
from clinic.errors import ItemError
from clinic.source.base import Doors, Estimate, Part, Source
from clinic.source.prometheus.attempt import Taking
from clinic.source.prometheus.estimate import estimate
from clinic.source.prometheus.replica import hole
from clinic.source.prometheus.selection import Wish
from clinic.source.prometheus.server import PromServer
from clinic.source.server import called

STALL = 120.0
"""Seconds without a byte: a server that sorts hundreds of thousands of series needs some before the first."""


@dataclass(frozen=True)
class Samples(Wish, Source):
    """All series of the chosen metrics in the window: frames of remote read, and what is in them by metric."""

    @property
    def lane(self) -> str:
        return f"server:{self._called}"

    @property
    def what(self) -> str:
        return f"remote read of {', '.join(self.match) or 'all metrics'} at {self._called}"

    @property
    def _called(self) -> str:
        server = self.server
        return str(server) if isinstance(server, Address) else called(server, server.port)

    @property
    def deadline(self) -> float | None:
        return None

    @property
    def stall(self) -> float | None:
        return STALL

    def plan(self, doors: Doors) -> Estimate:
        """Its series in the window, counted, times what some of them have, read."""
        try:
            talk = PromServer(self.server, doors)
            gap = hole(talk, self, doors)
            if gap is not None:
                talk.start, talk.end = gap.start, gap.end
            size = estimate(talk, self)
        except ItemError as error:
            return Estimate(None, impossible=error)
        return Estimate(size if self.room is None or size is None else min(size, self.room))

    def open(self, doors: Doors) -> Iterator[Part]:
        return Taking(self, doors).parts()

    def narrow(self, size: int) -> Source:
        """The first metrics that go into `size`."""
        return replace(self, room=size if self.room is None else min(size, self.room))
