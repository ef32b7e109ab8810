"""What is rebuilt is what the source had: every series, every sample, bit for bit, by Prometheus itself."""

from __future__ import annotations

import json
import re
import struct
import subprocess
import time
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import requests
from tests.read.test_rebuild import Make, metrics
from tests.source.prometheus.promservers import read
from tests.source.prometheus.realproms import END, prometheus, truth, write_block
from tests.source.prometheus.test_faults import expected, samples, take

from clinic.cluster.model import Cluster, Instance, Machine
from clinic.deadline import Deadline
from clinic.formats.protobuf import field, number
from clinic.formats.remoteread import snappy
from clinic.host.local import LocalHost
from clinic.progress import Progress
from clinic.read.metrics import listed, select
from clinic.read.open import Opened
from clinic.read.rebuild import rebuild
from clinic.read.samples import chosen
from clinic.read.selector import parse
from clinic.run.doors import AttemptDoors, Common
from clinic.secret import SecretRegister
from clinic.source.prometheus.samples import Samples
from clinic.window import Window

__all__ = ["metrics"]  # a fixture

pytestmark = [pytest.mark.lab, pytest.mark.slow]


def bundle_of(make: Make, files: dict[str, bytes]) -> Opened:
    """A bundle with what was taken."""
    return make(**{name.replace("-", "_").replace(".", "__"): data for name, data in files.items()})


def test_every_series_is_the_same_and_promtool_finds_nothing_odd(metrics: Make, tmp_path: Path) -> None:
    """Counters that are reset, NaN, infinities, -0.0, the smallest number, markers of the end of a series."""
    wanted = truth()
    write_block(tmp_path / "source", wanted)
    with prometheus(tmp_path / "source") as (port, _):
        files, error = take(port)
    assert error is None
    opened = bundle_of(metrics, files)
    done = rebuild(opened, chosen(opened)[0], tmp_path / "data", Progress())
    assert (done.series, done.samples) == (len(wanted), sum(map(len, wanted.values())))
    with prometheus(tmp_path / "data") as (port, _):
        again, error = take(port, verify=True)
    assert error is None
    assert samples(again) == expected(wanted, stale=True)
    told = subprocess.run(
        ["promtool", "tsdb", "analyze", str(tmp_path / "data")], capture_output=True, text=True, check=True
    )
    assert re.search(rf"(?m)^Series: {len(wanted)}$", told.stdout), told.stdout
    block = next(path for path in (tmp_path / "data").iterdir() if (path / "index").exists())
    listing = subprocess.run(
        ["promtool", "tsdb", "list", str(tmp_path / "data")], capture_output=True, text=True, check=True
    )
    assert re.search(rf"{block.name} .* {done.samples} ", " ".join(listing.stdout.split()))


def test_what_came_by_range_selectors_is_rebuilt_too(metrics: Make, tmp_path: Path) -> None:
    """In pieces of time and of labels, out of order: one series is one series, and nothing comes twice."""
    wanted = truth(metrics=2)
    write_block(tmp_path / "source", wanted)
    with prometheus(tmp_path / "source", "--query.max-samples=100") as (port, _):
        files, error = take(port, step=0, match=("metric_*",))
        parts = _selected(port)
    assert error is None
    files = {"export-0001.jsonl": parts, "metrics.jsonl": files["metrics.jsonl"]}
    opened = bundle_of(metrics, files)
    rebuild(opened, chosen(opened)[0], tmp_path / "data", Progress())
    with prometheus(tmp_path / "data") as (port, _):
        again, error = take(port)
    assert error is None
    assert samples(again) == expected(wanted, stale=False)


