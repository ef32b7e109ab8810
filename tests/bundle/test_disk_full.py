"""A disk that runs full at any stage costs items, never the bundle: it is sealed, and says what is missing."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clinic.bundle.journal import Header
from clinic.bundle.reader import Bundle
from clinic.bundle.record import Entry, Record
from clinic.bundle.verify import defects
from clinic.bundle.writer import BundleWriter
from clinic.errors import DiskFull
from clinic.outcome import Reason, Status
from clinic.redact import Redactor
from clinic.secret import SecretRegister
from clinic.units import KIB, MIB

Plan = Callable[..., Header]
Write = Callable[[BundleWriter, Entry, bytes], Record]


def mount(path: Path, options: str) -> Iterator[Path]:
    """A small disk at `path`."""
    path.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"{options},mode=0755", "tmpfs", path],
        capture_output=True,
        check=False,
    )
    if done.returncode:
        pytest.skip("needs root to mount a tmpfs")
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", path], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 8 MiB."""
    yield from mount(tmp_path / "disk", "size=8m")


@pytest.fixture
def few_inodes(tmp_path: Path) -> Iterator[Path]:
    """A disk on which there is room for bytes, and for 24 files and folders."""
    yield from mount(tmp_path / "disk", "size=8m,nr_inodes=24")


def fill(disk: Path, leave: int = 0) -> None:
    """Use up all but `leave` bytes of the disk, as a database's log would."""
    found = os.statvfs(disk)
    free = found.f_bavail * found.f_frsize
    if free <= leave:
        return
    with (disk / "filler").open("ab") as filler:
        os.posix_fallocate(filler.fileno(), filler.tell(), free - leave)


def run_to_the_end(writer: BundleWriter, header: Header, rounds: int = 12) -> list[Status]:
    """Collect noise that does not compress, as the engine does: a full disk ends the run, and it is sealed."""
    ended: list[Status] = []
    for planned in header.entries:
        item = writer.item(planned, cap=64 * MIB, learn=False)
        try:
            part = item.part()
            for _ in range(rounds):
                part.write(os.urandom(64 * KIB))
            part.finish()
            writer.record(Record(planned, Status.OK, files=item.commit()))
            ended.append(Status.OK)
        except DiskFull as error:
            item.abandon()
            writer.record(Record(planned, Status.FAILED, Reason.DISK_FULL, error.message))
            ended.append(Status.FAILED)
            break
    writer.derived("SUMMARY.txt", b"the disk was full\n" * 50)
    writer.seal(interrupted=Status.FAILED in ended)
    return ended


@pytest.mark.parametrize("leave", [0, 4, 16, 64, 200, 300, 400, 600, 1000, 1500, 2000, 4000, 8000])
def test_however_little_is_left_there_is_a_whole_bundle_or_none(
    disk: Path, redactor: Redactor, plan: Plan, entry: Callable[..., Entry], leave: int
) -> None:
    header = plan(*(entry(f"h1/{number}.bin", content="opaque") for number in range(16)))
    fill(disk, leave * KIB)
    try:
        writer = BundleWriter.create(disk / "b", header, redactor, reserve=0)
    except DiskFull as error:
        assert leave < 500
        assert str(disk / "b") in error.message
        assert list((disk / "b").iterdir()) == []
        return
    with writer:
        ended = run_to_the_end(writer, header)
    assert ended[-1] is Status.FAILED
    assert defects(disk / "b") == ()
    assert len(Bundle.open(disk / "b").records()) == 16


def test_a_disk_that_fills_up_between_any_two_steps_does_not_stop_the_seal(
    disk: Path, redactor: Redactor, plan: Plan, write: Write
) -> None:
    header = plan(*(f"h1/{number}.txt" for number in range(20)))

    class Filling(BundleWriter):
        def _step(self, name: str) -> None:
            fill(disk)

    with Filling.create(disk / "b", header, redactor, reserve=0) as writer:
        for planned in header.entries[:5]:
            write(writer, planned, b"hello\n" * 1000)
        fill(disk)
        for planned in header.entries[5:]:
            writer.record(Record(planned, Status.FAILED, Reason.DISK_FULL, "no room " * 20))
        fill(disk)
        writer.derived("SUMMARY.txt", b"x" * 3000)
        writer.seal()
    assert defects(disk / "b") == ()


