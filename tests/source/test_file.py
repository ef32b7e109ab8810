"""Files: one, or all that match; whole, narrowed, changing, refused."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clinic.errors import Partial, Skip
from clinic.kinds import Content
from clinic.outcome import Reason
from clinic.source.base import Source
from clinic.source.file import File, Files
from clinic.units import KIB, MIB

Read = Callable[[Source], tuple[bytes, Reason | None, str]]
ReadParts = Callable[[Source], dict[str, bytes | Reason]]


@pytest.fixture
def log(place: Path) -> Path:
    """A log of 1000 lines of 10 bytes."""
    path = place / "x.log"
    path.write_bytes(b"".join(b"line %04d\n" % number for number in range(1000)))
    return path


def lines(*spans: range) -> bytes:
    """Those lines of the log."""
    return b"".join(b"line %04d\n" % number for span in spans for number in span)


def test_a_file_is_its_bytes_and_its_size_is_known(read: Read, log: Path, doors: Any) -> None:
    source = File("here", str(log))
    estimate = source.plan(doors)
    assert (estimate.size, estimate.exact, estimate.impossible) == (10_000, True, None)
    assert doors.done == [], "a look is no read"
    assert read(source) == (lines(range(1000)), None, "")
    [ran] = doors.done
    assert (ran.kind, ran.what, ran.where, ran.outcome) == ("file", str(log), "here", "10000 bytes")
    assert (source.lane, source.what, source.deadline, source.stall) == ("host:here", str(log), None, 30.0)


def test_a_file_that_is_not_there_is_no_failure(read: Read, doors: Any) -> None:
    source = File("here", "/no/such/file")
    assert read(source) == (b"", Reason.NOT_FOUND, "/no/such/file: No such file or directory")
    assert isinstance(source.plan(doors).impossible, Skip)
    with pytest.raises(Skip):
        [list(part.chunks) for part in source.open(doors)]


def test_a_plan_tells_what_can_never_be_read(doors: Any, foreign_link: Path) -> None:
    for path in ("/etc", "/dev/null"):
        impossible = File("here", path).plan(doors).impossible
        assert impossible is not None and impossible.reason is Reason.UNSAFE
    link = File("here", str(foreign_link)).plan(doors)
    assert (link.size, link.exact, link.impossible) == (None, False, None), (
        "a link is followed when it is read"
    )


def test_what_the_door_refuses_is_refused(read: Read, foreign_link: Path) -> None:
    assert read(File("here", str(foreign_link)))[1] is Reason.UNSAFE
    assert read(File("here", "/etc/shadow"))[1] is Reason.SECRET_FILE


@pytest.mark.parametrize(
    ("room", "kept"),
    [
        (10_000, lines(range(1000))),
        (20_000, lines(range(1000))),
        (100, lines(range(5)) + b"<9900>" + lines(range(995, 1000))),
        (109, lines(range(5)) + b"<9900>" + lines(range(995, 1000))),
        (9_990, lines(range(499)) + b"<20>" + lines(range(501, 1000))),
    ],
)
def test_a_narrowed_file_is_its_head_and_tail_cut_at_lines(
    read: Read, log: Path, doors: Any, room: int, kept: bytes
) -> None:
    source = File("here", str(log)).narrow(room)
    assert read(source) == (kept, None, "")
    assert source.plan(doors).size == min(room, 10_000)


def test_without_lines_the_cut_is_made_anyway(read: Read, place: Path) -> None:
    (place / "blob").write_bytes(b"a" * MIB + b"b" * MIB)
    assert read(File("here", f"{place}/blob").narrow(10)) == (b"aaaaa<%d>bbbbb" % (2 * MIB - 10), None, "")


def test_narrowing_twice_takes_the_smaller(log: Path) -> None:
    assert File("here", str(log)).narrow(50).narrow(100) == File("here", str(log), room=50)


def test_without_room_it_is_left_out(read: Read, log: Path) -> None:
    assert read(File("here", str(log)).narrow(0)) == (
        b"", Reason.OVER_BUDGET, f"{log} has 9.8 KiB, and no room is left for it"
    )  # fmt: skip


def test_a_growing_file_ends_where_it_ended(doors: Any, log: Path) -> None:
    [part] = File("here", str(log)).open(doors)
    first = next(part.chunks)
    with log.open("ab") as file:
        file.write(b"later\n")
    assert [first, *part.chunks] == [lines(range(1000))]


def test_a_file_that_shrinks_while_it_is_read_is_partial(doors: Any, place: Path) -> None:
    (place / "big").write_bytes(bytes(MIB))
    [part] = File("here", f"{place}/big").open(doors)
    got = next(part.chunks)
    assert isinstance(got, bytes)
    os.truncate(place / "big", len(got) + 5)
    assert next(part.chunks) == bytes(5)
    with pytest.raises(Partial) as caught:
        next(part.chunks)
    assert caught.value.reason is Reason.READ_ERROR
    assert f"byte {len(got) + 5} is the last of {MIB}" in caught.value.message
    assert doors.done[0].outcome == "read_error"


def test_an_empty_file_is_empty(read: Read, place: Path, doors: Any) -> None:
    (place / "empty").touch()
    assert read(File("here", f"{place}/empty")) == (b"", None, "")
    assert File("here", f"{place}/empty").plan(doors).size == 0


def test_files_of_the_kernel_have_no_size(read: Read, doors: Any) -> None:
    for path in ("/proc/meminfo", "/sys/kernel/mm/transparent_hugepage/enabled"):
        source = File("here", path)
        assert (source.plan(doors).size, source.plan(doors).exact) == (None, False)
        assert len(read(source.narrow(5))[0]) > 10, "what has no size can't be narrowed"


def test_a_file_without_a_size_ends_somewhere(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some of the kernel's go on for ever; its table of symbols has megabytes."""
    monkeypatch.setattr("clinic.source.file.ENDLESS", 1000)
    data, reason, message = read(File("here", "/proc/kallsyms"))
    assert (reason, message) == (Reason.TRUNCATED, "/proc/kallsyms has no end within 1000 B")
    assert 1000 <= len(data) < MIB


