"""What is said to a shell means what was meant: every glob and every name, as every shell reads it."""

from __future__ import annotations

import glob
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from clinic.host.ssh.quoting import glob_word, plain_prefixes, word

NAMES = (
    "a.log", "b.log", "c.txt", ".hidden.log", "a b.log", "x*y", "x[1]y", "x1y", "q?r", "q1r", "$HOME", "`id`", "'",
    '"', "\\", "n\nl.log", "-n", "é.log", "\udcff.log", "~", "{a,b}", "!x",
)  # fmt: skip
PATTERNS = (
    "*", "*.log", "?.log", "[ab].log", "[!a].log", "[a-b].log", "x[*]y", "x[[]1]y", "q[?]r", "$HOME", "*[\\]", "{a,b}",
    "[!ab]*", "*.[lt]*", "~", "a b*", "'*", "nothing*", "[", "-*",
)  # fmt: skip


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox sh"])
def test_a_glob_matches_what_it_matches_here(shell: str, tmp_path: Path) -> None:
    if shutil.which(shell.split(maxsplit=1)[0]) is None:
        pytest.skip(f"not run: no {shell} here")
    for name in NAMES:
        (tmp_path / name).write_text("")
    text = b"".join(
        b"for F in %b; do printf '%%s\\0' \"$F\"; done; printf '\\0'\n" % _word(tmp_path, one)
        for one in PATTERNS
    )
    said = subprocess.run(
        [*shell.split(), "-c", os.fsdecode(text)], capture_output=True, check=True, env={"LC_ALL": "C"}
    ).stdout
    for pattern, part in zip(PATTERNS, said.split(b"\0\0"), strict=False):
        found = {name for name in part.strip(b"\0").split(b"\0") if os.path.lexists(name)}
        model = os.fsencode(f"{glob.escape(str(tmp_path))}/{pattern}")
        assert found == set(glob.glob(model)), pattern


def _word(directory: Path, pattern: str) -> bytes:
    return glob_word(f"{glob.escape(str(directory))}/{pattern}")


def test_a_word_is_that_word() -> None:
    said = subprocess.run(
        ["sh", "-c", b"printf '%s\\0' " + b" ".join(map(word, NAMES))], capture_output=True, check=True
    ).stdout
    assert [os.fsdecode(name) for name in said.split(b"\0")[:-1]] == list(NAMES)


def test_the_way_to_a_glob_ends_at_its_first_part() -> None:
    assert plain_prefixes("/var/log/tidb/*.log") == ["/", "/var", "/var/log", "/var/log/tidb"]
    assert plain_prefixes("/var/*/tidb/a.log") == ["/", "/var"]
    assert plain_prefixes("/etc/hosts") == ["/", "/etc"]
    assert plain_prefixes("/*") == ["/"]
