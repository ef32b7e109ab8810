"""The plan's estimate is near what comes, though metrics differ in series, and series in how well they pack."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.client.servers import Serve, serve
from tests.source.prometheus.promservers import hurry, read
from tests.source.prometheus.realproms import (
    END,
    START,
    WINDOW,
    Truth,
    no_read,
    prometheus,
    proxy,
    write_block,
)

from clinic.cluster.model import Cluster, Instance, Machine
from clinic.deadline import Deadline
from clinic.formats.remoteread import LabelMatch, Match
from clinic.formats.xorchunk import to_bits
from clinic.host.local import LocalHost
from clinic.run.doors import AttemptDoors, Common
from clinic.secret import SecretRegister
from clinic.source.prometheus.estimate import batches
from clinic.source.prometheus.samples import Samples

__all__ = ["hurry", "serve"]  # fixtures


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A server with 60 metrics of 1 to 60 series, some that hardly change and some that are noise."""
    place: Path = tmp_path_factory.mktemp("prometheus") / "data"
    noise = random.Random(7)
    found: Truth = {}
    for metric in range(60):
        for number in range(metric + 1):
            labels = (
                (b"__name__", b"uneven_%02d" % metric), (b"instance", b"10.0.0.%d:20180" % (number % 7)),
                (b"type", b"t%d" % number),
            )  # fmt: skip
            values = (noise.random() if metric % 3 == 0 else number // 9 * metric for number in range(400))
            moments = range(START + 1 + metric, END, 15_000 if metric % 2 else 60_000)
            found[labels] = [(at, to_bits(float(value))) for at, value in zip(moments, values, strict=False)]
    write_block(place, found)
    with prometheus(place) as (port, _):
        yield port


WISHES: list[dict[str, Any]] = [
    {}, {"match": ("uneven_[0-3]*",), "exclude": ("uneven_1*",)},
    {"labels": (LabelMatch(Match.EQUAL, "instance", "10.0.0.1:20180"),)}, {"step": 300_000},
]  # fmt: skip


@pytest.mark.lab
@pytest.mark.slow
@pytest.mark.parametrize("wish", WISHES)
@pytest.mark.parametrize("way", ["chunks", "selectors"])
def test_the_estimate_is_within_15_percent(port: int, serve: Serve, wish: dict[str, Any], way: str) -> None:
    asked = port if way == "chunks" else serve(proxy(port, no_read)).port
    cluster = Cluster("c", "manual", (Machine("127.0.0.1"),))
    common = Common(cluster, WINDOW, SecretRegister(), lambda machine: LocalHost(machine.name))
    source = Samples(Instance("prometheus", "127.0.0.1", asked), **wish)
    try:
        estimate = source.plan(AttemptDoors(common, Deadline(60))).size
        files, error = read(source, AttemptDoors(common, Deadline(60)))
    finally:
        common.close()
    came = sum(len(data) for name, data in files.items() if name != "metrics.jsonl")
    assert error is None and estimate is not None and came > 20_000
    assert came * 0.85 < estimate < came * 1.15


def test_names_are_asked_for_in_questions_that_a_proxy_takes() -> None:
    names = [f"metric_{number:06}" for number in range(1000)]
    groups = list(batches(names))
    assert [name for group in groups for name in group] == names
    assert max(map(len, groups)) == 100
    assert all(len("|".join(group)) <= 3000 for group in batches([name * 20 for name in names]))
