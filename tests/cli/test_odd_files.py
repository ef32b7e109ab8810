"""What stands at a name that was given: pipes that never speak, devices that never end, lists that go on for ever."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Clinic = Callable[..., Any]


@pytest.mark.parametrize(
    "words",
    [["inspect"], ["verify"], ["unpack", "-o", "new"], ["logs"], ["leaks"], ["drift"], ["metrics"], ["pack"]],
    ids=lambda words: words[0],
)
def test_a_pipe_is_no_package_and_nobody_waits_for_it(
    clinic: Clinic, tmp_path: Path, words: list[str]
) -> None:
    os.mkfifo(tmp_path / "pipe")
    ended = clinic(*words, "pipe")
    assert (ended.code, ended.err.startswith("clinic: pipe is not a ")) == (6, True), ended


@pytest.mark.parametrize(
    "words",
    [
        ["unmask"],
        ["keys", "import"],
        ["doctor", "--hosts-file"],
    ],
    ids=lambda words: words[0] + words[-1],
)
def test_a_file_that_never_ends_is_read_no_further_than_such_a_file_goes(
    clinic: Clinic, words: list[str]
) -> None:
    ended = clinic(*words, "/dev/zero")
    assert (ended.code, "/dev/zero is longer than" in ended.err) == (2, True), ended


@pytest.mark.parametrize("words", ["bundles", "collectors storage", "--help", "redact --list-rules"])
def test_what_had_no_room_is_not_taken_for_printed(tmp_path: Path, words: str) -> None:
    """A command that does more than print is not a failure for that, and says nothing of Python's."""
    line = f"{sys.executable} -m clinic {words} >/dev/full"
    ended = subprocess.run(["sh", "-c", line], cwd=tmp_path, capture_output=True, check=False)
    expected = 0 if words.startswith("redact") else 7
    assert (ended.returncode, ended.stderr.count(b"\n")) == (expected, 2 if expected else 0), ended


@pytest.mark.parametrize("closed", ["<&-", "<&- >&- 2>&-"])
def test_no_stream_has_to_be_open(tmp_path: Path, closed: str) -> None:
    line = f"{sys.executable} -m clinic collect local --include storage.df -o bundle {closed}"
    ended = subprocess.run(["sh", "-c", line], cwd=tmp_path, capture_output=True, check=False)
    assert (ended.returncode, (tmp_path / "bundle" / "manifest.json").is_file()) == (0, True), ended


def test_a_pipe_in_the_place_of_a_cluster_costs_that_cluster_alone(clinic: Clinic, tmp_path: Path) -> None:
    """Root reads what the user of TiUP could have put there."""
    clusters = tmp_path / "storage" / "cluster" / "clusters"
    for name in ("good", "pipe"):
        (clusters / name).mkdir(parents=True)
    server = "pd_servers: [{host: 10.0.1.1}]"
    (clusters / "good" / "meta.yaml").write_text(f"user: a\ntidb_version: v8.5.1\ntopology: {{{server}}}\n")
    os.mkfifo(clusters / "pipe" / "meta.yaml")
    ended = clinic("clusters", "--home", tmp_path)
    assert (ended.code, "good" in ended.out, "not a regular file" in ended.out + ended.err) == (
        0,
        True,
        True,
    ), ended


def test_a_key_that_is_nested_without_end_is_none(clinic: Clinic, tmp_path: Path) -> None:
    (tmp_path / "deep.json").write_text("[" * 200_000)
    ended = clinic("keys", "import", "deep.json")
    assert (ended.code, "that is no exported key" in ended.err) == (2, True), ended
