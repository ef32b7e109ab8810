"""A bundle becomes one file that `tar`, `zstd` and `age` open, or nothing at all."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from clinic.bundle.package import LeakResult, Package
from clinic.bundle.record import Record
from clinic.bundle.verify import defects
from clinic.errors import BadBundle, Refused, UsageError
from clinic.outcome import Reason, Status
from clinic.read.open import open_bundle
from clinic.read.pack import folder_name, pack
from clinic.read.unpack import unpack
from clinic.units import MIB

MakeRecord = Callable[..., Record]


@pytest.fixture
def root(bundle: Callable[..., Path], record: MakeRecord) -> Path:
    """A sealed bundle: a small text, a large log, and something that is missing."""
    noise = os.urandom(700_000).hex().encode()
    lost = {"status": Status.FAILED, "reason": Reason.UNREACHABLE, "message": "connection refused"}
    return bundle(
        [
            record("system.df", b"Filesystem 1K-blocks\n"),
            record(
                "log.std", b"\n".join(noise[at : at + 80] for at in range(0, len(noise), 80)), name="tidb.log"
            ),
            record("config.running", **lost),
        ],
        cap=8 * MIB,
    )


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """An identity that `age-keygen` made, and its recipient."""
    if shutil.which("age-keygen") is None:
        pytest.skip("needs the age command")
    path = tmp_path_factory.mktemp("age") / "key.txt"
    subprocess.run(["age-keygen", "-o", path], check=True, capture_output=True)
    shown = subprocess.run(["age-keygen", "-y", path], check=True, capture_output=True, text=True)
    return path, shown.stdout.strip()


def listing(place: Path) -> list[str]:
    return sorted(path.name for path in place.iterdir())


def test_tar_and_zstd_give_the_bundle_back(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "p.tar.zst"
    package = pack(open_bundle(root), out)
    assert subprocess.run(["zstd", "-tq", out], check=False).returncode == 0
    subprocess.run(["tar", "-x", "-C", tmp_path, "--zstd", "-f", out], check=True)
    inside = tmp_path / folder_name(open_bundle(root).run)
    assert defects(inside) == ()
    sums = subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=inside, check=False)
    assert sums.returncode == 0
    assert open_bundle(inside).id == package.bundle == open_bundle(root).id


def test_the_manifest_comes_first_and_everything_is_in_one_folder(root: Path, tmp_path: Path) -> None:
    pack(open_bundle(root), tmp_path / "p.tar.zst")
    told = subprocess.run(
        ["tar", "-t", "--zstd", "-f", tmp_path / "p.tar.zst"], check=True, capture_output=True, text=True
    )
    names = told.stdout.split()
    assert names[0] == "clinic-shop-20261125T040000Z/manifest.json"
    assert {name.split("/")[0] for name in names} == {"clinic-shop-20261125T040000Z"}


def test_the_same_bundle_gives_the_same_bytes_wherever_it_is(root: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere"
    shutil.copytree(root, other)
    (other / "manifest.json").touch()
    first = pack(open_bundle(root), tmp_path / "one.tar.zst")
    second = pack(open_bundle(other), tmp_path / "two.tar.zst")
    assert first.sha256 == second.sha256


def test_its_facts_are_beside_it_and_both_are_private(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "p.tar.zst"
    leaks = LeakResult("2026-11-26T10:00:00Z", "1", 2, ("a.log",))
    made = pack(open_bundle(root), out, leaks=leaks)
    beside = tmp_path / "p.tar.zst.json"
    read = Package.from_json(beside.read_bytes(), beside.name)
    assert read == made
    assert (read.sha256, read.size) == (hashlib.sha256(out.read_bytes()).hexdigest(), out.stat().st_size)
    assert (read.cluster, read.container, read.leaks) == ("shop", "tar.zst", leaks)
    assert sum(kept.files for kept in read.kept) == sum(1 for path in root.rglob("*") if path.is_file())
    assert [stat.S_IMODE(path.stat().st_mode) for path in (out, beside)] == [0o600, 0o600]


def test_an_incomplete_bundle_says_what_is_missing(root: Path, tmp_path: Path) -> None:
    made = pack(open_bundle(root), tmp_path / "p.tar.zst")
    assert not made.complete
    assert any("config.running" in line and "connection refused" in line for line in made.missing)


def test_age_opens_it_for_every_recipient(root: Path, tmp_path: Path, keys: tuple[Path, str]) -> None:
    theirs = tmp_path / "theirs.txt"
    subprocess.run(["age-keygen", "-o", theirs], check=True, capture_output=True)
    shown = subprocess.run(["age-keygen", "-y", theirs], check=True, capture_output=True, text=True)
    recipients = (keys[1], shown.stdout.strip())
    made = pack(open_bundle(root), tmp_path / "p.tar.zst.age", recipients=recipients)
    plain = pack(open_bundle(root), tmp_path / "p.tar.zst")
    assert (made.container, made.recipients) == ("tar.zst.age", recipients)
    for identity in (keys[0], theirs):
        told = subprocess.run(
            ["age", "-d", "-i", identity, tmp_path / "p.tar.zst.age"], check=True, capture_output=True
        )
        assert hashlib.sha256(told.stdout).hexdigest() == plain.sha256


@pytest.mark.parametrize("recipient", ["age1nonsense", "AGE-SECRET-KEY-1ABC", "ssh-ed25519 AAAA"])
def test_what_is_no_recipient_leaves_nothing(root: Path, tmp_path: Path, recipient: str) -> None:
    before = listing(tmp_path)
    with pytest.raises(UsageError) as told:
        pack(open_bundle(root), tmp_path / "p.tar.zst.age", recipients=[recipient])
    assert listing(tmp_path) == before
    assert "SECRET-KEY" not in told.value.message


def test_a_changed_byte_leaves_nothing(root: Path, tmp_path: Path, keys: tuple[Path, str]) -> None:
    opened, before = open_bundle(root), listing(tmp_path)
    victim = next(path for path in root.rglob("tidb.log*"))
    data = bytearray(victim.read_bytes())
    data[300_000] ^= 1
    victim.write_bytes(data)
    for recipients in ((), (keys[1],)):
        with pytest.raises(BadBundle, match="is not the file that was sealed"):
            pack(opened, tmp_path / "p", recipients=recipients)
        with pytest.raises(BadBundle, match="is not the file that was sealed"):
            pack(opened, tmp_path / "p", recipients=recipients, split=MIB)
    assert listing(tmp_path) == before


@pytest.mark.parametrize("change", [b"", b"longer"])
def test_a_file_of_another_length_leaves_nothing(root: Path, tmp_path: Path, change: bytes) -> None:
    opened = open_bundle(root)
    victim = next(path for path in root.rglob("*df*") if path.is_file())
    victim.write_bytes(victim.read_bytes() + change if change else b"")
    with pytest.raises(BadBundle, match="is not the file that was sealed"):
        pack(opened, tmp_path / "p.tar.zst")
    assert not (tmp_path / "p.tar.zst").exists()


def test_an_unsealed_bundle_is_not_packed(
    bundle: Callable[..., Path], record: MakeRecord, tmp_path: Path
) -> None:
    left = bundle([record("system.df", b"x\n")], sealed=False)
    with pytest.raises(UsageError, match="is not sealed") as told:
        pack(open_bundle(left), tmp_path / "p.tar.zst")
    assert "clinic seal" in told.value.hint


def test_what_is_there_stays(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "p.tar.zst"
    out.write_bytes(b"mine")
    with pytest.raises(Refused, match="already"):
        pack(open_bundle(root), out)
    assert out.read_bytes() == b"mine"


@pytest.mark.parametrize("pattern", ["log.std", "log", "log.*", "*tidb.log"])
def test_what_is_left_out_is_not_there_and_the_rest_is_a_bundle(
    root: Path, tmp_path: Path, pattern: str
) -> None:
    made = pack(open_bundle(root), tmp_path / "p.tar.zst", without=[pattern])
    unpack(tmp_path / "p.tar.zst", tmp_path / "less")
    assert defects(tmp_path / "less") == ()
    less = open_bundle(tmp_path / "less")
    assert (less.id, less.parent) == (made.bundle, open_bundle(root).id)
    assert not [file for file in less.files() if "tidb.log" in file.path]
    log = next(one for one in less.records if one.entry.id == "log.std")
    assert (log.status, log.reason) == (Status.SKIPPED, Reason.NOT_SELECTED)
    assert made.left_out == (pattern,)
    assert b"tidb.log" not in json.dumps(made.missing).encode()


def test_a_pattern_that_means_nothing_is_an_error(root: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--without log\.slow"):
        pack(open_bundle(root), tmp_path / "p.tar.zst", without=["log.std", "log.slow"])
    assert not (tmp_path / "p.tar.zst").exists()


def test_parts_are_checked_by_sha256sum_and_make_the_package(root: Path, tmp_path: Path) -> None:
    whole = pack(open_bundle(root), tmp_path / "p.tar.zst")
    parts = pack(open_bundle(root), tmp_path / "q.tar.zst", split=MIB)
    place = tmp_path / "q.tar.zst.parts"
    assert listing(place)[:2] == ["SHA256SUMS", "q.tar.zst.001"]
    assert (
        subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=place, check=False).returncode == 0
    )
    joined = b"".join(path.read_bytes() for path in sorted(place.glob("*.0??")))
    assert hashlib.sha256(joined).hexdigest() == parts.sha256 == whole.sha256
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
