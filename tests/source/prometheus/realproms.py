"""Debian's Prometheus over a block that a test wrote, with flags of its own, and proxies that come between."""

from __future__ import annotations

import socket
import struct
import subprocess
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

import requests
from tests.client.servers import Peer, Script

from clinic.formats.readframes import crc32c
from clinic.formats.tsdb import ChunkRef, ChunkWriter, Labels, meta, no_tombstones, ulid, write_index
from clinic.formats.xorchunk import STALE, encode, to_bits
from clinic.window import Window

END = 1_764_000_000 // 7200 * 7200 * 1000
"""Milliseconds: the end of a block of two hours."""

START = END - 3_600_000
"""An hour before it, where the samples begin."""

WINDOW = Window(*(datetime.fromtimestamp(at / 1000, timezone.utc) for at in (START, END)))

Truth = dict[Labels, list[tuple[int, int]]]
"""Every sample of every series: time, and the 64 bits of its value."""

SPECIAL = [to_bits(value) for value in (float("nan"), float("inf"), float("-inf"), -0.0, 5e-324)]


def truth(metrics: int = 6, instances: int = 4, types: int = 3) -> Truth:
    """An hour of samples: counters that are reset, gauges, values that are no numbers, series that end."""
    found: Truth = {}
    for metric in range(metrics):
        for instance in range(instances):
            for kind in range(types):
                labels = (
                    (b"__name__", b"metric_%02d_total" % metric), (b"instance", b"10.0.0.%d:20180" % instance),
                    (b"job", b"tikv"), (b"type", b"a|b.%d" % kind),
                )  # fmt: skip
                found[labels] = _samples(metric + 7 * instance + 31 * kind)
    return found


def _samples(seed: int) -> list[tuple[int, int]]:
    moments = range(START + 1 + seed, END, 15_000)
    samples = [(at, to_bits(number % 50 * (1.25 + seed))) for number, at in enumerate(moments)]
    samples[seed % 100] = (samples[seed % 100][0], SPECIAL[seed % len(SPECIAL)])
    return [*samples[:150], (samples[150][0], STALE)] if seed % 5 == 0 else samples


def write_block(place: Path, series: Truth) -> None:
    """These series as a block."""
    name = ulid(START, b"clinic-test")
    here = place / name
    (here / "chunks").mkdir(parents=True)
    writer = ChunkWriter(lambda number: (here / "chunks" / f"{number + 1:06d}").open("wb"), crc32c)
    rows: list[tuple[Labels, list[ChunkRef]]] = []
    for labels, samples in sorted(series.items()):
        groups = [samples[at : at + 120] for at in range(0, len(samples), 120)]
        rows.append(
            (
                labels,
                [ChunkRef(one[0][0], one[-1][0], writer.add(1, encode(one)), len(one)) for one in groups],
            )
        )
    writer.close()
    with (here / "index").open("wb") as out:
        write_index(out, rows, crc32c)
    (here / "tombstones").write_bytes(no_tombstones(crc32c))
    (here / "meta.json").write_bytes(meta(name, [refs for _, refs in rows]))


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def prometheus(
    data: Path, *flags: str, config: str = "", wait: bool = True
) -> Generator[tuple[int, subprocess.Popen[bytes]], None, None]:
    """A Prometheus over this data; gives its port and its process."""
    port = free_port()
    file = data.parent / f"prometheus-{port}.yml"
    file.write_text(config)
    argv = [
        "prometheus", f"--config.file={file}", f"--storage.tsdb.path={data}",
        f"--web.listen-address=127.0.0.1:{port}", "--storage.tsdb.retention.time=100y", "--log.level=error", *flags,
    ]  # fmt: skip
    with subprocess.Popen(argv) as running:
        try:
            if wait:
                await_ready(f"http://127.0.0.1:{port}/-/ready")
            else:
                await_port(port)
            yield port, running
        finally:
            running.kill()


def await_port(port: int) -> None:
    """Until somebody listens there, and a moment longer: it opens its data first."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        with socket.socket() as probe:
            if not probe.connect_ex(("127.0.0.1", port)):
                time.sleep(1)
                return
        time.sleep(0.05)
    raise AssertionError(f"nobody listens on port {port}")


def await_ready(url: str) -> None:
    """Until this is answered with 200."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            if requests.get(url, timeout=1).status_code == 200:
                return
        except requests.RequestException:
            pass
        time.sleep(0.05)
    raise AssertionError(f"{url} is not ready")


Change = Callable[[Peer, bytes, requests.Response], bool]
"""What a proxy does to an answer before it passes it on: True when it did all that is to be done."""


def proxy(port: int, change: Change) -> Script:
    """A proxy before the server at `port`."""

    def script(peer: Peer) -> None:
        while request := peer.head():
            head, _, body = request.partition(b"\r\n\r\n")
            method, path = head.split(b" ")[:2]
            lines = (line.decode("latin-1").partition(": ") for line in head.split(b"\r\n")[1:])
            headers = {
                name: value for name, _, value in lines if name.lower() not in ("host", "content-length")
            }
            answer = requests.request(
                method.decode(),
                f"http://127.0.0.1:{port}{path.decode()}",
                data=body,
                headers=headers,
                timeout=30,
            )
            if not change(peer, path, answer):
                passed_on(peer, answer)

    return script


def passed_on(peer: Peer, answer: requests.Response, body: bytes | None = None) -> None:
    """The answer, or another body under its head."""
    status = f"{answer.status_code} {answer.reason}"
    peer.answer(
        answer.content if body is None else body, status=status, kind=answer.headers.get("Content-Type", "")
    )


def reset(peer: Peer) -> None:
    """Break the connection off."""
    peer.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.connection.close()


def no_read(peer: Peer, path: bytes, answer: requests.Response) -> bool:
    """A proxy that lets no POST through."""
    if b"/api/v1/read" in path:
        peer.answer(b"", status="405 Method Not Allowed")
        return True
    return False
