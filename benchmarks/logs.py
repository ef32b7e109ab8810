"""A window of a large log, beside copying the whole file and beside the least that could be done, in one run.

    python benchmarks/logs.py [--dir DIR] [--scale 1.0] [--rounds N] [--cold] [--windows 10min 2h 24h]

Makes a unified log of 2 GiB and a slow log of 1 GiB, of 24 hours each (times --scale), in DIR, and leaves them there.
Then, each in a process of its own, in turns, what is written being on the disk (fsync) before it counts:

* `copy`: dd of the whole file
* `limit`: dd of the window's bytes, whose place is told, through zstd -1
* `cut`: the same bytes found and cut by Clinic's source, and thrown away
* `source`: these through zstd -1 in the same process
* `stored`: as `source`, through zstd -3 and SHA-256, as the bundle's writer has it
* `redacted`: as `stored`, with redaction before it
* `indexed`: as `redacted`, with the index made of what is written

Every number is measured here and now; the median of the rounds is shown, without what Python takes to start. Ratios
within a run say more than the numbers, and processor seconds more than those of the clock, which move with whatever
else the machine is doing.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import os
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import BinaryIO

import zstandard

from clinic.cluster.model import Cluster, Machine
from clinic.deadline import Deadline
from clinic.formats import seekable
from clinic.formats.logindexer import LogIndexer
from clinic.host.local import LocalHost
from clinic.kinds import Content
from clinic.redact import Redactor
from clinic.run.doors import AttemptDoors, Common
from clinic.secret import SecretRegister
from clinic.source.log.window import LogWindow
from clinic.window import Window

MIB = 1 << 20
CST = timezone(timedelta(hours=8))
START = datetime(2026, 11, 24, 0, 0, tzinfo=CST)
DAY = 86400.0
WINDOWS = {"10min": (12 * 3600, 600), "2h": (12 * 3600, 7200), "24h": (0, DAY)}
"""Where each begins in the day and how long it is, seconds."""

# -- the logs

_BODIES = (
    '["command dispatched failed"] [conn={n}] [connInfo="id:{n}, addr:10.0.{a}.{b}:{p} status:10, user:app"] '
    "[command=Query] [sql=\"select * from `orders_{a}` where `id` in ({n}, {p}) and `note` = '{w}'\"] [timestamp={t}]",
    "[expensive_query] [cost_time={n}.{p}s] [process_time={a}.{p}s] [conn={t}] [user=app] [txn_start_ts={t}] "
    "[sql=\"update t{b} set b = b + {n} where quantity = {p} and name = '{w}'\"]",
    '["[BIG_TXN]"] [session={t}] ["key sample"=7480000000000000{a:02x}5f7280000000{n:010x}] [size={n}] [keys={p}]',
    '["switch region peer to next"] [current="region ID: {n}, peers:<id:{n} store_id:{a} >"] [needReload=false] '
    '[error="rpc error: code = Unavailable desc = dial tcp 10.0.{a}.{b}:20160: connect: connection refused"] [w="{w}"]',
    '["got safepoint"] [service=gc_worker] [safepoint={t}] [minServiceGCSafePoint={n}]',
)
_STACK = "\n\ngoroutine {n} [running]:\ngithub.com/pingcap/tidb/server.(*Server).onConn()\n\t/tidb/server.go:{p} +0x1d"
_SLOW = (
    "# Txn_start_ts: {t}\n# User@Host: app[app] @ 10.0.{a}.{b} [10.0.{a}.{b}]\n# Conn_ID: {n}\n# Query_time: {a}.{p}\n"
    "# Parse_time: 0.0000{p}\n# Compile_time: 0.000{p}\n# Process_time: {a}.{p} Wait_time: 0.{p} Total_keys: {n}\n"
    "# DB: shop\n# Index_names: [orders_{a}:idx_{b}]\n# Is_internal: false\n# Digest: {t:032x}{n:032x}\n"
    "# Num_cop_tasks: {b}\n# Cop_proc_avg: 0.{p} Cop_proc_max: {a}.{p} Cop_proc_addr: 10.0.{a}.{b}:20160\n"
    "# Mem_max: {n}\n# Succ: true\n# Plan: tidb_decode_plan('{t:x}{n:x}{t:x}{n:x}{t:x}{n:x}')\nuse shop;\n"
    "SELECT o.id, o.note\n  FROM orders_{a} o\n WHERE o.customer = {n} AND o.note <> '{w}';\n"
)
_WORDS = "order paid customer called late delivery item number region store 注释 комментарий".split()
_POOL = 40_000
"""Different bodies: more than the windows of zstd -1 and -3 hold, so that none is found again."""


def _pool(texts: tuple[str, ...], seed: int) -> list[bytes]:
    pick = random.Random(seed)
    return [
        pick.choice(texts).format(
            n=pick.randrange(1 << 30), a=pick.randrange(256), b=pick.randrange(256), p=pick.randrange(65536),
            t=440_000_000_000_000_000 + pick.randrange(1 << 50),
            w=" ".join(pick.choice(_WORDS) for _ in range(pick.randrange(9))),
        ).encode()
        for _ in range(_POOL)
    ]  # fmt: skip


def unified(size: int) -> Iterator[bytes]:
    """The entries of a unified log of a day."""
    bodies, stacks, pick = _pool(_BODIES, 1), _pool((_STACK,), 2), random.Random(3)
    levels = (b"INFO", b"INFO", b"INFO", b"WARN", b"ERROR")
    for moment in _moments(size):
        time_text = f"{moment:%Y/%m/%d %H:%M:%S}.{moment.microsecond // 1000:03}".encode()
        stack = pick.choice(stacks) if pick.random() < 0.01 else b""
        caller = b"] [session.go:%d] " % pick.randrange(4000)
        yield b"[%b +08:00] [%b%b%b%b\n" % (
            time_text,
            pick.choice(levels),
            caller,
            pick.choice(bodies),
            stack,
        )


def slow(size: int) -> Iterator[bytes]:
    """The entries of a slow log of a day."""
    bodies, pick = _pool((_SLOW,), 4), random.Random(5)
    for moment in _moments(size):
        time_text = f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06}{pick.randrange(1000):03}".encode()
        yield b"# Time: " + time_text + b"+08:00\n" + pick.choice(bodies)


_written = 0


def _moments(size: int) -> Iterator[datetime]:
    """The time of the next entry, by how much of the day's log is written."""
    while True:
        yield START + timedelta(seconds=min(DAY * _written / size, DAY - 0.001))