@pytest.fixture
def logs(place: Path) -> Path:
    """Five logs, the first changed last, a directory and a text."""
    for number in range(5):
        path = place / f"{number}.log"
        path.write_bytes(b"%d" % number * 100)
        os.utime(path, (1_000_000 - number, 1_000_000 - number))
    (place / "dir.log").mkdir()
    (place / "note.txt").write_text("a note")
    return place


def test_each_file_comes_under_its_own_path(read_parts: ReadParts, logs: Path, doors: Any) -> None:
    source = Files("here", (f"{logs}/*.log", f"{logs}/note.txt", f"{logs}/0.log", f"{logs}/none"))
    estimate = source.plan(doors)
    assert (estimate.size, estimate.exact, estimate.parts) == (506, True, 6)
    expected: dict[str, bytes] = {f"{logs}/{n}.log": b"%d" % n * 100 for n in range(5)}
    assert read_parts(source) == {**expected, f"{logs}/note.txt": b"a note"}
    [ran] = doors.done
    assert (ran.kind, ran.what, ran.outcome) == ("files", source.what, "6 files")


def test_parts_come_sorted_by_path(doors: Any, logs: Path) -> None:
    names = [part.name for part in Files("here", (f"{logs}/*.log",)).open(doors)]
    assert names == sorted(names)


def test_nothing_that_matches_is_no_failure(read_parts: ReadParts, logs: Path, doors: Any) -> None:
    for patterns in ((f"{logs}/*.none",), (f"{logs}/dir.log",), ("/no/such", "/no/*/such")):
        source = Files("here", patterns)
        impossible = source.plan(doors).impossible
        assert isinstance(impossible, Skip) and impossible.reason is Reason.NOT_FOUND
        assert read_parts(source) == {"": Reason.NOT_FOUND}


def test_a_part_that_can_not_be_had_costs_only_itself(
    read_parts: ReadParts, logs: Path, foreign_link: Path
) -> None:
    (logs / "server.key").write_text("-----BEGIN PRIVATE KEY-----")
    os.mkfifo(logs / "fifo.log")
    found = read_parts(Files("here", (f"{logs}/*.log", f"{logs}/*.key")))
    assert found.pop(str(foreign_link)) is Reason.UNSAFE
    assert found.pop(f"{logs}/fifo.log") is Reason.UNSAFE
    assert found.pop(f"{logs}/server.key") is Reason.SECRET_FILE
    assert sorted(found) == [f"{logs}/{n}.log" for n in range(5)]


