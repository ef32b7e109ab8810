"""Packing that is killed, or whose disk runs full, leaves a whole package or none."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clinic.bundle.package import Package
from clinic.bundle.record import Record
from clinic.errors import DiskFull
from clinic.read.open import open_bundle
from clinic.read.pack import pack
from clinic.read.unpack import unpack
from clinic.units import MIB

RECIPIENT = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
"""The one of age's own documentation."""


@pytest.fixture
def root(bundle: Callable[..., Path], record: Callable[..., Record]) -> Path:
    """A sealed bundle whose one large file does not compress much."""
    noise = os.urandom(10 * MIB).hex().encode()
    lines = b"\n".join(noise[at : at + 80] for at in range(0, len(noise), 80))
    return bundle([record("log.std", lines, name="tidb.log")], cap=64 * MIB)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 8 MiB, less than the bundle has."""
    path = tmp_path / "disk"
    path.mkdir()
    words: list[str | Path] = ["mount", "-t", "tmpfs", "-o", "size=8m,mode=0700", "tmpfs", path]
    if subprocess.run(words, capture_output=True, check=False).returncode:
        pytest.skip("needs root to mount a tmpfs")
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", path], check=True)


@pytest.mark.slow
def test_a_full_disk_leaves_nothing(root: Path, disk: Path, tmp_path: Path) -> None:
    for recipients, split in (((), None), ((RECIPIENT,), None), ((), 3 * MIB)):
        with pytest.raises(DiskFull):
            pack(open_bundle(root), disk / "p", recipients=recipients, split=split)
        assert list(disk.iterdir()) == []
    pack(open_bundle(root), tmp_path / "p.tar.zst")
    with pytest.raises(DiskFull):
        unpack(tmp_path / "p.tar.zst", disk / "bundle")
    assert list(disk.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("more", [[], ["--recipient", RECIPIENT]])
def test_kills_at_random_instants_leave_a_whole_package_or_none(
    root: Path, tmp_path: Path, more: list[str]
) -> None:
    chance, out = random.Random(len(more)), tmp_path / "out"
    out.mkdir()
    # Only the first run would look for credentials, and the others would be over long before.
    words: list[str | Path] = [
        sys.executable, "-m", "clinic", "pack", root, "-o", out / "p", "--no-scan", *more,
    ]  # fmt: skip
    began = time.monotonic()
    subprocess.run(words, check=True, capture_output=True)
    usual = time.monotonic() - began
    killed = 0
    for _ in range(10):
        for path in out.iterdir():
            path.unlink()
        with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                running.wait(usual * chance.uniform(0.5, 1.0))
            running.send_signal(signal.SIGKILL)
            killed += running.wait() == -signal.SIGKILL
        names = sorted(path.name for path in out.iterdir())
        assert names in ([], ["p.json"], ["p", "p.json"])
        if names[:1] == ["p"]:
            told = Package.from_json((out / "p.json").read_bytes(), "p.json")
            assert hashlib.sha256((out / "p").read_bytes()).hexdigest() == told.sha256
    assert killed, "the kills came too late to say anything"


def holds_a_file_of(pid: int, place: Path) -> bool:
    """Whether the process has a file open that lies in `place`, with or without a name."""
    for held in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            if str(held.readlink()).startswith(f"{place}/"):
                return True
    return False


@pytest.mark.slow
def test_being_told_to_end_clears_away_what_a_reader_unpacked(root: Path, tmp_path: Path) -> None:
    pack(open_bundle(root), tmp_path / "p.tar.zst")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    environment = {**os.environ, "TMPDIR": str(scratch)}
    words: list[str | Path] = [sys.executable, "-m", "clinic", "leaks", tmp_path / "p.tar.zst"]
    with subprocess.Popen(
        words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as running:
        while running.poll() is None and not holds_a_file_of(running.pid, scratch):
            time.sleep(0.01)
        running.send_signal(signal.SIGTERM)
        assert running.wait() == 130
    assert list(scratch.iterdir()) == []
