"""Which samples of a Prometheus are wanted, as a person says it."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Sequence
from dataclasses import KW_ONLY, dataclass

from clinic.client.address import Address
from clinic.formats.remoteread import LabelMatch, Match
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

    before: tuple[Server | Address, ...] = ()
    """Servers that are taken before it: where it is a replica of one, only what fills that one's holes is wanted."""

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


_CONDITION = re.compile(r"([a-zA-Z_][a-zA-Z0-9_]*)(=~|!~|!=|=)(.*)", re.DOTALL)
_KINDS = {"=": Match.EQUAL, "!=": Match.NOT_EQUAL, "=~": Match.REGEX, "!~": Match.NOT_REGEX}


def read_condition(text: str) -> LabelMatch:
    """What `name=value` says, with `=`, `!=`, `=~` or `!~`. Raises `ValueError`."""
    found = _CONDITION.fullmatch(text.strip())
    if found is None or found[1] == "__name__":
        raise ValueError(f"{text!r} is no condition on a label: name=value, with = != =~ or !~")
    return LabelMatch(_KINDS[found[2]], found[1], found[3].strip().strip('"'))


def _any(name: str, globs: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, glob) for glob in globs)
