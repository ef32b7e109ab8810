"""Of several sources the first that answers is taken, and each that does not costs its own time only."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from clinic.deadline import Deadline
from clinic.errors import Failed, ItemError, NotAsked, NotYet, Partial, Retryable, Skip, TimedOut, Unready
from clinic.outcome import Reason
from clinic.source import first, unreachable
from clinic.source.base import Chunk, Doors, Estimate, Part, Source
from clinic.source.composed import Composed
from clinic.source.first import First
from clinic.source.unreachable import Standing

DOWN = Retryable(Reason.UNREACHABLE, "pd-1: connection refused", fix="start it")
NO_LEADER = Retryable(Reason.BAD_ANSWER, "pd-2: 503 no leader")
UNKNOWN = Skip(Reason.NOT_APPLICABLE, "pd-3 has no such path")


@dataclass(frozen=True)
class Said(Source):
    """Says these chunks, then raises."""

    chunks: tuple[bytes, ...] = ()
    error: ItemError | None = None
    hangs: bool = False
    seconds: float = 5.0
    server: str = "server:a:1"

    @property
    def lane(self) -> str:
        return self.server

    @property
    def what(self) -> str:
        return f"ask {self.server}"

    @property
    def deadline(self) -> float | None:
        return self.seconds

    def plan(self, doors: Doors) -> Estimate:
        return Estimate(len(self.chunks), impossible=None if self.chunks else self.error)

    def open(self, doors: Doors) -> Iterator[Part]:
        yield Part(self._chunks(doors))

    def _chunks(self, doors: Doors) -> Iterator[Chunk]:
        while self.hangs:
            doors.deadline.pause(0.005)
        yield from self.chunks
        if self.error is not None:
            raise self.error


class Clock:
    """Doors of which only the clock and what is shared are used."""

    def __init__(self) -> None:
        self.deadline = Deadline(10)
        self._shared: dict[Hashable, Any] = {}

    def shared(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """What `make` gives, made once."""
        return self._shared.setdefault(key, make())


def read(source: Source, doors: Clock | None = None) -> tuple[bytes, ItemError | None]:
    """All bytes, and what it ended with."""
    got = bytearray()
    doors = doors or Clock()
    try:
        for part in source.open(doors):  # type: ignore[arg-type]  # nothing else is asked for
            for chunk in part.chunks:
                assert isinstance(chunk, bytes)
                got += chunk
    except ItemError as error:
        return bytes(got), error
    return bytes(got), None


def a_pd(number: int, *chunks: bytes, error: ItemError | None = None, hangs: bool = False) -> Said:
    """One of several servers."""
    return Said(chunks, error, hangs, server=f"server:pd-{number}:2379")


def test_the_first_that_answers_is_taken_and_no_other_is_asked() -> None:
    assert read(First((Said((b"a", b"b")), Said((b"never",), hangs=True)))) == (b"ab", None)


def test_one_that_is_down_is_passed_over() -> None:
    assert read(First((a_pd(1, error=DOWN), a_pd(2, b"second")))) == (b"second", None)


def test_one_that_hangs_costs_its_own_deadline_only() -> None:
    hangs = Said(hangs=True, seconds=0.02, server="server:pd-1:2379")
    assert read(First((hangs, a_pd(2, b"second")))) == (b"second", None)


def test_one_that_answers_with_nothing_is_passed_over() -> None:
    assert read(First((Said(), Said((b"second",))))) == (b"second", None)
    assert read(First((Said((b"",)), Said((b"second",))))) == (b"second", None)


def test_one_that_says_that_there_is_none_has_answered() -> None:
    none = Skip(Reason.EMPTY, "answered with null")
    assert read(First((a_pd(1, error=DOWN), a_pd(2, error=none), a_pd(3, hangs=True)))) == (b"", none)


def test_an_answer_that_breaks_off_is_kept_as_what_it_is() -> None:
    broken = Partial(Reason.TRUNCATED, "cut")
    assert read(First((Said((b"half",), broken), Said((b"second",))))) == (b"half", broken)


def test_when_none_answers_the_one_that_was_reached_decides_and_all_are_told() -> None:
    got, error = read(First((a_pd(1, error=UNKNOWN), a_pd(2, error=DOWN))))
    assert got == b""
    assert isinstance(error, Skip)
    assert error.reason is Reason.NOT_APPLICABLE
    assert error.message == "pd-3 has no such path; pd-1: connection refused"


def test_when_none_is_reached_it_may_be_tried_again() -> None:
    _, error = read(First((Said(error=DOWN), Said(error=DOWN))))
    assert error is not None
    assert (type(error), error.message, error.fix) == (Retryable, "pd-1: connection refused", "start it")


def test_when_several_can_not_answer_the_engine_need_not_try_again() -> None:
    _, error = read(First((a_pd(1, error=NO_LEADER), a_pd(2, error=NO_LEADER))))
    assert error is not None
    assert (type(error), error.reason) == (Failed, Reason.BAD_ANSWER)


def test_another_path_of_a_server_that_is_down_is_not_tried() -> None:
    assert read(First((a_pd(1, error=DOWN), a_pd(1, b"other path"), a_pd(2, b"second")))) == (b"second", None)


def test_a_server_that_failed_a_moment_ago_is_asked_last() -> None:
    doors = Clock()
    read(First((a_pd(1, error=DOWN), a_pd(2, b"second"))), doors)
    assert read(First((a_pd(1, hangs=True), a_pd(2, b"again"))), doors) == (b"again", None)


def test_where_all_failed_a_moment_ago_one_stands_for_all() -> None:
    doors = Clock()
    read(First((a_pd(1, error=NO_LEADER), a_pd(2, error=NO_LEADER))), doors)
    _, error = read(First((a_pd(1, error=NO_LEADER), a_pd(2, b"not asked"))), doors)
    assert error is not None
    assert error.message == NO_LEADER.message


def test_without_a_leader_one_stands_for_all_whatever_else_is_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """PD without a leader still says who its members are; that proves nothing for what only a leader knows."""
    doors, both = Clock(), First((a_pd(1, b"not asked"), a_pd(2, b"not asked")))
    told = doors.shared(Standing, Standing)
    told.note_unready("server:pd-1:2379", NO_LEADER)
    assert read(both, doors)[1] is None
    told.note_unready("server:pd-2:2379", NO_LEADER)
    assert read(a_pd(1, b"members"), doors) == (b"members", None)
    assert isinstance(read(both, doors)[1], NotYet)
    monkeypatch.setattr(unreachable, "PATIENCE", 0.0)
    assert isinstance(read(both, doors)[1], Unready)
    monkeypatch.setattr(unreachable, "RECENTLY", 0.0)
    assert read(both, doors)[1] is None


def test_a_server_that_is_dead_has_no_leader_either() -> None:
    doors, both = Clock(), First((a_pd(1, error=DOWN), a_pd(2, b"not asked")))
    told = doors.shared(Standing, Standing)
    told.note_unready("server:pd-2:2379", NO_LEADER)
    read(a_pd(1, error=DOWN), doors)
    told.note("server:pd-1:2379", failed=True)
    assert isinstance(read(both, doors)[1], NotYet)


def test_what_may_be_had_later_stays_what_it_is() -> None:
    later = NotAsked(Reason.UNREACHABLE, "not asked")
    _, error = read(First((a_pd(1, error=later), a_pd(2, error=later))))
    assert isinstance(error, NotAsked)
    _, error = read(First((a_pd(1, error=NotYet(Reason.BAD_ANSWER, "no leader")), a_pd(2, error=later))))
    assert isinstance(error, NotAsked | NotYet)


def test_a_server_that_answers_again_is_asked_first_again(monkeypatch: pytest.MonkeyPatch) -> None:
    doors = Clock()
    both = a_pd(1, error=DOWN), a_pd(2, error=DOWN)
    read(First(both), doors)
    monkeypatch.setattr(unreachable, "REMEMBERED", 0.0)
    assert read(First((a_pd(1, b"well"), a_pd(2, b"too"))), doors) == (b"well", None)
    monkeypatch.undo()
    assert read(First((a_pd(2, hangs=True), a_pd(1, b"well"))), doors) == (b"well", None)


def test_the_others_get_little_time_once_one_has_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first, "SHORT", 0.02)
    _, error = read(First((a_pd(1, error=NO_LEADER), a_pd(2, hangs=True))))
    assert isinstance(error, TimedOut)
    assert "not done after 0.02 s" in error.message


def test_of_one_server_the_last_word_counts() -> None:
    """The new path is not there: what the old one says is what is known."""
    _, error = read(First((a_pd(1, error=UNKNOWN), a_pd(1, error=NO_LEADER))))
    assert isinstance(error, Retryable)


def test_who_has_no_such_thing_knows_better_than_who_can_not_say() -> None:
    _, error = read(First((a_pd(1, error=UNKNOWN), a_pd(2, error=NO_LEADER))))
    assert isinstance(error, Skip)
    _, error = read(First((a_pd(1, error=NO_LEADER), a_pd(2, error=UNKNOWN))))
    assert isinstance(error, Skip)


def test_all_of_them_silent_is_nothing() -> None:
    assert read(First((Said(), Said()))) == (b"", None)


def test_it_ends_with_its_item() -> None:
    doors = Clock()
    doors.deadline = Deadline(0.02)
    with pytest.raises(TimedOut):
        list(First((Said(hangs=True), Said((b"late",)))).open(doors))  # type: ignore[arg-type]  # as above


def test_the_plan_is_that_of_the_first_possible_one() -> None:
    source = First((Said(error=DOWN), Said((b"a", b"b"))))
    assert source.plan(Clock()) == Estimate(2)  # type: ignore[arg-type]  # as above
    assert First((Said(error=DOWN),)).plan(Clock()).impossible is DOWN  # type: ignore[arg-type]  # as above


def test_it_stands_in_the_lane_of_the_first_and_says_what_all_would_do() -> None:
    source = First((Said(), Said(server="server:b:2")))
    assert (source.lane, source.what) == ("server:a:1", "ask server:a:1 or ask server:b:2")


def test_nothing_to_try_is_a_mistake_of_the_author() -> None:
    with pytest.raises(ValueError, match="must be a source"):
        First(())


def test_it_can_be_an_input_of_another_source() -> None:
    source = Composed(
        "", (("x", First((Said(error=Failed(Reason.BAD_ANSWER, "no")), Said((b"yes",))))),), lambda i: i["x"]
    )
    assert read(source) == (b"yes", None)
    assert source.lane == "server:a:1"


@dataclass(frozen=True)
class Wide(Said):
    """Can be narrowed."""

    def narrow(self, size: int) -> Source:
        return replace(self, chunks=(b"x" * size,))


def test_a_budget_narrows_whichever_answers() -> None:
    assert read(First((Said(error=UNKNOWN), Wide((b"much",)))).narrow(2)) == (b"xx", None)
