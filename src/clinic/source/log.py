"""The lines of a log inside the window: of the file that is written now and of those it was rotated into."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass, replace
from datetime import datetime, timezone, tzinfo

from clinic.deadline import Deadline
from clinic.errors import Failed, ItemError, Partial, Skip
from clinic.formats.coverage import Case, judge, shown, together, told
from clinic.formats.cut import JITTER, SILENCE, Seen
from clinic.formats.moment import NANOSECONDS, Clock, zone_from
from clinic.formats.rotation import unpacked
from clinic.host.base import FileInfo, FileKind, Host
from clinic.outcome import Reason
from clinic.source.base import Chunk, Doors, Estimate, Part, Ran, Source
from clinic.source.logfile import LogFile, Wanted
from clinic.source.logfiles import FEW, LISTED, Log, look_at, look_for, reaching
from clinic.source.patterns import require_words
from clinic.units import KIB, human_size, plural

STALL = 30.0
"""Seconds without a byte after which a file counts as stuck: a dead file server."""

_ZONE_FILE = "/etc/localtime"
_ZONE_SIZE = 64 * KIB
_LEAST_HEAD = 64
"""Bytes that two files must begin with alike to be taken for one: their first entry with its time."""


@dataclass(frozen=True)
class LogWindow(Source):
    """What one or more logs say of the window, a file each: entries whose own time is inside, whole or not at all.

    A file in no known format is taken by the time of its last change, as it is or, when it is large, its head and
    tail; one whose name says `stderr` always is, since what a crash leaves has no times.
    """

    host: str
    """Name of the machine that they are on."""

    logs: tuple[str, ...]
    """Absolute paths of the files that are written now. What they were rotated into is found beside them."""

    _: KW_ONLY
    """What follows is given by name."""

    patterns: tuple[str, ...] = ()
    """Absolute globs; each file that matches is a log of its own."""

    below: str = ""
    """A directory: files in it are named by their path below it, others by their absolute one."""

    silence: float = 0.0
    """Seconds that an instance is never silent while it runs: a longer silence is on record. 0 when it may be."""

    started: float = 0.0
    """When the instance started, seconds since 1970 by its host's clock; 0 when that is unknown."""

    running: bool = False
    """Whether it runs now."""

    ahead: float = 0.0
    """Seconds that the host's clock is ahead of this machine's."""

    limit: int = 1000
    """Most files to take of one log, those that changed last; more of them is on record."""

    room: int | None = None
    """Most plain bytes to take in all: the newest, and what is left out is on record."""

    def __post_init__(self) -> None:
        require_words((*self.logs, *self.patterns), "logs and patterns")

    @property
    def lane(self) -> str:
        return f"host:{self.host}"

    @property
    def what(self) -> str:
        return " ".join((*self.logs, *self.patterns))

    @property
    def deadline(self) -> float | None:
        return None

    @property
    def stall(self) -> float | None:
        return STALL

    def plan(self, doors: Doors) -> Estimate:
        """Both edges of the window are found in each file, and what is between them is not read."""
        try:
            return _Reading(self, doors).estimate()
        except ItemError as error:
            return Estimate(None, impossible=error)

    def open(self, doors: Doors) -> Iterator[Part]:
        return _Reading(self, doors).parts()

    def narrow(self, size: int) -> Source:
        """The newest `size` bytes."""
        return replace(self, room=size if self.room is None else min(size, self.room))


class _Trail:
    """What became of one log."""

    def __init__(self, log: Log, files: list[FileInfo]) -> None:
        self.log = log
        """Its files."""
        self.files = files
        """Those that may reach into the window."""
        self.seen: Seen | None = None
        """What was kept of it, by time."""
        self.timed = True
        """Whether all files that were read tell times."""
        self.gone: list[str] = []
        """Files that were not there any more."""
        self.narrowed = 0
        """Bytes of the window that there was no room for."""
        self.read: set[str] = set()
        """Names, without endings of compression, of those that were read to their end."""


