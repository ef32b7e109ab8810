"""`clinic seal` from the outside: what a killed run left becomes a bundle that verifies, once and for all."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.made import make_bundle

from clinic.bundle import verify
from clinic.bundle.journal import Header
from clinic.bundle.reader import Bundle
from clinic.bundle.writer import BundleWriter
from clinic.cli.main import run
from clinic.outcome import Status
from clinic.redact import Redactor
from clinic.secret import SecretRegister

Seal = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real bundle, made once."""
    folder = tmp_path_factory.mktemp("made")
    items = [{"path": f"item{number}.txt", "command": ["echo", str(number)]} for number in range(3)]
    return make_bundle(folder, items)


@pytest.fixture
def killed(made: Path, tmp_path: Path) -> Path:
    """What a run leaves that is killed after one of three items, in the middle of the next."""
    manifest = Bundle.open(made).manifest
    header = Header(manifest.run, tuple(record.entry for record in manifest.records))
    root = tmp_path / "killed"
    with BundleWriter.create(root, header, Redactor(SecretRegister()), reserve=0) as writer:
        item = writer.item(header.entries[0], cap=1 << 20, learn=False)
        part = item.part()
        part.write(b"0\n")
        part.finish()
        done = manifest.records[0]
        writer.record(type(done)(done.entry, Status.OK, files=item.commit()))
        writer.item(header.entries[1], cap=1 << 20, learn=False).part().write(b"1")
    return root


@pytest.fixture
def seal(capfd: pytest.CaptureFixture[str]) -> Seal:
    """Run `clinic seal` in this process: exit code, output, errors."""

    def call(*words: str | Path) -> tuple[int, str, str]:
        code = run(["seal", *map(str, words)])
        out, err = capfd.readouterr()
        return code, out, err

    return call


def test_what_a_killed_run_left_becomes_a_bundle_that_verifies(seal: Seal, killed: Path) -> None:
    code, out, err = seal(killed)
    assert (code, err) == (0, "")
    assert "1 of 3 items, 2 cancelled" in out
    bundle = Bundle.open(killed)
    verify.verify(bundle)
    assert f"Bundle id {bundle.id}" in out
    assert [record.status for record in bundle.manifest.records] == [
        Status.OK,
        Status.CANCELLED,
        Status.CANCELLED,
    ]
    assert all("cut short" in record.message for record in bundle.manifest.records[1:])
    assert bundle.manifest.interrupted


def test_the_summary_says_what_is_missing(seal: Seal, killed: Path) -> None:
    seal(killed)
    page = (killed / "SUMMARY.txt").read_text()
    assert "the run was cut short, 2 items incomplete or missing" in page
    assert "made.item1" in page


def test_a_sealed_bundle_is_left_as_it_is(seal: Seal, killed: Path) -> None:
    seal(killed)
    before = {path: path.read_bytes() for path in killed.rglob("*") if path.is_file()}
    code, out, _ = seal(killed)
    assert code == 0
    assert "is sealed already" in out
    assert f"Bundle id {Bundle.open(killed).id}" in out
    assert {path: path.read_bytes() for path in killed.rglob("*") if path.is_file()} == before


def test_json_says_whether_it_was_sealed_now(seal: Seal, killed: Path) -> None:
    first, second = (json.loads(seal(killed, "--json")[1]) for _ in range(2))
    assert (first["sealed_now"], second["sealed_now"]) == (True, False)
    assert first["id"] == second["id"] == Bundle.open(killed).id
    assert first["status"] == {"ok": 1, "cancelled": 2}
    assert first["complete"] is False


def test_what_is_no_bundle_is_refused_and_left_as_it_is(seal: Seal, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    code, out, err = seal(tmp_path)
    assert (code, out, len(err.splitlines())) == (6, "", 2)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
