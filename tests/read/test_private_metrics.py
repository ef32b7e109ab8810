"""Names in the labels of metrics: replaced inside the frames, by the pseudonyms that they have in the logs."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.read.test_rebuild import samples

from clinic.bundle.journal import Header
from clinic.bundle.manifest import Run
from clinic.bundle.record import Entry, Record
from clinic.bundle.writer import BundleWriter
from clinic.formats.protobuf import field, number
from clinic.formats.readframes import Labels, frame, messages, series
from clinic.formats.xorchunk import encode
from clinic.kinds import Content
from clinic.outcome import Status
from clinic.read.open import Opened, open_bundle
from clinic.read.pseudonymise import pseudonymise
from clinic.read.samples import chosen, pieces
from clinic.redact import Redactor
from clinic.redact.privacy import Level
from clinic.secret import SecretRegister

LOG = (
    b'[2026/11/25 10:00:00.000 +08:00] [INFO] [x.go:2] ["dial tcp"] [host=warehouse7] [addr=warehouse7:20180]'
    b" [peer=10.0.1.5:20180]\n"
)
CHUNK = encode(samples(0, 20))


def labelled(labels: dict[str, str]) -> bytes:
    """A frame of one series."""
    written = b"".join(
        field(1, field(1, name.encode()) + field(2, value.encode())) for name, value in labels.items()
    )
    start, end = samples(0, 20)[0][0], samples(0, 20)[-1][0]
    times = b"\x08" + number(start) + b"\x10" + number(end) + b"\x18\x01"
    return frame(field(1, written + field(2, times + field(4, CHUNK))))


FRAMES = labelled({"__name__": "up", "instance": "warehouse7:20180", "job": "tikv"}) + labelled(
    {"__name__": "up", "host": "warehouse7", "instance": "10.0.1.5:20180", "job": "tikv"}
)
EXPORT = json.dumps(
    {
        "metric": {"__name__": "down", "instance": "warehouse7:20180"},
        "values": ["1"],
        "timestamps": [1764000000000],
    }
).encode()
ROWS = (
    json.dumps({"way": "remote read in chunks", "server": "warehouse7:9090", "from": 1, "to": 2}).encode()
    + b'\n{"metric": "up", "series": 2, "samples": 40, "chunks": 2, "first": 1, "last": 2}\n'
)


@pytest.fixture
def private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Callable[..., Run]) -> Opened:
    """A bundle with a log and metrics, and its child without names."""
    monkeypatch.setenv("CLINIC_HOME", str(tmp_path / "state"))
    log = Entry("log.tikv", "h1/tikv.log", "logs", "logs", "internal", "log", host="h1")
    folder = Entry(
        "metrics.samples", "monitor/metrics/h1-9090", "metrics", "metrics", "internal", "frames", True, "h1"
    )
    with BundleWriter.create(
        tmp_path / "bundle", Header(run(), (log, folder)), Redactor(SecretRegister()), reserve=0
    ) as writer:
        item = writer.item(log, cap=1 << 20, learn=False)
        part = item.part()
        part.write(LOG)
        part.finish()
        writer.record(Record(log, Status.OK, files=item.commit()))
        item = writer.item(folder, cap=1 << 20, learn=False)
        for name, data, content in (
            ("frames-0001.bin", FRAMES, Content.FRAMES), ("export-0001.jsonl", EXPORT + b"\n", Content.JSON),
            ("metrics.jsonl", ROWS, Content.JSON),
        ):  # fmt: skip
            part = item.part(name, content)
            part.write(data)
            part.finish()
        writer.record(Record(folder, Status.OK, files=item.commit()))
        writer.seal()
    pseudonymise(open_bundle(tmp_path / "bundle"), tmp_path / "child", Level.IDENTIFIERS)
    return open_bundle(tmp_path / "child")


def data_of(opened: Opened, ending: str) -> bytes:
    """The one file with this ending."""
    (file,) = [one for one in opened.files() if one.name.endswith(ending)]
    with opened.member(file.path) as stream:
        return stream.read(1 << 20)


def test_a_host_has_the_same_pseudonym_in_frames_lines_and_logs(private: Opened) -> None:
    line = data_of(private, ".log").decode()
    assert "warehouse7" not in line and "10.0.1.5" not in line
    [(host, address, peer)] = re.findall(r"\[host=([^]]+)\] \[addr=([^]]+)\] \[peer=([^]]+)\]", line)
    assert address == f"{host}:20180"
    found: list[tuple[Labels, bytes]] = []
    for message in messages(io.BytesIO(data_of(private, "frames-0001.bin"))):
        found += [(one.labels, one.chunks[0].data) for one in series(message)]
    labels = [{name.decode(): value.decode() for name, value in one} for one, _ in found]
    assert labels == [
        {"__name__": "up", "instance": f"{host}:20180", "job": "tikv"},
        {"__name__": "up", "host": host, "instance": peer, "job": "tikv"},
    ]
    assert {chunk for _, chunk in found} == {CHUNK}, "samples are as they were"
    (exported,) = [json.loads(row) for row in data_of(private, "export-0001.jsonl").splitlines()]
    assert exported["metric"] == {"__name__": "down", "instance": f"{host}:20180"}


def test_what_came_of_each_metric_can_still_be_read(private: Opened) -> None:
    (server,) = chosen(private)
    head, row = [json.loads(one) for one in data_of(private, "metrics.jsonl").splitlines()]
    assert "warehouse7" not in head["server"] and head["server"].endswith(":9090")
    assert row["metric"] == "up"
    assert sum(len(chunks) for path in server.files for _, chunks in pieces(private, path)) == 3
