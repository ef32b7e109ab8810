"""Which files are of a log, and which of many reach into a window."""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinic.formats.rotation import family, is_of, overlapping, stem, unpacked


@pytest.mark.parametrize(
    "name",
    [
        "tidb.log", "tidb-2026-11-24T10-41-07.123.log", "tidb-2026-11-24T10-41-07.123.log.gz", "tidb.log.1",
        "tidb.log.12.zst", "tidb.log-20261124", "tidb.log-20261124.gz", "tidb.log.2026-11-24-10:41:07.123",
        "tidb_2026-11-24.log", "tidb.2026-11-24.log",
    ],
)  # fmt: skip
def test_what_a_log_is_rotated_into(name: str) -> None:
    assert is_of(f"/log/{name}", "/log/tidb.log")
    assert f"/log/{name}".startswith(stem("/log/tidb.log"))


@pytest.mark.parametrize(
    "name",
    [
        "tidb_slow_query.log", "tidb_stderr.log", "tidb-audit.log", "tidb-backup.log", "tidb2.log", "tidb.logs",
        "tidb.log2", "tidb", "xtidb.log", "tidb.log/x", "tidb-2026/x.log", "tidb-4000.log", "other.log",
    ],
)  # fmt: skip
def test_what_is_another_log(name: str) -> None:
    assert not is_of(f"/log/{name}", "/log/tidb.log")


def test_names_without_an_ending_and_names_that_are_patterns() -> None:
    assert is_of("/data/db/LOG", "/data/db/LOG")
    assert is_of("/data/db/LOG.old.1764000000000000", "/data/db/LOG")
    assert not is_of("/data/db/LOGS", "/data/db/LOG")
    assert is_of("/log/a+b[1].log.1", "/log/a+b[1].log")
    assert not is_of("/log/aab1.log.1", "/log/a+b[1].log")
    assert not is_of("/elsewhere/tidb.log", "/log/tidb.log")


def test_a_compressed_file_is_named_by_what_is_in_it() -> None:
    assert [unpacked(name) for name in ("a.log.gz", "a.log.1.zst", "a.log", "a.gz.log")] == [
        "a.log", "a.log.1", "a.log", "a.gz.log"
    ]  # fmt: skip


def test_files_that_one_program_rotates_are_a_family() -> None:
    assert family("/l/tidb-2026-11-24T10-41-07.123.log") == family("/l/tidb-2025-01-01T00-00-00.001.log")
    assert family("/l/tidb.log") != family("/l/tidb.log.1")


@given(
    st.lists(st.integers(0, 1000), min_size=1, max_size=60).map(sorted),
    st.integers(0, 1000),
    st.integers(0, 300),
)
def test_no_file_of_the_window_is_left_out(firsts: list[int], low: int, length: int) -> None:
    """A file ends before the next one begins."""
    found = overlapping([partial(int, first) for first in firsts], low, low + length)
    for number, first in enumerate(firsts):
        ends = firsts[number + 1] if number + 1 < len(firsts) else 2000
        if first <= low + length and ends > low:
            assert number in found


def test_few_of_many_are_asked() -> None:
    asked: list[int] = []

    def first(number: int) -> int:
        asked.append(number)
        return number * 10

    found = overlapping([partial(first, number) for number in range(100_000)], 500_005, 500_025)
    assert found == range(50_000, 50_003)
    assert len(asked) < 40


def test_files_without_times_are_passed_over() -> None:
    """An empty one among the rotated ones does not make the rest unknown."""
    firsts = [None if number % 3 == 0 else number * 10 for number in range(1000)]
    found = overlapping([partial(next, iter((first,))) for first in firsts], 5000, 5100)
    assert set(range(500, 511)) <= set(found)
    assert len(found) < 20


def test_all_are_given_where_nothing_can_be_told() -> None:
    assert overlapping([lambda: None] * 100, 5, 6) == range(100)
    backwards = [lambda number=number: 1000 - number for number in range(100)]
    assert overlapping(backwards, 950, 960) == range(100)