def make(path: Path, size: int) -> Path:
    """The log at `path`, written unless it is there, and as if its last entry had just been."""
    if not path.exists() or path.stat().st_size < size:
        _write(path, size)
    end = START.timestamp() + DAY
    os.utime(path, (end, end))
    return path


def _write(path: Path, size: int) -> None:
    global _written  # noqa: PLW0603 - the clock of the entries is how much is written
    _written = 0
    with path.open("wb", buffering=4 * MIB) as file:
        for entry in slow(size) if "slow" in path.name else unified(size):
            file.write(entry)
            _written += len(entry)
            if _written >= size:
                break


# -- what is measured


def say(line: str) -> None:
    """One line of the table."""
    print(line)  # noqa: T201 - a table on the terminal is what it is for


def chunks(path: Path, name: str) -> Iterator[bytes]:
    """What the source gives of the window."""
    begin, length = WINDOWS[name]
    start = START + timedelta(seconds=begin)
    window = Window(start, start + timedelta(seconds=length, microseconds=-1))
    host = LocalHost("here")
    common = Common(
        Cluster("bench", "local", (Machine("here", local=True),)), window, SecretRegister(), lambda _: host
    )
    for part in LogWindow("here", (str(path),)).open(AttemptDoors(common, Deadline(None))):
        for chunk in part.chunks:
            assert isinstance(chunk, bytes), "nothing is left out"
            yield chunk
    common.close()


def cut(path: Path, name: str, out: Path) -> None:
    """Found and cut."""
    del out
    for _ in chunks(path, name):
        pass


def source(path: Path, name: str, out: Path) -> None:
    """Compressed by zstd -1 as well."""
    packer = zstandard.ZstdCompressor(level=1).compressobj()
    with out.open("wb") as file:
        for chunk in chunks(path, name):
            file.write(packer.compress(chunk))
        file.write(packer.flush())
        _sync(file)


