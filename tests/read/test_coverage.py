"""The bars of what the logs cover: drawn from the records alone, holes first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tests.read.conftest import MakeRecord

from clinic.bundle.manifest import Run
from clinic.bundle.record import Action, Record
from clinic.outcome import Reason, Status
from clinic.read.coverage import coverage_lines, covered

RunOf = Callable[..., Run]


def log(record: MakeRecord, kind: str, *told: str, **changes: object) -> Record:
    """The record of a log whose files say this of themselves. The window is 02:00 to 04:00 UTC."""
    actions = tuple(Action("log", "/log/x", "db1", "root", one, 0.1) for one in told)
    made = record(f"log.{kind}", b"x", instance="db1-4000")
    return replace(made, actions=actions, **changes)  # type: ignore[arg-type]  # fields of a record


def at(minute: int) -> str:
    """A time of the window, by minutes from its beginning."""
    return f"2026-11-25T{2 + minute // 60:02}:{minute % 60:02}:00.000Z"


def test_a_log_that_covers_all_has_a_full_bar(run: RunOf, record: MakeRecord) -> None:
    (one,) = covered(run(), [log(record, "std", f"9 bytes, unified, first={at(0)} last={at(119)}")])
    assert (one.instance, one.kind, one.bar, one.reason) == ("db1-4000", "std", "#" * 20, "")


def test_what_was_rotated_out_and_silences_are_holes(run: RunOf, record: MakeRecord) -> None:
    late = log(
        record,
        "std",
        f"9 bytes, unified, first={at(60)} last={at(119)}",
        status=Status.PARTIAL,
        reason=Reason.ROTATED_OUT,
    )
    silent = log(
        record, "slow", f"9 bytes, slow, first={at(0)} last={at(119)} silent={at(24)}/{at(96)} zone=+08:00",
        status=Status.PARTIAL, reason=Reason.GAP,
    )  # fmt: skip
    bars = {one.kind: one.bar for one in covered(run(), [late, silent])}
    assert bars == {"std": "-" * 10 + "#" * 10, "slow": "#" * 5 + "-" * 11 + "#" * 4}


def test_files_of_one_log_fill_one_bar(run: RunOf, record: MakeRecord) -> None:
    two = log(record, "std", f"first={at(0)} last={at(29)}", f"first={at(60)} last={at(119)}")
    (one,) = covered(run(), [two])
    assert one.bar == "#" * 5 + "-" * 5 + "#" * 10


def test_lines_name_the_hole_and_those_with_one_come_first(run: RunOf, record: MakeRecord) -> None:
    whole = log(record, "error", f"first={at(0)} last={at(119)}")
    late = log(
        record, "std", f"first={at(60)} last={at(119)}", status=Status.PARTIAL, reason=Reason.ROTATED_OUT
    )
    lost = log(record, "slow", status=Status.FAILED, reason=Reason.READ_ERROR)
    absent = log(record, "raft", status=Status.SKIPPED, reason=Reason.NOT_FOUND)
    assert list(coverage_lines(run(), [whole, late, lost, absent])) == [
        f"  db1-4000 slow   [{'-' * 20}]  read_error",
        f"  db1-4000 std    [{'-' * 10}{'#' * 10}]  rotated_out"
        "  2026-11-25 11:00:00 +0800 to 2026-11-25 11:59:00 +0800",
        f"  db1-4000 error  [{'#' * 20}]",
    ]


def test_without_logs_there_is_nothing_to_show(run: RunOf, record: MakeRecord) -> None:
    assert list(coverage_lines(run(), [record("system.dmesg", b"x")])) == []
