"""The samples of a Prometheus in the window, as the server holds them, without hurting it.

They are asked for by groups of metrics, each group as large as the server is well: its memory and how quickly it
answers are looked at in between, and it is left alone for a while, or for good, where it runs short.
"""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace

from clinic.client.address import Address
from clinic.errors import Cancelled, Failed, ItemError, Partial, Retryable, Skip, TimedOut
from clinic.formats.readframes import BadFrame, outlines
from clinic.formats.remoteread import LabelMatch
from clinic.kinds import Content
from clinic.outcome import Reason
from clinic.source.base import Doors, Estimate, Part, Source
from clinic.source.promjson import exported
from clinic.source.promserver import Health, PromServer, message_of
from clinic.source.server import Server, called
from clinic.units import GIB, MIB, human_size, plural

STALL = 120.0
"""Seconds without a byte: a server that sorts hundreds of thousands of series needs some before the first."""

FILE = 64 * MIB
"""Plain bytes of one file of frames."""

GROUP = 8 * MIB
"""Bytes of frames that one request should give: what is asked for again when it breaks off."""

FIRST_GROUP, LARGEST_GROUP = 4, 100
"""Metrics asked for at once: in the beginning, and once it is known how much they come to."""

TRIES = 3
"""Requests for one group before its metrics count as missing."""

PAUSE_AT, STOP_AT = 256 * MIB, GIB
"""Growth of the server's memory at which it is left alone for a while, and for good."""

SLOW, PAUSE = 2.0, 5.0
"""Seconds that a small answer may take, and for how long a server is left alone that took longer."""

PAUSES = 12
"""Pauses in a row after which it is left alone for good."""

BYTES_A_SAMPLE = 1.8
"""Of chunks, where the server does not say how many it has."""

BYTES_A_CHUNK, BYTES_A_SERIES, SAMPLES_A_CHUNK = 24, 220, 120
"""What a frame adds to the samples: times and lengths of a chunk, and the labels of a series, which come again."""


@dataclass(frozen=True)
class Samples(Source):
    """All series of the chosen metrics in the window: frames of remote read, and what is in them by metric."""

    server: Server | Address
    """What is asked."""

    _: KW_ONLY
    """What follows is given by name."""

    match: tuple[str, ...] = ()
    """Globs of the metrics that are wanted; all when empty."""

    exclude: tuple[str, ...] = ()
    """Globs of metrics that are not."""

    labels: tuple[LabelMatch, ...] = field(default=())
    """Further conditions."""

    first: tuple[str, ...] = ()
    """Globs of the metrics that come first: where there is no room for all, they are what is there."""

    room: int | None = GIB
    """Most bytes of frames; None for no bound."""

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
        """Counted from what the scrapes brought in the window and how many bytes its samples have in its own blocks."""
        try:
            talk = PromServer(self.server, doors)
            size = _estimate(talk, doors.window.seconds)
        except ItemError as error:
            return Estimate(None, impossible=error)
        return Estimate(size if self.room is None or size is None else min(size, self.room))

    def open(self, doors: Doors) -> Iterator[Part]:
        return _Taking(self, doors).parts()

    def narrow(self, size: int) -> Source:
        """The first metrics that go into `size`."""
        return replace(self, room=size if self.room is None else min(size, self.room))


def _estimate(talk: PromServer, seconds: float) -> int | None:
    span = f"{max(1, round(seconds))}s"
    samples = talk.value(f"sum(sum_over_time(scrape_samples_post_metric_relabeling[{span}]))")
    series = talk.value(f"sum(max_over_time(scrape_samples_post_metric_relabeling[{span}]))")
    if samples is None or series is None:
        return None
    each = talk.health().chunk_bytes or BYTES_A_SAMPLE
    chunks = max(samples / SAMPLES_A_CHUNK, series)
    return int(samples * each + chunks * BYTES_A_CHUNK + series * BYTES_A_SERIES)


