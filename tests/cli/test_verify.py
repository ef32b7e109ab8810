"""`clinic verify` from the outside: good is good to the last byte, and each defect is one line."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.made import make_bundle

from clinic.bundle.journal import Header
from clinic.bundle.reader import Bundle
from clinic.bundle.writer import BundleWriter
from clinic.cli.main import run
from clinic.redact import Redactor
from clinic.secret import SecretRegister

Verify = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real bundle, made once."""
    folder = tmp_path_factory.mktemp("made")
    items = [
        {"path": "big.txt", "command": ["seq", "100000"]},
        {"path": "small.txt", "command": ["echo", "small"]},
    ]
    return make_bundle(folder, items)


@pytest.fixture
def bundle(made: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may damage."""
    return Path(shutil.copytree(made, tmp_path / "bundle"))


@pytest.fixture
def verify(capfd: pytest.CaptureFixture[str]) -> Verify:
    """Run `clinic verify` in this process: exit code, output, errors."""

    def call(*words: str | Path) -> tuple[int, str, str]:
        code = run(["verify", *map(str, words)])
        out, err = capfd.readouterr()
        return code, out, err

    return call


def stored(bundle: Path, part: str) -> Path:
    """The file with `part` in its name."""
    return bundle / next(file.path for file in Bundle.open(bundle).files() if part in file.path)


def test_a_whole_bundle_is_good_and_its_id_is_told(verify: Verify, made: Path) -> None:
    code, out, err = verify(made)
    assert (code, err) == (0, "")
    assert out.startswith("Good: 4 files, ")
    assert f"Bundle id {Bundle.open(made).id}" in out


def test_json_says_the_same(verify: Verify, made: Path) -> None:
    code, out, _ = verify(made, "--json")
    found = json.loads(out)
    assert code == 0
    assert (found["good"], found["sealed"], found["complete"], found["files"], found["defects"]) == (
        True,
        True,
        True,
        4,  # two that were collected, and the two pages about them
        [],
    )
    assert found["id"] == Bundle.open(made).id


def test_every_defect_is_one_line(verify: Verify, bundle: Path) -> None:
    changed, missing = stored(bundle, "small"), stored(bundle, "big")
    data = changed.read_bytes()
    changed.write_bytes(bytes((data[0] ^ 1,)) + data[1:])
    missing.unlink()
    (bundle / "extra").write_bytes(b"x")
    (bundle / "link").symlink_to("/etc/passwd")
    os.mkfifo(bundle / "pipe")
    code, out, err = verify(bundle)
    assert code == 6
    assert len(out.splitlines()) == 5
    assert all(
        any(name in line for line in out.splitlines()) for name in ("small", "big", "extra", "link", "pipe")
    )
    assert "5 defects" in err
    code, out, _ = verify(bundle, "--json")
    found = json.loads(out)
    assert (code, found["good"], found["id"], len(found["defects"])) == (6, False, None, 5)


def test_an_unfinished_bundle_is_checked_as_far_as_it_goes(verify: Verify, bundle: Path) -> None:
    with BundleWriter.reopen(bundle, Redactor(SecretRegister()), reserve=0) as writer:
        writer.rescan()  # takes the seal away
    code, out, err = verify(bundle)
    assert (code, out) == (6, "")
    assert "is not sealed" in err
    assert "what is there is good: 2 files" in err
    assert "clinic seal" in err
    code, out, _ = verify(bundle, "--json")
    assert (code, json.loads(out)["sealed"], json.loads(out)["good"]) == (6, False, False)


def test_a_damaged_file_of_an_unfinished_bundle_is_found(verify: Verify, bundle: Path) -> None:
    small = stored(bundle, "small")
    with BundleWriter.reopen(bundle, Redactor(SecretRegister()), reserve=0) as writer:
        writer.rescan()
    small.write_bytes(b"SMALL\n")
    code, out, _ = verify(bundle)
    assert code == 6
    assert "small" in out


def test_a_plan_without_records_has_nothing_wrong_with_it(verify: Verify, made: Path, tmp_path: Path) -> None:
    manifest = Bundle.open(made).manifest
    header = Header(manifest.run, tuple(record.entry for record in manifest.records))
    BundleWriter.create(tmp_path / "begun", header, Redactor(SecretRegister()), reserve=0).close()
    code, _, err = verify(tmp_path / "begun")
    assert code == 6
    assert "what is there is good: 0 files" in err


def test_what_is_no_bundle_is_one_clear_line(verify: Verify, tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nothing"):
        code, out, err = verify(path)
        assert (code, out, len(err.splitlines())) == (6, "", 2)
