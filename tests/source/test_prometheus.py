"""Samples as the server holds them: all of them, checked, or a record that names what is missing."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
import requests
from tests.client.servers import Peer, Script, Serve, serve
from tests.lab.fixtures import LabOfTests

from clinic.cluster.model import Cluster, Instance, Machine
from clinic.deadline import Deadline
from clinic.errors import ItemError
from clinic.formats.protobuf import field, number
from clinic.formats.readframes import frame, messages, series
from clinic.formats.xorchunk import STALE, decode, encode, to_bits
from clinic.host.local import LocalHost
from clinic.outcome import Reason, Status
from clinic.run.doors import AttemptDoors, Common
from clinic.secret import SecretRegister
from clinic.source import prometheus as module
from clinic.source.prometheus import Samples
from clinic.window import Window

__all__ = ["serve"]  # a fixture

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


@pytest.mark.lab
def test_every_sample_of_a_real_prometheus_is_there_bit_for_bit(
    scraped_lab: LabOfTests, doors: AttemptDoors
) -> None:
    server = scraped_lab.prometheus
    files, error = read(Samples(at(server), match=("up", "process_*", "ALERTS")), doors)
    assert error is None
    ours = values_of(files)
    end = doors.window.end.timestamp()
    for name in ("up", "process_resident_memory_bytes", "ALERTS"):
        query = {"query": f'{{__name__="{name}"}}[3599s]', "time": f"{end:.3f}"}
        answer = requests.get(f"{server.url}/api/v1/query", params=query, timeout=10).json()
        theirs = {
            tuple(sorted(one["metric"].items())): [
                (round(t * 1000), to_bits(float(v))) for t, v in one["values"]
            ]
            for one in answer["data"]["result"]
        }
        mine = {
            labels: [(t, v) for t, v in samples if v != STALE and t > end * 1000 - 3_599_000]
            for labels, samples in ours.items()
            if dict(labels)["__name__"] == name
        }
        assert theirs and mine == theirs
    rows = [json.loads(line) for line in files["metrics.jsonl"].splitlines()]
    assert rows[0]["way"] == "remote read in chunks"
    assert sum(row["samples"] for row in rows[1:]) == sum(map(len, ours.values()))
    assert {row["metric"]: row["series"] for row in rows[1:]}["up"] == len(
        [k for k in ours if dict(k)["__name__"] == "up"]
    )


@pytest.mark.lab
def test_the_estimate_is_near_what_comes(scraped_lab: LabOfTests, doors: AttemptDoors) -> None:
    source = Samples(at(scraped_lab.prometheus))
    estimate = source.plan(doors)
    files, error = read(source, doors)
    assert error is None and estimate.size is not None
    came = sum(len(data) for name, data in files.items() if name.startswith("frames-"))
    assert came / 3 < estimate.size < came * 3, "a lab of seconds has chunks of a few samples"


@pytest.mark.lab
def test_victoria_metrics_has_no_remote_read_and_is_asked_otherwise(
    lab: LabOfTests, doors: AttemptDoors
) -> None:
    files, error = read(Samples(at(lab.server("victoria_metrics")), match=("process_resident*", "up")), doors)
    assert error is None
    rows = [json.loads(line) for line in files["export-0001.jsonl"].splitlines()]
    assert rows and all(len(row["values"]) == len(row["timestamps"]) > 0 for row in rows)
    head, *metrics = [json.loads(line) for line in files["metrics.jsonl"].splitlines()]
    assert "no remote read" in head["way"] and metrics


# Servers that are not as they should be


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


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses of a second are hundredths here."""
    pause = Deadline.pause
    monkeypatch.setattr(Deadline, "pause", lambda self, seconds: pause(self, seconds / 100))  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]  # it stands for a method


@pytest.mark.parametrize("bad", [wrong_checksum, cut], ids=["a wrong checksum", "cut short"])
def test_what_breaks_off_once_is_asked_for_again(serve: Serve, doors: AttemptDoors, bad: Script) -> None:
    port = serve(answers([bad, good])).port
    files, error = read(Samples(Instance("prometheus", "127.0.0.1", port)), doors)
    assert error is None
    assert {dict(labels)["__name__"] for labels in values_of(files)} == {"a_total", "b_total"}
    assert all(len(samples) == 60 for samples in values_of(files).values())


@pytest.mark.parametrize("bad", [wrong_checksum, cut, busy], ids=["a wrong checksum", "cut short", "a limit"])
def test_what_never_comes_whole_is_named_and_no_data(serve: Serve, doors: AttemptDoors, bad: Script) -> None:
    files, error = read(Samples(Instance("prometheus", "127.0.0.1", serve(answers([bad])).port)), doors)
    assert error is not None and error.status is Status.FAILED
    assert "a_total" in error.message
    assert not any(name.startswith("frames-") for name in files)
    missing = [json.loads(line) for line in files["metrics.jsonl"].splitlines()[1:]]
    assert {row["metric"] for row in missing} == {"a_total", "b_total"} and all(
        row["missing"] for row in missing
    )


def test_a_page_of_a_proxy_is_no_data(serve: Serve, doors: AttemptDoors) -> None:
    files, _ = read(Samples(Instance("prometheus", "127.0.0.1", serve(answers([page])).port)), doors)
    assert not any(b"log in" in data for data in files.values())


def test_a_server_that_runs_short_is_left_alone(
    serve: Serve, doors: AttemptDoors, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = iter([b"1e6"] + [b"9e9"] * 50)

    def script(peer: Peer) -> None:
        while head := peer.head():
            if b"/api/v1/label" in head:
                peer.answer(NAMES)
            elif b"/api/v1/read" in head:
                peer.answer(frame(message(b"a_total", CHUNK)), kind=TYPE)
            else:
                peer.answer(b"process_resident_memory_bytes " + next(memory) + b"\n", kind="text/plain")

    monkeypatch.setattr(module, "FIRST_GROUP", 1)
    monkeypatch.setattr(module, "LARGEST_GROUP", 1)
    files, error = read(Samples(Instance("prometheus", "127.0.0.1", serve(script).port)), doors)
    assert error is not None and error.reason is Reason.SERVER_PROTECTED
    assert "memory grew" in error.message and "b_total" in error.message
    assert "frames-0001.bin" in files, "what came before is kept"


def test_a_budget_is_kept_and_what_was_left_out_is_named(serve: Serve, doors: AttemptDoors) -> None:
    port = serve(answers([good])).port
    source = Samples(Instance("prometheus", "127.0.0.1", port), first=("b_*",), room=0)
    files, error = read(source, doors)
    assert error is not None and error.reason is Reason.OVER_BUDGET
    assert list(files) == ["metrics.jsonl"]


def test_files_have_a_bounded_size(
    serve: Serve, doors: AttemptDoors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FILE", 10)
    files, error = read(Samples(Instance("prometheus", "127.0.0.1", serve(answers([good])).port)), doors)
    assert error is None
    assert sorted(files) == ["frames-0001.bin", "frames-0002.bin", "metrics.jsonl"]


def test_globs_choose(serve: Serve, doors: AttemptDoors) -> None:
    port = serve(answers([good])).port
    _, error = read(Samples(Instance("prometheus", "127.0.0.1", port), match=("nix*",)), doors)
    assert error is not None and error.reason is Reason.EMPTY
