"""Servers that answer as a Prometheus does, well or badly, and what a source makes of them."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from tests.client.servers import Peer, Script

from clinic.cluster.model import Cluster, Instance, Machine
from clinic.deadline import Deadline
from clinic.errors import ItemError
from clinic.formats.protobuf import field, number
from clinic.formats.readframes import frame, messages, series
from clinic.formats.xorchunk import decode, encode, to_bits
from clinic.host.local import LocalHost
from clinic.run.doors import AttemptDoors, Common
from clinic.secret import SecretRegister
from clinic.source.prometheus.samples import Samples
from clinic.window import Window

NOW = datetime.now(timezone.utc)
CHUNK = encode([(int(NOW.timestamp() * 1000) - at * 1000, to_bits(float(at))) for at in range(60, 0, -1)])


@pytest.fixture
def doors() -> Iterator[AttemptDoors]:
    """Doors of one attempt, for the last hour."""
    cluster = Cluster("c", "manual", (Machine("127.0.0.1"),))
    window = Window(NOW - timedelta(hours=1), datetime.now(timezone.utc))
    common = Common(cluster, window, SecretRegister(), lambda machine: LocalHost(machine.name))
    yield AttemptDoors(common, Deadline(60))
    common.close()


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses of a second are hundredths here."""
    pause = Deadline.pause
    monkeypatch.setattr(Deadline, "pause", lambda self, seconds: pause(self, seconds / 100))  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]  # it stands for a method


def read(source: Samples, doors: AttemptDoors) -> tuple[dict[str, bytes], ItemError | None]:
    """The files, and why there is no more."""
    got: dict[str, bytearray] = {}
    error: ItemError | None = None
    try:
        for part in source.open(doors):
            pieces = got[part.name] = bytearray()
            for chunk in part.chunks:
                assert isinstance(chunk, bytes)
                pieces += chunk
    except ItemError as ended:
        error = ended
    return {name: bytes(data) for name, data in got.items()}, error


def at(server: Any) -> Instance:
    """The instance that a server of the lab is."""
    return Instance("prometheus", server.host, server.port)


def values_of(files: dict[str, bytes]) -> dict[tuple[tuple[str, str], ...], list[tuple[int, int]]]:
    """Every sample by its series' labels, without those that the server adds to what it sends elsewhere."""
    found: dict[tuple[tuple[str, str], ...], list[tuple[int, int]]] = {}
    for name, data in files.items():
        if name.startswith("frames-"):
            for message in messages(io.BytesIO(data)):
                for one in series(message):
                    labels = tuple((n.decode(), v.decode()) for n, v in one.labels if n != b"lab")
                    samples = found.setdefault(labels, [])
                    samples += [pair for chunk in one.chunks for pair in decode(chunk.data)]
    return found


def message(name: bytes, *chunks: bytes) -> bytes:
    """One series with its chunks, as the server writes it."""
    labels = field(1, field(1, b"__name__") + field(2, name)) + field(1, field(1, b"job") + field(2, b"x"))
    start = int((NOW - timedelta(seconds=60)).timestamp() * 1000)
    times = b"\x08" + number(start) + b"\x10" + number(start + 59_000) + b"\x18\x01"
    written = b"".join(field(2, times + field(4, one)) for one in chunks)
    return field(1, labels + written)


NAMES = json.dumps({"status": "success", "data": ["a_total", "b_total"]}).encode()
TYPE = "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse"


def answers(reads: list[Script]) -> Script:
    """A server whose answers to remote reads are these, one after another, the last for ever."""
    lock = threading.Lock()

    def script(peer: Peer) -> None:
        while head := peer.head():
            if b"/api/v1/label" in head:
                peer.answer(NAMES)
            elif b"/api/v1/read" in head:
                with lock:
                    one = reads.pop(0) if len(reads) > 1 else reads[0]
                one(peer)
            else:
                peer.answer(b"process_resident_memory_bytes 1000\n", kind="text/plain")

    return script


def good(peer: Peer) -> None:
    """Both metrics."""
    body = frame(message(b"a_total", CHUNK)) + frame(message(b"b_total", CHUNK))
    peer.answer(body, kind=TYPE)


def wrong_checksum(peer: Peer) -> None:
    """A byte is not what it was."""
    body = bytearray(frame(message(b"a_total", CHUNK)))
    body[-3] ^= 1
    peer.answer(bytes(body), kind=TYPE)


def cut(peer: Peer) -> None:
    """It promises more than it sends."""
    body = frame(message(b"a_total", CHUNK))
    peer.send(
        b"HTTP/1.1 200 OK\r\nContent-Type: "
        + TYPE.encode()
        + b"\r\nContent-Length: 100000\r\n\r\n"
        + body[:-20]
    )
    peer.connection.close()


def page(peer: Peer) -> None:
    """A page with status 200, as a proxy gives it."""
    peer.answer(b"<html>log in</html>", kind="text/html")


def busy(peer: Peer) -> None:
    """Too many samples, it says."""
    peer.answer(b'{"status":"error","error":"exceeded sample limit"}', status="422 Unprocessable Entity")
