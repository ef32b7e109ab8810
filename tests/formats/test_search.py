"""The part of a file that holds a window is found from a few rounds of probes, and never too small."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinic.formats.search import Tuning, find, measure, newest, survey
from clinic.formats.timestamp import NANOSECONDS, Clock
from clinic.formats.window_cut import Cut
from clinic.units import KIB

START = int(datetime(2026, 11, 24, 10, tzinfo=timezone.utc).timestamp()) * NANOSECONDS
SMALL = Tuning(small=600, sample=512, grid=16, block=256, fan=4, near=700, dense=16, slack=4 * NANOSECONDS)
"""For files of some kilobytes what the defaults are for some gigabytes."""

Entry = tuple[int, bytes]
"""When it was written, milliseconds after `START`, and its bytes."""


def head(milliseconds: int) -> bytes:
    """The beginning of an entry in the unified format."""
    moment = datetime.fromtimestamp(START // NANOSECONDS, timezone.utc) + timedelta(milliseconds=milliseconds)
    return f"[{moment:%Y/%m/%d %H:%M:%S}.{moment.microsecond // 1000:03} +00:00] [INFO] [x.go:1] ".encode()


def at(milliseconds: int) -> int:
    """As nanoseconds since 1970."""
    return START + milliseconds * 1_000_000


class Disk:
    """A file in memory that counts what is read of it."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.rounds = 0
        self.ranges = 0
        self.bytes = 0

    def __call__(self, wanted: Sequence[tuple[int, int]]) -> list[bytes]:
        self.rounds += 1
        self.ranges += len(wanted)
        found = [self.data[start : start + length] for start, length in wanted]
        self.bytes += sum(map(len, found))
        return found


def taken(data: bytes, low: int, high: int, tuning: Tuning) -> bytes:
    """What a source would keep: the part that is found, cut."""
    disk = Disk(data)
    found = survey(disk, len(data), Clock(), tuning)
    if found.entries is None:
        return b""
    start, end = find(found, disk, low, high)
    cut = Cut(found.entries, low, high)
    return b"".join([*cut.feed(data[start:end]), *cut.finish()])


def wanted(entries: Sequence[Entry], low: int, high: int) -> bytes:
    """What is in the window by the entries' own times."""
    return b"".join(data for time, data in entries if low <= time <= high)


_TEXT = st.sampled_from(
    [
        b"",
        b"x",
        b"y" * 60,
        b"z" * 300,
        b"\xff\x80",
        b"\0" * 40,
        b"\n  more\n\n",
        b"long" * 700,
        b"\r",
        b"\n" * 90,
    ]
)
_STEPS = st.tuples(st.integers(0, 4000), st.integers(-3900, 0), _TEXT)


def _log(steps: Sequence[tuple[int, int, bytes]]) -> list[Entry]:
    """Entries of a clock that goes on, each written down up to 3.9 seconds late."""
    now, entries = 0, list[Entry]()
    for step, late, text in steps:
        now += step
        entries.append((now + late, head(now + late) + text + b"\n"))
    return entries


@given(st.lists(_STEPS, min_size=20, max_size=150), st.integers(-5000, 300_000), st.integers(0, 100_000))
def test_nothing_is_lost_of_a_log_that_is_out_of_order_by_less_than_the_slack(
    steps: list[tuple[int, int, bytes]], low: int, length: int
) -> None:
    entries = _log(steps)
    data = b"".join(data for _, data in entries)
    assert taken(data, at(low), at(low + length), SMALL) == wanted(entries, low, low + length)


@given(st.lists(_STEPS, min_size=20, max_size=150), st.integers(-5000, 300_000), st.integers(0, 100_000))
def test_what_is_found_begins_and_ends_at_an_entry(
    steps: list[tuple[int, int, bytes]], low: int, length: int
) -> None:
    entries = _log(steps)
    data = b"".join(data for _, data in entries)
    begins, place = [0], 0
    for _, one in entries:
        place += len(one)
        begins.append(place)
    found = survey(Disk(data), len(data), Clock(), SMALL)
    if found.entries is not None:
        start, end = find(found, Disk(data), at(low), at(low + length))
        assert start in begins
        assert end in begins
        assert start <= end


def _day(
    text: Callable[[int], bytes] = lambda number: b"x" * (number * 7919 % 200), every: int = 20
) -> list[Entry]:
    """A log of a day, with an entry every twenty seconds."""
    times = range(0, 86_400_000, every * 1000)
    return [(time, head(time) + text(number) + b"\n") for number, time in enumerate(times)]