class _Told:
    """What came of one metric."""

    def __init__(self) -> None:
        self.series: set[int] = set()
        """Hashes of the labels of its series."""
        self.samples = self.chunks = self.start = self.end = 0

    def add(self, labels: bytes, chunks: int, samples: int, start: int, end: int) -> None:
        """One more piece of a series."""
        self.series.add(hash(labels))
        self.samples += samples
        self.chunks += chunks
        self.start = min(self.start, start) if self.start else start
        self.end = max(self.end, end)


class _Taking:
    """One attempt at taking samples."""

    def __init__(self, source: Samples, doors: Doors) -> None:
        self._source = source
        self._doors = doors
        self._talk = PromServer(source.server, doors)
        self._told: dict[str, _Told] = {}
        self._listed: dict[str, int] = {}
        self._missing: dict[str, str] = {}
        self._problems: list[ItemError] = []
        self._taken = 0
        self._at_once = FIRST_GROUP
        self._before: Health | None = None
        self._way = "remote read in chunks"

    def parts(self) -> Iterator[Part]:
        """Files of frames (or of exported lines), then what is in them; in the end what is missing is raised."""
        names = self._wanted()
        frames = self._frames(names)
        number = 0
        while (first := next(frames, None)) is not None:
            number += 1
            yield Part(self._file(first, frames), f"frames-{number:04}.bin", Content.FRAMES)
        if self._way != "remote read in chunks":
            lines = exported(self._talk, self._doors, names, self._source.room, self._note)
            yield Part(lines, "export-0001.jsonl", Content.JSON)
        yield Part(iter([self._summary()]), "metrics.jsonl", Content.JSON)
        self._judge()

    def _wanted(self) -> list[str]:
        """The chosen names, those first that come first. Raises `Skip` where none is chosen."""
        source = self._source
        names = [
            name
            for name in self._talk.names()
            if (not source.match or _any(name, source.match)) and not _any(name, source.exclude)
        ]
        if not names:
            raise Skip(Reason.EMPTY, f"{self._talk.where} has no such metric in the window")
        return sorted(names, key=lambda name: (not _any(name, source.first), name))

    def _file(self, first: bytes, frames: Iterator[bytes]) -> Iterator[bytes]:
        size = len(first)
        yield first
        while size < FILE and (frame := next(frames, None)) is not None:
            size += len(frame)
            yield frame

    def _frames(self, names: Sequence[str]) -> Iterator[bytes]:
        at = 0
        while at < len(names):
            self._doors.deadline.check()
            if not self._may_go_on(names[at:]):
                return
            group = names[at : at + self._at_once]
            before = self._taken
            try:
                yield from self._group(group)
            except Skip as error:
                if error.reason is Reason.NOT_APPLICABLE and not self._told:
                    self._way = error.message
                    return
                raise
            at += len(group)
            self._adapt(self._taken - before, len(group))

    def _adapt(self, size: int, metrics: int) -> None:
        """More metrics at once where they are small, fewer where they are large."""
        fitting = int(GROUP * metrics / size) if size else LARGEST_GROUP
        self._at_once = max(1, min(LARGEST_GROUP, fitting, self._at_once * 4))

    def _group(self, group: Sequence[str]) -> Iterator[bytes]:
        """The frames of some metrics. What can't be had after some tries is missing, and the rest goes on."""
        for number in range(1, TRIES + 1):
            held: list[bytes] = []
            size = 0
            try:
                for frame in self._talk.frames(group, self._talk.start, self._talk.end, self._source.labels):
                    held.append(frame)
                    size += len(frame)
                    if size > 2 * GROUP:  # given away: of what is asked for again readers drop what they have
                        yield from self._given(held)
                        held = []
                yield from self._given(held)
            except (Cancelled, TimedOut):
                raise
            except (Retryable, Failed, Partial) as error:
                if number < TRIES and error.transient | isinstance(error, Partial):
                    self._doors.deadline.pause(number)
                    continue
                if len(group) > 1:  # one of them may be too much: each by itself, then
                    for name in group:
                        yield from self._group([name])
                    return
                self._missing[group[0]] = error.message
                self._problems.append(error)
            return

    def _given(self, frames: Sequence[bytes]) -> Iterator[bytes]:
        for frame in frames:
            self._taken += len(frame)
            try:
                for one in outlines(message_of(frame)):
                    name = one.name.decode("utf-8", "replace")
                    self._told.setdefault(name, _Told()).add(
                        one.labels, one.chunks, one.samples, one.start, one.end
                    )
            except BadFrame as error:
                raise Failed(Reason.BAD_ANSWER, f"{self._talk.where}: {error}") from error
            yield frame

    def _note(self, name: str, series: int, samples: int, start: int, end: int) -> None:
        """What came of a metric by another way."""
        told = self._told.setdefault(name, _Told())
        told.add(str(len(told.series)).encode(), series, samples, start, end)

    # -- the server's own need

    def _may_go_on(self, left: Sequence[str]) -> bool:
        """Whether there is room, and the server is well; it is waited for where it is not."""
        source = self._source
        if source.room is not None and self._taken >= source.room:
            return self._stop(
                left, Reason.OVER_BUDGET, f"{human_size(source.room)} are taken, which was the bound"
            )
        if len(self._problems) > TRIES and self._problems[-1].reason is Reason.UNREACHABLE:
            return self._stop(left, Reason.UNREACHABLE, self._problems[-1].message)
        why = ""
        for _ in range(PAUSES):
            why, pause = self._strain()
            if not why:
                return True
            if not pause:
                return self._stop(left, Reason.SERVER_PROTECTED, why)
            self._at_once = max(1, self._at_once // 2)
            self._doors.deadline.pause(PAUSE)
            self._doors.deadline.moved()
        return self._stop(left, Reason.SERVER_PROTECTED, why)

    def _strain(self) -> tuple[str, bool]:
        """What speaks against asking the server now, and whether a pause may mend it."""
        try:
            now = self._talk.health()
        except (Skip, Failed):
            return "", True  # it tells nothing of itself, as a proxy does
        except Retryable as error:
            return error.message, True
        self._before = self._before or now
        growth = now.memory - self._before.memory
        if growth > STOP_AT:
            return f"its memory grew by {human_size(growth)}", False
        if growth > PAUSE_AT:
            return f"its memory grew by {human_size(growth)}", True
        return (f"it took {now.seconds:.1f} s for a small answer", True) if now.seconds > SLOW else ("", True)

    def _stop(self, left: Sequence[str], reason: Reason, why: str) -> bool:
        self._missing.update(dict.fromkeys(left, why))
        self._problems.append(Partial(reason, why))
        return False

    # -- what is in it

    def _summary(self) -> bytes:
        rows = [
            {
                "metric": name, "series": len(told.series), "samples": told.samples, "chunks": told.chunks,
                "first": told.start, "last": told.end,
            }
            for name, told in sorted(self._told.items())
        ]  # fmt: skip
        missing = [{"metric": name, "missing": why} for name, why in sorted(self._missing.items())]
        head = {"way": self._way, "server": self._talk.where, "from": self._talk.start, "to": self._talk.end}
        return b"".join(json.dumps(row).encode() + b"\n" for row in (head, *rows, *missing))

    def _judge(self) -> None:
        """Raise what is missing, with the names of the first."""
        if not self._missing:
            return
        names = ", ".join(list(self._missing)[:5])
        reason = self._problems[-1].reason if self._problems else Reason.GAP
        why = next(reversed(self._missing.values()))
        text = f"{plural(len(self._missing), 'metric')} are not here ({names} ...): {why}"
        raise (Partial if self._told else Failed)(reason, text)


def _any(name: str, globs: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, glob) for glob in globs)
