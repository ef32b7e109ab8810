"""What to ask next can be pasted, and asks for nothing that is there already."""

from __future__ import annotations

import shlex
from typing import Any

from clinic.outcome import Reason, Status
from clinic.read.ask import questions
from clinic.read.facts import Fact, Findings
from clinic.read.instances import State

NOTHING = Findings((), {})


def asked(run: Any, records: Any, findings: Findings = NOTHING, name: str = "clinic-db1") -> list[str]:
    """The questions."""
    return list(questions(run, records, findings, name))


def test_a_whole_bundle_with_a_note_needs_nothing(run: Any, record: Any) -> None:
    assert asked(run(), [record("storage.df", b"x")]) == []


def test_without_a_note_the_first_question_is_what_is_wrong(run: Any) -> None:
    assert asked(run(note=""), [])[0].startswith("What is wrong, since when")


def test_what_failed_is_tried_again_with_resume(run: Any, record: Any) -> None:
    failed = record("storage.df", status=Status.TIMED_OUT, reason=Reason.DEADLINE)
    (question,) = asked(run(), [failed], name="my bundle; rm -rf ~")
    assert shlex.split(question, comments=True) == ["clinic", "collect", "--resume", "my bundle; rm -rf ~"]


def test_what_needs_root_is_asked_for_the_same_window_and_only_from_others_than_root(
    run: Any, record: Any
) -> None:
    denied = [
        record(identity, status=Status.SKIPPED, reason=Reason.NOT_PERMITTED)
        for identity in ("system.dmesg", "storage.smart")
    ]
    (question,) = asked(run(root=False), denied)
    words = shlex.split(question)
    assert words[:3] == ["sudo", "clinic", "collect"]
    assert words[words.index("--from") + 1] == "2026-11-25T10:00:00+08:00"
    assert words[words.index("--include") + 1] == "storage.smart,system.dmesg"
    assert asked(run(root=True), denied) == []


def test_many_items_are_asked_for_by_their_collectors(run: Any, record: Any) -> None:
    denied = [record(f"system.a{n}", status=Status.SKIPPED, reason=Reason.NOT_PERMITTED) for n in range(9)]
    (question,) = asked(run(root=False), denied)
    assert question.endswith("--include system")


def test_the_loudest_facts_ask_once_on_their_host(run: Any) -> None:
    facts = tuple(Fact(1, f"db{number}", "loud", "df -h", "") for number in (1, 1, 2, 3, 4))
    assert asked(run(), [], Findings(facts, {})) == ["on db1: df -h", "on db2: df -h", "on db3: df -h"]


def test_an_instance_that_does_not_run_is_asked_about(run: Any) -> None:
    states = {"db1-4000": State(looked=True), "db1-20160": State(looked=True, pid=7)}
    (question,) = asked(run(), [], Findings((), states))
    assert "tidb db1-4000" in question


def test_after_the_quick_profile_the_rest_is_asked_for(run: Any) -> None:
    (question,) = asked(run(profile="quick"), [])
    assert shlex.split(question, comments=True)[:2] == ["clinic", "collect"]
