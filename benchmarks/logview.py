"""`clinic logs` over many gigabytes: what a window, a level and a pattern take, in one run.

    python benchmarks/logview.py [--dir DIR] [--instances 14] [--mib 768] [--keep]

Makes a bundle of so many instances with a unified log of so many MiB each, of a day, in DIR, as the writer does it but
without redaction. Then each question is put to the command `clinic logs` in a process of its own, whose output is
thrown away. Shown are seconds by the clock and of processor, the most memory, and plain bytes of all logs by each.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

from clinic.bundle.journal import Header
from clinic.bundle.manifest import ClusterFacts, InstanceFacts, Run, WindowFacts
from clinic.bundle.record import Entry, Record
from clinic.bundle.writer import BundleWriter
from clinic.formats.logindexer import LogIndexer
from clinic.kinds import Content
from clinic.outcome import Status
from clinic.redact import Redactor
from clinic.secret import SecretRegister

MIB = 1 << 20
START = datetime(2026, 11, 24, tzinfo=timezone.utc)
LEVELS: tuple[bytes, ...] = (b"ERROR", b"WARN", b"INFO", b"INFO", b"INFO")
QUESTIONS = {
    "a second": ["--from", "2026-11-24T12:00:00Z", "--to", "2026-11-24T12:00:01Z"],
    "errors of ten minutes": ["--from", "2026-11-24T12:00Z", "--to", "2026-11-24T12:10Z", "--level", "error"],
    "a level that is nowhere": ["--level", "fatal"],
    "a pattern that is nowhere": ["--grep", "nowhere to be found"],
    "a pattern that is rare": ["--grep", r"conn=1234567\d\]"],
    "what belongs to it": ["--grep", r"conn=1234567\d\]", "--follow-entry"],
}


def log(size: int, seed: int) -> Iterator[bytes]:
    """About a MiB of a day's log at a time; a line's number is scrambled, so that zstd has its usual work."""
    number = written = 0
    while written < size:
        lines: list[bytes] = []
        for _ in range(5000):
            moment = START + timedelta(seconds=86400 * (written + len(lines) * 210) / (size + 2 * MIB))
            number += 1
            value: int = (number * 2654435761 + seed) % 2**31
            level = LEVELS[value % 5]
            lines.append(
                b"[%s.%03d +00:00] [%s] [conn.go:%d] [\"command dispatched failed\"] [conn=%d] [connInfo=\"id:%d, "
                b"addr:10.0.1.%d:%d status:10\"] [command=Query] [sql=\"select * from `orders_%d` where `id` = %d\"]\n"
                % (
                    f"{moment:%Y/%m/%d %H:%M:%S}".encode(), value % 1000, level, value % 1500, value % 99999989, value,
                    value % 250, value % 60000, value % 64, value * 7919 % 2**31,
                )
            )  # fmt: skip
        block = b"".join(lines)
        written += len(block)
        yield block


def make(root: Path, instances: int, size: int) -> None:
    """The bundle."""
    names = [f"db-{4000 + number}" for number in range(instances)]
    run = Run(
        tool="clinic", version="0", created="2026-11-25T00:00:00Z", started="2026-11-25T00:00:00Z",
        cluster=ClusterFacts("bench", "tiup", ("db",), tuple(InstanceFacts(one, "tidb", "db", 4000) for one in names)),
        window=WindowFacts("2026-11-24T00:00:00Z", "2026-11-25T00:00:00Z", "UTC"), machine="db", user="root", root=True,
    )  # fmt: skip
    entries = tuple(
        Entry("log.std", f"db/{name}/std", "log", "logs", "user-data", "log", True, "db", name)
        for name in names
    )
    with BundleWriter.create(root, Header(run, entries), Redactor(SecretRegister()), reserve=0) as writer:
        for seed, entry in enumerate(entries):
            item = writer.item(entry, cap=size * 2, learn=False, observer=LogIndexer)
            part = item.part("tidb.log", Content.OPAQUE)
            for block in log(size, seed):
                part.write(block)
            part.finish()
            writer.record(Record(entry, Status.OK, files=item.commit()))
        writer.seal()


def ask(root: Path, options: list[str], total: float) -> str:
    """Put one question; what it took."""
    started = time.monotonic()
    nowhere = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    words = [sys.executable, "-m", "clinic", "logs", str(root), *options]
    _, status, used = os.wait4(os.posix_spawn(sys.executable, words, os.environ, file_actions=nowhere), 0)
    wall, cpu = time.monotonic() - started, used.ru_utime + used.ru_stime
    if code := os.waitstatus_to_exitcode(status):
        raise SystemExit(f"exit status {code}")
    return (
        f"{wall:7.2f} s {cpu:7.2f} s CPU {used.ru_maxrss / 1024:5.0f} MiB of memory"
        f" {total / wall:7.0f} MiB/s {total / cpu:7.0f} MiB/s of a core"
    )


def main() -> None:
    """Parse the command line, make, ask."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dir", type=Path, default=Path(tempfile.gettempdir()) / "clinic-bench-logview")
    parser.add_argument("--instances", type=int, default=14)
    parser.add_argument("--mib", type=int, default=768)
    parser.add_argument("--keep", action="store_true", help="keep the bundle, and use the one that is there")
    options = parser.parse_args()
    root: Path = options.dir
    if not root.exists():
        make(root, options.instances, options.mib * MIB)
    total = options.instances * options.mib
    print(f"{options.instances} logs of {options.mib} MiB, load {os.getloadavg()[0]:.1f}")  # noqa: T201 - a table
    for name, question in QUESTIONS.items():
        print(f"{name:<26}{ask(root, question, total)}", flush=True)  # noqa: T201 - a table
    if not options.keep:
        shutil.rmtree(root)


if __name__ == "__main__":
    main()
