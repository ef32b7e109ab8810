"""One clock for one attempt."""

from __future__ import annotations

import threading
import time

import pytest

from clinic.deadline import Deadline
from clinic.errors import Cancelled, TimedOut
from clinic.outcome import Reason


def test_the_whole_is_bounded() -> None:
    deadline = Deadline(0.05)
    deadline.check()
    time.sleep(0.06)
    deadline.moved()
    with pytest.raises(TimedOut) as caught:
        deadline.check()
    assert (caught.value.reason, caught.value.message) == (Reason.DEADLINE, "not done after 0.05 s")


def test_silence_is_bounded() -> None:
    deadline = Deadline(None, stall=0.05)
    time.sleep(0.03)
    deadline.moved()
    time.sleep(0.03)
    deadline.check()
    time.sleep(0.03)
    with pytest.raises(TimedOut) as caught:
        deadline.check()
    assert (caught.value.reason, caught.value.message) == (Reason.STALLED, "no byte for 0.05 s")


def test_a_call_off_counts_before_the_clock() -> None:
    deadline = Deadline(0)
    deadline.cancel()
    with pytest.raises(Cancelled) as caught:
        deadline.check()
    assert caught.value.reason is Reason.INTERRUPTED


def test_many_share_one_flag() -> None:
    flag = threading.Event()
    first, second = Deadline(5, cancelled=flag), Deadline(None, cancelled=flag)
    flag.set()
    for deadline in (first, second):
        with pytest.raises(Cancelled):
            deadline.check()


@pytest.mark.parametrize(
    ("seconds", "stall", "most"), [(10, 5, 5), (5, 10, 5), (None, 7, 7), (7, None, 7), (0, None, 0)]
)
def test_what_remains_is_the_nearer_bound(seconds: float | None, stall: float | None, most: float) -> None:
    remaining = Deadline(seconds, stall=stall).remaining()
    assert remaining is not None
    assert most - 1 < remaining <= most or remaining == most == 0


def test_without_bounds_it_waits_in_slices() -> None:
    deadline = Deadline(None)
    assert deadline.remaining() is None
    assert deadline.wait() == Deadline.SLICE
    deadline.check()
    assert Deadline(0.05).wait() <= 0.05
    assert Deadline(60).wait() == Deadline.SLICE
    assert Deadline(0).wait() == 0


def test_a_pause_is_as_long_as_asked() -> None:
    started = time.monotonic()
    Deadline(5).pause(0.05)
    assert 0.05 <= time.monotonic() - started < 4


def test_a_pause_ends_with_the_bounds_or_when_called_off() -> None:
    started = time.monotonic()
    with pytest.raises(TimedOut):
        Deadline(0.05).pause(10)
    deadline = Deadline(60)
    threading.Timer(0.05, deadline.cancel).start()
    with pytest.raises(Cancelled):
        deadline.pause(10)
    assert time.monotonic() - started < 8
