"""Many files of a log: which of them, how much of it, the newest where room is short, and what is not covered."""

from __future__ import annotations

import gzip
import os
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from tests.source.log.conftest import HOUR, NOON, ReadParts, SomeDoors, entries, entry, of, written

from clinic.deadline import Deadline
from clinic.errors import ItemError, Partial
from clinic.formats.coverage import read_told
from clinic.host.base import Reader
from clinic.host.local import LocalHost
from clinic.outcome import Reason
from clinic.source.base import Gap, Source
from clinic.source.log.window import LogWindow
from clinic.units import MIB
from clinic.window import Window


def read(source: Source, doors: SomeDoors) -> tuple[dict[str, bytes], ItemError | None]:
    """The parts by their last names, and how it ended. A gap is shown as `<number of bytes>`."""
    parts: dict[str, bytes] = {}
    try:
        for part in source.open(doors):
            chunks = (b"<%d>" % chunk.missing if isinstance(chunk, Gap) else chunk for chunk in part.chunks)
            parts[Path(part.name).name] = b"".join(chunks)
    except ItemError as error:
        return parts, error
    return parts, None


# -- a hundred thousand files


class CountingHost(LocalHost):
    """This machine, which counts the files that are opened."""

    opened = 0

    def open(self, path: str, deadline: Deadline) -> Reader:
        self.opened += 1
        return super().open(path, deadline)


@pytest.mark.slow
def test_of_a_hundred_thousand_rotated_files_only_the_window_s_are_opened(
    place: Path, doors: SomeDoors
) -> None:
    """One a minute for seventy days: the sixty of one hour, found by the first entries of a few."""
    log = place / "tidb.log"
    last = 8 * HOUR
    for number in range(100_000):
        begin = last - (100_000 - number) * 60
        moment = NOON + timedelta(seconds=begin)
        name = f"tidb-{moment:%Y-%m-%dT%H-%M-%S}.000.log"
        fd = os.open(place / name, os.O_WRONLY | os.O_CREAT, 0o644)
        os.write(fd, entry(begin) + entry(begin + 30))
        os.close(fd)
        stamp = (moment + timedelta(seconds=59)).timestamp()
        os.utime(place / name, (stamp, stamp))
    written(log, entry(last), last)
    host = CountingHost("here")
    counting = doors.__class__(host)  # type: ignore[call-arg] # the fixture's own class
    counting.window = doors.window
    started = time.monotonic()
    parts, error = read(of(log), counting)
    assert time.monotonic() - started < 120
    assert error is None
    assert b"".join(parts.values()) == entries(HOUR, 2 * HOUR + 1, 30)
    assert len(counting.done) < 70
    assert host.opened < 120
    assert counting.window.seconds == 3600
    host.close()


def test_of_many_rotated_files_the_times_of_a_few_tell(place: Path, log: Path, doors: SomeDoors) -> None:
    """Also where they were all changed at once: copied from elsewhere."""
    for number in range(100):
        begin = (number - 80) * 600
        moment = NOON + timedelta(seconds=begin)
        written(place / f"tidb-{moment:%Y-%m-%dT%H-%M-%S}.log", entries(begin, begin + 600), 5 * HOUR)
    written(log, entries(12_000, 13_000), 5 * HOUR)
    parts, error = read(of(log), doors)
    assert error is None
    assert b"".join(parts.values()) == entries(HOUR, 2 * HOUR + 1)
    assert len(doors.done) <= 10


def test_more_files_than_may_be_taken_are_on_record(place: Path, log: Path, doors: SomeDoors) -> None:
    for number in range(6):
        written(
            place / f"tidb.log.{6 - number}", entries(HOUR + number * 60, HOUR + number * 60 + 60), HOUR + 100
        )
    written(log, entries(HOUR + 360, HOUR + 400), HOUR + 400)
    parts, error = read(of(log, limit=3), doors)
    assert len(parts) == 3
    assert "tidb.log" in parts
    assert isinstance(error, Partial)
    assert error.reason is Reason.SOME_FILES


def test_a_pattern_names_logs_that_are_not_rotated(place: Path, doors: SomeDoors) -> None:
    """Each by its own time: an operation's log that was over before the window is left out."""
    inside = b"tiup-cluster restart\n2026-11-24T13:30:00.123+0000\tINFO\tdone\n"
    written(place / "h4a", b"tiup-cluster stop\n2026-11-24T12:30:00.123+0000\tINFO\tdone\n", 1800)
    written(place / "h4b", inside, 5400)
    source = LogWindow("here", (), patterns=(f"{place}/*",), below=str(place))
    assert read(source, doors) == ({"h4b": inside}, None)


