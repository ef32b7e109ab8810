"""The lines of a window from real files: which files, which lines, and what the record says where some are missing."""

from __future__ import annotations

import grp
import gzip
import os
import pwd
import stat
import time
from collections.abc import Callable
from datetime import timedelta, timezone
from pathlib import Path

import pytest
import zstandard
from tests.source.log.conftest import HOUR, ReadParts, SomeDoors, entries, entry, of, written

from clinic.errors import ItemError, Partial, Skip
from clinic.outcome import Reason
from clinic.source.base import Chunk, Gap, Part, Source
from clinic.source.log.file import UNTIMED
from clinic.source.log.window import LogWindow
from clinic.units import KIB, MIB

LOADED = (grp, pwd)
"""Before a child becomes another user, who may not read where Python lies."""


class Got:
    """What reading a source as the engine does gave."""

    def __init__(self, source: Source, doors: SomeDoors) -> None:
        self.parts: dict[str, bytes] = {}
        self.errors: dict[str, ItemError] = {}
        self.end: ItemError | None = None
        try:
            for part in source.open(doors):
                self._read(part)
        except ItemError as error:
            self.end = error

    def _read(self, part: Part) -> None:
        got: list[bytes] = []
        try:
            got.extend(b"<%d>" % chunk.missing if isinstance(chunk, Gap) else chunk for chunk in part.chunks)
        except ItemError as error:
            self.errors[Path(part.name).name] = error
        if got:
            self.parts[Path(part.name).name] = b"".join(got)

    @property
    def reason(self) -> Reason | None:
        """Why the whole is not all that was wanted."""
        return self.end.reason if self.end is not None else None


def test_the_entries_of_the_window_are_taken_whole(log: Path, read_parts: ReadParts) -> None:
    """Both ends included; lines without a time of their own go with the entry before them."""
    inside = (
        entry(HOUR)
        + b"  more of it\n\n"
        + entry(HOUR + 1800, zone=timezone(timedelta(hours=8)))
        + entry(2 * HOUR)
    )
    outside = entry(HOUR - 0.001) + b"goroutine 1 [running]:\n", entry(2 * HOUR + 0.001) + b"tail\n"
    written(log, outside[0] + inside + outside[1], 3 * HOUR)
    assert read_parts(of(log)) == {str(log): inside}


def test_a_file_is_named_below_a_directory_that_is_named(log: Path, read_parts: ReadParts) -> None:
    written(log, entries(0, 8000), 8000)
    assert list(read_parts(of(log, below=str(log.parent)))) == ["tidb.log"]


def test_of_a_large_file_only_the_window_is_read(log: Path, doors: SomeDoors, read_parts: ReadParts) -> None:
    padding = b"  " + b"y" * 4000 + b"\n"
    lines = [(second, entry(second) + padding) for second in range(0, 3 * HOUR, 6)]
    written(log, b"".join(line for _, line in lines), 3 * HOUR)
    expected = b"".join(line for second, line in lines if HOUR <= second <= 2 * HOUR)
    assert read_parts(of(log)) == {str(log): expected}
    assert doors.done[-1].outcome.startswith(
        f"{len(expected):,} bytes, unified, first=2026-11-24T13:00:00.000Z"
    )


def test_rotated_files_are_found_by_name_and_time(place: Path, log: Path, read_parts: ReadParts) -> None:
    """Those of lumberjack, logrotate and TiKV, compressed or not; another log beside them is not theirs."""
    old = written(place / "tidb-2026-11-24T12-30-00.000.log", entries(0, 1800), 1800)
    first = written(place / "tidb-2026-11-24T13-10-00.000.log.gz", gzip.compress(entries(1800, 4200)), 4200)
    second = written(place / "tidb.log.2.zst", zstandard.compress(entries(4200, 5000)), 5000)
    third = written(place / "tidb.log-20261124", entries(5000, 6000), 6000)
    written(log, entries(6000, 9000), 9000)
    written(place / "tidb_slow_query.log", entries(3600, 7200), 7200)
    written(place / "tidb-backup.log", entries(3600, 7200), 7200)
    found = read_parts(of(log))
    assert found == {
        str(first)[:-3]: entries(3600, 4200),
        str(second)[:-4]: entries(4200, 5000),
        str(third): entries(5000, 6000),
        str(log): entries(6000, 7201),
    }
    assert str(old) not in found


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_a_compressed_file_whose_window_is_in_its_middle(
    place: Path, log: Path, read_parts: ReadParts, pack: Callable[[bytes], bytes]
) -> None:
    packed = written(place / "tidb.log.1.gz", pack(entries(-HOUR, 4 * HOUR, 2)), 4 * HOUR)
    assert read_parts(of(log)) == {str(packed)[:-3]: entries(HOUR, 2 * HOUR + 1, 2)}


