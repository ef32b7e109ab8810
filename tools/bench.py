"""What a run costs on this machine: time, CPU, memory, size; beside `sos report` where that is installed.

python tools/bench.py [--rounds N]      what `make bench` runs

Every number is measured here and now, on whatever else the machine is doing; the median of the rounds is shown.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

CLINIC = (sys.executable, "-m", "clinic")


@dataclass(frozen=True)
class Cost:
    """What one command took, with all of its children."""

    wall: float
    """Seconds by the clock."""

    cpu: float
    """Seconds of processor, user and system."""

    peak: float
    """Largest resident size of any one process, in MiB."""

    code: int
    """Its exit code."""


def cost(command: Sequence[str | Path], environment: dict[str, str]) -> Cost:
    """Run a command to its end, without showing what it prints."""
    start = time.monotonic()
    nowhere = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in (0, 1, 2)]
    child = os.posix_spawn(command[0], tuple(command), environment, file_actions=nowhere)
    _, status, used = os.wait4(child, 0)
    wall = time.monotonic() - start
    return Cost(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, os.waitstatus_to_exitcode(status))


def size(path: Path) -> tuple[int, int]:
    """Files and bytes below a directory."""
    files = [entry for entry in path.rglob("*") if entry.is_file()]
    return len(files), sum(entry.stat().st_size for entry in files)


def show(name: str, costs: Sequence[Cost], made: Path | None = None) -> None:
    """One line: the medians, the exit code of the last round, and what it left."""
    wall, cpu, peak = (
        statistics.median(values) for values in zip(*((c.wall, c.cpu, c.peak) for c in costs), strict=True)
    )
    line = f"{name:<22} {wall:7.2f} s wall {cpu:7.2f} s CPU {peak:6.0f} MiB peak   exit {costs[-1].code}"
    if made is not None and made.exists():
        files, total = size(made)
        line += f"   {files} files, {total / 2**20:.1f} MiB"
    print(line, flush=True)


def measure_clinic(scratch: Path, rounds: int, environment: dict[str, str]) -> None:
    """The help text, a bundle of this machine, and its verification."""
    show("clinic --help", [cost([*CLINIC, "--help"], environment) for _ in range(max(rounds, 5))])
    bundles = [scratch / f"bundle-{number}" for number in range(rounds)]
    show(
        "clinic collect",
        [cost([*CLINIC, "collect", "local", "-y", "-o", path], environment) for path in bundles],
        bundles[-1],
    )
    show("clinic verify", [cost([*CLINIC, "verify", path], environment) for path in bundles])


def measure_sos(scratch: Path, environment: dict[str, str]) -> None:
    """`sos report` with its defaults, once: it takes long."""
    sos = shutil.which("sos", path="/usr/sbin:/usr/bin:/sbin:/bin")
    if sos is None:
        print("sos report             not run: it is not installed (Debian: sosreport)")
        return
    out = scratch / "sos"
    out.mkdir()
    show("sos report --batch", [cost([sos, "report", "--batch", "--tmp-dir", out], environment)], out)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="measure what a run costs on this machine")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each command; default: 3")
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory(prefix="clinic-bench-") as folder:
        scratch = Path(folder)
        environment = {"HOME": folder, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}
        measure_clinic(scratch, rounds, environment)
        measure_sos(scratch, environment)


if __name__ == "__main__":
    main()
