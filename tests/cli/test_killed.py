"""A run that is killed, or meets a full disk, leaves what can be opened, completed and verified."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Clinic = Callable[..., Any]
Declared = Callable[..., Path]

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a tmpfs")


def rows() -> list[dict[str, Any]]:
    """Items of every size, some slow, so that a kill meets every stage."""
    small = [{"path": f"small/{n}.txt", "command": ["echo", str(n)]} for n in range(20)]
    large = [{"path": f"large/{n}.txt", "command": ["seq", "1", "120000"]} for n in range(6)]
    slow = [{"path": f"slow/{n}.txt", "command": ["sh", "-c", "echo a; sleep 0.2; echo b"]} for n in range(4)]
    return [*small, *large, *slow]


def kill_after(tmp_path: Path, words: list[str], seconds: float) -> None:
    argv = [sys.executable, "-m", "clinic", *words]
    process = subprocess.Popen(
        argv, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ.copy()
    )
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    process.wait()


def storm(clinic: Clinic, declared: Declared, tmp_path: Path, times: int, seed: int) -> None:
    """Kill runs at random instants; each time the directory opens, is completed, and verifies."""
    chance = random.Random(seed)
    collector = declared(rows())
    for number in range(times):
        name = f"bundle{number}"
        words = ["collect", "local", "-y", "--collector", str(collector), "--include", "made", "-o", name]
        kill_after(tmp_path, words, chance.uniform(0.15, 1.6))
        if (
            not (tmp_path / name / "journal.jsonl").exists()
            and not (tmp_path / name / "manifest.json").exists()
        ):
            continue  # killed before the plan was written: there is nothing to go on with
        assert clinic("inspect", name).code in (0, 3, 6), f"kill {number}"
        resumed = clinic("collect", "--resume", name, "--collector", collector)
        assert resumed.code == 0, (number, resumed)
        verified = clinic("verify", name)
        assert verified.code == 0, (number, verified)
        listed = clinic("inspect", name, "--json").json
        assert len(listed["items"]) == len(rows())


@pytest.mark.slow
def test_a_few_kills(clinic: Clinic, declared: Declared, tmp_path: Path) -> None:
    storm(clinic, declared, tmp_path, 3, seed=1)


@pytest.mark.soak
def test_fifty_kills(clinic: Clinic, declared: Declared, tmp_path: Path) -> None:
    storm(clinic, declared, tmp_path, 50, seed=2)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """Mount a file system of so many bytes."""
    mounted: list[Path] = []

    def mount(size: int) -> Path:
        path = tmp_path / f"disk{len(mounted)}"
        path.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "clinic-test", path], check=True)
        mounted.append(path)
        return path

    yield mount
    for path in mounted:
        subprocess.run(["umount", path], check=True)


@pytest.mark.slow
@needs_root
@pytest.mark.parametrize("kibibytes", [64, 400, 1024, 3072, 6144, 12288])
def test_a_full_disk_at_every_stage_never_leaves_what_lies(
    clinic: Clinic, declared: Declared, small_disk: Callable[[int], Path], kibibytes: int
) -> None:
    disk = small_disk(kibibytes * 1024)
    many = [
        {"path": f"{n}.bin", "command": ["head", "-c", "900000", "/dev/urandom"], "content": "opaque"}
        for n in range(10)
    ]
    words = [
        "collect",
        "local",
        "-y",
        "--collector",
        declared(many),
        "--include",
        "made",
        "-o",
        disk / "bundle",
        "--keep-free",
        "0",
    ]
    ended = clinic(*words)
    if kibibytes >= 12288:
        assert ended.code == 0, ended
    else:
        assert ended.code == 7, ended
        assert "Traceback" not in ended.err
    if (disk / "bundle" / "manifest.json").exists():
        verified = clinic("verify", disk / "bundle")
        assert verified.code == 0, (ended, verified)
