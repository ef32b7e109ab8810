"""A pattern matches exactly the texts between two."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from clinic.formats.time_pattern import between

LAYOUT = "%Y/%m/%d %H:%M:%S"
MOMENTS = st.datetimes(datetime(2019, 12, 30), datetime(2026, 12, 31)).map(
    lambda moment: moment.replace(microsecond=0)
)


@given(MOMENTS, MOMENTS, MOMENTS)
def test_it_matches_the_times_between_two_and_no_others(
    low: datetime, high: datetime, moment: datetime
) -> None:
    pattern = re.compile(between(low.strftime(LAYOUT), high.strftime(LAYOUT)))
    near = (low, high, low - timedelta(seconds=1), high + timedelta(seconds=1), moment)
    for one in near:
        assert bool(pattern.fullmatch(one.strftime(LAYOUT))) is (low <= one <= high)


@given(st.integers(0, 9999), st.integers(0, 9999))
def test_it_matches_the_numbers_between_two_and_no_others(low: int, high: int) -> None:
    pattern = re.compile(between(f"{low:04}", f"{high:04}"))
    numbers = {0, 9999, low, high, max(0, low - 1), min(9999, high + 1), (low + high) // 2}
    assert {number for number in numbers if pattern.fullmatch(f"{number:04}")} == {
        number for number in numbers if low <= number <= high
    }
