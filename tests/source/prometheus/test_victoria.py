"""VictoriaMetrics has no remote read: range selectors bring every sample, below its own limits too."""

from __future__ import annotations

import json
import math
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from tests.client.servers import serve
from tests.source.prometheus.promservers import hurry
from tests.source.prometheus.realproms import await_ready, free_port, truth
from tests.source.prometheus.test_faults import expected, rows, samples, take

from clinic.formats.xorchunk import STALE, to_float

__all__ = ["hurry", "serve"]  # fixtures

pytestmark = [pytest.mark.lab, pytest.mark.slow]


@contextmanager
def victoria(place: Path, *flags: str) -> Generator[int, None, None]:
    """A VictoriaMetrics with the truth in it; gives its port."""
    port = free_port()
    argv = [
        "victoria-metrics", f"-storageDataPath={place}", f"-httpListenAddr=127.0.0.1:{port}",
        "-retentionPeriod=100y", "-loggerLevel=ERROR", *flags,
    ]  # fmt: skip
    with subprocess.Popen(argv) as running:
        try:
            await_ready(f"http://127.0.0.1:{port}/health")
            requests.post(
                f"http://127.0.0.1:{port}/api/v1/import", data=exported(), timeout=30
            ).raise_for_status()
            requests.get(f"http://127.0.0.1:{port}/internal/force_flush", timeout=30).raise_for_status()
            yield port
        finally:
            running.kill()


def exported() -> bytes:
    """The truth as it imports it: no staleness markers, and none of the values that JSON does not have."""
    found: list[bytes] = []
    for labels, pairs in truth(metrics=3).items():
        kept = [
            (moment, to_float(bits))
            for moment, bits in pairs
            if bits != STALE and math.isfinite(to_float(bits))
        ]
        metric = {name.decode(): value.decode() for name, value in labels}
        row = {"metric": metric, "values": [value for _, value in kept], "timestamps": [at for at, _ in kept]}
        found.append(json.dumps(row).encode() + b"\n")
    return b"".join(found)


@pytest.mark.parametrize("flags", [(), ("-search.maxUniqueTimeseries=5", "-search.maxSamplesPerQuery=700")])
def test_every_sample_comes_by_range_selectors(tmp_path: Path, flags: tuple[str, ...]) -> None:
    with victoria(tmp_path / "data", *flags) as port:
        files, error = take(port, verify=not flags, match=("metric_*",))
    assert error is None
    head, *metrics = rows(files)
    assert "has no remote read" in str(head["way"]) and len(metrics) == 3
    want = {
        labels: [(moment, bits) for moment, bits in pairs if math.isfinite(to_float(bits))]
        for labels, pairs in expected(truth(metrics=3), stale=False).items()
    }
    got = samples(files)
    assert got.keys() == want.keys()
    for labels, pairs in want.items():
        assert [moment for moment, _ in got[labels]] == [moment for moment, _ in pairs]
        # Its storage keeps decimals: the last bits of a value are its own (public documentation, and measured).
        ours, theirs = ([to_float(bits) for _, bits in one] for one in (got[labels], pairs))
        assert all(
            math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-300) for a, b in zip(ours, theirs, strict=True)
        )
    if not flags:
        assert head["verified"]["metrics"] == 3  # type: ignore[index]  # it is JSON
