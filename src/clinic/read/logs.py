"""All logs of a bundle as one: the entries of all instances in the order of time, chosen by time, level and text."""

from __future__ import annotations

import heapq
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import cast

from clinic.errors import UsageError
from clinic.formats.logentry import Level
from clinic.formats.logindex import MINUTE
from clinic.formats.timestamp import FOREVER
from clinic.read.logentries import LogReader
from clinic.read.logfiles import LogFile, LogLine, Wanted, log_files, with_index
from clinic.read.needle import Needle, naming
from clinic.read.open import Opened

GRAVE = tuple(level.value for level in Level)
"""The levels, the mildest first."""

MARKS = 2000
"""How many connections, transactions, regions and traces are followed at most."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which entries are wanted."""

    low: int = 0
    """From when on, nanoseconds since 1970."""

    high: int = FOREVER
    """Up to when."""

    level: str = ""
    """This grave or graver; all when empty. Entries that tell no level are left out when it is given."""

    pattern: str = ""
    """A regular expression that an entry has to match somewhere (RE2's syntax)."""

    instances: tuple[str, ...] = ()
    """Instances, hosts or components; all when empty."""

    kinds: tuple[str, ...] = ()
    """Kinds of logs; all when empty."""

    follow: bool = False
    """Also the entries that share a connection, transaction, region or trace with one that matches."""

    components: dict[str, str] = field(default_factory=dict[str, str])
    """Of each instance its component."""

    def takes(self, file: LogFile) -> bool:
        """Whether a file is of a chosen instance and kind."""
        names = {
            file.instance,
            file.host,
            file.instance.replace("-", ":"),
            self.components.get(file.instance, ""),
        }
        return (not self.instances or bool(names & set(self.instances))) and (
            not self.kinds or file.kind in self.kinds
        )

    @property
    def wanted(self) -> Wanted:
        """What a file is asked for."""
        levels = frozenset(GRAVE[GRAVE.index(self.level) :]) if self.level else frozenset[str]()
        return Wanted(self.low, self.high, levels)


def choose(opened: Opened, choice: Choice) -> list[LogFile]:
    """The chosen files. Raises `UsageError` naming what there is where a name is none, or none is left."""
    files = list(log_files(opened))
    known = {one.id: one.component for one in opened.run.cluster.instances}
    choice.components.update(known)
    for what, wanted, names in (
        ("instance", choice.instances, _names(files, known)),
        ("kind of log", choice.kinds, {file.kind for file in files}),
    ):
        unknown = [name for name in wanted if name not in names]
        if unknown:
            hint = f"there are {', '.join(sorted(name for name in names if name)) or 'none'}"
            raise UsageError(f"the bundle has no {what} {', '.join(unknown)}", hint=hint)
    if not files:
        raise UsageError("the bundle holds no logs", hint="collect them: clinic collect --include log")
    return [file for file in files if choice.takes(file)]


def _names(files: Sequence[LogFile], components: dict[str, str]) -> set[str]:
    ids = {file.instance for file in files}
    return {
        *ids, *(name.replace("-", ":") for name in ids), *(file.host for file in files),
        *(components.get(name, "") for name in ids),
    }  # fmt: skip


def merged(opened: Opened, choice: Choice) -> Iterator[LogLine]:
    """The chosen entries of all files in the order of time. Raises `UsageError` as `choose` does, and for a pattern."""
    if choice.follow and not choice.pattern:
        raise UsageError("there is nothing to follow", hint="--follow-entry needs --grep")
    files = [with_index(opened, file) for file in choose(opened, choice)]
    needle = Needle(choice.pattern) if choice.pattern else None
    if choice.follow:
        marks = _marks(line.text for line in _in_order(opened, files, choice, needle))
        values = naming(sorted({value for _, value in marks})) if marks else ""
        needle = Needle(choice.pattern, _relation(marks), values)
    return _in_order(opened, files, choice, needle)


def _in_order(
    opened: Opened, files: Sequence[LogFile], choice: Choice, needle: Needle | None
) -> Iterator[LogLine]:
    """Merged by time; a file is opened only when its time has come, so that thousands need few descriptors."""
    waiting = sorted(files, key=_begins, reverse=True)
    heap: list[tuple[int, int, LogLine, Iterator[LogLine]]] = []
    number = 0
    with LogReader(opened, choice.wanted, needle) as reader:
        while waiting or heap:
            while waiting and (not heap or _begins(waiting[-1]) <= heap[0][0]):
                number += 1
                lines = reader.entries(waiting.pop())
                if (first := next(lines, None)) is not None:
                    heapq.heappush(heap, (first.time, number, first, lines))
            if not heap:
                continue
            _, order, line, lines = heap[0]
            yield line
            if (following := next(lines, None)) is None:
                heapq.heappop(heap)
            else:
                heapq.heapreplace(heap, (following.time, order, following, lines))


def _begins(file: LogFile) -> int:
    """A time that is not after its first entry."""
    if file.index is not None and file.index.minutes and not file.index.local:
        return min(minute.start for minute in file.index.minutes) * MINUTE
    return file.first - MINUTE if file.first else 0


# -- what belongs together

# As TiDB, TiKV and PD write them into fields: connections, transactions (start timestamp), regions, sessions, traces.
_MARK = re.compile(
    rb"(?i)\b(conn|connid|conn_id|connection_?id|session|txn_?start_?ts|start_?ts|txnstartts|region_?id|region|trace_?id)"
    rb"(?:\"|\\\")?\s*[=:]\s*\"?([0-9a-f-]{1,40})\b"
)
_SAME = {
    b"connid": b"conn", b"conn_id": b"conn", b"connectionid": b"conn", b"connection_id": b"conn", b"session": b"conn",
    b"txnstartts": b"ts", b"txn_start_ts": b"ts", b"txnstart_ts": b"ts", b"startts": b"ts", b"start_ts": b"ts",
    b"regionid": b"region", b"region_id": b"region", b"traceid": b"trace", b"trace_id": b"trace",
}  # fmt: skip


def marks_in(text: bytes) -> set[tuple[bytes, bytes]]:
    """The connections, transactions, regions and traces that an entry names."""
    found = ((name.lower(), value) for name, value in cast("list[tuple[bytes, bytes]]", _MARK.findall(text)))
    return {(_SAME.get(name, name), value) for name, value in found if value.strip(b"0-")}


def _marks(texts: Iterable[bytes]) -> set[tuple[bytes, bytes]]:
    marks: set[tuple[bytes, bytes]] = set()
    for text in texts:
        marks |= marks_in(text)
        if len(marks) > MARKS:
            raise UsageError(
                f"the entries that match name more than {MARKS:,} connections, transactions and regions",
                hint="match fewer: a narrower --grep, --from and --to",
            )
    return marks


def _relation(marks: set[tuple[bytes, bytes]]) -> Callable[[bytes], bool]:
    return lambda text: not marks.isdisjoint(marks_in(text))
