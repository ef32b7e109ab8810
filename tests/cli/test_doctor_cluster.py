"""`clinic doctor` for other machines: host keys with one typed yes, logins, rights, with the words that mend them."""

from __future__ import annotations

import os
import pty
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.lab.own_sshd import Serve, Sshd

pytestmark = pytest.mark.lab
Clinic = Callable[..., Any]


@pytest.fixture(scope="module")
def sshd(serve: Serve) -> Sshd:
    """A server at which `nobody` logs in."""
    return serve(user="nobody", shell="/bin/sh")


def words(sshd: Sshd) -> list[str]:
    """The command without what knows the key."""
    return ["doctor", "--host", f"nobody@127.0.0.1:{sshd.port}", "--ssh-key", sshd.login.key]


def at_a_terminal(argv: list[str], typed: bytes, directory: Path) -> tuple[int, str, str]:
    """Run it where somebody types: exit code, output, and what was shown besides."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "clinic", *argv],
        cwd=directory,
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
    )
    os.close(theirs)
    os.write(ours, typed)
    out, _ = process.communicate(timeout=60)
    shown = os.read(ours, 65536).decode()
    os.close(ours)
    return process.returncode, out.decode(), shown


def test_keys_are_kept_only_after_the_whole_word(
    clinic: Clinic, sshd: Sshd, home: Path, tmp_path: Path
) -> None:
    ended = clinic(*words(sshd), "--json")
    assert ended.code == 3
    assert ended.json[0]["reason"] == "unsafe"
    assert "clinic doctor --cluster" in ended.json[0]["fix"]
    own = home / "clinic" / "known_hosts"
    code, out, shown = at_a_terminal(words(sshd), b"y\n", tmp_path)
    assert code == 3
    assert not own.exists()
    code, out, shown = at_a_terminal(words(sshd), b"yes\n", tmp_path)
    told = subprocess.run(
        ["ssh-keygen", "-lf", f"{sshd.home}/host_key.pub"], capture_output=True, text=True, check=True
    ).stdout.split()
    assert told[1].removeprefix("SHA256:") in shown
    assert stat.S_IMODE(own.stat().st_mode) == 0o600
    assert f"[127.0.0.1]:{sshd.port} ssh-ed25519" in own.read_text()
    assert "1 of 1 machine can be logged in at" in out
    assert clinic(*words(sshd), "--json").json[0]["user"] == "nobody"


def test_what_is_not_permitted_comes_with_its_line(clinic: Clinic, sshd: Sshd) -> None:
    ended = clinic(*words(sshd), "--known-hosts", sshd.login.known_hosts[0])
    assert ended.code == 3, ended.err
    assert "nobody ALL=(root) NOPASSWD: /usr/" in ended.out
    assert "with visudo" in ended.out


def test_a_machine_that_is_dead_is_said(clinic: Clinic, sshd: Sshd) -> None:
    ended = clinic("doctor", "--host", "nobody@127.0.0.1:1", "--ssh-key", sshd.login.key)
    assert ended.code == 3
    assert "Connection refused" in ended.out
    assert "0 of 1 machine can be logged in at" in ended.out
