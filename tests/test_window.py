"""The window is read from what people type, always with a zone, and contradictions are refused."""

import os
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinic.errors import UsageError
from clinic.window import Window, parse_moment, resolve

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=timezone.utc)


@pytest.fixture
def berlin() -> Iterator[None]:
    """Local time is Berlin's, with its two clock changes."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "CET-1CEST,M3.5.0,M10.5.0/3"
    time.tzset()
    yield
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-25T10:00:00Z", datetime(2026, 11, 25, 10, tzinfo=timezone.utc)),
        ("2026-11-25T10:00:00+08:00", datetime(2026, 11, 25, 2, tzinfo=timezone.utc)),
        ("2026-11-25 10:00:00 +0800", datetime(2026, 11, 25, 2, tzinfo=timezone.utc)),
        ("2026-11-25T10:00:00.123456789Z", datetime(2026, 11, 25, 10, 0, 0, 123456, tzinfo=timezone.utc)),
        ("2026/11/25 10:00:00 +08:00", datetime(2026, 11, 25, 2, tzinfo=timezone.utc)),
        ("-4h", NOW - timedelta(hours=4)),
        ("2 hours ago", NOW - timedelta(hours=2)),
        ("1h30m ago", NOW - timedelta(minutes=90)),
        ("now", NOW),
        ("@1764064800", datetime(2025, 11, 25, 10, tzinfo=timezone.utc)),
    ],
)
def test_moments(text: str, moment: datetime) -> None:
    assert parse_moment(text, NOW) == moment


def test_without_a_zone_it_is_local_time(berlin: None) -> None:
    assert parse_moment("2026-07-01 10:00", NOW) == datetime(2026, 7, 1, 8, tzinfo=timezone.utc)
    assert parse_moment("2026-12-01T10:00", NOW) == datetime(2026, 12, 1, 9, tzinfo=timezone.utc)


def test_a_date_is_its_whole_day_even_one_of_25_hours(berlin: None) -> None:
    found = resolve("2026-10-25", "2026-10-25", now=NOW)
    assert found.start == datetime(2026, 10, 24, 22, tzinfo=timezone.utc)
    assert found.seconds == pytest.approx(25 * 3600, abs=1)


def test_the_default_is_the_last_two_hours() -> None:
    assert resolve(None, None, now=NOW) == Window(NOW - timedelta(hours=2), NOW)


def test_only_an_end_means_the_two_hours_before_it() -> None:
    assert resolve(None, "-4h", now=NOW) == Window(NOW - timedelta(hours=6), NOW - timedelta(hours=4))


def test_around_is_an_hour_to_each_side_and_ends_by_now() -> None:
    assert resolve(None, None, around="-3h", now=NOW) == Window(
        NOW - timedelta(hours=4), NOW - timedelta(hours=2)
    )
    assert resolve(None, None, around="-10m", now=NOW).end == NOW


@pytest.mark.parametrize(
    ("start", "end", "around", "message"),
    [
        ("-1h", None, "-2h", "--around can't be used"),
        ("-1h", "-2h", None, "the window is empty"),
        ("2027-01-01", None, None, "starts in the future"),
        ("yesterdayish", None, None, "is not a time"),
        ("2026-13-01", None, None, "is not a time"),
        ("-5 fortnights", None, None, "is not a duration"),
    ],
)
def test_contradictions_are_refused(
    start: str | None, end: str | None, around: str | None, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        resolve(start, end, around=around, now=NOW)


def test_a_window_can_be_seen_by_another_clock() -> None:
    window = Window(NOW - timedelta(hours=1), NOW)
    assert window.shifted(2.5).start == window.start + timedelta(seconds=2.5)
    assert window.shifted(-2.5).seconds == window.seconds


def test_it_is_shown_in_local_time_and_utc(berlin: None) -> None:
    assert str(Window(NOW - timedelta(hours=2), NOW)) == (
        "2026-11-25 11:00:00 +0100 to 2026-11-25 13:00:00 +0100 "
        "(2026-11-25 10:00:00 UTC to 2026-11-25 12:00:00 UTC), 2 h 00 min"
    )


@given(st.text(max_size=40))
def test_anything_typed_gives_a_moment_or_a_clear_error(text: str) -> None:
    try:
        assert parse_moment(text, NOW).tzinfo is not None
    except UsageError as error:
        assert error.hint
