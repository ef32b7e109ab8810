"""`clinic drift` from the outside: what differs, for people and for scripts."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from clinic.bundle.journal import Header
from clinic.bundle.manifest import ClusterFacts, InstanceFacts, Run, WindowFacts
from clinic.bundle.record import Entry, Record
from clinic.bundle.writer import BundleWriter
from clinic.cli.drift import command
from clinic.errors import UsageError
from clinic.outcome import Status
from clinic.redact import Redactor
from clinic.secret import SecretRegister

INSTANCES = (
    InstanceFacts("a-20160", "tikv", "a", 20160, "v8.5.3"), InstanceFacts("b-20160", "tikv", "b", 20160, "v8.5.3"),
)  # fmt: skip
RUN = Run(
    tool="clinic", version="0.1.0", created="2026-11-25T04:00:00Z", started="2026-11-25T04:00:01Z",
    cluster=ClusterFacts("shop", "tiup", ("a", "b"), INSTANCES),
    window=WindowFacts("2026-11-25T10:00:00+08:00", "2026-11-25T12:00:00+08:00", "CST +0800"),
    machine="a", user="alice", root=True, profile="default", case="", note="",
)  # fmt: skip
FILES = {
    ("config.files", "a-20160", "a/tidb-deploy/tikv-20160/conf/tikv.toml"):
    '[log]\nlevel = "debug\\u001b[31m"\n[server]\naddr = "0.0.0.0:20160"\n[readpool]\nold-one = 1\n',
    ("config.running", "a-20160", "a/tidb-deploy/tikv-20160/conf/config.json"):
    '{"log":{"level":"info"},"server":{"addr":"a:20160"},"gc":{"ratio":1}}',
    ("config.running", "b-20160", "b/tidb-deploy/tikv-20160/conf/config.json"):
    '{"log":{"level":"info"},"server":{"addr":"b:20160"},"gc":{"ratio":2}}',
}  # fmt: skip


def write(root: Path, files: dict[tuple[str, str, str], str]) -> Path:
    """A bundle of these files."""
    entries = {
        path: Entry(
            identity, path, identity.partition(".")[0], "config", "internal", "text", instance=instance
        )
        for identity, instance, path in files
    }
    with BundleWriter.create(
        root, Header(RUN, tuple(entries.values())), Redactor(SecretRegister()), reserve=0
    ) as writer:
        for (_, _, path), content in files.items():
            item = writer.item(entries[path], cap=1 << 20, learn=False)
            part = item.part()
            part.write(content.encode())
            part.finish()
            writer.record(replace(Record(entries[path], Status.OK), files=item.commit()))
        writer.seal()
    return root


@pytest.fixture
def drift(tmp_path: Path) -> Callable[..., Result]:
    """Run the command on a bundle of `FILES`."""
    root = write(tmp_path / "bundle", FILES)

    def call(*words: str) -> Result:
        return CliRunner().invoke(command, [str(root), *words], catch_exceptions=False)

    return call


def test_it_tells_what_the_file_says_and_what_runs(drift: Callable[..., Result]) -> None:
    lines = drift().output.splitlines()
    [level] = [line.split() for line in lines if "log.level" in line]
    assert level == ["tikv", "a-20160", "log.level", "debug\\x1b[31m", "info"]
    assert any("readpool.old-one" in line and "(unknown to it)" in line for line in lines)


def test_it_tells_what_is_not_the_same_on_all_instances(drift: Callable[..., Result]) -> None:
    rows = [line.split() for line in drift().output.splitlines() if "gc.ratio" in line]
    assert rows == [
        ["tikv", "running", "gc.ratio", "1", "a-20160"],
        ["tikv", "running", "gc.ratio", "2", "b-20160"],
    ]


def test_addresses_are_shown_only_when_they_are_asked_for(drift: Callable[..., Result]) -> None:
    assert "server.addr" not in drift().output
    assert "2 addresses, paths or names differ too: --all." in drift().output
    assert drift("--all").output.count("server.addr") == 3


def test_scripts_get_everything(drift: Callable[..., Result]) -> None:
    told = json.loads(drift("--json").output)
    assert set(told) == {"pending", "uneven", "compared", "unread"}
    assert told["compared"] == {"tikv": 2}
    assert {one["name"]: one["place"] for one in told["pending"]} == {
        "log.level": False, "server.addr": True, "readpool.old-one": False
    }  # fmt: skip
    assert [one["values"] for one in told["uneven"] if one["name"] == "gc.ratio"] == [
        [["1", ["a-20160"]], ["2", ["b-20160"]]]
    ]


def test_without_configuration_it_says_how_to_get_some(tmp_path: Path) -> None:
    root = write(tmp_path / "empty", {("system.os", "", "a/os.txt"): "x"})
    with pytest.raises(UsageError) as raised:
        CliRunner().invoke(command, [str(root)], catch_exceptions=False)
    assert "--include config" in raised.value.hint


def test_nothing_that_differs_is_said_so(tmp_path: Path) -> None:
    root = write(tmp_path / "even", {("config.running", "a-20160", "a/config.json"): '{"a":1}'})
    output = CliRunner().invoke(command, [str(root)], catch_exceptions=False).output
    assert output.count("  nothing") == 2
    assert "Compared: 1 tikv." in output


def test_it_is_a_command_with_an_example() -> None:
    assert isinstance(command, click.Command)
    assert "clinic drift clinic-" in (command.help or "")
