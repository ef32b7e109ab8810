"""What the indexes of all logs say together: the gravest messages are facts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import zstandard
from tests.read.conftest import MakeRecord

from clinic.bundle.manifest import Run
from clinic.bundle.record import FileEntry, Record
from clinic.formats.logindexer import LogIndexer
from clinic.read.indexes import index_beside, loudest

RunOf = Callable[..., Run]


def index(*said: str) -> bytes:
    """The index of a log with these levels and messages."""
    watching = LogIndexer()
    for level_and_text in said:
        level, _, text = level_and_text.partition(" ")
        watching.feed(f"[2026/11/25 10:00:00.000 +08:00] [{level}] [a.go:1] [{text}]\n".encode())
    return watching.finish()


def log(record: MakeRecord, root: Path, name: str, instance: str, stored: bytes, ending: str = "") -> Record:
    """A log whose index is in the directory `root`."""
    (root / f"{name}.index{ending}").write_bytes(stored)
    made = record("log.std", b"x", instance=instance)
    return replace(made, files=(FileEntry(f"{name}.zst", 1, 1, ""),))


def test_the_gravest_come_first_and_instances_are_counted(
    tmp_path: Path, run: RunOf, record: MakeRecord
) -> None:
    one = log(record, tmp_path, "a.log", "db1-4000", index(*["ERROR often"] * 9, "FATAL once", "INFO said"))
    two = log(record, tmp_path, "b.log", "db1-20160", index("ERROR often", "ERROR rare", "WARN said"))
    texts = [fact.text for fact in loudest(tmp_path, run(), [one, two])]
    assert texts == [
        "tidb (1 instance) logged fatal 1 time: [a.go:1] [once]",
        "tidb (1 instance) logged error 9 times: [a.go:1] [often]",
        "tikv (1 instance) logged error 1 time: [a.go:1] [often]",
    ]


def test_an_error_that_speaks_of_a_panic_comes_before_others(
    tmp_path: Path, run: RunOf, record: MakeRecord
) -> None:
    said = ["ERROR often"] * 9 + ["ERROR connection running loop panic"]
    panic, other = loudest(tmp_path, run(), [log(record, tmp_path, "a.log", "db1-4000", index(*said))])
    assert "panic" in panic.text
    assert panic.weight < other.weight


def test_a_packed_index_is_read(tmp_path: Path, run: RunOf, record: MakeRecord) -> None:
    packed = zstandard.compress(index("ERROR said"))
    assert list(loudest(tmp_path, run(), [log(record, tmp_path, "a.log", "db1-4000", packed, ".zst")]))


def test_what_is_no_index_says_nothing(tmp_path: Path, run: RunOf, record: MakeRecord) -> None:
    broken = log(record, tmp_path, "a.log", "db1-4000", b"{}")
    hostile = log(record, tmp_path, "b.log", "db1-4000", b"no frame", ".zst")
    (tmp_path / "c.log.index").symlink_to("/etc/passwd")
    linked = replace(broken, files=(FileEntry("c.log", 1, 1, ""),))
    absent = replace(broken, files=(FileEntry("d.log", 1, 1, ""),))
    assert list(loudest(tmp_path, run(), [broken, hostile, linked, absent])) == []
    assert index_beside(tmp_path, "c.log") is None
