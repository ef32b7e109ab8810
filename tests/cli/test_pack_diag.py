"""`.diag` files and diag's tree from the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from tests.read.test_diag import make_pair

from clinic.cli.main import run

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real bundle, a certificate, and what an installed diag has of it."""
    folder = tmp_path_factory.mktemp("made")
    make_pair(folder)
    items = [{"path": "small.txt", "command": ["echo", "small"]}]
    document = {"name": "made", "category": "debug", "summary": "for a test", "items": items}
    (folder / "made.yaml").write_text(yaml.safe_dump(document))
    chosen = ["--collector", "./made.yaml", "--include", "made", "--include", "topology.cluster"]
    words = [sys.executable, "-m", "clinic", "collect", "local", "-y", *chosen, "-o", "bundle"]
    done = subprocess.run(words, cwd=folder, capture_output=True, check=False)
    assert done.returncode in (0, 3), done.stderr.decode()
    installed = folder / ".tiup" / "components" / "diag" / "v1.6.0"
    installed.mkdir(parents=True)
    pem = json.dumps((folder / "cert.pem").read_text())
    regions = "".join(f"[clinicservers.{name}]\ncert = {pem}\n" for name in ("CN", "US"))
    (installed / "info.toml").write_text(regions)
    return folder


@pytest.fixture
def clinic(
    made: Path, capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Run:
    """Run a command in this process and the test's directory: exit code, output, errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TIUP_HOME", str(made / ".tiup"))

    def call(*words: str | Path) -> tuple[int, str, str]:
        code = run(list(map(str, words)))
        out, err = capfd.readouterr()
        return code, out, err

    return call


@pytest.mark.parametrize("way", ["pem", "toml", "installed"])
def test_the_certificate_comes_from_a_file_or_from_diag(made: Path, clinic: Run, way: str) -> None:
    info = made / ".tiup/components/diag/v1.6.0/info.toml"
    ways: dict[str, list[str | Path]] = {
        "pem": ["--cert", made / "cert.pem"],
        "toml": ["--cert", info, "--region", "US"],
        "installed": ["--region", "CN"],
    }
    code, out, _ = clinic("pack", made / "bundle", "-o", "p.diag", *ways[way])
    assert (code, "Only the owner of the certificate lab-test can open it: you can't." in out) == (0, True)
    code, out, _ = clinic("verify", "p.diag", "--key", made / "key")
    assert (code, "Readable to its end: " in out, "Its SHA-256 is the one in p.diag.json" in out) == (
        0,
        True,
        True,
    )
    Path("p.diag.json").unlink()
    code, out, _ = clinic("verify", "p.diag", "--key", made / "key")
    assert (code, "Its format holds no digests" in out) == (0, True)


def test_one_that_is_cut_or_changed_is_not_what_stands_beside_it(made: Path, clinic: Run) -> None:
    """The last bytes are zstd's checksum: without them nothing in the format would show it."""
    clinic("pack", made / "bundle", "-o", "p.diag", "--cert", made / "cert.pem")
    good = Path("p.diag").read_bytes()
    for bad in (good[:-3], good[:-1] + bytes([good[-1] ^ 1]), good + b"more"):
        Path("p.diag").write_bytes(bad)
        code, _, err = clinic("verify", "p.diag", "--key", made / "key")
        assert (code, "p.diag is not the package that p.diag.json tells of" in err) == (6, True), err


def test_for_the_clinic_server_it_is_what_that_takes(made: Path, clinic: Run) -> None:
    code, out, _ = clinic("pack", made / "bundle", "--to", "clinic-us", "-o", "p.diag")
    assert (code, "This certificate expired on 13 October 2022." in out) == (0, True)
    told = json.loads(Path("p.diag.json").read_text())
    assert (told["container"], len(told["recipients"])) == ("diag", 1)


def test_without_the_key_its_header_is_shown(made: Path, clinic: Run) -> None:
    clinic("pack", made / "bundle", "-o", "p.diag", "--cert", made / "cert.pem")
    code, out, _ = clinic("inspect", "p.diag")
    assert (code, "kind 0x18" in out, "--key FILE" in out) == (0, True, True)
    code, out, err = clinic("verify", "p.diag")
    assert (code, "kind 0x18" in out, "--key FILE" in err) == (2, True, True)
    told = json.loads(clinic("inspect", "p.diag", "--key", made / "key", "--json")[1])
    assert told["metadata"]["cluster_type"] == "tidb-cluster"
    assert "cluster.json" in [one["path"] for one in told["files"]]
    assert "cluster.json" in clinic("inspect", "p.diag", "--key", made / "key")[1]


def test_convert_and_unpack_give_the_same_tree(made: Path, clinic: Run, tmp_path: Path) -> None:
    clinic("pack", made / "bundle", "-o", "p.diag", "--cert", made / "cert.pem")
    assert clinic("unpack", "p.diag", "--key", made / "key", "-o", "unpacked")[0] == 0
    code, out, _ = clinic("convert", made / "bundle", "--to", "diag", "-o", "converted")
    assert (code, "has no place in diag's format: 1 of debug" in out) == (0, True)
    same = subprocess.run(["diff", "-r", tmp_path / "unpacked", tmp_path / "converted"], check=False)
    assert same.returncode == 0


FILES = {
    "empty.pem": "\n",
    "empty.toml": "[clinicservers.US]\ncert = ''\n",
    "odd.toml": "clinicservers = 5\n",
}
"""Files without a certificate, by name."""


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--region", "EU"], "has no region 'EU'"),
        (["--cert", "nowhere.pem"], "can't read nowhere.pem"),
        (["--recipient", "age1x", "--region", "CN"], "encrypted to its certificate alone"),
        (["--cert", "empty.pem"], "there is no certificate in empty.pem: it is empty"),
        (["--cert", "empty.toml"], "there is no certificate in empty.toml, region US: it is empty"),
        (["--cert", "odd.toml"], "clinicservers is no table"),
    ],
)
def test_what_gives_no_certificate_is_one_line(
    made: Path, clinic: Run, options: list[str], words: str
) -> None:
    for name, text in FILES.items():
        Path(name).write_text(text)
    code, _, err = clinic("pack", made / "bundle", "-o", "p.diag", *options)
    assert (code, words in err) == (2, True)
    assert not Path("p.diag").exists()


@pytest.mark.parametrize(
    ("container", "words"),
    [("diag", "takes .diag packages"), ("tar.zst.age", "nobody is named who can open one")],
)
def test_for_a_destination_without_its_key_nothing_is_made_in_clear(
    made: Path, clinic: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, container: str, words: str
) -> None:
    config = tmp_path / "config"
    config.mkdir(mode=0o700)
    text = f"destinations:\n  theirs:\n    endpoint: https://in.example.com\n    container: {container}\n"
    (config / "destinations.yaml").write_text(text)
    monkeypatch.setenv("CLINIC_HOME", str(config))
    code, _, err = clinic("pack", made / "bundle", "--to", "theirs", "-o", "p")
    assert (code, words in err, Path("p").exists()) == (2, True, False)


@pytest.mark.parametrize("name", ["p.diag", "p.tar.zst.age"])
def test_no_package_in_clear_is_called_as_an_encrypted_one(made: Path, clinic: Run, name: str) -> None:
    code, _, err = clinic("pack", made / "bundle", "-o", name)
    assert (code, "and is tar.zst" in err, Path(name).exists()) == (2, True, False)
