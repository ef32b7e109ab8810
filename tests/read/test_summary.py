"""The page says what matters in at most sixty lines of a hundred columns, whatever the bundle holds."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from clinic.bundle.manifest import ClusterFacts, InstanceFacts, Run, WindowFacts
from clinic.bundle.record import Entry, Record
from clinic.formats.page import width
from clinic.outcome import Reason, Status
from clinic.read.fact import Fact, Findings
from clinic.read.instances import State
from clinic.read.summary import render, summarize

DF = b"""\
Filesystem     Type 1024-blocks      Used Available Capacity Mounted on
/dev/vda       ext4   264212084 253510152   9991112      97% /
"""


def page(
    run: Any,
    records: Any,
    findings: Findings,
    *,
    name: str = "clinic-db1",
    ended: str = "2026-11-25T04:00:09Z",
    interrupted: bool = False,
) -> str:
    """The page of a bundle that was sealed in peace."""
    return render(run, records, findings, name=name, ended=ended, interrupted=interrupted)


def test_the_page_tells_the_whole_story(run: Any, record: Any, kept: Any) -> None:
    records = [
        record("storage.df", DF),
        record(
            "storage.smart", status=Status.SKIPPED, reason=Reason.TOOL_ABSENT, message="smartctl is not installed",
            fix="apt install smartmontools",
        ),
        record("system.sysctl", status=Status.FAILED, reason=Reason.EXIT_STATUS, message="exit status 1"),
        record("system.nothing", status=Status.SKIPPED, reason=Reason.NOT_APPLICABLE),
    ]  # fmt: skip
    states = {"db1-4000": State(looked=True), "db1-20160": State(looked=True, pid=777)}
    facts = (Fact(2, "db1", "/ (/dev/vda): 97 % used, 9.5 GiB left", "df -h", "x"),)
    assert page(run(), records, Findings(facts, states)) == PAGE


PAGE = """\
Clinic bundle clinic-db1
Case       12345
Note       slow since noon
Cluster    shop (local), v8.5.0; 1 host, 2 instances
Versions   tidb v8.5.0, tikv v8.5.0
Window     2026-11-25 10:00:00 to 12:00:00 +0800; 2026-11-25 02:00:00 to 04:00:00 UTC; 2 h 00 min
Collected  2026-11-25T04:00:01Z to 2026-11-25T04:00:09Z by clinic 0.1.0, profile default; on db1 as
           alice (root)
State      1 item incomplete or missing; 4 items (1 ok, 2 skipped, 1 failed), 135 B

Hosts and instances
  db1: 1 of 4 items collected; 1 of 2 instances down
    tidb:4000 v8.5.0: not running
    tikv:20160 v8.5.0: up, pid 777

Loudest facts
  db1: / (/dev/vda): 97 % used, 9.5 GiB left

Missing, and what would bring it (each item: clinic inspect clinic-db1 --missing)
  db1: exit status: system.sysctl: exit status 1
  db1: tool absent: storage.smart: smartctl is not installed
    fix: apt install smartmontools
  1 more item: 1 not applicable here

Ask next
  1. clinic collect --resume clinic-db1 # what failed or was cut short
  2. on db1: df -h
  3. Was tidb db1-4000 stopped on purpose? If not: the end of its newest log

