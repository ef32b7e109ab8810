"""A bundle is opened whether it is sealed or not, and what is none is refused in one line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from clinic.bundle.reader import Bundle
from clinic.errors import BadBundle, UsageError
from clinic.outcome import Reason, Status
from clinic.read.open import is_unsealed, open_bundle


def test_a_sealed_bundle_has_its_id_and_its_members(bundle: Any, record: Any) -> None:
    root = bundle([record("storage.df", b"df\n" * 100_000), record("system.os", b"debian\n")])
    opened = open_bundle(root)
    assert (opened.sealed, opened.complete, opened.interrupted) == (True, True, False)
    assert opened.id == Bundle.open(root).id
    assert opened.ended
    assert {file.name for file in opened.files()} == {
        "SUMMARY.txt",
        "db1/storage/df.txt",
        "db1/system/os.txt",
    }
    for name in ("db1/storage/df.txt", "db1/storage/df.txt.zst"):
        with opened.member(name) as stream:
            assert stream.read() == b"df\n" * 100_000


def test_an_unsealed_one_says_what_never_ended(bundle: Any, record: Any) -> None:
    root = bundle([record("storage.df", b"df\n")], sealed=False, planned=[record("system.os")])
    opened = open_bundle(root)
    assert is_unsealed(root)
    assert (opened.sealed, opened.complete, opened.id, opened.ended) == (False, False, "", "")
    ended, never = opened.records
    assert (ended.status, never.status, never.reason) == (Status.OK, Status.CANCELLED, Reason.INTERRUPTED)
    assert never.message == "the run was cut short before it began"
    assert str(root) in never.fix
    with opened.member("db1/storage/df.txt") as stream:
        assert stream.read() == b"df\n"


def test_credentials_that_were_masked_are_counted(bundle: Any, record: Any) -> None:
    root = bundle([record("storage.fstab", b"//nas/x /mnt cifs password=hunter2hunter2 0 0\n")])
    assert open_bundle(root).masked >= 1


def test_a_file_that_is_not_there_is_an_error_that_names_it(bundle: Any, record: Any) -> None:
    opened = open_bundle(bundle([record("storage.df", b"df\n")]))
    with pytest.raises(UsageError, match="nothing"):
        opened.member("nothing")


def _nothing(path: Path) -> None:
    del path


def _file(path: Path) -> None:
    path.write_bytes(b"x")


def _empty(path: Path) -> None:
    path.mkdir()


def _other(path: Path) -> None:
    path.mkdir()
    (path / "notes.txt").write_text("x")


def _journal(path: Path) -> None:
    path.mkdir()
    (path / "journal.jsonl").write_text("not a journal\n")


def _loop(path: Path) -> None:
    path.symlink_to(path)


@pytest.mark.parametrize("make", [_nothing, _file, _empty, _other, _journal, _loop])
def test_what_is_no_bundle_is_one_clear_error(make: Any, tmp_path: Path) -> None:
    path = tmp_path / "thing"
    make(path)
    with pytest.raises(BadBundle) as raised:
        open_bundle(path)
    assert "thing" in raised.value.message or "journal" in raised.value.message
    assert "\n" not in raised.value.message
    assert raised.value.hint


def test_a_file_that_was_added_is_refused(bundle: Any, record: Any) -> None:
    root = bundle([record("storage.df", b"df\n")])
    (root / "db1" / "extra").write_bytes(b"x")
    with pytest.raises(BadBundle, match="extra"):
        open_bundle(root)


@pytest.mark.parametrize("outside", ["../secret", "/etc/passwd", "db1/../../secret"])
def test_a_journal_that_names_a_path_outside_is_refused(bundle: Any, record: Any, outside: str) -> None:
    """Who made an unsealed directory may have written anything into it."""
    root = bundle([record("storage.df", b"df\n")], sealed=False)
    (root.parent / "secret").write_text("mine")
    journal = root / "journal.jsonl"
    text = journal.read_text()
    journal.write_text(text.replace('{"path":"db1/storage/df.txt","plain"', f'{{"path":"{outside}","plain"'))
    assert journal.read_text() != text
    with pytest.raises(BadBundle, match="outside the bundle"):
        open_bundle(root)


@pytest.mark.parametrize("word", ["inspect", "verify", "seal"])
def test_another_accounts_bundle_is_refused_with_the_way_in(bundle: Any, record: Any, word: str) -> None:
    root = bundle([record("storage.df", b"df\n")])
    root.chmod(0)  # enough for anybody but root, who becomes somebody else below
    code = (
        f"import os, sys; import clinic.cli.{word}, clinic.run.session; from clinic.cli.main import run;"
        "os.geteuid() or (os.setgroups([]), os.setgid(65534), os.setuid(65534));"
        f"sys.exit(run(['{word}', sys.argv[1]]))"
    )
    done = subprocess.run([sys.executable, "-c", code, root], capture_output=True, text=True, check=False)
    root.chmod(0o700)
    assert (done.returncode, done.stdout) == (5, ""), done.stderr
    assert "Permission denied" in done.stderr
    assert "sudo" in done.stderr