class Packer:
    """zstd -3 in frames, and the digest of what is stored: as the bundle's writer does it."""

    def __init__(self, file: BinaryIO) -> None:
        """`file` takes what is stored."""
        self._file = file
        self._compressor = zstandard.ZstdCompressor(level=3, write_checksum=True)
        self._frame: zstandard.ZstdCompressionObj = self._compressor.compressobj()
        self._digest = hashlib.sha256()
        self._inside = 0

    def take(self, data: bytes) -> None:
        """The next plain bytes."""
        while data:
            room = seekable.FRAME - self._inside
            now, data = data[:room], data[room:]
            self._put(self._frame.compress(now))
            self._inside += len(now)
            if self._inside == seekable.FRAME:
                self._put(self._frame.flush())
                self._frame, self._inside = self._compressor.compressobj(), 0

    def finish(self) -> None:
        """There are no more."""
        self._put(self._frame.flush())

    def _put(self, data: bytes) -> None:
        self._digest.update(data)
        self._file.write(data)


def stored(path: Path, name: str, out: Path, *, redact: bool = False, index: bool = False) -> None:
    """As the bundle's writer does it."""
    stream = Redactor(SecretRegister()).stream(Content.LOG) if redact else None
    watching = LogIndexer() if index else None
    with out.open("wb") as file:
        packer = Packer(file)
        for chunk in itertools.chain(chunks(path, name), (None,)):
            clean = chunk or b""
            if stream is not None:
                clean = stream.feed(chunk) if chunk is not None else stream.finish()
            if watching is not None:
                watching.feed(clean)
            packer.take(clean)
        packer.finish()
        if watching is not None:
            file.write(watching.finish())
        _sync(file)


def redacted(path: Path, name: str, out: Path) -> None:
    """With redaction."""
    stored(path, name, out, redact=True)


def indexed(path: Path, name: str, out: Path) -> None:
    """With the index of what is written."""
    stored(path, name, out, redact=True, index=True)


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


WAYS = {"cut": cut, "source": source, "stored": stored, "redacted": redacted, "indexed": indexed}


@dataclass(frozen=True)
class Cost:
    """What one process took."""

    wall: float
    """Seconds by the clock."""

    cpu: float
    """Seconds of processor, with its children."""


def cost(*commands: list[str]) -> Cost:
    """Run some commands at once to their ends."""
    start = time.monotonic()
    cpu = 0.0
    for child in [os.posix_spawnp(command[0], command, os.environ) for command in commands]:
        _, status, used = os.wait4(child, 0)
        if code := os.waitstatus_to_exitcode(status):
            raise SystemExit(f"exit status {code}")
        cpu += used.ru_utime + used.ru_stime
    return Cost(time.monotonic() - start, cpu)


def edges(path: Path, name: str) -> tuple[int, int]:
    """Where the window is, from a plain reading of the whole file: what `limit` is told."""
    begin, length = WINDOWS[name]
    mark, layout = (b"# Time: ", "%Y-%m-%dT%H:%M:%S") if "slow" in path.name else (b"[", "%Y/%m/%d %H:%M:%S")
    low, high = (
        mark + f"{START + timedelta(seconds=second):{layout}}".encode() for second in (begin, begin + length)
    )
    place, found = 0, list[int]()
    with path.open("rb", buffering=4 * MIB) as file:
        for line in file:
            if line.startswith(mark) and line >= (high if found else low):
                found.append(place)
                if len(found) == 2:
                    return found[0], found[1]
            place += len(line)
    return found[0], place


