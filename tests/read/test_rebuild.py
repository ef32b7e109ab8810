"""Metrics of a bundle: read again sample for sample, and rebuilt into what Prometheus' own tools read."""

from __future__ import annotations

import io
import json
import math
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from clinic.bundle.journal import Header
from clinic.bundle.manifest import Run
from clinic.bundle.record import Entry, Record
from clinic.bundle.writer import BundleWriter
from clinic.errors import BadBundle, Refused, UsageError
from clinic.formats.protobuf import field, number
from clinic.formats.readframes import frame
from clinic.formats.xorchunk import STALE, encode, to_bits
from clinic.kinds import Content
from clinic.outcome import Status
from clinic.progress import Progress
from clinic.read.metrics import listed, select
from clinic.read.open import Opened, open_bundle
from clinic.read.rebuild import rebuild
from clinic.read.samples import MetricsOf, chosen
from clinic.read.selector import parse
from clinic.redact import Redactor
from clinic.secret import SecretRegister

START = 1_764_000_000_000
Samples = list[tuple[int, int]]


def samples(begin: int, count: int, step: int = 15_000, value: float = 1.25) -> Samples:
    """Samples of a series that grows."""
    return [(START + (begin + at) * step, to_bits((begin + at) * value)) for at in range(count)]


def series(name: str, instance: str, *chunks: Samples) -> bytes:
    """A series as a server writes it into a frame."""
    labels = b"".join(
        field(1, field(1, key) + field(2, value.encode()))
        for key, value in ((b"__name__", name), (b"instance", instance))
    )
    written = b"".join(
        field(
            2,
            b"\x08" + number(one[0][0]) + b"\x10" + number(one[-1][0]) + b"\x18\x01" + field(4, encode(one)),
        )
        for one in chunks
    )
    return field(1, labels + written)


Make = Callable[..., Opened]


@pytest.fixture
def metrics(tmp_path: Path, run: Callable[..., Run]) -> Make:
    """Write a bundle with these files of one server."""

    def make(**files: bytes) -> Opened:
        entry = Entry(
            "metrics.samples", "monitor/metrics/db1-9090", "metrics", "metrics", "internal", "frames", True,
            "db1", "db1-9090",
        )  # fmt: skip
        root = tmp_path / "bundle"
        with BundleWriter.create(
            root, Header(run(), (entry,)), Redactor(SecretRegister()), reserve=0
        ) as writer:
            item = writer.item(entry, cap=1 << 28, learn=False)
            for word, content in files.items():
                name = word.replace("__", ".").replace("_", "-")
                part = item.part(name, Content.JSON if name.endswith("jsonl") else Content.FRAMES)
                part.write(content)
                part.finish()
            writer.record(Record(entry, Status.OK, files=item.commit()))
            writer.seal()
        return open_bundle(root)

    return make


@pytest.fixture
def whole(metrics: Make) -> Opened:
    """Two metrics on two instances, over two frames and two files; one chunk came twice."""
    first = frame(
        series("a_total", "x", samples(0, 120), samples(120, 120)) + series("a_total", "y", samples(0, 120))
    )
    second = frame(
        series("a_total", "y", samples(120, 50)) + series("b", "x", [*samples(0, 5), (START + 90_000, STALE)])
    )
    again = frame(series("a_total", "y", samples(0, 120)))
    summary = (
        json.dumps({"way": "remote read in chunks"})
        + "\n"
        + json.dumps(
            {"metric": "a_total", "series": 2, "samples": 410, "chunks": 4, "first": START, "last": START + 9}
        )
        + "\n"
        + json.dumps({"metric": "c", "missing": "too much"})
        + "\n"
    )
    return metrics(frames_0001__bin=first + second, frames_0002__bin=again, metrics__jsonl=summary.encode())


def dumped(place: Path) -> list[str]:
    """What promtool reads of a data directory."""
    done = subprocess.run(
        ["promtool", "tsdb", "dump", str(place)], capture_output=True, text=True, check=True
    )
    return sorted(done.stdout.splitlines())


@pytest.mark.lab
def test_promtool_reads_every_sample_once(whole: Opened, tmp_path: Path) -> None:
    done = rebuild(whole, chosen(whole)[0], tmp_path / "data", Progress())
    assert (done.blocks, done.series, done.samples) == (1, 3, 240 + 170 + 6)
    lines = dumped(tmp_path / "data")
    assert len(lines) == done.samples
    want = [f'{{__name__="a_total", instance="x"}} {at * 1.25:g} {START + at * 15_000}' for at in range(240)]
    assert set(want) <= set(lines)
    assert any(line.endswith(f"NaN {START + 90_000}") for line in lines), "the end of a series is kept"


@pytest.mark.lab
def test_chunks_that_overlap_go_into_a_block_of_their_own(metrics: Make, tmp_path: Path) -> None:
    data = frame(series("a", "x", samples(0, 10)) + series("a", "x", samples(5, 10, value=2.0)))
    opened = metrics(frames_0001__bin=data)
    done = rebuild(opened, chosen(opened)[0], tmp_path / "data", Progress())
    assert (done.blocks, done.series, done.samples) == (2, 1, 20)
    assert len(dumped(tmp_path / "data")) >= 15


