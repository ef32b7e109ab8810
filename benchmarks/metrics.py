"""Metrics of two hours: as the server holds them, beside a JSON range selector for each metric, and beside a snapshot.

    python benchmarks/metrics.py [--series 20000] [--rounds N] [--diag] [--rebuild] [--dir DIR]

Makes a block of so many series (192 metrics, 15 s apart, 2 hours) and starts Debian's Prometheus over it anew for each
way, each in a process of its own:

* `ours`: remote read in chunks, checked, redacted, through zstd -3 (Clinic's source and redactor)
* `json`: a range selector for each metric, one after another, as JSON through zstd -3
* `diag`: the same two at a time and packed by the server, as diag's client asks for it (with `--diag`: it takes long)
* `limit`: the server's own snapshot, packed by tar and zstd -1

Shown are the wall time, the client's CPU and peak memory, the server's CPU and the growth of its memory (its own, and
all that is resident, which counts the pages of its files), bytes on the wire and on disk. `ours` also shows how far the
plan's estimate was from what came, and fails unless every series came.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import psutil
import requests
import zstandard

from clinic.cluster.model import Cluster, Instance, Machine
from clinic.deadline import Deadline
from clinic.formats.readframes import Splitter, crc32c
from clinic.formats.remoteread import HEADERS, LabelMatch, Match, request
from clinic.formats.tsdb import ChunkRef, ChunkWriter, Labels, meta, no_tombstones, ulid, write_index
from clinic.formats.xorchunk import encode, to_bits
from clinic.host.local import LocalHost
from clinic.kinds import Content
from clinic.redact import Redactor
from clinic.run.doors import AttemptDoors, Common
from clinic.secret import SecretRegister
from clinic.source.prometheus.samples import Samples
from clinic.window import Window

METRICS = 192
KINDS = 2003
"""Series that differ: more than a packer sees at once."""

STEP, LENGTH = 15, 7200
END = 1_764_000_000 // LENGTH * LENGTH
"""Seconds since 1970: a whole number of blocks."""


def say(line: str) -> None:
    """One line of the table."""
    print(line, flush=True)  # noqa: T201 - a table on the terminal is what it is for


def make(place: Path, series: int) -> None:
    """A block with this many series, unless it is there."""
    name = ulid((END - LENGTH) * 1000, b"clinic-bench")
    if (place / name).exists():
        return
    here = place / name
    (here / "chunks").mkdir(parents=True)
    writer = ChunkWriter(lambda number: (here / "chunks" / f"{number + 1:06d}").open("wb"), crc32c)
    kinds = [_chunks(kind) for kind in range(KINDS)]
    rows: list[tuple[Labels, list[ChunkRef]]] = []
    for number in range(series):
        metric, instance = number % METRICS, number // METRICS
        labels = (
            (b"__name__", b"tikv_metric_%03d_seconds_total" % metric),
            (b"instance", b"10.0.%d.%d:20180" % divmod(instance, 250)),
            (b"job", b"tikv"), (b"type", b"kv_%d" % (instance % 7)),
        )  # fmt: skip
        chunks = kinds[number % len(kinds)]
        rows.append(
            (labels, [ChunkRef(start, end, writer.add(1, data), count) for start, end, data, count in chunks])
        )
    writer.close()
    rows.sort()
    with (here / "index").open("wb") as out:
        write_index(out, rows, crc32c)
    (here / "tombstones").write_bytes(no_tombstones(crc32c))
    (here / "meta.json").write_bytes(meta(name, [refs for _, refs in rows]))


def _chunks(kind: int) -> list[tuple[int, int, bytes, int]]:
    """Two hours of one series: a counter with a rate that swings, a gauge, or one that hardly changes."""
    found: list[tuple[int, int, bytes, int]] = []
    value = float(kind * 1000)
    for begin in range(END - LENGTH, END, STEP * 120):
        samples: list[tuple[int, int]] = []
        for at in range(begin, min(begin + STEP * 120, END), STEP):
            value += (kind % 3) * (1 + math.sin(at / 600 + kind)) * 17.3
            samples.append((at * 1000 + kind * 7, to_bits(round(value, 3))))
        found.append((samples[0][0], samples[-1][0], encode(samples), len(samples)))
    return found


@contextmanager
def prometheus(data: Path, scratch: Path) -> Generator[tuple[str, psutil.Process], None, None]:
    """A fresh server over the data."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    config = scratch / "prometheus.yml"
    config.write_text("")
    argv = [
        "prometheus", f"--config.file={config}", f"--storage.tsdb.path={data}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--storage.tsdb.retention.time=100y", "--web.enable-admin-api", "--log.level=error",
    ]  # fmt: skip
    with subprocess.Popen(argv) as running:
        url = f"http://127.0.0.1:{port}"
        while not _ready(url):
            time.sleep(0.1)
        time.sleep(1)
        yield url, psutil.Process(running.pid)
        running.terminate()


def _ready(url: str) -> bool:
    try:
        return requests.get(f"{url}/-/ready", timeout=1).status_code == 200
    except requests.ConnectionError:
        return False