def test_a_record_can_be_written_when_the_disk_is_full_and_everything_after_it_is_refused(
    disk: Path, redactor: Redactor, plan: Plan, write: Write
) -> None:
    header = plan("h1/a.txt", "h1/b.txt")
    with BundleWriter.create(disk / "b", header, redactor, reserve=0) as writer:
        fill(disk)
        for _ in range(100):
            writer.record(Record(header.entries[0], Status.FAILED, Reason.DISK_FULL, "x" * 1000))
        with pytest.raises(DiskFull):
            write(writer, header.entries[1], b"y")
        with pytest.raises(DiskFull):
            writer.check_space()
        writer.seal()
    assert defects(disk / "b") == ()


def test_a_disk_that_is_full_from_the_start_has_room_for_the_record_of_every_planned_item(
    disk: Path, redactor: Redactor, plan: Plan
) -> None:
    header = plan(*(f"h{number}/system/{number}.txt" for number in range(800)))
    with BundleWriter.create(disk / "b", header, redactor, reserve=0) as writer:
        fill(disk)
        for planned in header.entries:
            fill(disk)
            writer.record(
                Record(planned, Status.FAILED, Reason.DISK_FULL, "no room " * 30, fix="free some space")
            )
        made = writer.seal(interrupted=True)
    assert len(made.manifest.records) == 800
    assert defects(disk / "b") == ()


def test_a_disk_without_inodes_is_a_full_disk_and_the_bundle_is_sealed(
    few_inodes: Path, redactor: Redactor, plan: Plan
) -> None:
    header = plan(*(f"h1/{number}.txt" for number in range(40)))
    with BundleWriter.create(few_inodes / "b", header, redactor, reserve=0) as writer:
        ended = run_to_the_end(writer, header, rounds=0)
    assert 5 < len(ended) < 24
    assert ended[-1] is Status.FAILED
    assert defects(few_inodes / "b") == ()


def test_a_run_that_was_killed_on_a_full_disk_can_be_sealed_there(
    disk: Path, redactor: Redactor, plan: Plan, write: Write
) -> None:
    header = plan("h1/a.txt", "h1/b.txt")
    with BundleWriter.create(disk / "b", header, redactor, reserve=0) as writer:
        write(writer, header.entries[0], b"hello\n")
    fill(disk)
    with BundleWriter.reopen(disk / "b", redactor, reserve=0) as writer:
        writer.seal(interrupted=True)
    assert defects(disk / "b") == ()


def test_a_file_with_a_secret_that_was_learned_too_late_goes_when_there_is_no_room_to_write_it_again(
    disk: Path, redactor: Redactor, register: SecretRegister, plan: Plan, write: Write
) -> None:
    header = plan("h1/a.log", "h1/b.txt")
    with BundleWriter.create(disk / "b", header, redactor, reserve=0) as writer:
        write(writer, header.entries[0], b"x Tr0ub4dor y\n" * 10_000)
        write(writer, header.entries[1], b"nothing in it\n")
        register.learn("Tr0ub4dor")
        fill(disk)
        made = writer.seal()
    first, second = made.manifest.records
    assert (first.status, first.reason, first.files) == (Status.FAILED, Reason.REDACTION_FAILED, ())
    assert second.status is Status.OK
    assert defects(disk / "b") == ()


def test_free_space_is_looked_at_while_a_file_grows(
    disk: Path, redactor: Redactor, plan: Plan, entry: Callable[..., Entry]
) -> None:
    """The customer's own database writes to the same disk: some of it stays free for that."""
    planned = entry("h1/a.bin", content="opaque")
    with BundleWriter.create(disk / "b", plan(planned), redactor, reserve=5 * MIB) as writer:
        part = writer.item(planned, cap=64 * MIB, learn=False).part()
        with pytest.raises(DiskFull, match=r"only .* MiB left .* 5\.0 MiB are kept free"):
            for _ in range(200):
                part.write(os.urandom(64 * KIB))
        part.discard()
        writer.seal()
    found = os.statvfs(disk)
    assert found.f_bavail * found.f_frsize > 3 * MIB