def forget(path: Path) -> None:
    """Have the system read the file from the disk the next time."""
    with path.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def measure(path: Path, name: str, rounds: int, scratch: Path, *, cold: bool) -> None:
    """One window of one file, in every way."""
    start, end = edges(path, name)
    size, out = end - start, scratch / "out"
    me = [sys.executable, __file__, "--one", str(path), name, str(out)]
    dd = f"dd if={path} bs=1M status=none"
    limit = f"{dd} iflag=skip_bytes,count_bytes skip={start} count={size} | zstd -1 -q -f -T1 -o {out} && sync {out}"
    commands = {"copy": ["sh", "-c", f"{dd} of={out} conv=fsync"], "limit": ["sh", "-c", limit]}
    commands |= {way: [*me, way] for way in WAYS}
    costs: dict[str, list[Cost]] = {way: [] for way in ["nothing", *commands]}
    for _ in range(rounds):
        costs["nothing"].append(cost([*me[:2], "--nothing"]))
        for way, command in commands.items():
            if cold:
                forget(path)
            costs[way].append(cost(command))
            out.unlink(missing_ok=True)
    median = {way: _median(found) for way, found in costs.items()}
    peak = (scratch / "out.peak").read_text()
    say(
        f"\n{path.name}, {name}: {size / MIB:.1f} of {path.stat().st_size / MIB:.0f} MiB; peak of indexed {peak} MiB"
    )
    for way in commands:
        begun = median["nothing"] if way in WAYS else Cost(0, 0)
        _say(way, Cost(median[way].wall - begun.wall, median[way].cpu - begun.cpu), size, median)


def _say(way: str, own: Cost, size: int, median: dict[str, Cost]) -> None:
    wall, cpu = max(own.wall, 0.001), max(own.cpu, 0.001)
    copy, limit = median["copy"], median["limit"]
    say(
        f"  {way:<9} {wall:7.2f} s {cpu:7.2f} s CPU {size / MIB / cpu:7.0f} MiB/s of a core"
        f"   {copy.wall / wall:6.1f} ({copy.cpu / cpu:5.1f} CPU) times as fast as the copy"
        f"   {wall / limit.wall:5.2f} ({cpu / limit.cpu:4.2f} CPU) of the limit"
    )


def _median(costs: list[Cost]) -> Cost:
    return Cost(statistics.median(one.wall for one in costs), statistics.median(one.cpu for one in costs))


def two_cores(paths: list[Path], scratch: Path, way: str) -> None:
    """Both logs at once, by two processes."""
    me = [sys.executable, __file__, "--one"]
    found = cost(*([*me, str(path), "2h", str(scratch / path.name), way] for path in paths))
    total = sum(end - start for start, end in (edges(path, "2h") for path in paths)) / MIB
    say(
        f"\nboth, 2h, {way} by two processes: {found.wall:.2f} s, {total / found.wall:.0f} MiB/s in all,"
        f" {total / found.cpu:.0f} MiB/s of a core"
    )


def one(path: Path, name: str, out: Path, way: str) -> None:
    """What one process measures; it leaves its peak beside what it writes, since a parent's counts for a child's."""
    WAYS[way](path, name, out)
    status = Path("/proc/self/status").read_text(encoding="ascii")
    kib = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:"))
    out.with_name(f"{out.name}.peak").write_text(f"{int(kib) / 1024:.0f}")


def main() -> None:
    """Parse the command line, make, measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dir", type=Path, default=Path(tempfile.gettempdir()) / "clinic-bench-logs")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="of the sizes of 2 and 1 GiB (default %(default)s)"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cold", action="store_true", help="read from the disk and not from memory")
    parser.add_argument("--windows", nargs="+", choices=WINDOWS, default=list(WINDOWS))
    parser.add_argument("--one", nargs=4, metavar=("FILE", "WINDOW", "OUT", "WAY"), help=argparse.SUPPRESS)
    parser.add_argument("--nothing", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.nothing:
        return
    if options.one:
        told: list[str] = options.one
        one(Path(told[0]), told[1], Path(told[2]), told[3])
        return
    options.dir.mkdir(parents=True, exist_ok=True)
    made: Path = options.dir
    sizes = {"tidb.log": 2048, "tidb_slow_query.log": 1024}
    paths = [make(made / name, int(mib * MIB * options.scale)) for name, mib in sizes.items()]
    scratch = Path(tempfile.mkdtemp(dir=made))
    try:
        for path in paths:
            for name in options.windows:
                measure(path, name, options.rounds, scratch, cold=options.cold)
        for way in ("redacted", "indexed"):
            two_cores(paths, scratch, way)
    finally:
        shutil.rmtree(scratch)


if __name__ == "__main__":
    main()