def test_what_a_damaged_compressed_file_still_has_is_kept(place: Path, log: Path, doors: SomeDoors) -> None:
    whole = gzip.compress(b"".join(entry(second, os.urandom(20).hex()) for second in range(HOUR, 2 * HOUR)))
    written(place / "tidb.log.1.gz", whole[: len(whole) // 2], 2 * HOUR)
    got = Got(of(log), doors)
    assert "ends in the middle" in got.errors["tidb.log.1"].message
    assert got.errors["tidb.log.1"].reason is Reason.READ_ERROR
    assert len(got.parts["tidb.log.1"]) > 10_000
    assert got.parts["tidb.log.1"].startswith(entry(HOUR)[:30])


def test_a_file_compressed_in_another_way_is_on_record(place: Path, log: Path, read_parts: ReadParts) -> None:
    written(place / "tidb.log.1.xz", b"\xfd7zXZ\x00" + bytes(50), 2 * HOUR)
    written(log, entries(HOUR, 2 * HOUR), 2 * HOUR)
    found = read_parts(of(log))
    assert found == {str(place / "tidb.log.1"): Reason.NOT_APPLICABLE, str(log): entries(HOUR, 2 * HOUR)}


def test_a_file_that_grows_ends_where_it_ended_when_it_was_opened(log: Path, doors: SomeDoors) -> None:
    written(log, entries(HOUR, HOUR + 600), HOUR + 600)
    parts = of(log).open(doors)
    chunks = iter(next(parts).chunks)
    taken = [next(chunks)]
    with log.open("ab") as file:
        file.write(entries(HOUR + 600, HOUR + 1200))
    taken += chunks
    assert b"".join(chunk for chunk in taken if isinstance(chunk, bytes)) == entries(HOUR, HOUR + 600)


def big(start: int, end: int) -> bytes:
    """A log that takes several reads."""
    return b"".join(entry(second, "z" * 2000) for second in range(start, end, 5))


def test_a_file_that_is_truncated_while_it_is_read_is_partial(log: Path, doors: SomeDoors) -> None:
    written(log, big(HOUR, 2 * HOUR), 2 * HOUR)
    parts = of(log).open(doors)
    chunks = iter(next(parts).chunks)
    first = next(chunks)
    os.truncate(log, 0)
    with pytest.raises(Partial, match="became shorter") as caught:
        list(chunks)
    assert caught.value.reason is Reason.READ_ERROR
    assert isinstance(first, bytes)


def test_a_file_that_is_rotated_while_it_is_read_is_read_to_its_end_and_once(
    log: Path, doors: SomeDoors
) -> None:
    data = big(HOUR, 2 * HOUR)
    written(log, data, 2 * HOUR)
    taken: dict[str, list[Chunk]] = {}
    for part in of(log).open(doors):
        for chunk in part.chunks:
            taken.setdefault(part.name, []).append(chunk)
            if log.exists():
                log.rename(log.with_name("tidb-2026-11-24T14-00-00.000.log"))
    assert {
        name: b"".join(chunk for chunk in got if isinstance(chunk, bytes)) for name, got in taken.items()
    } == {str(log): data}


def test_a_file_that_is_rotated_before_its_turn_is_read_under_its_new_name(
    log: Path, doors: SomeDoors
) -> None:
    """The file that has its name by then holds what came later."""
    written(log.with_name("tidb.log.1"), entries(HOUR, HOUR + 60), HOUR + 60)
    written(log, entries(HOUR + 60, 2 * HOUR), 2 * HOUR)
    parts = of(log).open(doors)
    got = {}
    for number, part in enumerate(parts):
        got[Path(part.name).name] = b"".join(chunk for chunk in part.chunks if isinstance(chunk, bytes))
        if number == 0:
            log.rename(log.with_name("tidb.log.2"))
            log.write_bytes(b"")
    assert got == {
        "tidb.log.1": entries(HOUR, HOUR + 60), "tidb.log": b"", "tidb.log.2": entries(HOUR + 60, 2 * HOUR)
    }  # fmt: skip


def test_a_rotated_file_that_is_compressed_before_its_turn_is_read_all_the_same(
    log: Path, doors: SomeDoors
) -> None:
    """And not counted as lost."""
    written(log.with_name("tidb.log.2"), entries(HOUR, HOUR + 60), HOUR + 60)
    plain = written(log.with_name("tidb.log.1"), entries(HOUR + 60, HOUR + 120), HOUR + 120)
    parts = of(log).open(doors)
    got: dict[str, bytes] = {}
    for part in parts:
        got.setdefault(
            Path(part.name).name, b"".join(chunk for chunk in part.chunks if isinstance(chunk, bytes))
        )
        if plain.exists():
            written(log.with_name("tidb.log.1.gz"), gzip.compress(plain.read_bytes()), HOUR + 120)
            plain.unlink()
    assert got["tidb.log.2"] + (got["tidb.log.1"] or b"") == entries(HOUR, HOUR + 60)


def test_a_file_that_is_deleted_before_its_turn_is_on_record(log: Path, doors: SomeDoors) -> None:
    written(log.with_name("tidb.log.2"), entries(HOUR, HOUR + 60), HOUR + 60)
    lost = written(log.with_name("tidb.log.1"), entries(HOUR + 60, HOUR + 120), HOUR + 120)
    with pytest.raises(Partial, match="deleted before their turn came") as caught:
        for part in of(log).open(doors):
            list(part.chunks)
            lost.unlink(missing_ok=True)
    assert str(lost) in caught.value.message
    assert caught.value.reason is Reason.ROTATED_OUT


def test_the_first_line_may_be_longer_than_a_mebibyte(log: Path, read_parts: ReadParts) -> None:
    long = entry(HOUR)[:-1] + b"w" * (MIB + 100 * KIB) + b"\n"
    written(log, entries(0, HOUR) + long + entry(HOUR + 1), 2 * HOUR)
    assert read_parts(of(log)) == {str(log): long + entry(HOUR + 1)}
    written(log, long + entry(3 * HOUR), 2 * HOUR)
    assert read_parts(of(log)) == {str(log): long}


def test_an_empty_file_has_nothing(log: Path, doors: SomeDoors) -> None:
    written(log, b"", HOUR)
    got = Got(of(log), doors)
    assert (got.parts, got.reason) == ({}, Reason.EMPTY)


def test_bytes_are_kept_as_they_are(log: Path, read_parts: ReadParts) -> None:
    """CRLF, NUL, GBK, a raw key, no newline at the end."""
    inside = entry(HOUR)[:-1] + b"\r\n" + entry(HOUR + 1)[:-1] + b"\0\xff\x80" + "\u6ce8\u91ca".encode("gbk")
    written(log, entry(0) + inside, 2 * HOUR)
    assert read_parts(of(log)) == {str(log): inside}


def test_a_file_that_is_not_meant_is_neither_read_nor_counted(place: Path, doors: SomeDoors) -> None:
    ours = written(place / "a", b"of ours\n" + entries(HOUR, HOUR + 100), HOUR + 100)
    written(place / "b", b"of others\n" + entries(HOUR, HOUR + 100), HOUR + 100)
    source = LogWindow("here", (), patterns=(f"{place}/*",), meant=lambda head: head.startswith(b"of ours"))
    assert Got(source, doors).parts == {"a": ours.read_bytes()}
    assert source.plan(doors).size == ours.stat().st_size
    assert [one.outcome for one in doors.done if one.what == f"{place}/b"] == ["of something else"]


def test_a_sparse_file_is_read_from_where_its_bytes_are(
    log: Path, doors: SomeDoors, read_parts: ReadParts
) -> None:
    """What a writer leaves that keeps its place while its file is truncated (logrotate's copytruncate)."""
    with log.open("wb") as file:
        file.seek(64 * MIB)
        file.write(entries(HOUR - 600, 2 * HOUR + 600))
    assert log.stat().st_blocks < 1000
    assert read_parts(of(log)) == {str(log): entries(HOUR, 2 * HOUR + 1)}
    assert of(log).plan(doors).size == len(entries(HOUR, 2 * HOUR + 1))


def test_a_hole_before_the_window_costs_next_to_nothing(log: Path, doors: SomeDoors) -> None:
    """All before the first entry has to be passed over: that takes little more than reading as much."""
    with log.open("wb") as file:
        file.seek(64 * MIB)
        file.write(entries(HOUR + 60, HOUR + 120))
    started = time.process_time()
    assert log.read_bytes().strip(b"\0") == entries(HOUR + 60, HOUR + 120)
    reading, started = time.process_time() - started, time.process_time()
    assert Got(of(log), doors).parts == {"tidb.log": entries(HOUR + 60, HOUR + 120)}
    assert time.process_time() - started < 1 + 50 * reading


def test_a_file_that_may_not_be_read_says_what_would_allow_it(place: Path, doors: SomeDoors) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can play several users")
    log = written(place / "tidb.log", entries(HOUR, 2 * HOUR), 2 * HOUR)
    assert Got(of(log), doors).reason is None
    log.chmod(0o600)
    pid = os.fork()
    if pid == 0:
        code = 2
        try:
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
            end = Got(of(log), doors).end
            code = 0 if end is not None and end.reason is Reason.NOT_PERMITTED and end.fix else 1
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_a_loop_of_links_is_on_record_and_costs_nothing_else(
    place: Path, log: Path, doors: SomeDoors
) -> None:
    (place / "tidb.log.1").symlink_to("tidb.log.2")
    (place / "tidb.log.2").symlink_to("tidb.log.1")
    written(log, entries(HOUR, 2 * HOUR), 2 * HOUR)
    got = Got(of(log), doors)
    assert got.parts == {"tidb.log": entries(HOUR, 2 * HOUR)}
    assert set(got.errors) == {"tidb.log.1", "tidb.log.2"}


def test_a_pipe_named_like_a_log_is_never_opened(place: Path, log: Path, doors: SomeDoors) -> None:
    """Opening one would block until somebody writes."""
    os.mkfifo(place / "tidb.log.1")
    written(log, entries(HOUR, 2 * HOUR), 2 * HOUR)
    got = Got(of(log), doors)
    assert got.parts == {"tidb.log": entries(HOUR, 2 * HOUR)}
    assert got.errors["tidb.log.1"].reason is Reason.UNSAFE


def test_a_device_named_like_a_log_is_never_opened(place: Path, doors: SomeDoors) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can make a device")
    os.mknod(place / "tidb.log", stat.S_IFCHR | 0o600, os.makedev(1, 5))
    got = Got(of(place / "tidb.log"), doors)
    assert (got.parts, got.reason) == ({}, Reason.UNSAFE)


def test_a_link_to_a_log_is_followed_and_its_file_read_once(place: Path, log: Path, doors: SomeDoors) -> None:
    real = written(place / "elsewhere.txt", entries(HOUR, 2 * HOUR), 2 * HOUR)
    log.symlink_to(real)
    (place / "tidb.log.latest").symlink_to(real)
    assert Got(of(log), doors).parts == {"tidb.log": entries(HOUR, 2 * HOUR)}


def test_a_file_in_no_known_format_is_taken_by_its_time(place: Path, log: Path, doors: SomeDoors) -> None:
    written(place / "tidb.log.1", b"an old one\n", HOUR - 120)
    text = b"something\nelse\n"
    written(log, text, HOUR + 60)
    got = Got(of(log), doors)
    assert (got.parts, got.reason) == ({"tidb.log": text}, None)
    assert "no known times" in doors.done[-1].outcome


def test_of_a_large_one_the_head_and_the_tail_are_taken(log: Path, doors: SomeDoors) -> None:
    lines = [
        b"line %d of a file without times, %b\n" % (number, b"x" * 270) for number in range(UNTIMED // 300)
    ]
    data = b"".join(lines)
    written(log, data, 2 * HOUR)
    text = Got(of(log), doors).parts["tidb.log"]
    head, _, tail = text.partition(b"<")
    missing, _, tail = tail.partition(b">")
    assert data.startswith(head)
    assert head.endswith(b"\n")
    assert data.endswith(tail)
    assert tail.startswith(b"line ")
    assert len(head) + int(missing) + len(tail) == len(data)
    assert UNTIMED - 256 * KIB < len(head) + len(tail) <= UNTIMED


def test_what_a_crash_left_is_whole_even_beside_lines_with_times(place: Path, doors: SomeDoors) -> None:
    log = place / "tidb_stderr.log"
    text = entry(0) + b"panic: runtime error\n\ngoroutine 1 [running]:\n"
    written(log, text, HOUR + 60)
    assert Got(of(log), doors).parts == {"tidb_stderr.log": text}


def test_no_log_at_all_is_nothing_to_collect(log: Path, doors: SomeDoors) -> None:
    assert Got(of(log), doors).reason is Reason.NOT_FOUND
    assert isinstance(of(log).plan(doors).impossible, Skip)


def test_a_log_is_also_where_the_configuration_says(log: Path, place: Path, read_parts: ReadParts) -> None:
    here, there = entries(HOUR, HOUR + 100), entries(HOUR + 3, HOUR + 200)
    written(log, here, HOUR + 100)
    other = written(place / "elsewhere.log", there, HOUR + 200)
    config = place / "tidb.toml"
    config.write_text('[log.file]\nfilename = "elsewhere.log"\n')
    told: dict[str, object] = {
        "configs": (str(config),), "settings": ("log.file.filename",), "home": str(place),
    }  # fmt: skip
    assert read_parts(of(log, **told)) == {str(log): here, str(other): there}
    assert read_parts(of(log, **{**told, "settings": ()})) == {str(log): here}
