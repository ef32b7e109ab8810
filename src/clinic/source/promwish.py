"""Which samples of a Prometheus are wanted, as a person says it."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Sequence
from dataclasses import KW_ONLY, dataclass

from clinic.client.address import Address
from clinic.formats.remoteread import LabelMatch
from clinic.source.server import Server
from clinic.units import GIB


@dataclass(frozen=True)
class Wish:
    """The chosen metrics of one server."""

    server: Server | Address
    """What is asked."""

    _: KW_ONLY
    """What follows is given by name."""

    match: tuple[str, ...] = ()
    """Globs of the metrics that are wanted; all when empty."""

    exclude: tuple[str, ...] = ()
    """Globs of metrics that are not."""

    labels: tuple[LabelMatch, ...] = ()
    """Conditions on other labels."""

    first: tuple[str, ...] = ()
    """Globs of the metrics that come first: where there is no room for all, they are what is there."""

    room: int | None = GIB
    """Most bytes of samples; None for no bound."""

    step: int = 0
    """Milliseconds between two values; 0 for every sample as it is."""

    verify: bool = False
    """Whether the server is also asked to count the samples of some metrics."""

    def wanted(self, names: Iterable[str]) -> list[str]:
        """The chosen ones of these metrics, those first that come first."""
        chosen = (
            name
            for name in names
            if (not self.match or _any(name, self.match)) and not _any(name, self.exclude)
        )
        return sorted(chosen, key=lambda name: (not _any(name, self.first), name))


def _any(name: str, globs: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, glob) for glob in globs)