def test_a_file_that_vanishes_meanwhile_costs_only_itself(doors: Any, logs: Path) -> None:
    parts = Files("here", (f"{logs}/[01].log",)).open(doors)
    first = next(parts)
    (logs / "0.log").unlink()
    with pytest.raises(Exception, match="No such file"):
        list(first.chunks)
    assert list(next(parts).chunks) == [b"1" * 100]
    assert list(parts) == []


def test_what_the_kernel_does_not_tell_is_no_loss_among_many(read_parts: ReadParts) -> None:
    found = read_parts(Files("here", ("/sys/class/net/lo/speed", "/sys/class/net/lo/mtu", "/proc/0/no")))
    assert found == {"/sys/class/net/lo/speed": b"", "/sys/class/net/lo/mtu": b"65536\n"}


def test_the_newest_are_taken_by_choice(read_parts: ReadParts, logs: Path, doors: Any) -> None:
    source = Files("here", (f"{logs}/*.log",), newest=2)
    assert sorted(read_parts(source)) == [f"{logs}/0.log", f"{logs}/1.log"]
    assert source.plan(doors).size == 200


def test_more_files_than_the_limit_is_on_record(read_parts: ReadParts, logs: Path) -> None:
    found = read_parts(Files("here", (f"{logs}/*.log",), limit=2))
    assert found.pop("") is Reason.SOME_FILES
    assert sorted(found) == [f"{logs}/0.log", f"{logs}/1.log"]


def test_a_budget_goes_to_what_changed_last(read_parts: ReadParts, logs: Path, doors: Any) -> None:
    source = Files("here", (f"{logs}/*.log",)).narrow(250)
    assert source.plan(doors).size == 250
    assert read_parts(source) == {
        f"{logs}/0.log": b"0" * 100,
        f"{logs}/1.log": b"1" * 100,
        f"{logs}/2.log": b"2" * 25 + b"<50>" + b"2" * 25,
        f"{logs}/3.log": Reason.OVER_BUDGET,
        f"{logs}/4.log": Reason.OVER_BUDGET,
    }


def test_a_closed_directory_among_others_makes_it_partial(
    read_parts: ReadParts, logs: Path, foreign_link: Path
) -> None:
    """The rest is taken, and the refusal is not forgotten."""
    (logs / "up").symlink_to("/etc")
    os.lchown(logs / "up", 65534, 65534)
    found = read_parts(Files("here", (f"{logs}/note.txt", f"{logs}/up/*.conf")))
    assert found == {f"{logs}/note.txt": b"a note", "": Reason.UNSAFE}


@pytest.mark.parametrize("patterns", ["/etc/*", ()])
def test_a_pattern_instead_of_a_tuple_is_refused(patterns: Any) -> None:
    with pytest.raises(ValueError, match="patterns must be a tuple"):
        Files("here", patterns)


def test_pieces_are_bounded(doors: Any, place: Path) -> None:
    (place / "big").write_bytes(bytes(2 * MIB))
    [part] = File("here", f"{place}/big").open(doors)
    assert max(len(chunk) for chunk in part.chunks if isinstance(chunk, bytes)) <= 256 * KIB


def test_names_can_be_told_below_a_directory(read_parts: ReadParts, place: Path) -> None:
    """What is elsewhere keeps its whole path."""
    (place / "conf").mkdir()
    (place / "conf" / "tidb.toml").write_text("a = 1\n")
    (place / "other.toml").write_text("b = 2\n")
    source = Files("here", (f"{place}/conf/*", f"{place}/*.toml"), below=f"{place}/conf")
    assert read_parts(source) == {"tidb.toml": b"a = 1\n", f"{place}/other.toml": b"b = 2\n"}


def test_the_ending_can_tell_the_format(doors: Any, place: Path) -> None:
    """So that one folder of configuration gets the right redactor for each file; without it the item's is for all."""
    for name in ("a.toml", "b.yml", "c.cnf", "d.sh", "e.JSON"):
        (place / name).write_text("x\n")
    told = [part.content for part in Files("here", (f"{place}/*",), telling=True).open(doors)]
    assert told == [Content.TOML, Content.YAML, Content.INI, None, Content.JSON]
    assert {part.content for part in Files("here", (f"{place}/*",)).open(doors)} == {None}


def test_only_the_beginning_of_each_can_be_taken(read_parts: ReadParts, log: Path) -> None:
    """That is a choice, and no loss."""
    assert read_parts(Files("here", (str(log),), head=20)) == {str(log): b"line 0000\nline 0001\n"}
    assert len(read_parts(Files("here", (str(log),), head=10**9))[str(log)]) == 10_000
