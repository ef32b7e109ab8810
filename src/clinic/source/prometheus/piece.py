"""What one request asks a Prometheus for, and how that is halved where it is too much."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from clinic.formats.remoteread import LabelMatch, Match

_SPECIAL = re.compile(r"[\\.+*?()|\[\]{}^$]")
_OPERATORS = {Match.EQUAL: "=", Match.NOT_EQUAL: "!=", Match.REGEX: "=~", Match.NOT_REGEX: "!~"}


def quoted(text: str) -> str:
    """`text` as a regular expression of RE2 that matches nothing else."""
    return _SPECIAL.sub(r"\\\g<0>", text)


def condition(one: LabelMatch) -> str:
    """A condition as PromQL writes it."""
    return f"{one.label}{_OPERATORS[one.kind]}{json.dumps(one.value, ensure_ascii=False)}"


@dataclass(frozen=True, slots=True)
class Piece:
    """All series of some metrics that meet the conditions, in a stretch of time."""

    names: tuple[str, ...]
    """Names of the metrics."""

    start: int
    """First moment, milliseconds since 1970."""

    end: int
    """Last moment."""

    matches: tuple[LabelMatch, ...] = ()
    """Conditions on other labels."""

    step: int = 0
    """Milliseconds between two values; 0 for every sample."""

    @property
    def selector(self) -> str:
        """As PromQL selects its series."""
        name = (
            LabelMatch(Match.EQUAL, "__name__", self.names[0])
            if len(self.names) == 1
            else LabelMatch(Match.REGEX, "__name__", "|".join(map(quoted, self.names)))
        )
        return f"{{{','.join(map(condition, (name, *self.matches)))}}}"

    @property
    def range_selector(self) -> str:
        """As PromQL selects its samples at the last moment.

        A millisecond longer than it is: Prometheus 3 and VictoriaMetrics leave out what is exactly at the beginning.
        """
        return f"{self.selector}[{self.end - self.start + 1}ms]"

    def by_names(self) -> list[Piece]:
        """Halves of the metrics; none where there is one."""
        middle = len(self.names) // 2
        return (
            [replace(self, names=names) for names in (self.names[:middle], self.names[middle:])]
            if middle
            else []
        )

    def by_label(self, label: str, values: Sequence[str]) -> list[Piece]:
        """Halves by the values of a label, the second with the series that don't have it; none for one value."""
        if len(values) < 2:
            return []
        pattern = "|".join(map(quoted, values[: len(values) // 2]))
        return [
            replace(self, matches=(*self.matches, LabelMatch(kind, label, pattern)))
            for kind in (Match.REGEX, Match.NOT_REGEX)
        ]

    def by_time(self, shortest: int) -> list[Piece]:
        """Halves of the time; none below `shortest`."""
        step = self.step or 1
        steps = (self.end - self.start) // step // 2
        if self.end - self.start < 2 * shortest or not steps:
            return []
        middle = self.start + steps * step
        return [replace(self, end=middle - 1), replace(self, start=middle)]
