"""What a server could not say at first is asked again when everything else is done, once."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from tests.run.bench import Action, Bench, Doing, bench, giving

from clinic.collector import Item, Stage
from clinic.errors import ItemError, NotAsked, NotYet, Silent
from clinic.outcome import Reason, Status
from clinic.run.engine import Bounds
from clinic.source.base import Chunk, Doors

__all__ = ["bench"]  # a fixture


def once(error: ItemError) -> Action:
    """Raises `error`, and gives a byte when it is asked again."""
    asked: list[int] = []

    def action(doors: Doors) -> Iterator[Chunk]:
        asked.append(1)
        if len(asked) == 1:
            raise error
        yield b"x"

    return action


@pytest.mark.parametrize(
    "error",
    [
        NotAsked(Reason.UNREACHABLE, "not asked"),
        NotYet(Reason.BAD_ANSWER, "no leader"),
        Silent(Reason.DEADLINE, "no answer within 12 s"),
    ],
)
def test_what_a_server_could_not_say_is_asked_again_when_all_else_is_done(
    bench: Bench, error: ItemError
) -> None:
    order: list[str] = []

    def noting(name: str, action: Action) -> Action:
        def noted(doors: Doors) -> Iterator[Chunk]:
            order.append(name)
            yield from action(doors)

        return noted

    # One lane at a time: the order is then the plan's.
    late = Item("late.txt", Doing(noting("late", once(error)), on="server:a:1"), priority=1)
    teaching = Item(
        "teaching.txt", Doing(noting("teaching", once(error)), on="server:a:1"), stage=Stage.LEARN
    )
    others = [
        Item(f"{n}.txt", Doing(noting("other", giving(b"y")), on="server:a:1"), priority=90) for n in range(4)
    ]
    run = bench.run(late, *others, teaching, bounds=Bounds(per_server=1))
    assert order == ["teaching", "late", *["other"] * 4, "teaching", "late"]
    record = run.records["late"]
    assert (record.status, [one.message for one in record.attempts]) == (Status.OK, [error.message])


def test_a_second_chance_is_the_last_one(bench: Bench) -> None:
    error = NotAsked(Reason.UNREACHABLE, "not asked")
    run = bench.run(Item("never.txt", Doing(giving(error), on="server:a:1")))
    record = run.records["never"]
    assert (record.status, record.reason, len(record.attempts)) == (Status.FAILED, Reason.UNREACHABLE, 1)


def test_a_server_that_is_not_ready_is_asked_again_until_it_says_that_it_will_not_be(bench: Bench) -> None:
    asked: list[int] = []

    def action(doors: Doors) -> Iterator[Chunk]:
        asked.append(1)
        if len(asked) <= 4:
            raise NotYet(Reason.BAD_ANSWER, "no leader", after=0.01)
        yield b"x"

    record = bench.run(Item("elected.txt", Doing(action, on="server:a:1"))).records["elected"]
    assert (record.status, len(record.attempts)) == (Status.OK, 4)


def test_a_server_that_wants_to_be_left_alone_for_long_is(bench: Bench) -> None:
    error = NotYet(Reason.BAD_ANSWER, "429", after=600.0)
    record = bench.run(Item("busy.txt", Doing(giving(error), on="server:a:1"))).records["busy"]
    assert (record.status, len(record.attempts)) == (Status.FAILED, 1)


def test_what_teaches_the_redactor_is_not_waited_for_without_end(bench: Bench) -> None:
    go_on = threading.Event()

    def waiting(doors: Doors) -> Iterator[Chunk]:
        while not go_on.is_set():
            doors.deadline.pause(0.01)
        yield b"x"

    def going_on(doors: Doors) -> Iterator[Chunk]:
        go_on.set()
        yield b"y"

    run = bench.run(
        *(Item(f"slow-{n}.txt", Doing(waiting, on="server:a:1"), stage=Stage.LEARN) for n in range(3)),
        Item("other.txt", Doing(going_on)),
        bounds=Bounds(learning=0.1),
    )
    assert {record.status for record in run.records.values()} == {Status.OK}
