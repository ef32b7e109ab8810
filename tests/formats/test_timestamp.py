"""The time of a line: zones, the hour that is there twice, years that are not written."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from clinic.formats.timestamp import FOREVER, NANOSECONDS, Clock, goes_back, moment_of, offset_of, zone_from

BERLIN = ZoneInfo("Europe/Berlin")
LOCAL = re.compile(
    rb"(?P<Y>\d{4})-(?P<M>\d\d)-(?P<D>\d\d) (?P<h>\d\d):(?P<m>\d\d):(?P<s>\d\d)(?P<z>Z|[+-]\d\d:?\d\d)?"
)
YEARLESS = re.compile(rb"(?:(?P<B>[A-Z]\w\w) (?P<D>\d\d)|(?P<M>\d\d)/) ?(?P<h>\d\d):(?P<m>\d\d):(?P<s>\d\d)")


def ns(text: str) -> int:
    """An ISO time as nanoseconds since 1970."""
    return int(datetime.fromisoformat(text).timestamp()) * NANOSECONDS


def read(text: bytes, pattern: re.Pattern[bytes] = LOCAL, **clock: object) -> tuple[int, int] | None:
    """The moment that a text tells."""
    match = pattern.match(text)
    assert match is not None
    return moment_of(match, Clock(**clock))  # type: ignore[arg-type] # fields by name


@pytest.mark.parametrize(
    ("zone", "seconds"),
    [(b"Z", 0), (b"UTC", 0), (b"+08:00", 28800), (b"+0530", 19800), (b"-03:30", -12600), (b"-1200", -43200)],
)
def test_the_line_s_own_zone(zone: bytes, seconds: int) -> None:
    assert offset_of(zone) == seconds


def test_a_line_s_own_zone_goes_before_the_node_s() -> None:
    exact = ns("2026-11-24T10:00:00+08:00")
    assert read(b"2026-11-24 10:00:00+08:00", zone=BERLIN) == (exact, exact)


def test_without_one_it_is_the_node_s() -> None:
    summer, winter = ns("2026-07-01T12:00:00+02:00"), ns("2026-12-01T12:00:00+01:00")
    assert read(b"2026-07-01 12:00:00", zone=BERLIN) == (summer, summer)
    assert read(b"2026-12-01 12:00:00", zone=BERLIN) == (winter, winter)


def test_the_hour_that_is_there_twice_is_two_moments() -> None:
    """On 25 October 2026 Berlin's clocks are put back from three to two."""
    first, second = ns("2026-10-25T02:30:00+02:00"), ns("2026-10-25T02:30:00+01:00")
    assert read(b"2026-10-25 02:30:00", zone=BERLIN) == (first, second)
    assert second - first == 3600 * NANOSECONDS
    before = ns("2026-10-25T01:59:59+02:00")
    assert read(b"2026-10-25 01:59:59", zone=BERLIN) == (before, before)
    after = ns("2026-10-25T03:00:00+01:00")
    assert read(b"2026-10-25 03:00:00", zone=BERLIN) == (after, after)


def test_an_hour_that_is_left_out_is_one_moment() -> None:
    """No clock shows it; a process that was told another zone may."""
    found = read(b"2026-03-29 02:30:00", zone=BERLIN)
    assert found is not None
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("text", "latest", "year"),
    [
        (b"Dec 31 23:59:59", "2027-01-01T00:10:00+00:00", 2026),
        (b"Jan 01 00:00:01", "2027-01-01T00:10:00+00:00", 2027),
        (b"Nov 24 10:00:00", "2026-11-24T10:00:00+00:00", 2026),
        (b"Nov 25 09:00:00", "2026-11-24T10:00:00+00:00", 2026),  # a clock behind the file server's
        (b"Nov 26 10:00:00", "2026-11-24T10:00:00+00:00", 2025),
        (b"Feb 29 10:00:00", "2026-11-24T10:00:00+00:00", 2024),
    ],
)
def test_a_time_without_a_year_gets_the_last_that_fits(text: bytes, latest: str, year: int) -> None:
    found = read(text, YEARLESS, latest=ns(latest))
    assert found is not None
    assert (datetime(1970, 1, 1) + timedelta(seconds=found[0] // NANOSECONDS)).year == year


def test_there_is_no_thirtieth_of_february() -> None:
    assert read(b"2026-02-30 10:00:00") is None


def test_a_clock_is_found_that_is_put_back() -> None:
    back = ns("2026-10-25T01:00:00+00:00")
    hour = 3600 * NANOSECONDS
    assert goes_back(BERLIN, back - hour, back + hour)
    assert not goes_back(BERLIN, back + 2 * hour, back + 48 * hour)
    assert not goes_back(BERLIN, ns("2026-03-28T00:00:00+00:00"), ns("2026-03-30T00:00:00+00:00"))
    assert not goes_back(timezone.utc, 0, 400 * 24 * hour)
    assert not goes_back(BERLIN, FOREVER, FOREVER + hour)


def test_a_node_s_zone_is_read_from_its_file() -> None:
    path = Path("/usr/share/zoneinfo/Europe/Berlin")
    if not path.exists():
        pytest.skip("this machine has no zone files")
    zone = zone_from(path.read_bytes())
    assert zone.utcoffset(datetime(2026, 7, 1)) == timedelta(hours=2)
    assert zone.utcoffset(datetime(2026, 12, 1)) == timedelta(hours=1)


@pytest.mark.parametrize("data", [b"", b"TZif", b"TZif2" + bytes(39), b"junk" * 50, b"TZif2" + b"\xff" * 60])
def test_a_file_that_describes_no_zone_means_utc(data: bytes) -> None:
    assert zone_from(data) is timezone.utc
