"""`clinic pack`, `unpack`, `join`, and the commands that read a package, from the outside."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.made import make_bundle

from clinic.cli.main import run
from clinic.container.split import SMALLEST

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real bundle of three items, made once, and a key to encrypt it to."""
    folder = tmp_path_factory.mktemp("made")
    items = [
        {"path": "big.bin", "content": "opaque", "command": ["head", "-c", "3000000", "/dev/urandom"]},
        {"path": "small.txt", "command": ["echo", "small"]},
        {"path": "other.txt", "command": ["echo", "other"]},
    ]
    return make_bundle(folder, items)


@pytest.fixture
def bundle(made: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may damage."""
    return Path(shutil.copytree(made, tmp_path / "bundle"))


@pytest.fixture
def clinic(capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command in this process and the test's directory: exit code, output, errors."""
    monkeypatch.chdir(tmp_path)

    def call(*words: str | Path) -> tuple[int, str, str]:
        code = run(list(map(str, words)))
        out, err = capfd.readouterr()
        return code, out, err

    return call


@pytest.fixture
def key(tmp_path: Path) -> tuple[Path, str]:
    """An identity's file and its recipient."""
    if shutil.which("age-keygen") is None:
        pytest.skip("needs the age command")
    subprocess.run(["age-keygen", "-o", tmp_path / "key.txt"], check=True, capture_output=True)
    words: list[str | Path] = ["age-keygen", "-y", tmp_path / "key.txt"]
    return tmp_path / "key.txt", subprocess.run(
        words, check=True, capture_output=True, text=True
    ).stdout.strip()


def identity(out: str) -> str:
    found = re.search(r"Bundle id ([0-9a-f]{64})", out)
    assert found is not None
    return found[1]


def test_pack_and_unpack_keep_the_id(bundle: Path, clinic: Run, tmp_path: Path) -> None:
    code, out, _ = clinic("pack", bundle, "-o", "p.tar.zst")
    assert code == 0
    assert "It is not encrypted" in out
    assert "No credentials were found in it" in out
    code, unpacked, _ = clinic("unpack", "p.tar.zst")
    assert code == 0
    assert identity(unpacked) == identity(out) == identity(clinic("verify", "p")[1])
    assert (tmp_path / "p" / "manifest.json").exists()


def test_without_a_name_it_is_called_after_cluster_and_time(
    bundle: Path, clinic: Run, tmp_path: Path
) -> None:
    (tmp_path / "usb").mkdir()
    assert clinic("pack", bundle, "-o", "usb")[0] == 0
    names = sorted(path.name for path in (tmp_path / "usb").iterdir())
    assert re.fullmatch(r"clinic-.+-\d{8}T\d{6}Z\.tar\.zst", names[0])
    assert names[1] == f"{names[0]}.json"


def test_a_package_that_nobody_looked_through_is_looked_through_as_it_is(
    bundle: Path, clinic: Run, key: tuple[Path, str]
) -> None:
    name = "p.tar.zst.age"
    out = clinic("pack", bundle, "-o", name, "--recipient", key[1], "--no-scan")[1]
    assert "Nobody has looked for credentials in it yet: clinic leaks" in out
    facts = json.loads(Path(f"{name}.json").read_text())
    assert clinic("leaks", name, "--identity", key[0])[0] == 0
    after = json.loads(Path(f"{name}.json").read_text())
    assert after.pop("leaks")["checked"]
    assert after == facts
    assert clinic("verify", name, "--identity", key[0])[0] == 0


def test_what_was_found_in_a_file_that_is_left_out_does_not_count(bundle: Path, clinic: Run) -> None:
    Path("canaries").write_text("small\n")
    assert clinic("leaks", bundle, "--canaries", "canaries")[0] == 5
    assert "No credentials were found" in clinic("pack", bundle, "-o", "p.tar.zst", "--without", "*small*")[1]
    assert "Looks like credentials: " in clinic("pack", bundle, "-o", "q.tar.zst")[1]


def test_the_result_of_the_last_look_for_credentials_goes_along(bundle: Path, clinic: Run) -> None:
    clinic("leaks", bundle)
    code, out, _ = clinic("pack", bundle, "-o", "p.tar.zst", "--json")
    told = json.loads(out)
    assert code == 0
    assert told["leaks"]["checked"]
    assert "found" not in told["leaks"]
    assert "No credentials were found in it" in clinic("pack", bundle, "-o", "q.tar.zst")[1]


def test_the_readers_read_a_package(
    bundle: Path, clinic: Run, key: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    clinic("pack", bundle, "-o", "p.tar.zst")
    clinic("pack", bundle, "-o", "p.tar.zst.age", "--recipient", key[1])
    for words in (("p.tar.zst",), ("p.tar.zst.age", "--identity", key[0])):
        code, out, _ = clinic("verify", *words)
        assert (code, "Good: " in out) == (0, True)
        code, out, _ = clinic("inspect", *words)
        assert (code, f"clinic inspect {words[0]}" in out or "Bundle id" in out) == (0, True)
        assert clinic("inspect", words[0], "small.txt", *words[1:])[:2] == (0, "small\n")
        assert json.loads(clinic("inspect", *words, "--json")[1])["bundle"] == words[0]
        assert clinic("leaks", *words)[0] == 0
        # No database's logs, metrics or configuration in it: they are looked for, and that is said.
        assert "no log" in clinic("logs", *words)[2].lower()
        assert clinic("metrics", *words)[0] == clinic("drift", *words)[0] == 2
    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_package_that_was_changed_is_one_line_and_json(bundle: Path, clinic: Run, tmp_path: Path) -> None:
    clinic("pack", bundle, "-o", "p.tar.zst")
    data = bytearray((tmp_path / "p.tar.zst").read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "p.tar.zst").write_bytes(data)
    code, _, err = clinic("verify", "p.tar.zst")
    assert code == 6
    assert len(err.strip().splitlines()) == 2
    assert "is not the file that was sealed" in err
    code, out, _ = clinic("verify", "p.tar.zst", "--json")
    assert code == 6
    assert json.loads(out)["defects"]


def test_a_wrong_key_is_one_clear_line(
    bundle: Path, clinic: Run, key: tuple[Path, str], tmp_path: Path
) -> None:
    clinic("pack", bundle, "-o", "p.tar.zst.age", "--recipient", key[1])
    subprocess.run(["age-keygen", "-o", tmp_path / "wrong.txt"], check=True, capture_output=True)
    code, _, err = clinic("inspect", "p.tar.zst.age", "--identity", "wrong.txt")
    assert (code, err.splitlines()[0]) == (2, "clinic: no identity that was given opens p.tar.zst.age")


def test_an_unsealed_bundle_says_what_to_do(bundle: Path, clinic: Run) -> None:
    (bundle / "journal.jsonl").write_bytes(_journal(bundle))
    (bundle / "manifest.json").unlink()
    code, _, err = clinic("pack", bundle)
    assert (code, f"clinic seal {bundle}" in err) == (2, True)


def _journal(bundle: Path) -> bytes:
    manifest = json.loads((bundle / "manifest.json").read_text())
    header = {"run": manifest["run"], "entries": [record["entry"] for record in manifest["records"]]}
    return json.dumps({"format": manifest["format"], "header": header}).encode() + b"\n"


class TestParts:
    """A package in parts."""

    @pytest.fixture
    def parts(self, bundle: Path, clinic: Run, tmp_path: Path) -> Path:
        """The directory of parts."""
        assert clinic("pack", bundle, "-o", "p.tar.zst", "--split", str(SMALLEST))[0] == 0
        return tmp_path / "p.tar.zst.parts"

    def test_join_gives_the_package(self, parts: Path, bundle: Path, clinic: Run, tmp_path: Path) -> None:
        clinic("pack", bundle, "-o", "whole.tar.zst")
        assert clinic("join", parts)[0] == 0
        assert (tmp_path / "p.tar.zst").read_bytes() == (tmp_path / "whole.tar.zst").read_bytes()
        assert (tmp_path / "p.tar.zst.json").exists()
        assert clinic("join", parts / "p.tar.zst.002", "-o", "again")[0] == 0
        assert clinic("verify", "again")[0] == 0

    def test_every_missing_part_is_named(self, parts: Path, clinic: Run, tmp_path: Path) -> None:
        for number in (1, 3):
            (parts / f"p.tar.zst.{number:03}").unlink()
        code, _, err = clinic("join", parts)
        assert code == 6
        assert re.search(r"2 of \d files are missing: p\.tar\.zst\.001, p\.tar\.zst\.003", err)
        assert not (tmp_path / "p.tar.zst").exists()

    @pytest.mark.slow
    def test_what_a_kill_left_goes_with_the_next_one_of_its_name(
        self, bundle: Path, clinic: Run, tmp_path: Path
    ) -> None:
        (tmp_path / "out").mkdir()
        target, left = tmp_path / "out" / "p.tar.zst", 0
        words: list[str | Path] = [sys.executable, "-m", "clinic", "pack", bundle, "--no-scan", "-o", target]
        for _ in range(6):
            running = subprocess.Popen([*words, "--split", "1M"], stdout=subprocess.DEVNULL)
            while running.poll() is None and not list((tmp_path / "out").iterdir()):
                pass
            running.kill()
            running.wait()
            hidden = [path.name for path in (tmp_path / "out").iterdir() if path.name.startswith(".")]
            assert len(hidden) <= 1
            left += len(hidden)
            shutil.rmtree(f"{target}.parts", ignore_errors=True)
        assert left, "no kill came in time"
        assert clinic("pack", bundle, "--no-scan", "-o", target, "--split", "1M")[0] == 0
        assert [path.name for path in (tmp_path / "out").iterdir()] == ["p.tar.zst.parts"]

    def test_every_damaged_part_is_named(self, parts: Path, clinic: Run, tmp_path: Path) -> None:
        for number in (1, 2):
            part = parts / f"p.tar.zst.{number:03}"
            data = part.read_bytes()
            part.write_bytes(bytes((data[0] ^ 1,)) + data[1:])
        code, _, err = clinic("join", parts)
        assert (code, "damaged: p.tar.zst.001, p.tar.zst.002" in err) == (6, True)
        assert not (tmp_path / "p.tar.zst").exists()

    def test_without_digests_it_says_which_file_to_copy(self, parts: Path, clinic: Run) -> None:
        (parts / "SHA256SUMS").unlink()
        code, _, err = clinic("join", parts)
        assert (code, "copy SHA256SUMS beside the parts" in err) == (6, True)
        assert clinic("join", "nowhere")[0] == 6

    def test_too_small_a_size_is_refused(self, bundle: Path, clinic: Run) -> None:
        assert clinic("pack", bundle, "-o", "q.tar.zst", "--split", "10K")[0] == 2