# -- estimates


def test_an_estimate_is_exact_for_a_log_with_times(log: Path, doors: SomeDoors) -> None:
    data = b"".join(entry(second, "y" * 3000) for second in range(0, 4 * HOUR, 2))
    written(log, data, 4 * HOUR)
    estimate = of(log).plan(doors)
    expected = b"".join(entry(second, "y" * 3000) for second in range(HOUR, 2 * HOUR + 1, 2))
    assert (estimate.size, estimate.exact, estimate.parts) == (len(expected), True, 1)


def test_an_estimate_is_no_less_than_what_comes_of_a_compressed_file(
    place: Path, log: Path, doors: SomeDoors
) -> None:
    written(place / "tidb.log.1.gz", gzip.compress(entries(0, 3 * HOUR)), 3 * HOUR)
    estimate = of(log).plan(doors)
    parts, _ = read(of(log), doors)
    assert not estimate.exact
    assert estimate.size is not None
    assert sum(map(len, parts.values())) <= estimate.size <= len(entries(0, 3 * HOUR))


def test_a_log_without_an_entry_in_the_window_is_estimated_at_nothing(log: Path, doors: SomeDoors) -> None:
    written(log, entries(3 * HOUR, 4 * HOUR), 4 * HOUR)
    estimate = of(log).plan(doors)
    assert (estimate.size, estimate.exact, estimate.parts) == (0, True, 0)
    assert read(of(log), doors)[1].reason is Reason.EMPTY  # type: ignore[union-attr] # it says so


def test_a_file_without_times_is_estimated_by_its_size(log: Path, doors: SomeDoors) -> None:
    written(log, b"hello\n" * 100, 2 * HOUR)
    estimate = of(log).plan(doors)
    assert (estimate.size, estimate.exact) == (600, True)


# -- room


def test_the_newest_part_is_kept_where_room_is_short(place: Path, log: Path, doors: SomeDoors) -> None:
    """Whole entries of the newest file; of the older one nothing, and both are on record."""
    old = written(place / "tidb.log.1", entries(HOUR, HOUR + 1200), HOUR + 1200)
    written(log, entries(HOUR + 1200, 2 * HOUR), 2 * HOUR)
    source = of(log).narrow(5000)
    assert source.plan(doors).size == 5000
    taken: dict[str, bytes] = {}
    refused: dict[str, ItemError] = {}
    parts = source.open(doors)
    for part in (next(parts), next(parts)):
        try:
            for chunk in part.chunks:
                got = b"<%d>" % chunk.missing if isinstance(chunk, Gap) else chunk
                taken[Path(part.name).name] = taken.get(Path(part.name).name, b"") + got
        except ItemError as error:
            refused[Path(part.name).name] = error
    assert refused[old.name].reason is Reason.OVER_BUDGET
    gap, _, rest = taken["tidb.log"].partition(b">")
    assert entries(HOUR + 1200, 2 * HOUR).endswith(rest)
    assert int(gap[1:]) + len(rest) == len(entries(HOUR + 1200, 2 * HOUR))
    assert 4500 < len(rest) <= 5000
    assert rest.startswith(b"[2026")
    with pytest.raises(Partial, match="only the newest part was taken") as caught:
        next(parts)
    assert caught.value.reason is Reason.OVER_BUDGET
    assert read_told(caught.value.message) is not None


@pytest.mark.parametrize("packed", [False, True])
def test_the_newest_part_of_a_large_file(place: Path, log: Path, doors: SomeDoors, packed: bool) -> None:
    """Found by a search in a plain file, by a first reading of a compressed one."""
    data = b"".join(entry(second, "y" * 1000) for second in range(0, 3 * HOUR, 2))
    path = written(log, data, 3 * HOUR)
    if packed:
        path.unlink()
        written(place / "tidb.log.1.gz", gzip.compress(data, 1), 3 * HOUR)
    parts, error = read(of(log).narrow(MIB), doors)
    assert error is not None
    assert error.reason is Reason.OVER_BUDGET
    [text] = parts.values()
    gap, _, rest = text.partition(b">")
    inside = b"".join(entry(second, "y" * 1000) for second in range(HOUR, 2 * HOUR + 1, 2))
    assert inside.endswith(rest)
    assert int(gap[1:]) + len(rest) == len(inside)
    assert MIB // 2 < len(rest) <= MIB


