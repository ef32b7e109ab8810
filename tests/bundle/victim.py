"""Writes bundles and is killed at it. Started by tests, since a process with threads should not be forked.

victim.py seal DIR STEP...      for each step a bundle in DIR/STEP, whose writer is killed right after it
victim.py storm DIR COUNT SEED  COUNT bundles in DIR/0, DIR/1 ..., whose writers are killed at random instants
victim.py big DIR SIZE CAP      one item of SIZE bytes; prints the peak of memory and of disk use, in bytes
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from clinic.bundle.journal import Header
from clinic.bundle.manifest import ClusterFacts, Run, WindowFacts
from clinic.bundle.record import Entry, Record
from clinic.bundle.writer import BundleWriter
from clinic.outcome import Status
from clinic.redact import Redactor
from clinic.secret import SecretRegister
from clinic.units import KIB, MIB

LINE = b'[2026/11/25 10:00:00.000 +00:00] [INFO] [server.go:42] ["a line of the log"] [conn=%012d]\n'
ITEMS = 24


def entry(path: str) -> Entry:
    """An entry of the plan."""
    return Entry(path, path, "test", "system", "internal", "log")


def header(*paths: str) -> Header:
    """A plan with items of these paths."""
    run = Run(
        "clinic", "0.1.0", "2026-11-25T10:00:00Z", "2026-11-25T10:00:00Z",
        ClusterFacts("prod", "local", ("h1",)), WindowFacts("a", "b", "UTC"), "control", "root", True,
    )  # fmt: skip
    return Header(run, tuple(map(entry, paths)))


def write(writer: BundleWriter, planned: Entry, data: bytes) -> None:
    """Collect one item."""
    item = writer.item(planned, cap=64 * MIB, learn=False)
    part = item.part()
    for start in range(0, len(data), 64 * KIB):
        part.write(data[start : start + 64 * KIB])
    part.finish()
    writer.record(Record(planned, Status.OK, files=item.commit()))


def content(path: str) -> bytes:
    """What the item at `path` of a storm holds: from a few lines to some megabytes."""
    number = int(Path(path).stem)
    return b"".join(LINE % at for at in range(10 ** (number % 5) * 2))


def write_own(writer: BundleWriter, planned: Entry) -> None:
    """Collect one item of a storm."""
    write(writer, planned, content(planned.path))


def collect(root: Path) -> None:
    """Collect a storm's items into `root`, four at a time, and seal."""
    plan = header(*(f"h{number % 3}/{number}.log" for number in range(ITEMS)))
    with BundleWriter.create(root, plan, Redactor(SecretRegister()), reserve=0) as writer:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(partial(write_own, writer), plan.entries))
        writer.derived("SUMMARY.txt", b"all is well\n")
        writer.seal()


def forked(work: Callable[[], None]) -> int:
    """Start `work` in a child; its process id."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(1)
    return child


def seal(place: Path, *steps: str) -> None:
    """Be killed after each of `steps`."""
    for step in steps:

        class Dies(BundleWriter):
            """Is killed after a step of the seal."""

            def _step(self, name: str, last: str = step) -> None:
                if name == last:
                    os.kill(os.getpid(), signal.SIGKILL)

        def work(root: Path = place / step, kind: type[BundleWriter] = Dies) -> None:
            plan = header("h1/a.txt", "h1/b.log", "h1/never.txt")
            with kind.create(root, plan, Redactor(SecretRegister()), reserve=0) as writer:
                write(writer, plan.entries[0], b"hello\n")
                write(writer, plan.entries[1], LINE % 1 * 10_000)
                writer.derived("SUMMARY.txt", b"all is well\n")
                writer.seal()

        _, status = os.waitpid(forked(work), 0)
        assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL, step


def storm(place: Path, count: str, seed: str) -> None:
    """Be killed `count` times at random instants; prints how often before the end."""
    dice, killed = random.Random(seed), 0
    began = time.monotonic()
    os.waitpid(forked(lambda: collect(place / "whole")), 0)
    usual = time.monotonic() - began
    for number in range(int(count)):
        child = forked(partial(collect, place / str(number)))
        time.sleep(dice.uniform(0, usual))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        killed += os.WIFSIGNALED(status)
    sys.stdout.write(str(killed))


def disk_use(root: Path) -> int:
    """Bytes that the files below `root` take on the disk."""
    return sum(path.stat().st_blocks * 512 for path in root.rglob("*") if path.is_file())


def big(root: Path, size: str, cap: str) -> None:
    """Write one item of `size` bytes, of which `cap` are kept."""
    block = b"".join(LINE % at for at in range(700))
    most = 0
    with BundleWriter.create(root, header("h1/big.log"), Redactor(SecretRegister())) as writer:
        item = writer.item(writer.header.entries[0], cap=int(cap), learn=False)
        part = item.part()
        for number in range(int(size) // len(block)):
            part.write(block)
            if number % 500 == 0:
                most = max(most, disk_use(root))
        file = part.finish()
        most = max(most, disk_use(root))
        writer.record(Record(writer.header.entries[0], Status.PARTIAL, files=item.commit()))
        writer.seal()
    told = {
        "memory": peak_memory(),
        "disk": most,
        "received": part.received,
        "plain": file.plain,
        "dropped": file.dropped,
    }
    sys.stdout.write(json.dumps(told))


def peak_memory() -> int:
    """Most bytes that this process had in memory.

    `getrusage` would count those of the process that started it as well, which are there until the exec.
    """
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) * KIB


COMMANDS: dict[str, Callable[..., None]] = {"seal": seal, "storm": storm, "big": big}

if __name__ == "__main__":
    COMMANDS[sys.argv[1]](Path(sys.argv[2]), *sys.argv[3:])
