"""What a log covers, as text and back, and when something is missing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinic.formats.coverage import Case, judge, read_told, shown, together, told
from clinic.formats.window_cut import Seen
from clinic.outcome import Reason

S = 1_000_000_000
HOUR = 3600 * S
NOON = 1_795_608_000 * S
"""24 November 2026, 12:00 UTC, and a day."""

TIMES = st.integers(0, 4_000_000_000_000).map(lambda millisecond: millisecond * 1_000_000)


@given(TIMES, TIMES, st.none() | st.tuples(TIMES, TIMES))
def test_the_facts_come_back_from_a_record_s_text(
    first: int, last: int, silence: tuple[int, int] | None
) -> None:
    seen = Seen(first, last, silence)
    assert read_told(f"12 bytes, unified, {told(seen)}; and more") == seen


def test_the_facts_have_a_fixed_form() -> None:
    seen = Seen(NOON + 12_345_678, NOON + HOUR, (NOON + 60 * S, NOON + 1800 * S))
    assert told(seen) == (
        "first=2026-11-25T12:00:00.012Z last=2026-11-25T13:00:00.000Z"
        " silent=2026-11-25T12:01:00.000Z/2026-11-25T12:30:00.000Z"
    )
    assert read_told("nothing of the kind") is None


def test_two_files_that_follow_each_other() -> None:
    early, late = Seen(NOON, NOON + 60 * S), Seen(NOON + HOUR, NOON + HOUR + 60 * S)
    assert together(early, late) == Seen(NOON, NOON + HOUR + 60 * S, (NOON + 60 * S, NOON + HOUR))
    assert together(early, None) == early
    assert together(None, late) == late
    near = Seen(NOON + 61 * S, NOON + 70 * S)
    assert together(early, near) == Seen(NOON, NOON + 70 * S)


def case(**more: object) -> Case:
    """An hour of a log of an instance that never is silent for ten minutes, all of it there."""
    usual: dict[str, object] = {
        "low": NOON, "high": NOON + HOUR, "seen": Seen(NOON + S, NOON + HOUR - S), "oldest": NOON - HOUR,
        "started": NOON - 10 * HOUR, "running": True, "silence": 600 * S, "rotated": True,
    }  # fmt: skip
    return Case(**{**usual, **more})  # type: ignore[arg-type] # fields by name


def test_a_log_that_covers_the_window_lacks_nothing() -> None:
    assert judge(case()) is None


def test_what_was_rotated_away_is_told() -> None:
    begins = NOON + 1800 * S
    found = judge(case(oldest=begins, seen=Seen(begins, NOON + HOUR)))
    assert found is not None
    assert found[0] is Reason.ROTATED_OUT
    assert shown(begins) in found[1]
    assert read_told(found[1]) == Seen(begins, NOON + HOUR)
    assert f"from={shown(NOON)}" in found[1]


@pytest.mark.parametrize(
    "more",
    [
        {"started": NOON + 1800 * S - 5 * S},  # it began then
        {"started": 0, "silence": 0, "rotated": False},  # a slow log that had nothing to say before
        {"oldest": None, "seen": None, "running": False},
    ],
)
def test_a_log_that_began_late_lost_nothing(more: dict[str, object]) -> None:
    begins = NOON + 1800 * S
    assert judge(case(**{"oldest": begins, "seen": Seen(begins, NOON + HOUR), **more})) is None


def test_a_seldom_written_log_that_was_rotated_may_have_lost_something() -> None:
    begins = NOON + 1800 * S
    found = judge(case(silence=0, oldest=begins, seen=Seen(begins, begins)))
    assert found is not None
    assert found[0] is Reason.ROTATED_OUT


@pytest.mark.parametrize(
    "seen",
    [
        Seen(NOON + S, NOON + HOUR, (NOON + 600 * S, NOON + 1300 * S)),
        Seen(NOON + 700 * S, NOON + HOUR),
        Seen(NOON + S, NOON + 1800 * S),
        None,
    ],
    ids=["within", "at the beginning", "at the end", "all of it"],
)
def test_a_long_silence_while_it_ran_is_told(seen: Seen | None) -> None:
    found = judge(case(seen=seen))
    assert found is not None
    assert found[0] is Reason.GAP
    assert "while it ran" in found[1]


@pytest.mark.parametrize(
    "more", [{"running": False}, {"started": 0}, {"silence": 0}, {"started": NOON + HOUR - 60 * S}]
)
def test_a_silence_says_nothing_where_it_may_not_have_run(more: dict[str, object]) -> None:
    assert (
        judge(case(**{"seen": Seen(NOON + HOUR - 50 * S, NOON + HOUR), "oldest": NOON - HOUR, **more}))
        is None
    )