# -- coverage


def started(second: float) -> float:
    """A time as the cluster's model has it."""
    return (NOON + timedelta(seconds=second)).timestamp()


def test_what_was_rotated_away_is_partial(place: Path, log: Path, doors: SomeDoors) -> None:
    written(place / "tidb.log.1", entries(HOUR + 1800, HOUR + 2400), HOUR + 2400)
    written(log, entries(HOUR + 2400, 3 * HOUR), 3 * HOUR)
    parts, error = read(of(log, silence=600.0, started=started(-HOUR), running=True), doors)
    assert len(parts) == 2
    assert isinstance(error, Partial)
    assert error.reason is Reason.ROTATED_OUT
    assert str(log) in error.message
    seen = read_told(error.message)
    assert seen is not None
    assert seen.first == int(started(HOUR + 1800)) * 10**9


def test_a_log_that_begins_with_its_instance_is_whole(log: Path, doors: SomeDoors) -> None:
    written(log, entries(HOUR + 1800, 3 * HOUR), 3 * HOUR)
    assert read(of(log, silence=600.0, started=started(HOUR + 1799), running=True), doors)[1] is None


def test_a_log_that_fell_silent_is_partial(log: Path, doors: SomeDoors) -> None:
    """The disk was full, or the process hung."""
    written(log, entries(0, HOUR + 600), HOUR + 600)
    _, error = read(of(log, silence=1200.0, started=started(-HOUR), running=True), doors)
    assert isinstance(error, Partial)
    assert error.reason is Reason.GAP
    assert "silent from 2026-11-24T13:09:50.000Z to 2026-11-24T14:00:00.000Z" in error.message


def test_a_silence_across_two_files_is_partial(place: Path, log: Path, doors: SomeDoors) -> None:
    written(place / "tidb.log.1", entries(0, HOUR + 600), HOUR + 600)
    written(log, entries(HOUR + 2400, 3 * HOUR), 3 * HOUR)
    _, error = read(of(log, silence=1200.0, started=started(-HOUR), running=True), doors)
    assert error is not None
    assert error.reason is Reason.GAP
    assert "silent=2026-11-24T13:09:50.000Z/2026-11-24T13:40:00.000Z" in error.message


def test_a_log_of_an_instance_that_does_not_run_may_be_silent(log: Path, doors: SomeDoors) -> None:
    written(log, entries(0, HOUR + 600), HOUR + 600)
    assert read(of(log, silence=1200.0), doors)[1] is None


def test_a_log_in_an_unknown_format_is_not_called_silent(log: Path, doors: SomeDoors) -> None:
    written(log, b"hello\n", HOUR + 600)
    assert read(of(log, silence=1200.0, started=started(-HOUR), running=True), doors)[1] is None


# -- clocks


def test_times_without_a_zone_are_the_node_s(place: Path, doors: SomeDoors) -> None:
    """And the hour that a clock shows twice is told apart, in plain and in compressed files."""
    berlin = ZoneInfo("Europe/Berlin")
    doors.shared(("zone", "here"), lambda: berlin)
    back = datetime(2026, 10, 25, 1, tzinfo=timezone.utc)
    doors.window = Window(back, back + timedelta(minutes=30))
    moments = [back + timedelta(seconds=second) for second in range(-20_000, 20_000, 20)]
    lines = [
        f"{one.astimezone(berlin):%Y-%m-%d %H:%M:%S},000 INFO {one:%H%M%S}\n".encode() for one in moments
    ]
    late = (back - NOON).total_seconds() + 20_000
    written(place / "app.log", b"".join(lines), late)
    expected = b"".join(
        line for one, line in zip(moments, lines, strict=True) if back <= one <= back + timedelta(minutes=30)
    )
    assert read(of(place / "app.log"), doors) == ({"app.log": expected}, None)
    (place / "app.log").unlink()
    written(place / "app.log.1.gz", gzip.compress(b"".join(lines)), late)
    assert read(of(place / "app.log"), doors) == ({"app.log.1": expected}, None)