DAY = _day()
DAY_BYTES = b"".join(data for _, data in DAY)


def retimed(clock: Callable[[int], int]) -> list[Entry]:
    """The log of the day as a node writes it whose clock shows `clock(time)`."""
    length = len(head(0))
    return [(clock(time), head(clock(time)) + data[length:]) for time, data in DAY]


MIDDLE = Tuning(small=16 * KIB, sample=4 * KIB, block=512, near=4 * KIB)
"""The grid of the defaults with blocks that suit a log of a megabyte."""


@pytest.mark.parametrize("back", [1, 59, 61, 300, 900, 3600, 36000])
@pytest.mark.parametrize("hour", [12])
def test_nothing_is_lost_where_the_clock_was_put_back(back: int, hour: int) -> None:
    """By a second or by ten hours: the window is then there twice, and both parts are taken."""
    jump = hour * 3_600_000
    entries = retimed(lambda time: time if time < jump else time - back * 1000)
    data = b"".join(data for _, data in entries)
    for shift in (-back - 61, -back, -back // 2, -30, 30):
        for length in (20, 600):
            low = jump + shift * 1000
            high = low + length * 1000
            assert taken(data, at(low), at(high), MIDDLE) == wanted(entries, low, high), (shift, length)


def test_a_log_whose_clock_ran_away_for_a_while_is_read_whole() -> None:
    """Its probes are out of order: there is no telling where the window's entries are."""
    entries = retimed(lambda time: time + (10**9 if 30_000_000 < time < 34_000_000 else 0))
    data = b"".join(data for _, data in entries)
    found = survey(Disk(data), len(data), Clock(), MIDDLE)
    assert not found.ordered
    assert find(found, Disk(data), at(40_000_000), at(41_000_000)) == (0, len(data))


def test_a_log_of_a_short_time_has_fewer_probes_and_loses_nothing() -> None:
    """Of two hours a third of those of a day: a clock that was put back by as little is noticed by them."""
    times = range(0, 7_200_000, 1000)
    entries = [
        (time, head(time) + b"x" * 100 + b"\n")
        for time in (time if time < 3_600_000 else time - 90_000 for time in times)
    ]
    data = b"".join(data for _, data in entries)
    tuning = MIDDLE.for_a_time(7200 * NANOSECONDS)
    disk = Disk(data)
    found = survey(disk, len(data), Clock(), tuning)
    find(found, disk, at(1_000_000), at(1_060_000))
    assert disk.ranges < 100
    for low in range(3_400_000, 3_700_000, 10_000):
        assert taken(data, at(low), at(low + 60_000), tuning) == wanted(entries, low, low + 60_000)


def test_how_many_probes_there_are_for_a_time() -> None:
    day, hours = Tuning().for_a_time(86_400 * NANOSECONDS), Tuning().for_a_time(7200 * NANOSECONDS)
    assert (day.grid, hours.grid) == (108, 31)
    assert Tuning().for_a_time(10**18) == Tuning().for_a_time(-1) == Tuning()


def test_few_rounds_and_little_more_than_the_window_is_read() -> None:
    disk = Disk(DAY_BYTES)
    found = survey(disk, len(DAY_BYTES), Clock(), MIDDLE)
    start, end = find(found, disk, at(36_000_000), at(43_200_000))
    exact = len(wanted(DAY, 36_000_000, 43_200_000))
    assert disk.rounds <= 3
    assert exact <= end - start <= exact + 20 * KIB
    assert disk.bytes < 256 * 512 + 64 * KIB


@given(st.lists(_STEPS, min_size=20, max_size=120), st.integers(-5000, 300_000), st.integers(0, 100_000))
def test_what_is_measured_is_what_is_kept_where_it_says_that_it_is_exact(
    steps: list[tuple[int, int, bytes]], low: int, length: int
) -> None:
    entries = _log(steps)
    data = b"".join(data for _, data in entries)
    found = survey(Disk(data), len(data), Clock(), SMALL)
    ordered = all(earlier[0] <= later[0] for earlier, later in pairwise(entries))
    if found.entries is not None and ordered:
        size, exact = measure(found, Disk(data), at(low), at(low + length))
        kept = len(wanted(entries, low, low + length))
        assert size == kept if exact else size >= kept


def test_measuring_reads_nothing_of_the_middle() -> None:
    disk = Disk(DAY_BYTES)
    found = survey(disk, len(DAY_BYTES), Clock(), MIDDLE)
    assert measure(found, disk, at(10_000_000), at(80_000_000)) == (
        len(wanted(DAY, 10_000_000, 80_000_000)),
        True,
    )
    assert disk.bytes < len(DAY_BYTES) // 2
    assert measure(found, disk, at(-10_000), at(100_000_000)) == (len(DAY_BYTES), True)
    assert measure(found, disk, at(100_000_000), at(200_000_000)) == (0, True)
    assert measure(found, disk, at(-20_000_000), at(-10_000_000)) == (0, True)


def test_lines_before_the_first_entry_are_measured_with_it() -> None:
    data = b"\0" * 100 + b"a banner\n" + DAY_BYTES
    found = survey(Disk(data), len(data), Clock(), MIDDLE)
    size = len(b"a banner\n") + len(wanted(DAY, 0, 50_000_000))
    assert measure(found, Disk(data), at(-1000), at(50_000_000)) == (size, True)
    assert len(taken(data, at(-1000), at(50_000_000), MIDDLE)) == size


def test_the_newest_part_is_found_from_its_size() -> None:
    found = survey(Disk(DAY_BYTES), len(DAY_BYTES), Clock(), MIDDLE)
    whole = len(wanted(DAY, 20_000_000, 60_000_000))
    low, before = newest(found, Disk(DAY_BYTES), at(20_000_000), at(60_000_000), 50_000)
    rest = taken(DAY_BYTES, low, at(60_000_000), MIDDLE)
    assert 49_000 < len(rest) <= 50_000
    assert before + len(rest) == whole
    assert newest(found, Disk(DAY_BYTES), at(20_000_000), at(60_000_000), whole) == (at(20_000_000), 0)


def test_a_format_that_changes_in_the_middle_is_noticed_by_the_probes() -> None:
    """What was written as JSON is found although the file begins as text."""
    day = datetime.fromtimestamp(START // NANOSECONDS, timezone.utc)
    stamps = [day + timedelta(seconds=second) for second in range(90_000, 100_000, 5)]
    lines = [
        f'{{"level":"INFO","time":"{one:%Y/%m/%d %H:%M:%S}.000 +00:00","m":1}}\n'.encode() for one in stamps
    ]
    data = DAY_BYTES + b"".join(lines)
    assert taken(data, at(95_000_000), at(96_000_000), MIDDLE) == b"".join(lines[1000:1201])


def test_an_hour_that_is_there_twice_is_found_whole() -> None:
    """The two hours are told apart from what is before them, so that is read as well."""
    berlin = ZoneInfo("Europe/Berlin")
    back = int(datetime(2026, 10, 25, 1, tzinfo=timezone.utc).timestamp())
    moments = range(back - 43_200, back + 43_200, 20)
    lines = [
        f"{datetime.fromtimestamp(moment, berlin):%Y-%m-%d %H:%M:%S},000 INFO {moment} {'x' * 60}\n".encode()
        for moment in moments
    ]
    data = b"".join(lines)
    found = survey(Disk(data), len(data), Clock(berlin), MIDDLE)
    assert found.entries is not None
    for low in (back - 5400, back - 1800, back + 600, back + 3000, back + 7200):
        start, end = find(found, Disk(data), low * NANOSECONDS, (low + 900) * NANOSECONDS)
        cut = Cut(found.entries, low * NANOSECONDS, (low + 900) * NANOSECONDS)
        kept = b"".join([*cut.feed(data[start:end]), *cut.finish()])
        assert kept == b"".join(
            line for moment, line in zip(moments, lines, strict=True) if low <= moment <= low + 900
        )


@pytest.mark.parametrize("data", [b"", b"\n", b"no times\n" * 10_000, b"\0" * 100_000])
def test_a_file_without_times_is_in_no_format(data: bytes) -> None:
    assert survey(Disk(data), len(data), Clock(), SMALL).entries is None


def test_the_last_entries_are_seen_behind_a_hole() -> None:
    """A file that was truncated while its writer kept its place begins with zeros."""
    data = b"\0" * 300_000 + b"".join(data for _, data in DAY[:50])
    assert taken(data, at(0), at(500_000), SMALL) == wanted(DAY, 0, 500_000)
