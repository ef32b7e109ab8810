"""Memory does not grow with what a command gives, and the disk holds little more than what is kept."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from clinic.bundle.reader import Bundle

Declared = Callable[..., Path]

MEASURE = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
print(code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)
"""
"""Runs a command and prints its exit code and the largest memory of any process in it, in MiB."""

LINE = '[2026/11/25 10:00:00.000 +00:00] [INFO] [conn.go:1151] ["new connection"] [conn=4711] [user=shop]'


def measured(tmp_path: Path, declared: Declared, size: int) -> tuple[int, int]:
    """Exit code, and peak MiB, of collecting a command's `size` bytes of log lines."""
    command = ["sh", "-c", f"yes '{LINE}' | head -c {size}"]
    row = {"path": "long.txt", "command": command, "content": "log", "cap": "32M", "deadline": "20m"}
    collector = declared([row])
    clinic = [
        sys.executable,
        "-m",
        "clinic",
        "collect",
        "local",
        "-y",
        "--collector",
        str(collector),
        "--include",
        "made",
    ]
    argv = [sys.executable, "-c", MEASURE, *clinic, "-o", "bundle"]
    done = subprocess.run(
        argv, cwd=tmp_path, capture_output=True, text=True, env=os.environ.copy(), check=True
    )
    code, peak = done.stdout.split()
    return int(code), int(peak)


def check(tmp_path: Path, size: int) -> None:
    """Head and tail are there, the cut is on record, and the bundle is small."""
    bundle = Bundle.open(tmp_path / "bundle")
    (record,) = bundle.manifest.records
    (file,) = record.files
    assert file.plain <= 33 * 1024**2
    assert file.plain + file.dropped >= size
    first = next(iter(bundle.member(file.path)))
    assert first.startswith(LINE.encode())


def test_a_long_output_needs_little_memory(tmp_path: Path, declared: Declared) -> None:
    size = 96 * 1024**2
    code, peak = measured(tmp_path, declared, size)
    assert code == 3
    assert peak <= 100
    check(tmp_path, size)


@pytest.mark.soak
def test_four_gibibytes_need_no_more(tmp_path: Path, declared: Declared) -> None:
    size = 4 * 1024**3
    code, peak = measured(tmp_path, declared, size)
    assert code == 3
    assert peak <= 100
    check(tmp_path, size)
