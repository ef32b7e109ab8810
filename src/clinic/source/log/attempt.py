"""One attempt at reading logs: file by file, and in the end what is missing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timezone, tzinfo

from clinic.deadline import Deadline
from clinic.errors import Failed, ItemError, Partial, Skip
from clinic.formats.coverage import Case, judge, shown, together, told
from clinic.formats.rotation import unpacked
from clinic.formats.timestamp import NANOSECONDS, Clock, nanoseconds, zone_from
from clinic.formats.window_cut import JITTER, SILENCE, Seen
from clinic.host.base import FileInfo, FileKind, Host
from clinic.outcome import Reason
from clinic.source.base import Chunk, Doors, Estimate, Part, Ran
from clinic.source.log.choice import LogChoice
from clinic.source.log.file import LogFile, Wanted
from clinic.source.log.files import FEW, LISTED, Log, look_at, look_for, reaching
from clinic.source.log.settings import told_in
from clinic.units import KIB, human_size, plural

_ZONE_FILE = "/etc/localtime"
_ZONE_SIZE = 64 * KIB
WORTH_TELLING = 1.0
"""Seconds that a host's clock is off from which on the record says so."""

_HEAD = KIB
_LEAST_HEAD = 64
"""Bytes that two files must begin with alike to be taken for one, at most and at least: entries with their times."""


class _Trail:
    """What became of one log. Of its files only what is needed later is kept: there may be many."""

    def __init__(self, log: Log, files: list[FileInfo], limit: int) -> None:
        self.path = log.path
        """What its writer writes to."""
        self.known = frozenset(info.path for info in log.files)
        """All files that it had in the beginning."""
        self.oldest = log.files[:FEW]
        """Those that changed first."""
        self.rotated = log.rotated
        """Whether there are rotated files."""
        self.crowded = log.crowded
        """Whether there are more than were looked at."""
        self.refused = log.refused
        """Why some could not be seen."""
        self.files = files[-limit:]
        """Those that may reach into the window."""
        self.beyond = len(files) - len(self.files)
        """How many more of these there are than are taken."""
        self.seen: Seen | None = None
        """What was kept of it, by time."""
        self.telling = True
        """Whether what was kept tells what the log covers: all of it was read, and it has times."""
        self.narrowed = 0
        """Bytes of the window that there was no room for."""
        self.gone: list[str] = []
        """Files that were not there any more."""
        self.read: set[str] = set()
        """Names, without endings of compression, of those that were read to their end."""
        self.renamed = False
        """Whether there were new names in the end."""

    @property
    def lost(self) -> list[str]:
        """Files that were deleted before they could be read, under no other name."""
        gone = [path for path in self.gone if unpacked(path) not in self.read]
        return [path for path in gone if path != self.path or not self.renamed]


