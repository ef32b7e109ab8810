"""Logs that PingCAP's diag loses without a word, measured in its own runs: here each comes, or is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.source.log.conftest import HOUR, SomeDoors, entries, entry, of, written
from tests.source.log.test_files import read

from clinic.errors import Partial


@pytest.fixture
def log(place: Path) -> Path:
    """Where a log is written, beside rotated files that cause trouble."""
    return written(place / "pd.log", entries(2 * HOUR - 600, 2 * HOUR), 2 * HOUR)


def test_a_rotated_file_that_begins_within_an_entry_comes(place: Path, log: Path, doors: SomeDoors) -> None:
    inside = b"goroutine 1 [running]:\n\tmain.main()\n" + entries(HOUR + 60, 2 * HOUR - 600)
    written(place / "pd-2026-11-24T13-50-00.000.log", inside, 2 * HOUR - 600)
    parts, error = read(of(log), doors)
    assert error is None
    assert entry(HOUR + 70) in parts["pd-2026-11-24T13-50-00.000.log"]
    assert parts["pd.log"] == entries(2 * HOUR - 600, 2 * HOUR)


def test_a_name_with_a_space_in_it_costs_nothing(place: Path, doors: SomeDoors) -> None:
    data = entries(HOUR, 2 * HOUR)
    spaced = written(place / "pd with space.log", data, 2 * HOUR)
    other = entries(HOUR + 5, 2 * HOUR)
    beside = written(place / "pd.log", other, 2 * HOUR)
    parts, error = read(of(spaced, beside), doors)
    assert (parts, error) == ({"pd with space.log": data, "pd.log": other}, None)


def test_a_link_that_leads_nowhere_costs_only_itself(place: Path, log: Path, doors: SomeDoors) -> None:
    (place / "pd.log.1").symlink_to(place / "gone")
    parts, error = read(of(log), doors)
    assert parts.pop("pd.log.1", b"") == b""
    assert parts == {"pd.log": entries(2 * HOUR - 600, 2 * HOUR)}
    assert error is None or isinstance(error, Partial)


def test_a_file_of_the_window_without_an_entry_in_it_is_no_error(
    place: Path, log: Path, doors: SomeDoors
) -> None:
    written(place / "pd-2026-11-24T13-00-00.000.log", b"", HOUR)
    written(place / "pd-2026-11-24T14-30-00.000.log", entries(2 * HOUR + 60, 2 * HOUR + 120), 2 * HOUR + 120)
    parts, error = read(of(log), doors)
    assert error is None
    assert b"".join(parts.values()) == entries(2 * HOUR - 600, 2 * HOUR)
