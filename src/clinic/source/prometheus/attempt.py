"""One attempt at taking the samples of a Prometheus: groups of metrics as large as it is well, and nothing lost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from clinic.errors import Failed, ItemError, Partial, Retryable, Skip, TimedOut
from clinic.formats.readframes import BadFrame, Frame, frame, outlines, without
from clinic.kinds import Content
from clinic.outcome import Reason
from clinic.source.base import Doors, Part, Ran
from clinic.source.prometheus.check import Checking
from clinic.source.prometheus.counts import Told
from clinic.source.prometheus.estimate import batches
from clinic.source.prometheus.pacing import THRESHOLDS, Care
from clinic.source.prometheus.piece import Piece
from clinic.source.prometheus.range_selectors import Selecting, downsampled
from clinic.source.prometheus.replica import hole
from clinic.source.prometheus.retry import Patience, halves
from clinic.source.prometheus.selection import Wish
from clinic.source.prometheus.server import PromServer
from clinic.units import MIB, human_size

FILE = 64 * MIB
"""Plain bytes of one file of frames."""

GROUP = 8 * MIB
"""Bytes of frames that one request should give: what is asked for again when it breaks off."""

HOLD = 2 * GROUP
"""Bytes that are held back until their group is whole."""

FIRST_GROUP, LARGEST_GROUP = 4, 100
"""Metrics asked for at once: in the beginning, and once it is known how much they come to."""

BYTES_A_SAMPLE = 1.8
"""Of chunks, where nothing is known yet."""

BYTES_A_CHUNK, BYTES_A_SERIES, SAMPLES_A_CHUNK = 24, 220, 120
"""What a frame adds to the samples: times and lengths of a chunk, and the labels of a series, which come again."""

SCRAPE = 15_000
"""Milliseconds between two samples, where nothing is known yet."""

CHUNKS = "remote read in chunks"
"""How most come."""


class Taking:
    """Takes what is wished from one server."""

    def __init__(self, wish: Wish, doors: Doors) -> None:
        self._wish = wish
        self._doors = doors
        self._talk = PromServer(wish.server, doors)
        self._hole = hole(self._talk, wish, doors)
        if self._hole is not None:
            self._talk.start, self._talk.end = self._hole.start, self._hole.end
        self._care = Care(self._talk, doors)
        self._known = self._talk.counts(wish.labels)
        self._told = Told(self._known)
        self._check = Checking(self._talk, self._told, wish, ())
        self._taken = self._series = 0
        self._at_once = FIRST_GROUP
        self._way, self._uncounted = downsampled(wish.step) if wish.step else CHUNKS, ""
        self._later: list[tuple[Piece, str]] = []
        self._late: set[str] = set()
        self._over: ItemError | None = None
        samples = (self._talk.end - self._talk.start) / SCRAPE
        self._each = BYTES_A_SERIES + samples * (BYTES_A_SAMPLE + BYTES_A_CHUNK / SAMPLES_A_CHUNK)

    def parts(self) -> Iterator[Part]:
        """Files of frames, of exported lines, then what is in them; in the end what is missing is raised."""
        names = self._wish.wanted(self._talk.names())
        if not names:
            raise Skip(Reason.EMPTY, f"{self._talk.where} has no such metric in the window")
        self._check = Checking(self._talk, self._told, self._wish, names)
        yield from _files(self._frames(names), "frames-{:04}.bin", Content.FRAMES)
        selecting = Selecting(self._talk, self._doors, self._care, self._told, self._check)
        room = None if self._wish.room is None else self._wish.room - self._taken
        yield from _files(selecting.lines(self._later, room), "export-{:04}.jsonl", Content.JSON)
        yield Part(iter([self._told.rows(self._head())]), "metrics.jsonl", Content.JSON)
        self._told.judge()

    def _head(self) -> dict[str, object]:
        talk, care = self._talk, self._care
        head: dict[str, object] = {"way": self._way, "server": talk.where, "from": talk.start, "to": talk.end}
        head |= {"heap_growth": care.most, "pauses": care.pauses, "protection": THRESHOLDS}
        if self._hole is not None:
            head["replica_of"] = self._hole.of
        if self._wish.verify:
            head["verified"] = {"metrics": self._check.verified, "seed": self._check.seed}
        return head | ({"uncounted": self._uncounted} if self._uncounted else {})

    # -- groups of metrics

    def _frames(self, names: Sequence[str]) -> Iterator[bytes]:
        left = list(names)
        while left:
            self._doors.deadline.check()
            if not self._may_go_on(left):
                return
            group = self._group(left)
            del left[: len(group)]
            before, series = self._taken, self._series
            piece = self._talk.piece(group, self._wish.labels, self._wish.step)
            if self._way == CHUNKS:
                yield from self._piece(piece, {}, Patience())
            else:
                self._put_off(piece, self._way)
            self._adapt(len(group), self._taken - before, self._series - series)
            self._check.whole(name for name in group if name not in self._late)

    def _group(self, left: Sequence[str]) -> list[str]:
        """The next metrics, together no more than a request should give by the server's own count of their series."""
        group = next(batches(left[: self._at_once]))
        self._count([name for name in group if name not in self._known])
        bytes_of = [self._each * self._known.get(name, 0) for name in group]
        while len(group) > 1 and sum(bytes_of[: len(group)]) > GROUP:
            group.pop()
        return group

    def _count(self, names: Sequence[str]) -> None:
        if not names or self._uncounted:
            return
        try:
            counted = self._talk.counted(self._talk.piece(names, self._wish.labels))
            self._known.update({name: counted[name] for name in names})
        except (Skip, Failed, Retryable, Partial, TimedOut) as error:
            self._doors.deadline.check()
            self._uncounted = error.message

    def _adapt(self, metrics: int, size: int, series: int) -> None:
        """More metrics at once where they are small, fewer where they are large."""
        fitting = int(GROUP * metrics / size) if size else LARGEST_GROUP
        self._at_once = max(1, min(LARGEST_GROUP, fitting, self._at_once * 4))
        if series:
            self._each = size / series

    def _may_go_on(self, left: Sequence[str]) -> bool:
        """Whether there is room, and the server is there and well; it is waited for where it is not."""
        room = self._wish.room
        pauses = self._care.pauses
        if self._over is None and room is not None and self._taken >= room:
            self._over = Partial(Reason.OVER_BUDGET, f"{human_size(room)} are taken, which was the bound")
        self._over = self._over or self._care.wait()
        if self._care.pauses > pauses:
            self._at_once = max(1, self._at_once // 2)
        if self._over is not None:
            self._told.miss(left, self._over)
        return self._over is None

    # -- one piece

    def _piece(self, piece: Piece, given: dict[int, int], patience: Patience) -> Iterator[bytes]:
        """The frames of a piece; of its halves where it can't be had at once; later, otherwise, where not at all.

        `given` has up to which time each series was written already: of it nothing is written again.
        """
        problem: ItemError
        while True:
            try:
                yield from self._read(piece, given)
                patience.went_well()
                return
            except Skip as error:
                self._otherwise(piece, error)
                return
            except (Retryable, Failed, Partial, TimedOut) as error:
                self._doors.deadline.check()
                problem = error
            wait = patience.wait(problem)
            if wait is None:
                break
            self._doors.deadline.pause(wait)
        if patience.gone(problem, self._talk):
            self._over = problem
            self._told.miss(piece.names, problem)
        elif smaller := halves(self._talk, piece) if patience.left else []:
            for half in smaller:
                if self._over is None:
                    yield from self._piece(half, given, patience)
        else:
            self._put_off(piece, problem.message)

    def _otherwise(self, piece: Piece, error: Skip) -> None:
        """By range selectors, this piece and all that follow."""
        if error.reason is not Reason.NOT_APPLICABLE:
            raise error
        if self._told.empty:
            self._way = f"range selectors: {error.message}"
        self._doors.ran(Ran("way", f"range selectors, since {error.message}", self._talk.where))
        self._put_off(piece, error.message)

    def _put_off(self, piece: Piece, why: str) -> None:
        self._later.append((piece, why))
        self._late.update(piece.names)

    def _read(self, piece: Piece, given: dict[int, int]) -> Iterator[bytes]:
        before = dict(given)
        held: list[Frame] = []
        size = 0
        for one in self._talk.frames(piece):
            kept = _rest(one, before)
            held.append(kept)
            size += len(kept.whole)
            if size > HOLD:
                yield from self._given(held, given)
                held = []
        yield from self._given(held, given)

    def _given(self, frames: Sequence[Frame], given: dict[int, int]) -> Iterator[bytes]:
        for whole, message in frames:
            self._taken += len(whole)
            names: set[str] = set()
            try:
                for one in outlines(message):
                    self._series += one.labels not in given
                    given[one.labels] = max(one.end, given.get(one.labels, one.end))
                    name = one.name.decode("utf-8", "replace")
                    names.add(name)
                    self._told.add(name, one.labels, one.chunks, one.samples, one.start, one.end)
            except BadFrame as error:
                raise Failed(Reason.BAD_ANSWER, f"{self._talk.where}: {error}") from error
            self._check.frame(message, names)
            if message:
                yield whole


def _rest(one: Frame, before: dict[int, int]) -> Frame:
    """What of a frame was not given before."""
    if not before:
        return one
    try:
        rest = without(one.message, before)
    except BadFrame as error:
        raise Failed(Reason.BAD_ANSWER, str(error)) from error
    return one if rest == one.message else Frame(frame(rest) if rest else b"", rest)


def _files(pieces: Iterator[bytes], name: str, content: Content) -> Iterator[Part]:
    """Files of bounded size."""
    number = 0
    while (first := next(pieces, None)) is not None:
        number += 1
        yield Part(_bounded(first, pieces), name.format(number), content)


def _bounded(first: bytes, pieces: Iterator[bytes]) -> Iterator[bytes]:
    size = len(first)
    yield first
    while size < FILE and (piece := next(pieces, None)) is not None:
        size += len(piece)
        yield piece
