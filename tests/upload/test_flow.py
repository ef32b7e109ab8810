"""The rate, the pauses, the end of patience, and both forms of `Retry-After`."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinic.errors import Interrupted, Unreachable
from clinic.progress import Progress
from clinic.upload.flow import BASE, CAP, LONGEST_ASKED, Pace, Patience, Stop, retry_after
from clinic.upload.part_size import FIRST, LEAST, ChunkSize

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "Thu, 26 Nov 2026 12:00:30 GMT"}, 30.0),
        ({"Retry-After": "Thu, 26 Nov 2026 11:00:00 GMT"}, 0.0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-5"}, None),
        # Its own clock is a year behind ours: what counts is the time between its two dates.
        ({"Retry-After": "Wed, 26 Nov 2025 12:00:05 GMT", "Date": "Wed, 26 Nov 2025 12:00:00 GMT"}, 5.0),
    ],
)
def test_both_forms_of_retry_after_are_read(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, NOW) == seconds


def test_pauses_are_full_jitter_with_a_cap() -> None:
    patience = Patience(Stop(), Progress())
    for tries in range(30):
        bound = min(CAP, BASE * 2**tries)
        pauses = [patience.pause(tries, None) for _ in range(200)]
        assert 0 <= min(pauses) <= max(pauses) <= bound
        assert max(pauses) > bound / 2 > min(pauses), "they are spread over all of it"


def test_what_a_server_asks_is_the_least_and_has_a_ceiling() -> None:
    patience = Patience(Stop(), Progress())
    assert all(patience.pause(0, 30.0) >= 30.0 for _ in range(50))
    assert patience.pause(0, 1e9) <= LONGEST_ASKED


def test_patience_ends_by_time_without_progress_not_by_tries() -> None:
    patience = Patience(Stop(), Progress(), give_up=0.2, base=0.001)
    tries = 0
    with pytest.raises(Unreachable, match="nothing got through") as caught:
        while True:
            patience.wait("it is broken")
            tries += 1
    assert tries > 3
    assert "goes on where it stopped" in caught.value.hint
    patience.moved()
    patience.wait("it is broken")


def test_ctrl_c_ends_a_pause() -> None:
    stop = Stop()
    stop()
    with pytest.raises(Interrupted):
        Patience(stop, Progress(), base=100.0).wait("it is broken", asked=100.0)


@given(st.lists(st.integers(1, 100_000), min_size=1, max_size=50), st.integers(1000, 1_000_000))
def test_a_rate_holds_over_all_connections(sizes: list[int], rate: int) -> None:
    clock = [0.0]
    pace = Pace(rate, lambda: clock[0])
    for size in sizes:
        clock[0] += pace.wait_for(size)
    assert sum(sizes) <= rate * (clock[0] + 0.25) + 1


def test_without_a_limit_nothing_waits() -> None:
    assert Pace(None).wait_for(1 << 40) == 0


def test_parts_shrink_after_trouble_and_grow_while_all_is_well() -> None:
    size = ChunkSize(16 << 20)
    assert size.now == FIRST
    size.clean()
    assert size.now == 16 << 20
    size.clean()
    assert size.now == 16 << 20, "never above what the server takes"
    for _ in range(20):
        size.trouble()
    assert size.now == LEAST
    assert size.limit(1000)
    assert size.now == 1000


def test_the_window_of_a_clock_is_no_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    assert retry_after({"Retry-After": "Thu, 26 Nov 2026 12:00:30 GMT"}, NOW - timedelta(days=1)) == 86430.0
