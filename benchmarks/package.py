"""`clinic pack` and `unpack` beside `tar | zstd -3` and back, in one run.

    python benchmarks/package.py [--dir DIR] [--size 2G] [--rounds N] [--only tar pack]

Makes a bundle in DIR as a large cluster leaves one: members of 64 MiB that are compressed already, and thousands of
small texts. Then, in turns, each in a process of its own, what is written being on the disk (fsync) before it counts:

* `tar`: tar of the directory through zstd -3, as a person would do it
* `pack`: clinic pack --no-scan, which also holds every byte against its digest, and counts that of the package
* `pack age`: the same, encrypted to two recipients
* `untar`, `unpack`, `unpack age`: back into a directory; clinic checks every byte

The median of the rounds is shown, the ratio of the clock to that of tar, processor seconds, and the peak of the memory.
Python's start is in it. Ratios within a run say more than the numbers.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from clinic.bundle.manifest import ClusterFacts, Manifest, Redaction, Run, WindowFacts
from clinic.bundle.names import MANIFEST, SUMS
from clinic.bundle.record import Entry, FileEntry, Record
from clinic.bundle.structure import sums
from clinic.outcome import Status
from clinic.units import KIB, MIB, human_size, parse_size

LARGE = 64 * MIB
SMALL = 8 * KIB
RECIPIENTS = (
    "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p",
    "age1lggyhqrw2nlhcxprm67z43rta597azn8gknawjehu9d9dl0jq3yqqvfafg",
)


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run of a way cost."""

    seconds: float
    """By the clock."""

    processor: float
    """Of all processors."""

    memory: int
    """Peak of the largest process, bytes."""


def make(root: Path, size: int) -> None:
    """The bundle in `root`, sealed, unless it is there."""
    if (root / MANIFEST).exists():
        return
    root.mkdir(mode=0o700, parents=True)
    chance = random.Random(1)
    records = [
        _record(root, f"h{n % 9}/log/tidb-{n}.log.zst", chance.randbytes(LARGE)) for n in range(size // LARGE)
    ]
    for number in range(2000):
        lines = b"".join(
            b"net.ipv4.tcp_%x = %d\n" % (chance.randrange(4096), number) for _ in range(SMALL // 24)
        )
        records.append(_record(root, f"h{number % 9}/conf/{number}.txt", lines))
    cluster = ClusterFacts("bench", "tiup", ("h0",))
    window = WindowFacts("2026-11-25T10:00:00Z", "2026-11-25T12:00:00Z", "UTC")
    run = Run(
        "clinic", "0", "2026-11-25T12:00:00Z", "2026-11-25T12:00:00Z", cluster, window, "m", "root", True
    )
    manifest = Manifest(run, "2026-11-25T12:10:00Z", False, None, Redaction("1"), tuple(records))
    raw = manifest.to_json()
    (root / SUMS).write_bytes(sums(manifest.files(), hashlib.sha256(raw).hexdigest()))
    (root / MANIFEST).write_bytes(raw)


def _record(root: Path, path: str, data: bytes) -> Record:
    where = root / path
    where.parent.mkdir(parents=True, exist_ok=True)
    where.write_bytes(data)
    entry = Entry(path.removesuffix(".zst"), path.removesuffix(".zst"), "bench", "logs", "user-data", "log")
    file = FileEntry(path, len(data), len(data), hashlib.sha256(data).hexdigest())
    return Record(entry, Status.OK, files=(file,))


def cost(command: Sequence[str | Path]) -> Cost:
    """Run it to its end; what it and its children cost."""
    program = (
        "import resource, subprocess, sys; code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode\n"
        "used = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "print(used.ru_utime + used.ru_stime, used.ru_maxrss); sys.exit(code)"
    )
    began = time.monotonic()
    told = subprocess.run(
        [sys.executable, "-c", program, *command], check=True, capture_output=True, text=True
    )
    seconds = time.monotonic() - began
    processor, memory = told.stdout.split()
    return Cost(seconds, float(processor), int(memory) * KIB)


def shell(text: str, *words: Path) -> list[str | Path]:
    """A command of the shell, with `words` as its parameters."""
    return ["sh", "-c", text, "sh", *words]


def measure(root: Path, scratch: Path, rounds: int, only: Sequence[str]) -> dict[str, list[Cost]]:
    """Every way in turns."""
    clinic: list[str | Path] = [sys.executable, "-m", "clinic"]
    pack = [*clinic, "pack", "--no-scan"]
    key = scratch / "key"
    subprocess.run(["age-keygen", "-o", key], check=True, capture_output=True)
    own = subprocess.run(["age-keygen", "-y", key], check=True, capture_output=True, text=True).stdout.strip()
    age = [word for one in (RECIPIENTS[0], own) for word in ("--recipient", one)]
    tarred, packed, sealed = scratch / "tar.tar.zst", scratch / "pack.tar.zst", scratch / "pack.age"
    out = scratch / "out"
    ways: dict[str, Callable[[], list[str | Path]]] = {
        "tar": lambda: shell('tar -c "$1" | zstd -3 -q -o "$2" && sync "$2"', root, tarred),
        "pack": lambda: [*pack, root, "-o", packed],
        "pack age": lambda: [*pack, root, "-o", sealed, *age],
        "untar": lambda: shell('mkdir "$2" && zstd -dcq "$1" | tar -x -C "$2"', tarred, out),
        "unpack": lambda: [*clinic, "unpack", packed, "-o", out],
        "unpack age": lambda: [*clinic, "unpack", sealed, "-o", out, "--identity", key],
    }
    ways = {name: way for name, way in ways.items() if name in only or not only}
    found: dict[str, list[Cost]] = {name: [] for name in ways}
    for _ in range(rounds):
        for path in (tarred, packed, sealed):
            path.unlink(missing_ok=True)
        for name, command in ways.items():
            os.sync()
            found[name].append(cost(command()))
            if out.exists():
                shutil.rmtree(out)
    return found


def main() -> None:
    """Parse the command line, make, measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dir", type=Path, default=Path(tempfile.gettempdir()) / "clinic-bench-package")
    parser.add_argument("--size", type=parse_size, default=parse_size("2G"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", default=[], metavar="WAY", help="these ways alone")
    options = parser.parse_args()
    root: Path = options.dir / f"bundle-{options.size}"
    size: int = options.size
    make(root, size)
    scratch = Path(tempfile.mkdtemp(dir=root.parent))
    try:
        found = measure(root, scratch, options.rounds, options.only)
    finally:
        shutil.rmtree(scratch)
    say(f"{human_size(size)} of compressed members, 2,000 small ones; {os.cpu_count()} processors")
    show(found)


def show(found: dict[str, list[Cost]]) -> None:
    """A line for each way."""
    for name, costs in found.items():
        clock = statistics.median(one.seconds for one in costs)
        other = {"pack": "tar", "unpack": "untar"}.get(name.split()[0], name)
        beside = statistics.median(one.seconds for one in found[other])
        processor = statistics.median(one.processor for one in costs)
        memory = human_size(max(one.memory for one in costs))
        say(
            f"{name:>11}: {clock:6.2f} s, {beside / clock:4.2f} of {other}, {processor:6.2f} s of processors, {memory}"
        )


def say(line: str) -> None:
    """One line of the result."""
    print(line)  # noqa: T201 - a table on the terminal is what it is for


if __name__ == "__main__":
    main()