@pytest.mark.lab
def test_exported_lines_become_chunks(metrics: Make, tmp_path: Path) -> None:
    rows = [
        {
            "metric": {"instance": "x", "__name__": "a"},
            "values": ["1", "NaN", "+Inf", 2.5],
            "timestamps": [START + at for at in range(4)],
        },
        {
            "metric": {"__name__": "b"},
            "values": list(range(500)),
            "timestamps": [START + at * 1000 for at in range(500)],
        },
    ]
    opened = metrics(export_0001__jsonl=b"".join(json.dumps(row).encode() + b"\n" for row in rows))
    done = rebuild(opened, chosen(opened)[0], tmp_path / "data", Progress())
    assert (done.series, done.samples) == (2, 504)
    assert f'{{__name__="a", instance="x"}} +Inf {START + 2}' in dumped(tmp_path / "data")


def test_a_directory_with_something_in_it_is_not_touched(whole: Opened, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mine").write_text("x")
    with pytest.raises(Refused, match="not empty"):
        rebuild(whole, chosen(whole)[0], tmp_path / "data", Progress())


def test_selected_series_come_with_their_samples(whole: Opened) -> None:
    one = chosen(whole)[0]
    found = list(select(whole, one, parse('a_total{instance=~"x|z"}'), 0, 1 << 62))
    assert [(each.labels["instance"], len(each.times)) for each in found] == [("x", 240)]
    assert list(found[0].times) == [START + at * 15_000 for at in range(240)]
    assert list(found[0].values) == [at * 1.25 for at in range(240)]
    short = list(select(whole, one, parse("a_total"), START + 15_000, START + 30_000))
    assert {len(each.times) for each in short} == {2}
    (b,) = select(whole, one, parse("b"), 0, 1 << 62)
    assert not any(math.isnan(value) for value in b.values), "the end of a series is no value"


def test_what_overlaps_is_one_series_with_each_sample_once(metrics: Make) -> None:
    """Every third moment from 0, then every second: of what both have, the first counts."""
    thirds = [(START + at * 1000, to_bits(1.0)) for at in range(0, 30, 3)]
    seconds = [(START + at * 1000, to_bits(2.0)) for at in range(0, 30, 2)]
    opened = metrics(frames_0001__bin=frame(series("a", "x", thirds, seconds)))
    (one,) = select(opened, chosen(opened)[0], parse("a"), 0, 1 << 62)
    moments = [at for at in range(30) if at % 3 == 0 or at % 2 == 0]
    assert list(one.times) == [START + at * 1000 for at in moments]
    assert list(one.values) == [1.0 if at % 3 == 0 else 2.0 for at in moments]


def test_a_series_that_comes_in_pieces_is_shown_once(metrics: Make) -> None:
    data = frame(series("a", "x", samples(0, 5))) + frame(series("a", "y", samples(0, 5)))
    row = {"metric": "a", "series": 2, "samples": 15, "first": START, "last": START, "in_pieces": True}
    opened = metrics(
        frames_0001__bin=data + frame(series("a", "x", samples(5, 5))),
        metrics__jsonl=b'{"way": ""}\n' + json.dumps(row).encode() + b"\n",
    )
    found = list(select(opened, chosen(opened)[0], parse("a"), 0, 1 << 62))
    assert [(one.labels["instance"], len(one.times)) for one in found] == [("x", 10), ("y", 5)]


def test_holes_are_found(metrics: Make) -> None:
    opened = metrics(frames_0001__bin=frame(series("a", "x", samples(0, 20) + samples(60, 20))))
    (one,) = select(opened, chosen(opened)[0], parse("a"), 0, 1 << 62)
    assert one.holes() == [(START + 19 * 15_000, START + 60 * 15_000)]


def test_what_is_there_and_what_is_missing_is_listed(whole: Opened) -> None:
    found = {one.name: one for one in listed(whole, chosen(whole)[0])}
    assert (found["a_total"].series, found["a_total"].samples) == (2, 410)
    assert found["c"].missing == "too much"


def test_no_metrics_and_no_such_server_are_said(metrics: Make, whole: Opened) -> None:
    with pytest.raises(UsageError, match="no metrics of nix") as caught:
        chosen(whole, "nix")
    assert "db1-9090" in caught.value.hint


DAMAGED = (b"no frame at all", frame(b"\x0a\x05xx"), frame(series("a", "x", samples(0, 5)))[:-3])


@pytest.mark.parametrize("data", DAMAGED)
def test_damage_is_named(metrics: Make, data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The writer would withhold what is no frame: the bytes are changed behind it."""
    opened = metrics(frames_0001__bin=frame(series("a", "x", samples(0, 5))))
    monkeypatch.setattr(Opened, "member", lambda self, path: io.BytesIO(data))  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]  # it stands for a method
    with pytest.raises(BadBundle):
        rebuild(opened, MetricsOf("x", ("frames-0001.bin",), ""), tmp_path / "data", Progress())