Every item with its reason: manifest.json. Whole? sha256sum -c SHA256SUMS. Read: zstd -dc X.zst
"""


def test_a_bundle_that_lacks_nothing_says_so(run: Any, record: Any) -> None:
    text = page(run(), [record("storage.df", b"x")], Findings((), {}))
    assert "State      complete; 1 item (1 ok), 1 B" in text
    assert "Missing, and what would bring it\n  nothing\n" in text


def test_a_run_that_was_cut_short_says_so(run: Any, record: Any) -> None:
    text = page(run(), [record("storage.df", b"x")], Findings((), {}), ended="", interrupted=True)
    assert "the run was cut short" in text
    assert "(not sealed)" in text


def test_instances_that_ended_meanwhile_are_part_of_the_state(run: Any, record: Any) -> None:
    states = {"db1-4000": State(looked=True, pid=7, ended=True), "db1-20160": State(looked=True, pid=8)}
    text = page(run(), [record("storage.df", b"x")], Findings((), states))
    assert "State      complete, but 1 instance ended while it was looked at; 1 item (1 ok), 1 B" in text
    assert "tidb:4000 v8.5.0: gone, pid 7 ended while it was looked at" in text


def test_what_is_long_goes_on_in_the_next_line_and_ends_in_the_third(run: Any, record: Any) -> None:
    components = [f"component-{n}" for n in range(12)]
    instances = tuple(InstanceFacts(f"db1-{n}", name, "db1", n) for n, name in enumerate(components))
    denied = record(
        "system.dmesg", status=Status.SKIPPED, reason=Reason.NOT_PERMITTED, message="no",
        fix=" ".join(f"word{n}" for n in range(100)),
    )  # fmt: skip
    facts = (Fact(1, "db1", " ".join(f"told{n}" for n in range(25)), "", ""),)
    cluster = ClusterFacts("shop", "local", ("db1",), instances)
    text = page(run(cluster=cluster), [denied], Findings(facts, {}))
    assert all(word in text for word in (*components, *(f"told{n}" for n in range(25)), "word30"))
    lines = text.splitlines()
    fix = next(number for number, line in enumerate(lines) if line.startswith("    fix: word0"))
    assert lines[fix + 1].startswith("      word")
    assert lines[fix + 2].endswith("...")
    assert not lines[fix + 3].startswith("      ")


def test_nothing_of_the_page_is_shown_in_part_where_there_is_no_room(run: Any, record: Any) -> None:
    """A list ends between two things, never within one."""
    facts = tuple(Fact(1, "db1", f"fact{n} " + "long " * 30 + f"end{n}", "", "") for n in range(40))
    text = page(run(), [record("storage.df", b"x")], Findings(facts, {}))
    told = [n for n in range(40) if f"fact{n} " in text]
    assert 0 < len(told) < 40
    assert all(f"end{n}" in text for n in told)
    assert f"  ... and {40 - len(told)} more: clinic inspect --facts shows all\n" in text


def test_in_utc_the_window_is_told_once(run: Any) -> None:
    window = WindowFacts("2026-11-24T23:00:00+00:00", "2026-11-25T01:00:00+00:00", "UTC +0000")
    text = page(run(window=window), [], Findings((), {}))
    assert "Window     2026-11-24 23:00:00 to 2026-11-25 01:00:00 UTC; 2 h 00 min\n" in text


def test_a_mixed_cluster_shows_itself(run: Any) -> None:
    versions = ("v8.5.0", "v8.4.0", "v8.5.0", "")
    instances = tuple(InstanceFacts(f"t{n}", "tidb", "db1", n, version) for n, version in enumerate(versions))
    text = page(run(cluster=ClusterFacts("shop", "local", ("db1",), instances)), [], Findings((), {}))
    assert "Versions   tidb v8.4.0, tidb v8.5.0 x2; version unknown: tidb\n" in text


def test_what_discovery_could_not_learn_is_on_the_page(run: Any) -> None:
    cluster = ClusterFacts("shop", "manual", ("db1",), unknown=("no PD answered", "b", "c"))
    assert "Beware     no PD answered (2 more in manifest.json)" in page(
        run(cluster=cluster), [], Findings((), {})
    )


def test_a_command_that_is_too_long_for_a_line_can_still_be_pasted(run: Any, record: Any) -> None:
    denied = [
        record(f"system.something-long-{n}", status=Status.SKIPPED, reason=Reason.NOT_PERMITTED)
        for n in range(3)
    ]
    lines = page(run(root=False), denied, Findings((), {})).splitlines()
    start = next(number for number, line in enumerate(lines) if "sudo clinic" in line)
    assert lines[start].endswith(" \\")
    assert lines[start + 1].strip().endswith("system.something-long-2")


def test_a_hundred_dead_hosts_and_a_thousand_facts_are_still_one_page(run: Any, record: Any) -> None:
    hosts = tuple(f"tikv-{number}" for number in range(100))
    instances = tuple(
        InstanceFacts(f"{host}-20160", "tikv", host, 20160, f"v{number}") for number, host in enumerate(hosts)
    )
    cluster = ClusterFacts("c" * 300, "tiup", hosts, instances, unknown=("x" * 500,))
    records = [
        record(
            f"system.i{number}",
            status=Status.FAILED,
            reason=reason,
            message=f"{host} is gone " * 20,
            fix="fix " * 100,
            host=host,
        )
        for number, host in enumerate(hosts)
        for reason in Reason
    ]
    facts = tuple(Fact(1, host, f"{host} very loud " * 50, "command " * 50, "") for host in hosts)
    text = page(run(cluster=cluster, note="note " * 500, case="9" * 500), records, Findings(facts, {}))
    lines = text.splitlines()
    assert len(lines) <= 60
    assert max(map(width, lines)) <= 100
    assert any(line.endswith(" more: clinic inspect shows all") for line in lines)
    assert any(line.endswith(" more: clinic inspect --facts shows all") for line in lines)


def test_what_is_true_of_many_hosts_is_told_once(run: Any, record: Any) -> None:
    alike = [Fact(9, f"db{n}", "vm.swappiness is 60", "", "") for n in range(1, 16)]
    facts = (Fact(3, "db7", "the load average is 9", "", ""), *alike)
    text = page(run(), [record("storage.df", b"x")], Findings(facts, {}))
    assert "  db7: the load average is 9\n  db1, db2, db3 and 12 more: vm.swappiness is 60\n" in text
    assert text.count("swappiness") == 1


@settings(max_examples=60)
@given(
    st.lists(st.text(max_size=120), min_size=8), st.sampled_from(list(Status)), st.sampled_from(list(Reason))
)
def test_nothing_that_a_host_says_breaks_the_page(words: list[str], status: Status, reason: Reason) -> None:
    """Text of any kind in every place that a node, a person or a broken tool can fill."""
    text = itertools.cycle(words)
    hosts = tuple(dict.fromkeys(words[:4]))
    instances = tuple(InstanceFacts(next(text), next(text), host, 1, next(text)) for host in hosts)
    cluster = ClusterFacts(next(text), "local", hosts, instances, next(text), next(text), tuple(words))
    window = WindowFacts(next(text), next(text), next(text))
    run = Run("c", "1", "", next(text), cluster, window, "m", next(text), False, "", next(text), next(text))
    records = [
        Record(
            Entry(word, "p", word, "system", "internal", "text", host=hosts[0]),
            status,
            reason,
            next(text),
            next(text),
        )
        for word in words
    ]
    facts = tuple(Fact(1, host, next(text), next(text), "") for host in hosts)
    written = page(run, records, Findings(facts, {}), name=next(text))
    lines = written.split("\n")
    assert lines.pop() == ""
    assert len(lines) <= 60
    assert all(width(line) <= 100 and line.isprintable() for line in lines)


def test_the_page_is_made_from_the_files_that_are_there(
    run: Any, record: Any, kept: Any, tmp_path: Path
) -> None:
    entry = record("storage.df", DF)
    path = tmp_path / entry.files[0].path
    path.parent.mkdir(parents=True)
    path.write_bytes(DF)
    text = summarize(tmp_path, run(), [entry], ended="2026-11-25T04:00:09Z", interrupted=False)
    assert "/ (/dev/vda): 97 % used" in text
    assert text.startswith(f"Clinic bundle {tmp_path.name}\n")


def test_items_that_never_ended_are_on_the_page(run: Any, record: Any, tmp_path: Path) -> None:
    ended, never = record("storage.df", None), record("system.os").entry
    text = summarize(tmp_path, run(), [ended], ended="", interrupted=True, planned=[ended.entry, never])
    assert "the run was cut short, 1 item incomplete or missing; 2 items (1 ok, 1 cancelled)" in text
    assert "interrupted: system.os: the run was cut short before it began" in text


def test_each_difference_of_two_sources_has_a_line(run: Any) -> None:
    differences = tuple(f"the file says {n}, PD says {n + 1}" for n in range(6))
    text = page(
        run(cluster=ClusterFacts("shop", "tiup", ("db1",), differences=differences)), [], Findings((), {})
    )
    assert "Differs    the file says 0, PD says 1\n           the file says 1, PD says 2\n" in text
    assert "the file says 3, PD says 4 (2 more in manifest.json)" in text
