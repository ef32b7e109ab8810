"""The archive for machines without network installs there, with each Python that is at hand."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BARE = {"PATH": "/usr/bin:/bin"}
"""All that is known of the environment on the other machine."""


def pythons() -> Iterator[tuple[str, str]]:
    """Version and path of each Python on this machine that the archive is for."""
    found = subprocess.run(
        ["sh", "tools/find_python.sh"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for line in found.stdout.splitlines():
        version, path = line.split(" ", 1)
        yield version, path


PYTHONS = dict(pythons())


@pytest.fixture(scope="session")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive as it lies on the other machine, unpacked."""
    out = tmp_path_factory.mktemp("wheelhouse")
    command = [sys.executable, "tools/wheelhouse.py", "--out", str(out)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=300)
    (archive,) = out.iterdir()
    subprocess.run(["tar", "xf", str(archive)], cwd=out, check=True)
    (folder,) = (path for path in out.iterdir() if path.is_dir())
    return folder


def install(cut_off: list[str], unpacked: Path, into: Path, *python: str) -> subprocess.CompletedProcess[str]:
    """Run the install script of the archive without a network."""
    command = [*cut_off, "sh", str(unpacked / "install.sh"), str(into), *python]
    home = {"HOME": str(into.parent)}
    return subprocess.run(
        command, env=BARE | home, cwd="/", check=False, capture_output=True, text=True, timeout=120
    )


@pytest.mark.slow
@pytest.mark.parametrize("python", PYTHONS.values(), ids=PYTHONS.keys())
def test_the_archive_installs_without_network(
    cut_off: list[str], unpacked: Path, tmp_path: Path, python: str
) -> None:
    done = install(cut_off, unpacked, tmp_path / "clinic", python)
    assert done.returncode == 0, done.stderr
    assert "clinic collect --dry-run" in done.stdout.replace(
        str(tmp_path / "clinic" / "bin" / "clinic"), "clinic"
    )
    command = [*cut_off, str(tmp_path / "clinic" / "bin" / "clinic"), "--version"]
    told = subprocess.run(command, env=BARE, check=True, capture_output=True, text=True, timeout=60)
    assert told.stdout.split()[0] == "clinic"


@pytest.mark.slow
def test_the_installation_refuses_a_wheel_that_was_changed(
    cut_off: list[str], unpacked: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(unpacked, copy)
    ours = next(copy.glob("clinic_diag-*.whl"))
    ours.write_bytes(ours.read_bytes() + b"\0")
    done = install(cut_off, copy, tmp_path / "clinic")
    assert done.returncode != 0
    assert "the archive may be damaged" in done.stderr


@pytest.mark.slow
def test_a_directory_that_is_there_is_left_alone(cut_off: list[str], unpacked: Path, tmp_path: Path) -> None:
    (tmp_path / "clinic").mkdir()
    done = install(cut_off, unpacked, tmp_path / "clinic")
    assert done.returncode != 0
    assert "is there already" in done.stderr
    assert list((tmp_path / "clinic").iterdir()) == []


def test_find_python_survives_a_bare_environment() -> None:
    """The default is found with nothing set but a short PATH, and each line is a version and a program."""
    command = ["sh", str(ROOT / "tools" / "find_python.sh")]
    told = subprocess.run(command, env=BARE, check=True, capture_output=True, text=True, timeout=30)
    assert told.stdout
    for line in told.stdout.splitlines():
        version, path = line.split(" ", 1)
        assert tuple(map(int, version.split("."))) >= (3, 10)
        assert os.access(path, os.X_OK)
