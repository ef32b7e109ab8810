"""Sizes, durations and counts are read as people write them, and written as people read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinic.errors import UsageError
from clinic.units import human_duration, human_size, parse_duration, parse_size, plural


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("512", 512),
        ("64K", 65536),
        ("1.5 GiB", 1610612736),
        ("500m", 524288000),
        ("2TB", 2199023255552),
        ("0", 0),
    ],
)
def test_sizes_are_powers_of_1024(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "M", "-1", "1X", "one", "1 2"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a size"):
        parse_size(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90), ("1h30m", 5400), ("2 hours", 7200), ("1d", 86400), ("1.5h", 5400), ("500ms", 0.5),
        ("2 days 3 minutes", 172980), ("1 week", 604800), ("5mins", 300), ("10 sec", 10),
    ],
)  # fmt: skip
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "5", "h", "5 fortnights", "1h later"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a duration"):
        parse_duration(text)


@given(st.integers(min_value=0, max_value=10**18))
def test_a_size_is_shown_in_at_most_ten_characters(size: int) -> None:
    assert len(human_size(size)) <= 12


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.44, "0.4 s"),
        (12, "12 s"),
        (185, "3 min 05 s"),
        (7800, "2 h 10 min"),
        (97200, "1 d 3 h"),
        (59.7, "1 min 00 s"),
    ],
)
def test_durations_for_people(seconds: float, text: str) -> None:
    assert human_duration(seconds) == text


def test_plurals() -> None:
    assert plural(1, "item") == "1 item"
    assert plural(2000, "item") == "2,000 items"
    assert plural(2, "copy", "copies") == "2 copies"
