"""What to ask next can be pasted, and asks for nothing that is there already."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from clinic.bundle.manifest import ClusterFacts, InstanceFacts, WindowFacts
from clinic.outcome import Reason, Status
from clinic.read.ask import EXACT, questions
from clinic.read.fact import Fact, Findings
from clinic.read.instances import State
from clinic.read.journal import Journals

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


@pytest.mark.parametrize(
    ("count", "included"),
    [(EXACT, [f"system.a{n}" for n in range(EXACT - 1)] + ["storage.smart"]), (9, ["storage.*", "system.*"])],
)
def test_items_are_asked_for_by_their_ids_and_many_by_globs_of_their_collectors(
    run: Any, record: Any, count: int, included: list[str]
) -> None:
    """A bare `system` would be the category, which is nearly everything."""
    ids = ["storage.smart", *(f"system.a{n}" for n in range(count - 1))]
    denied = [record(identity, status=Status.SKIPPED, reason=Reason.NOT_PERMITTED) for identity in ids]
    (question,) = asked(run(root=False), denied)
    assert shlex.split(question)[-1].split(",") == sorted(included)


def test_what_an_account_of_a_database_would_bring_is_not_asked_of_root(run: Any, record: Any) -> None:
    fixes = ("GRANT PROCESS ON *.* TO 'root'@'%'", "run Clinic as root")
    denied = [
        record(f"a.b{n}", status=Status.SKIPPED, reason=Reason.NOT_PERMITTED, fix=fix)
        for n, fix in enumerate(fixes)
    ]
    (question,) = asked(run(root=False), denied)
    assert question.endswith("--include a.b1")


def test_a_command_names_the_cluster_and_a_window_of_whole_seconds(run: Any) -> None:
    window = WindowFacts("2026-11-25T10:00:00.829041+08:00", "2026-11-25T12:00:00.829041+08:00", "CST +0800")
    options = {"cluster": "cluster/my shop", "home": "/home/tidb", "pd": ("a:1", "b:2"), "ca": ""}
    (question,) = asked(run(window=window, profile="quick", options=options), [])
    assert shlex.split(question, comments=True)[2:] == [
        "cluster/my shop", "--home", "/home/tidb", "--pd", "a:1", "--pd", "b:2",
        "--from", "2026-11-25T10:00:00+08:00", "--to", "2026-11-25T12:00:01+08:00",
    ]  # fmt: skip


def test_a_window_that_is_none_breaks_no_command(run: Any) -> None:
    (question,) = asked(run(window=WindowFacts("now; reboot", "then", ""), profile="quick"), [])
    assert shlex.split(question, comments=True)[2:] == ["--from", "now; reboot", "--to", "then"]


def test_the_loudest_facts_ask_once_on_their_host(run: Any) -> None:
    facts = tuple(Fact(1, f"db{number}", "loud", "df -h", "") for number in (1, 1, 2, 3, 4))
    assert asked(run(), [], Findings(facts, {})) == ["on db1: df -h", "on db2: df -h", "on db3: df -h"]


def test_an_instance_that_does_not_run_is_asked_about(run: Any) -> None:
    states = {"db1-4000": State(looked=True), "db1-20160": State(looked=True, pid=7)}
    (question,) = asked(run(), [], Findings((), states))
    assert question.startswith("Was tidb db1-4000 stopped on purpose?")


def test_of_many_instances_of_a_component_that_do_not_run_one_question_is_asked(run: Any) -> None:
    exporters = [InstanceFacts(f"db{n}-9100", "node_exporter", f"db{n}", 9100) for n in range(1, 14)]
    tidb = InstanceFacts("db1-4000", "tidb", "db1", 4000)
    cluster = ClusterFacts("shop", "tiup", ("db1",), (*exporters, tidb))
    states = {one.id: State(looked=True) for one in cluster.instances}
    first, second = asked(run(cluster=cluster), [], Findings((), states))
    assert first.startswith("Were node_exporter db1-9100 and 12 more of its kind stopped on purpose?")
    assert second.startswith("Was tidb db1-4000 stopped on purpose?")


def test_why_an_instance_is_down_is_asked_of_its_unit_where_the_host_has_a_journal_and_only_once(
    run: Any,
) -> None:
    unit = InstanceFacts("db1-4000", "tidb", "db1", 4000, unit="tidb-4000.service")
    findings = Findings(
        (Fact(0, "db1", "1 instance ended", Journals(frozenset({"db1"})).last(unit), ""),),
        {"db1-4000": State(looked=True, pid=7, ended=True)},
        Journals(frozenset({"db1"})),
    )
    (question,) = asked(run(cluster=ClusterFacts("shop", "local", ("db1",), (unit,))), [], findings)
    assert question == (
        "on db1: journalctl -u tidb-4000.service -n 200 --no-pager # was tidb db1-4000 stopped on purpose?"
    )


def test_after_the_quick_profile_the_rest_is_asked_for(run: Any) -> None:
    (question,) = asked(run(profile="quick"), [])
    assert shlex.split(question, comments=True)[:2] == ["clinic", "collect"]
