"""A node that is short of something is left alone, and who waits for it says so."""

from __future__ import annotations

import pytest

from clinic.deadline import Deadline
from clinic.errors import Skip, TimedOut
from clinic.host.ssh import strain as module
from clinic.host.ssh.strain import Gate, Thresholds, strain
from clinic.outcome import Reason

CALM = """\
1.50 1.20 1.10 2/345 6789
full avg10=0.00 avg60=0.00 avg300=0.00 total=1
full avg10=12.00 avg60=0.00 avg300=0.00 total=1
MemTotal:       16000000 kB
MemAvailable:    8000000 kB
processor\t: 0
processor\t: 1
processor\t: 2
processor\t: 3
"""
LIMITS = Thresholds(load=4, stalled=40, memory=0.02)


@pytest.mark.parametrize(
    ("said", "short"),
    [
        (CALM, ""),
        (CALM.replace("1.50", "17.00", 1), "its load is 4.2 for each processor"),
        (
            CALM.replace("full avg10=12.00", "full avg10=55.10"),
            "it waits for its disks or memory 55 % of the time",
        ),
        (CALM.replace("8000000", "160000"), "1.0% of its memory is left"),
        ("", ""),
        ("grep: /proc/loadavg: No such file\n", ""),
    ],
)
def test_what_a_node_is_short_of(said: str, short: str) -> None:
    assert strain(said, LIMITS) == short


def test_one_look_counts_for_a_while() -> None:
    answers = [CALM, CALM]
    gate = Gate(lambda _: answers.pop(), LIMITS, "db1")
    for _ in range(10):
        gate.enter(Deadline(5))
    assert len(answers) == 1
    assert gate.paused == 0


def test_work_waits_until_the_node_is_at_ease(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE", 0.01)
    answers = [CALM.replace("1.50", "99.0", 1)] * 3
    gate = Gate(lambda _: answers.pop() if answers else CALM, LIMITS, "db1")
    gate.enter(Deadline(5))
    assert not answers
    assert gate.paused > 0


def test_a_node_that_stays_short_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE", 0.01)
    monkeypatch.setattr(module, "PATIENCE", 0.05)
    gate = Gate(lambda _: CALM.replace("1.50", "99.0", 1), LIMITS, "db1")
    with pytest.raises(Skip, match=r"db1 was left alone: its load is 24\.8") as caught:
        gate.enter(Deadline(5))
    assert caught.value.reason is Reason.SERVER_PROTECTED
    assert "a load of 4 for each processor" in caught.value.fix
    with pytest.raises(TimedOut):
        Gate(lambda _: CALM.replace("1.50", "99.0", 1), LIMITS, "db1").enter(Deadline(0.02))