def ours(url: str, out: Path) -> None:
    """Clinic's source and redactor."""
    host, port = url.removeprefix("http://").split(":")
    window = Window(*(datetime.fromtimestamp(at, timezone.utc) for at in (END - LENGTH, END)))
    cluster = Cluster("bench", "manual", (Machine(host),))
    common = Common(cluster, window, SecretRegister(), lambda machine: LocalHost(machine.name))
    redactor = Redactor(SecretRegister())
    wire, held = 0, list[bytes]()
    with out.open("wb") as file:
        source = Samples(Instance("prometheus", host, int(port)), room=None)
        doors = AttemptDoors(common, Deadline(None))
        estimate = source.plan(doors).size or 0
        for part in source.open(doors):
            packer = zstandard.ZstdCompressor(level=3).compressobj()
            stream = redactor.stream(part.content or Content.FRAMES)
            for chunk in part.chunks:
                assert isinstance(chunk, bytes)
                wire += len(chunk)
                file.write(packer.compress(stream.feed(chunk)))
                if part.content is Content.JSON:
                    held.append(chunk)
            file.write(packer.compress(stream.finish()) + packer.flush())
    common.close()
    out.with_suffix(".wire").write_text(str(wire))
    rows = [json.loads(line) for line in b"".join(held).splitlines()]
    series, samples = (sum(row.get(key, 0) for row in rows) for key in ("series", "samples"))
    head = rows[0]
    out.with_suffix(".told").write_text(
        f"{series:,} series, {samples:,} samples; estimate {estimate / wire - 1:+.1%}; "
        f"heap growth seen {head['heap_growth'] / (1 << 20):.0f} MiB, {head['pauses']} pauses"
    )
    if samples != series * (LENGTH // STEP) or any("missing" in row for row in rows):
        raise SystemExit("not every sample came")


def json_way(url: str, out: Path) -> None:
    """A range selector for each metric."""
    _selectors(url, out, "identity", 1)


def diag_way(url: str, out: Path) -> None:
    """The same as diag's client asks."""
    _selectors(url, out, "gzip", 2)


def _selectors(url: str, out: Path, encoding: str, at_once: int) -> None:
    names = requests.get(f"{url}/api/v1/label/__name__/values", timeout=60).json()["data"]
    lock = threading.Lock()

    def one(name: str) -> int:
        query = {"query": f"{name}[{LENGTH}s]", "time": str(END)}
        headers = {"Accept-Encoding": encoding}
        with requests.get(
            f"{url}/api/v1/query", params=query, headers=headers, stream=True, timeout=900
        ) as answer:
            packer = zstandard.ZstdCompressor(level=3).compressobj()
            unpacker, came, packed = zlib.decompressobj(31), 0, bytearray()
            for chunk in answer.raw.stream(1 << 18, decode_content=False):
                came += len(chunk)
                packed += packer.compress(unpacker.decompress(chunk) if encoding == "gzip" else chunk)
            with lock:
                file.write(packed + packer.flush())
            return came

    with out.open("wb") as file, ThreadPoolExecutor(at_once) as pool:
        wire = sum(pool.map(one, names))
    out.with_suffix(".wire").write_text(str(wire))


def limit(url: str, out: Path) -> None:
    """The server's snapshot, and tar."""
    answer = requests.post(f"{url}/api/v1/admin/tsdb/snapshot", params={"skip_head": "true"}, timeout=600)
    if answer.status_code != 200:
        raise SystemExit(f"no snapshot: {answer.text[:300]}")
    name = answer.json()["data"]["name"]
    place = Path(out.with_suffix(".data").read_text()) / "snapshots" / name
    subprocess.run(f"tar -cf - -C {place} . | zstd -1 -q -f -o {out}", shell=True, check=True)  # noqa: S602 - our own words
    shutil.rmtree(place)
    out.with_suffix(".wire").write_text("0")


WAYS = {"ours": ours, "json": json_way, "diag": diag_way, "limit": limit}


@dataclass(frozen=True)
class Cost:
    """What one way took."""

    wall: float
    """Seconds by the clock."""

    cpu: float
    """Seconds of the client's processor."""

    peak: float
    """MiB of the client's memory at its peak."""

    server_cpu: float
    """Seconds of the server's processor."""

    own: float
    """MiB by which the server's own memory grew, at its peak: without pages of files."""

    growth: float
    """MiB by which its resident memory grew, at its peak."""

    wire: float
    """MiB that came."""

    disk: float
    """MiB that were stored."""


def cost(way: str, data: Path, scratch: Path) -> Cost:
    """One way, once, against a fresh server."""
    out = scratch / "out"
    out.with_suffix(".data").write_text(str(data))
    with prometheus(data, scratch) as (url, server):
        before, base, own = server.cpu_times(), server.memory_info().rss, _own(server)
        start = time.monotonic()
        child = os.posix_spawnp(
            sys.executable, [sys.executable, __file__, "--one", way, url, str(out)], os.environ
        )
        top, most = base, own
        while True:
            pid, status, used = os.wait4(child, os.WNOHANG)
            top, most = max(top, server.memory_info().rss), max(most, _own(server))
            if pid:
                break
            time.sleep(0.02)
        wall = time.monotonic() - start
        if os.waitstatus_to_exitcode(status):
            raise SystemExit(f"{way} failed")
        after = server.cpu_times()
        spent = after.user + after.system - before.user - before.system
    mib = 1 << 20
    wire = int(out.with_suffix(".wire").read_text()) / mib
    client_cpu, peak = used.ru_utime + used.ru_stime, used.ru_maxrss / 1024
    return Cost(
        wall, client_cpu, peak, spent, (most - own) / mib, (top - base) / mib, wire, out.stat().st_size / mib
    )


def _own(server: psutil.Process) -> int:
    """Bytes of its anonymous memory."""
    text = Path(f"/proc/{server.pid}/status").read_text()
    return int(text.partition("RssAnon:")[2].split()[0]) * 1024


def rebuilt(data: Path, scratch: Path) -> None:
    """Collect by the command, rebuild by the command, and hold every chunk of every series against the source's."""
    with prometheus(data, scratch) as (url, _):
        begin, end = (datetime.fromtimestamp(at, timezone.utc).isoformat() for at in (END - LENGTH, END))
        window = ["--from", begin, "--to", end, "--include", "metrics", "-y", "--json"]
        _command("collect", "--prometheus", url, *window, "-o", str(scratch / "bundle"))
        source = _digest(url)
    _command("rebuild", str(scratch / "bundle"), "--dir", str(scratch / "rebuilt"))
    with prometheus(next((scratch / "rebuilt").iterdir()), scratch) as (url, _):
        same = _digest(url) == source
    say(f"  rebuilt {'equal to' if same else 'DIFFERENT FROM'} the source, {source[0]:,} frames bit for bit")
    for name in ("bundle", "rebuilt"):
        shutil.rmtree(scratch / name)


def _command(*words: str) -> None:
    start = time.monotonic()
    child = subprocess.Popen([sys.executable, "-m", "clinic", *words], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    code = os.waitstatus_to_exitcode(status)
    spent, peak = used.ru_utime + used.ru_stime, used.ru_maxrss / 1024
    wall = time.monotonic() - start
    say(f"  clinic {words[0]:<8} {wall:6.2f} s  {spent:6.2f} s CPU, peak {peak:4.0f} MiB, exit {code}")


def _digest(url: str) -> tuple[int, str]:
    """How many frames a remote read of everything gives, and the SHA-256 of their messages."""
    everything = request((END - LENGTH) * 1000, END * 1000, [LabelMatch(Match.REGEX, "__name__", ".+")])
    digest, count, splitter = hashlib.sha256(), 0, Splitter()
    with requests.post(
        f"{url}/api/v1/read", data=everything, headers=HEADERS, stream=True, timeout=600
    ) as answer:
        for piece in answer.iter_content(1 << 18):
            for one in splitter.feed(piece):
                digest.update(one.message)
                count += 1
    return count, digest.hexdigest()


def main() -> None:
    """Parse the command line, make, measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--series", type=int, nargs="+", default=[20_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rebuild", action="store_true", help="also rebuild, and compare with the source")
    parser.add_argument("--diag", action="store_true", help="also as diag's client asks")
    parser.add_argument("--dir", type=Path, default=Path(tempfile.gettempdir()) / "clinic-bench-metrics")
    parser.add_argument("--one", nargs=3, metavar=("WAY", "URL", "OUT"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        WAYS[given.one[0]](given.one[1], Path(given.one[2]))
        return
    for series in given.series:
        data = given.dir / str(series)
        make(data, series)
        say(f"\n{series:,} series x 2 h, {series * LENGTH // STEP:,} samples; medians of {given.rounds}")
        with tempfile.TemporaryDirectory() as scratch:
            ways = [way for way in WAYS if way != "diag" or given.diag]
            costs: dict[str, list[Cost]] = {way: [] for way in ways}
            for _ in range(given.rounds):
                for way in ways:
                    costs[way].append(cost(way, data, Path(scratch)))
            told = (Path(scratch) / "out.told").read_text()
            if given.rebuild:
                rebuilt(data, Path(scratch))
        say(f"  ours: {told}")
        for way, found in costs.items():
            middle = {
                name: statistics.median(getattr(one, name) for one in found)
                for name in ("wall", "cpu", "peak", "server_cpu", "own", "growth", "wire", "disk")
            }
            client = f"client {middle['cpu']:6.2f} s CPU, peak {middle['peak']:4.0f} MiB"
            served = f"server {middle['server_cpu']:6.2f} s CPU, +{middle['own']:4.0f} of +{middle['growth']:4.0f} MiB"
            stored = f"wire {middle['wire']:6.1f} MiB, disk {middle['disk']:6.1f} MiB"
            say(f"  {way:<6} {middle['wall']:7.2f} s  {client}   {served}   {stored}")


if __name__ == "__main__":
    main()
