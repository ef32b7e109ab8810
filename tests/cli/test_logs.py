"""`clinic logs` from the outside: what a person, a terminal and a script get."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.cli.conftest import Ended
from tests.cli.terminal import type_at_terminal

from clinic.bundle.journal import Header
from clinic.bundle.manifest import ClusterFacts, InstanceFacts, Run, WindowFacts
from clinic.bundle.record import Entry, Record
from clinic.bundle.writer import BundleWriter
from clinic.cli.logs import command
from clinic.formats.logindexer import LogIndexer
from clinic.outcome import Status
from clinic.redact import Redactor
from clinic.secret import SecretRegister

RUN = Run(
    tool="clinic", version="0.1.0", created="2026-11-25T04:00:00Z", started="2026-11-25T04:00:01Z",
    cluster=ClusterFacts("shop", "tiup", ("a",), (InstanceFacts("a-4000", "tidb", "a", 4000),)),
    window=WindowFacts("2026-11-25T10:00:00+08:00", "2026-11-25T12:00:00+08:00", "CST +0800"),
    machine="a", user="alice", root=True,
)  # fmt: skip
LINES = b"".join(
    b"[2026/11/25 10:%02d:00.000 +08:00] [%s] [a.go:1] [said] [n=%d]\n"
    % (at, b"WARN" if at % 10 == 0 else b"INFO", at)
    for at in range(60)
)
HOSTILE = b"[2026/11/25 11:00:00.000 +08:00] [ERROR] [a.go] [\x1b[31mred\x1b]0;title\x07\xff] [\xe2\x80\xae\xc2\x9b]\n"


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle with one log of 61 entries."""
    root = tmp_path / "bundle"
    entry = Entry("log.std", "a/log/std", "log", "logs", "user-data", "log", True, "a", "a-4000")
    with BundleWriter.create(root, Header(RUN, (entry,)), Redactor(SecretRegister()), reserve=0) as writer:
        item = writer.item(entry, cap=1 << 20, learn=False, observer=LogIndexer)
        part = item.part("tidb.log")
        part.write(LINES + HOSTILE)
        part.finish()
        writer.record(Record(entry, Status.OK, files=item.commit()))
        writer.seal()
    return root


def test_each_entry_has_its_time_in_utc_and_its_instance(clinic: Callable[..., Ended], bundle: Path) -> None:
    done = clinic("logs", bundle)
    lines = done.out.splitlines()
    assert (done.code, len(lines), done.err) == (0, 61, "")
    assert lines[0] == "2026-11-25T02:00:00.000Z a-4000 std: " + LINES.split(b"\n")[0].decode()


def shown(bundle: Path, *options: str) -> list[str]:
    """The lines that are printed."""
    done = CliRunner().invoke(command, [str(bundle), *options], catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout.splitlines()


def test_options_choose(bundle: Path) -> None:
    window = ("--from", "2026-11-25T10:10:00+08:00", "--to", "2026-11-25T10:20:00+08:00")
    assert len(shown(bundle, *window)) == 11
    assert len(shown(bundle, *window, "--level", "warn")) == 2
    assert len(shown(bundle, "--grep", r"n=\d\]", "--instance", "tidb")) == 10
    assert shown(bundle, "--grep", "nowhere") == []


def test_a_kind_that_is_not_there_is_refused(clinic: Callable[..., Ended], bundle: Path) -> None:
    refused = clinic("logs", bundle, "--type", "slow")
    assert refused.code == 2 and "there are std" in refused.err


def test_json_has_one_object_a_line(bundle: Path) -> None:
    found = [json.loads(line) for line in shown(bundle, "--json", "--level", "error")]
    assert [(one["time"], one["level"], one["instance"], one["type"], one["file"]) for one in found] == [
        ("2026-11-25T03:00:00.000Z", "error", "a-4000", "std", "a/log/std/tidb.log")
    ]
    assert "\x1b[31mred" in found[0]["text"] and "\u202e\x9b" in found[0]["text"]
    assert not set("\x1b\u202e\x9b") & set("".join(shown(bundle, "--json")))


@pytest.mark.slow
def test_levels_have_colours_at_a_terminal_unless_nobody_wants_any(bundle: Path, tmp_path: Path) -> None:
    words = ["logs", str(bundle), "--level", "warn"]
    _, text = type_at_terminal(tmp_path, words)
    assert text.count("\x1b[33m[2026/11/25") == 6 and text.count("\x1b[31m[2026/11/25") == 1
    _, text = type_at_terminal(tmp_path, words, env={"NO_COLOR": "1"})
    assert text.count("[2026/11/25") == 7 and "\x1b" not in text
    assert not any("\x1b" in line for line in shown(bundle))


def test_what_would_steer_a_terminal_is_written_out(bundle: Path) -> None:
    done = CliRunner().invoke(command, [str(bundle), "--level", "error"], color=True)
    assert "\x1b[31mred" not in done.output and "\\x1b[31mred\\x1b]0;title\\x07\\xff" in done.output


def test_a_reader_that_goes_away_ends_it_quietly(bundle: Path) -> None:
    argv = [sys.executable, "-m", "clinic", "logs", str(bundle)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None and running.stderr is not None
        running.stdout.close()  # long before the first line comes
        assert running.stderr.read() == b""
