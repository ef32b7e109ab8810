"""A look that gets stuck, or that fails, costs only itself."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from clinic.cluster.discovery import time_limits as patience
from clinic.cluster.discovery.time_limits import patiently
from clinic.errors import Failed
from clinic.outcome import Reason


def test_everything_is_answered_when_nothing_is_stuck() -> None:
    assert patiently(range(500), lambda key: key * 2) == ({key: key * 2 for key in range(500)}, {})


def test_a_look_that_is_stuck_is_left_behind_and_its_late_answer_does_not_count(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)

    def look(key: str) -> str:
        return fifo.read_text() if key == "stuck" else key  # a FIFO that nobody writes to hangs in the kernel

    started = time.monotonic()
    answers, failures = patiently(["a", "stuck", "b", "c"], look, patience=0.05)
    assert time.monotonic() - started < 1
    assert answers == {"a": "a", "b": "b", "c": "c"}
    assert list(failures) == ["stuck"]
    assert "stuck" in failures["stuck"]
    fifo.write_text("late")  # lets the thread go
    _until_alone()
    assert "stuck" not in answers


def test_many_that_are_stuck_are_each_waited_for_less(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "LEAST_PATIENCE", 0.05)
    go_on = threading.Event()
    started = time.monotonic()
    _, failures = patiently(range(4), lambda _: go_on.wait(), patience=0.2)
    assert time.monotonic() - started < 0.2 + 0.1 + 0.05 + 0.05 + 0.5
    go_on.set()
    assert [text.partition(" s:")[0] for text in failures.values()] == [
        f"no answer within {seconds}" for seconds in ("0.2", "0.1", "0.05", "0.05")
    ]


def test_a_look_that_fails_costs_its_own_key() -> None:
    def look(key: int) -> int:
        if key == 1:
            raise Failed(Reason.READ_ERROR, "no luck")
        return 10 // key

    answers, failures = patiently([2, 1, 0, 5], look)
    assert answers == {2: 5, 5: 2}
    assert failures[1] == "no luck"
    assert failures[0].startswith("ZeroDivisionError: ")


def _until_alone() -> None:
    for thread in threading.enumerate():
        if thread.name == "discovery":
            thread.join(5)
            assert not thread.is_alive()
