"""Many things at once, and an end in time."""

from __future__ import annotations

import threading
import time

import pytest

from clinic.cluster.discovery.in_parallel import GRACE, Aside, together
from clinic.errors import Failed, TimedOut, UsageError
from clinic.outcome import Reason


def test_everything_is_looked_at_at_once() -> None:
    all_there = threading.Barrier(5)

    def look(key: int) -> int:
        all_there.wait(5)
        return key * 2

    answers, failures = together(range(5), look, 5)
    assert (answers, failures) == ({0: 0, 1: 2, 2: 4, 3: 6, 4: 8}, {})
    assert list(answers) == [0, 1, 2, 3, 4]


def test_what_hangs_is_given_up_and_what_raises_costs_its_own_key() -> None:
    never = threading.Event()

    def look(key: str) -> str:
        if key == "hangs":
            never.wait()
        if key == "fails":
            raise Failed(Reason.UNREACHABLE, "gone")
        if key == "refuses":
            raise UsageError("wrong", hint="other")
        if key == "defect":
            raise KeyError("x")
        return key

    begun = time.monotonic()
    answers, failures = together(["hangs", "fails", "refuses", "defect", "fine"], look, 0.3)
    never.set()
    assert 0.3 <= time.monotonic() - begun < 2
    assert answers == {"fine": "fine"}
    assert isinstance(failures["hangs"], TimedOut)
    assert failures["hangs"].message == "no answer within 0.3 s"
    assert (failures["fails"].message, failures["refuses"].fix) == ("gone", "other")
    assert failures["defect"].message.startswith("KeyError")


def test_more_keys_than_threads_are_all_looked_at() -> None:
    assert together(range(50), lambda key: key, 5, most=3)[0] == {key: key for key in range(50)}


def test_once_enough_have_answered_the_others_are_not_waited_for() -> None:
    never = threading.Event()

    def look(key: int) -> int:
        if key:
            never.wait()
        return key

    begun = time.monotonic()
    answers, failures = together([0, 1], look, 30, enough=lambda keys: 0 in keys)
    never.set()
    assert time.monotonic() - begun < GRACE + 2
    assert (answers, list(failures)) == ({0: 0}, [1])


def test_nothing_to_do_is_done_at_once() -> None:
    begun = time.monotonic()
    assert together(list[int](), lambda key: key, 30) == ({}, {})
    assert time.monotonic() - begun < 1


def test_something_done_aside_has_a_result_or_a_reason() -> None:
    never = threading.Event()
    fine, slow = Aside("fine", lambda: 3), Aside("it was not done", never.wait)
    failing: Aside[int] = Aside("not known", lambda: int("x"))
    until = time.monotonic() + 0.2
    assert (fine.result(until, 0), fine.failures) == (3, ())
    assert slow.result(until, False) is False
    assert slow.failures == ("it was not done: it took too long",)
    assert failing.result(until, 7) == 7
    assert failing.failures[0].startswith("not known: ValueError")
    never.set()


@pytest.mark.parametrize("seconds", [0.0, -1.0])
def test_no_time_at_all_is_no_error(seconds: float) -> None:
    never = threading.Event()
    assert list(together([1], lambda key: never.wait(), seconds)[1]) == [1]
    never.set()