def test_times_without_a_year_are_those_before_the_file_s_last_change(place: Path, doors: SomeDoors) -> None:
    """Over the turn of a year."""
    turn = datetime(2027, 1, 1, tzinfo=timezone.utc)
    doors.shared(("zone", "here"), lambda: timezone.utc)
    doors.window = Window(turn - timedelta(minutes=5), turn + timedelta(minutes=5))
    moments = [turn + timedelta(seconds=second) for second in range(-3000, 3000, 10)]
    lines = [f"{one:%b %d %H:%M:%S} db-1 tidb[1]: x\n".encode() for one in moments]
    written(place / "messages", b"".join(lines), (turn - NOON).total_seconds() + 3000)
    assert read(of(place / "messages"), doors) == ({"messages": b"".join(lines[270:331])}, None)


def test_the_window_is_shifted_by_what_the_node_s_clock_is_ahead(log: Path, read_parts: ReadParts) -> None:
    written(log, entries(0, 3 * HOUR), 3 * HOUR)
    assert read_parts(of(log, ahead=120.0)) == {str(log): entries(HOUR + 120, 2 * HOUR + 121)}
    assert read_parts(of(log, ahead=-120.0)) == {str(log): entries(HOUR - 120, 2 * HOUR - 119)}


def test_a_clock_that_stepped_back_loses_nothing(log: Path, doors: SomeDoors) -> None:
    """By half an hour, in the middle of the window: a part of it is there twice."""
    times = [*range(0, HOUR + 1800, 2), *range(HOUR, 3 * HOUR, 2)]
    lines = [(second, entry(second, "y" * 500)) for second in times]
    written(log, b"".join(line for _, line in lines), 3 * HOUR)
    expected = b"".join(line for second, line in lines if HOUR + 600 <= second <= HOUR + 1200)
    doors.window = Window(NOON + timedelta(seconds=HOUR + 600), NOON + timedelta(seconds=HOUR + 1200))
    assert read(of(log), doors) == ({"tidb.log": expected}, None)


def test_nothing_is_declared_without_a_log() -> None:
    with pytest.raises(ValueError, match="logs and patterns"):
        LogWindow("here", ())
    assert isinstance(LogWindow("here", ("/a",)).narrow(5), LogWindow)
    assert LogWindow("here", ("/a",)).narrow(5).narrow(9) == LogWindow("here", ("/a",), room=5)


def test_a_directory_that_may_not_be_read_is_on_record_beside_what_was(place: Path, doors: SomeDoors) -> None:
    """One log of two is elsewhere, where another could lead a reader astray."""
    if os.geteuid() != 0:
        pytest.skip("only root can play several users")
    (place / "a").mkdir()
    (place / "b").mkdir()
    written(place / "a" / "tidb.log", entries(HOUR, 2 * HOUR), 2 * HOUR)
    written(place / "b" / "other.log", entries(HOUR, 2 * HOUR), 2 * HOUR)
    os.chown(place / "b", 65534, 65534, follow_symlinks=False)
    (place / "c").symlink_to(place / "b")
    os.lchown(place / "c", 65534, 65534)
    parts, error = read(of(place / "a" / "tidb.log", place / "c" / "other.log"), doors)
    assert list(parts) == ["tidb.log"]
    assert error is not None
    assert error.reason in (Reason.UNSAFE, Reason.NOT_PERMITTED)


def test_narrowing_is_not_taken_for_silence(log: Path, doors: SomeDoors) -> None:
    written(log, entries(0, 2 * HOUR), 2 * HOUR)
    _, error = read(of(log, silence=600.0, started=started(-HOUR), running=True).narrow(2000), doors)
    assert error is not None
    assert error.reason is Reason.OVER_BUDGET
    assert "silent" not in error.message


def test_a_log_whose_name_is_new_when_its_turn_comes_is_not_lost(log: Path, doors: SomeDoors) -> None:
    written(log.with_name("tidb.log.9"), entries(HOUR, HOUR + 60), HOUR + 60)
    written(log, entries(HOUR + 60, 2 * HOUR), 2 * HOUR)
    got: dict[str, bytes] = {}
    for part in of(log).open(doors):
        got[Path(part.name).name] = b"".join(chunk for chunk in part.chunks if isinstance(chunk, bytes))
        if log.exists():
            log.rename(log.with_name("tidb-2026-11-24T14-00-00.000.log"))
    assert got["tidb-2026-11-24T14-00-00.000.log"] == entries(HOUR + 60, 2 * HOUR)
    assert got["tidb.log"] == b""