class Reading:
    """One attempt at reading logs."""

    def __init__(self, source: LogChoice, doors: Doors) -> None:
        self._source = source
        self._doors = doors
        self._host = doors.host(source.host)
        self._ahead = source.ahead + self._host.ahead
        window = doors.window.shifted(self._ahead)
        zone = doors.shared(("zone", source.host), lambda: _zone(self._host, doors.deadline))
        low, high = nanoseconds(window.start), nanoseconds(window.end)
        self._wanted = Wanted(low, high, lambda latest: Clock(zone, latest))
        self._firsts: dict[str, int | None] = {}
        self._heads: dict[bytes, list[bytes]] = {}
        self._refused: list[ItemError] = []
        self._bytes = 0
        self._logs = self._told()
        self._trails = self._look()

    def _told(self) -> tuple[str, ...]:
        """The logs that were named, and those that the configuration names besides."""
        source, deadline = self._source, self._doors.deadline
        told = [
            path
            for config in source.configs
            for path in told_in(self._host, config, source.settings, source.home, deadline)
        ]
        return tuple(dict.fromkeys((*source.logs, *told)))

    def _look(self) -> list[_Trail]:
        """All logs that there are. Raises `Skip` when there is none, or what forbids to see them."""
        host, deadline = self._host, self._doors.deadline
        logs = [look_for(host, path, deadline) for path in self._logs]
        logs += [log for pattern in self._source.patterns for log in look_at(host, pattern, deadline)]
        self._refused += [log.refused for log in logs if log.refused is not None]
        if not any(log.files for log in logs):
            raise next(iter(self._refused), Skip(Reason.NOT_FOUND, f"there is no {self._source.named}"))
        return [_Trail(log, self._reaching(log), self._source.limit) for log in logs]

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
        files = [info for trail in self._trails for info in trail.files]
        sizes = [self._size(info) for info in files]
        refused = [one.impossible for one in sizes if one.impossible is not None]
        if refused and len(refused) == len(sizes):
            return Estimate(None, impossible=refused[0])
        found = [one for one in sizes if one.size != 0]
        size = sum(one.size or 0 for one in found)
        exact = all(one.exact for one in found)
        if self._source.room is not None and size > self._source.room:
            size, exact = self._source.room, False
        return Estimate(size, exact=exact, parts=len(found))

    def _size(self, info: FileInfo) -> Estimate:
        try:
            with self._file(info) as file:
                return file.estimate() if self._meant(file) else Estimate(0, exact=True)
        except (Skip, Failed) as error:
            return Estimate(None, impossible=error)

    def _rooms(self) -> dict[str, int]:
        """Most bytes for each file, where there is a bound for all of them: the newest get it first."""
        left = self._source.room
        rooms: dict[str, int] = {}
        if left is None:
            return rooms
        files = [info for trail in self._trails for info in trail.files]
        for info in sorted(files, key=lambda info: -info.mtime):
            rooms[info.path] = left
            left = max(0, left - (self._size(info).size or 0))
        return rooms

    # -- reading it

    def parts(self) -> Iterator[Part]:
        """A part for each file, the oldest of each log first; then what is missing is raised."""
        rooms = self._rooms()
        for trail in self._trails:
            for info in trail.files:
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
                trail.telling = False
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
        if not self._meant(file):
            return "of something else"
        head = file.sample[:_HEAD]
        known = self._heads.get(head[:_LEAST_HEAD], ())
        if any(one.startswith(head) or head.startswith(one) for one in known):
            return "the same as a file that was read already"
        return ""

    def _meant(self, file: LogFile) -> bool:
        return self._source.meant is None or self._source.meant(file.sample)

    def _done(self, trail: _Trail, file: LogFile, taken: int) -> str:
        """Note what was read of a file to its end, and what the record says of it."""
        trail.read.add(unpacked(file.path))
        trail.narrowed += file.narrowed
        entries = file.survey.entries
        if entries is None:
            trail.telling = False
            return f"{plural(taken, 'byte')}, no known times"
        if len(file.sample) >= _LEAST_HEAD:
            self._heads.setdefault(file.sample[:_LEAST_HEAD], []).append(file.sample[:_HEAD])
        formats = "+".join(known.name for known in entries.formats)
        seen = f", {told(file.seen)}" if file.seen is not None else ""
        seen += f" clock={self._ahead:+.3f}s" if abs(self._ahead) >= WORTH_TELLING else ""
        return f"{plural(taken, 'byte')}, {formats}{seen}" + (f" zone={file.zone}" if file.zone else "")

    def _rotated_meanwhile(self, trail: _Trail) -> Iterator[Part]:
        """What was there under another name when its turn came: a log that was rotated while others were read."""
        if trail.path not in self._logs:
            return
        again = look_for(self._host, trail.path, self._doors.deadline)
        fresh = replace(again, files=tuple(info for info in again.files if info.path not in trail.known))
        trail.renamed = bool(fresh.files)
        room = self._source.room
        for info in self._reaching(fresh):
            yield self._part(trail, info, None if room is None else room - self._bytes)

    # -- what is missing

    def _judge(self) -> None:
        """Raise what of the window is not there although it should be."""
        if not self._bytes and self._refused:
            raise self._refused[0]
        missing = [
            (reason, f"{trail.path}: {text}")
            for trail in self._trails
            for reason, text in self._missing(trail)
        ]
        if missing:
            raise Partial(missing[0][0], "; ".join(text for _, text in missing))
        if not self._bytes:
            between = f"{shown(self._wanted.low)} and {shown(self._wanted.high)}"
            raise Skip(Reason.EMPTY, f"there is no entry between {between} in {self._source.named}")

    def _missing(self, trail: _Trail) -> Iterator[tuple[Reason, str]]:
        if trail.refused is not None:
            yield trail.refused.reason, trail.refused.message
        if trail.crowded:
            yield Reason.SOME_FILES, f"more than {LISTED} files: not all of them were looked at"
        if trail.beyond:
            taken = f"only the {len(trail.files)} files that changed last were taken"
            yield Reason.SOME_FILES, f"{taken}, and {trail.beyond} others may have something of the window"
        if trail.lost:
            yield Reason.ROTATED_OUT, f"deleted before their turn came: {' '.join(trail.lost[:5])}"
        if trail.narrowed:
            facts = told(trail.seen) if trail.seen is not None else "nothing"
            left = human_size(trail.narrowed)
            yield (
                Reason.OVER_BUDGET,
                f"only the newest part was taken, {left} before it were left out: {facts}",
            )
        elif trail.telling and trail.known and trail.path in self._logs:
            verdict = judge(self._case(trail))
            if verdict is not None:
                yield verdict

    def _case(self, trail: _Trail) -> Case:
        source, seen, low = self._source, trail.seen, self._wanted.low
        # Where the window's beginning is covered, nothing older has to be looked for.
        covered = seen is not None and seen.first <= low + max(SILENCE, int(source.silence * NANOSECONDS))
        return Case(
            low=low,
            high=min(self._wanted.high, int((time.time() + self._ahead) * NANOSECONDS)),
            seen=seen,
            oldest=low if covered else self._oldest(trail),
            rotated=trail.rotated,
            started=int(source.started * NANOSECONDS),
            running=source.running,
            silence=int(source.silence * NANOSECONDS),
        )

    def _oldest(self, trail: _Trail) -> int | None:
        """When the first entry of the oldest file was written that has one with a time."""
        return next((first for info in trail.oldest if (first := self._first(info)) is not None), None)


def _zone(host: Host, deadline: Deadline) -> tzinfo:
    """The zone that the processes of a host write their times in unless told otherwise."""
    try:
        with host.open(_ZONE_FILE, deadline) as reader:
            [data] = reader.ranges([(0, _ZONE_SIZE)], deadline)
    except (Skip, Failed):
        return timezone.utc
    return zone_from(data)