class _Reading:
    """One attempt at reading logs."""

    def __init__(self, source: LogWindow, doors: Doors) -> None:
        self._source = source
        self._doors = doors
        self._host = doors.host(source.host)
        window = doors.window.shifted(source.ahead)
        zone = doors.shared(("zone", source.host), lambda: _zone(self._host, doors.deadline))
        low, high = _nanoseconds(window.start), _nanoseconds(window.end)
        self._wanted = Wanted(low, high, lambda latest: Clock(zone, latest))
        self._firsts: dict[str, int | None] = {}
        self._heads: dict[bytes, list[bytes]] = {}
        self._refused: list[ItemError] = []
        self._bytes = 0
        self._trails = self._look()

    def _look(self) -> list[_Trail]:
        """All logs that there are. Raises `Skip` when there is none, or what forbids to see them."""
        host, deadline = self._host, self._doors.deadline
        logs = [look_for(host, path, deadline) for path in self._source.logs]
        logs += [log for pattern in self._source.patterns for log in look_at(host, pattern, deadline)]
        self._refused += [log.refused for log in logs if log.refused is not None]
        if not any(log.files for log in logs):
            raise next(iter(self._refused), Skip(Reason.NOT_FOUND, f"there is no {self._source.what}"))
        return [_Trail(log, self._reaching(log)) for log in logs]

    def _reaching(self, log: Log) -> list[FileInfo]:
        return reaching(log, self._wanted.low - JITTER, self._wanted.high + JITTER, self._first)

    def _first(self, info: FileInfo) -> int | None:
        if info.path not in self._firsts:
            try:
                with self._file(info) as file:
                    self._firsts[info.path] = file.first()
            except (Skip, Failed):
                self._firsts[info.path] = None
        return self._firsts[info.path]

    def _file(self, info: FileInfo) -> LogFile:
        return LogFile(self._host, info.path, self._wanted, self._doors.deadline)

    # -- how much there is

    def estimate(self) -> Estimate:
        """What it would give."""
        files = [info for trail in self._trails for info in trail.files[-self._source.limit :]]
        found = [estimate for info in files if (estimate := self._size(info)).size != 0]
        size = sum(estimate.size or 0 for estimate in found)
        exact = all(estimate.exact for estimate in found)
        if self._source.room is not None and size > self._source.room:
            size, exact = self._source.room, False
        return Estimate(size, exact=exact, parts=len(found))

    def _size(self, info: FileInfo) -> Estimate:
        try:
            with self._file(info) as file:
                return file.estimate()
        except (Skip, Failed):
            return Estimate(None)

    def _rooms(self) -> dict[str, int]:
        """Most bytes for each file, where there is a bound for all of them: the newest get it first."""
        left = self._source.room
        rooms: dict[str, int] = {}
        if left is None:
            return rooms
        files = [info for trail in self._trails for info in trail.files[-self._source.limit :]]
        for info in sorted(files, key=lambda info: -info.mtime):
            rooms[info.path] = left
            left = max(0, left - (self._size(info).size or 0))
        return rooms

    # -- reading it

    def parts(self) -> Iterator[Part]:
        """A part for each file, the oldest of each log first; then what is missing is raised."""
        rooms = self._rooms()
        for trail in self._trails:
            for info in trail.files[-self._source.limit :]:
                yield self._part(trail, info, rooms.get(info.path))
            yield from self._rotated_meanwhile(trail)
        self._judge()

    def _part(self, trail: _Trail, info: FileInfo, room: int | None) -> Part:
        path, below = unpacked(info.path), self._source.below.rstrip("/") + "/"
        name = path[len(below) :] if self._source.below and path.startswith(below) else path
        return Part(self._chunks(trail, info, room), name)

    def _chunks(self, trail: _Trail, info: FileInfo, room: int | None) -> Iterator[Chunk]:
        started, outcome, taken = time.monotonic(), "stopped", 0
        try:
            with self._file(info) as file:
                outcome = self._needless(info, file)
                if not outcome:
                    try:
                        for chunk in file.chunks(room):
                            taken += len(chunk) if isinstance(chunk, bytes) else 0
                            yield chunk
                    finally:
                        trail.seen = together(trail.seen, file.seen)
                    outcome = self._done(trail, file, taken)
        except ItemError as error:
            outcome = str(error.reason)
            if error.reason is not Reason.NOT_FOUND:
                self._refused.append(error)
                raise
            # Deleted since it was listed, or compressed: what is there then is looked for in the end.
            trail.gone.append(info.path)
        finally:
            self._bytes += taken
            seconds = time.monotonic() - started
            self._doors.ran(Ran("log", info.path, self._source.host, self._host.user, outcome, seconds))

    def _needless(self, info: FileInfo, file: LogFile) -> str:
        """Why a file is not read after all; empty when it is."""
        if info.kind is FileKind.LINK and file.info.mtime * NANOSECONDS < self._wanted.low - JITTER:
            return "a link to a file that did not change in the window"
        known = self._heads.get(file.sample[:_LEAST_HEAD], ())
        if any(one.startswith(file.sample) or file.sample.startswith(one) for one in known):
            return "the same as a file that was read already"
        return ""

    def _done(self, trail: _Trail, file: LogFile, taken: int) -> str:
        """Note what was read of a file to its end, and what the record says of it."""
        trail.read.add(unpacked(file.path))
        trail.narrowed += file.narrowed
        entries = file.survey.entries
        if entries is None:
            trail.timed = False
            return f"{plural(taken, 'byte')}, no known times"
        if len(file.sample) >= _LEAST_HEAD:
            self._heads.setdefault(file.sample[:_LEAST_HEAD], []).append(file.sample)
        formats = "+".join(known.name for known in entries.formats)
        return f"{plural(taken, 'byte')}, {formats}" + (
            f", {told(file.seen)}" if file.seen is not None else ""
        )

    def _rotated_meanwhile(self, trail: _Trail) -> Iterator[Part]:
        """What was there under another name when its turn came: a log that was rotated while others were read."""
        if trail.log.path not in self._source.logs:
            return
        known = {info.path for info in trail.log.files}
        again = look_for(self._host, trail.log.path, self._doors.deadline)
        fresh = replace(again, files=tuple(info for info in again.files if info.path not in known))
        room = self._source.room
        for info in self._reaching(fresh):
            yield self._part(trail, info, None if room is None else room - self._bytes)

    # -- what is missing

    def _judge(self) -> None:
        """Raise what of the window is not there although it should be."""
        if not self._bytes and self._refused:
            raise self._refused[0]
        missing = [
            (reason, f"{trail.log.path}: {text}")
            for trail in self._trails
            for reason, text in self._missing(trail)
        ]
        if missing:
            raise Partial(missing[0][0], "; ".join(text for _, text in missing))
        if not self._bytes:
            between = f"{shown(self._wanted.low)} and {shown(self._wanted.high)}"
            raise Skip(Reason.EMPTY, f"there is no entry between {between} in {self._source.what}")

    def _missing(self, trail: _Trail) -> Iterator[tuple[Reason, str]]:
        limit = self._source.limit
        if trail.log.crowded:
            yield Reason.SOME_FILES, f"more than {LISTED} files: not all of them were looked at"
        if len(trail.files) > limit:
            yield (
                Reason.SOME_FILES,
                f"only the {limit} of {len(trail.files)} files that changed last were taken",
            )
        if trail.narrowed:
            facts = told(trail.seen) if trail.seen is not None else "nothing"
            left = human_size(trail.narrowed)
            yield (
                Reason.OVER_BUDGET,
                f"only the newest part was taken, {left} before it were left out: {facts}",
            )
        lost = [path for path in trail.gone if unpacked(path) not in trail.read]
        if lost:
            yield Reason.ROTATED_OUT, f"deleted before their turn came: {' '.join(lost[:5])}"
        if trail.timed and trail.log.files and trail.log.path in self._source.logs:
            verdict = judge(self._case(trail))
            if verdict is not None:
                yield verdict

    def _case(self, trail: _Trail) -> Case:
        source, seen, low = self._source, trail.seen, self._wanted.low
        # Where the window's beginning is covered, nothing older has to be looked for.
        covered = seen is not None and seen.first <= low + max(SILENCE, int(source.silence * NANOSECONDS))
        return Case(
            low=low,
            high=min(self._wanted.high, int((time.time() + source.ahead) * NANOSECONDS)),
            seen=seen,
            oldest=low if covered else self._oldest(trail.log),
            rotated=trail.log.rotated,
            started=int(source.started * NANOSECONDS),
            running=source.running,
            silence=int(source.silence * NANOSECONDS),
        )

    def _oldest(self, log: Log) -> int | None:
        """When the first entry of the oldest file was written that has one with a time."""
        return next((first for info in log.files[:FEW] if (first := self._first(info)) is not None), None)


def _nanoseconds(moment: datetime) -> int:
    since = moment - datetime(1970, 1, 1, tzinfo=timezone.utc)
    return (since.days * 86400 + since.seconds) * NANOSECONDS + since.microseconds * 1000


def _zone(host: Host, deadline: Deadline) -> tzinfo:
    """The zone that the processes of a host write their times in unless told otherwise."""
    try:
        with host.open(_ZONE_FILE, deadline) as reader:
            [data] = reader.ranges([(0, _ZONE_SIZE)], deadline)
    except (Skip, Failed):
        return timezone.utc
    return zone_from(data)