def _selected(port: int) -> bytes:
    """An hour in stretches of two minutes, the last first."""
    lines: list[bytes] = []
    for name in ("metric_00_total", "metric_01_total"):
        for kind in range(3):
            for end in range(END, END - 3_600_000, -120_000):
                query = {"query": f'{name}{{type="a|b.{kind}"}}[119999ms]', "time": f"{end / 1000:.3f}"}
                answer = requests.get(f"http://127.0.0.1:{port}/api/v1/query", params=query, timeout=9).json()
                for row in answer["data"]["result"]:
                    times = [round(moment * 1000) for moment, _ in row["values"]]
                    values = [value for _, value in row["values"]]
                    line = {"metric": row["metric"], "values": values, "timestamps": times}
                    lines.append(json.dumps(line).encode() + b"\n")
    return b"".join(lines)


# Native histograms: Debian's Prometheus takes them behind a flag, and gives them in chunks of their own


def _zigzag(value: int) -> bytes:
    return number((value << 1 ^ value >> 63) & (1 << 64) - 1)


def _double(tag: int, value: float) -> bytes:
    return number(tag << 3 | 1) + struct.pack("<d", value)


def _histogram(moment: int, counts: Sequence[int]) -> bytes:
    """Of prompb/types.proto: buckets of schema 2 from index 0 on, as deltas."""
    deltas = [now - before for before, now in zip([0, *counts], counts, strict=False)]
    return b"".join(
        (
            number(1 << 3) + number(sum(counts)), _double(3, 1.5 * sum(counts)), number(4 << 3) + _zigzag(2),
            _double(5, 1e-128), number(6 << 3) + number(0),
            field(11, number(1 << 3) + _zigzag(0) + number(2 << 3) + number(len(counts))),
            field(12, b"".join(map(_zigzag, deltas))), number(15 << 3) + number(moment),
        )
    )  # fmt: skip


def _write(port: int, name: bytes, histograms: Sequence[bytes]) -> None:
    labels = field(1, field(1, b"__name__") + field(2, name)) + field(1, field(1, b"job") + field(2, b"x"))
    body = snappy(field(1, labels + b"".join(field(4, one) for one in histograms)))
    headers = {
        "Content-Encoding": "snappy", "Content-Type": "application/x-protobuf",
        "X-Prometheus-Remote-Write-Version": "0.1.0",
    }  # fmt: skip
    answer = requests.post(f"http://127.0.0.1:{port}/api/v1/write", data=body, headers=headers, timeout=9)
    assert answer.status_code == 204, answer.text


def _raw(port: int, name: str, end: float) -> Any:
    query = {"query": f"{name}[1h]", "time": f"{end:.3f}"}
    answer = requests.get(f"http://127.0.0.1:{port}/api/v1/query", params=query, timeout=9)
    return answer.json()["data"]["result"]


def test_native_histograms_come_back(metrics: Make, tmp_path: Path) -> None:
    now = time.time()
    moments = [round(now * 1000) - 1000 * at for at in range(300, 0, -1)]
    feature = "--enable-feature=native-histograms"
    with prometheus(tmp_path / "source", feature, "--web.enable-remote-write-receiver") as (port, _):
        grown = [_histogram(at, (n % 150, 2 * (n % 150), n % 7)) for n, at in enumerate(moments)]
        _write(port, b"native", grown)
        window = Window(*(datetime.fromtimestamp(now, timezone.utc) - timedelta(hours=at) for at in (1, 0)))
        cluster = Cluster("c", "manual", (Machine("127.0.0.1"),))
        common = Common(cluster, window, SecretRegister(), lambda machine: LocalHost(machine.name))
        files, error = read(
            Samples(Instance("prometheus", "127.0.0.1", port)), AttemptDoors(common, Deadline(60))
        )
        common.close()
        theirs = _raw(port, "native", now)
    assert error is None and len(theirs[0]["histograms"]) == 300
    opened = bundle_of(metrics, files)
    (row,) = [one for one in listed(opened, chosen(opened)[0]) if one.name == "native"]
    assert (row.series, row.samples) == (1, 300)
    (shown,) = select(opened, chosen(opened)[0], parse("native"), 0, 1 << 62)
    assert shown.histograms == 300 and not shown.times
    rebuild(opened, chosen(opened)[0], tmp_path / "data", Progress())
    with prometheus(tmp_path / "data", feature) as (port, _):
        assert _raw(port, "native", now) == theirs
