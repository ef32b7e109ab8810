"""A block that we write is one to Prometheus' own tools; every sample of it is there."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from clinic.formats.readframes import crc32c
from clinic.formats.tsdb import (
    SEGMENT,
    ChunkRef,
    ChunkWriter,
    Labels,
    meta,
    ulid,
    write_index,
)
from clinic.formats.xorchunk import encode, to_bits

START = 1_764_000_000_000
LABELS: list[Labels] = [
    ((b"__name__", name), (b"instance", host.encode()))
    for name in (b"pd_up", b"tidb_qps")
    for host in ("a:1", "b:1", "ü")
]


def block(root: Path) -> tuple[str, Path]:
    """Six series of three chunks of 120 samples, 15 s apart."""
    name = ulid(START, b"0123456789")
    place = root / name
    (place / "chunks").mkdir(parents=True)
    writer = ChunkWriter(lambda number: (place / "chunks" / f"{number + 1:06d}").open("wb"), crc32c)
    series: list[tuple[Labels, list[ChunkRef]]] = []
    for labels in LABELS:
        refs: list[ChunkRef] = []
        for begin in range(0, 360, 120):
            samples = [(START + at * 15_000, to_bits(at * 1.25)) for at in range(begin, begin + 120)]
            refs.append(ChunkRef(samples[0][0], samples[-1][0], writer.add(1, encode(samples)), len(samples)))
        series.append((labels, refs))
    writer.close()
    with (place / "index").open("wb") as out:
        write_index(out, series, crc32c)
    (place / "meta.json").write_bytes(meta(name, [refs for _, refs in series]))
    return name, place


@pytest.mark.lab
def test_promtool_reads_what_we_write(tmp_path: Path) -> None:
    name, _ = block(tmp_path)
    (tmp_path / "wal").mkdir()  # dump wants one
    listed = subprocess.run(
        ["promtool", "tsdb", "list", str(tmp_path)], capture_output=True, text=True, check=True
    ).stdout.split("\n")[1]
    assert listed.split()[0] == name and {"2160", "18", "6"} <= set(listed.split())
    dumped = subprocess.run(
        ["promtool", "tsdb", "dump", str(tmp_path)], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    named = [", ".join(f'{name.decode()}="{value.decode()}"' for name, value in labels) for labels in LABELS]
    want = [f"{{{each}}} {at * 1.25:g} {START + at * 15_000}" for each in named for at in range(360)]
    assert sorted(dumped) == sorted(want)


def test_the_facts_of_a_block_are_exact(tmp_path: Path) -> None:
    name, place = block(tmp_path)
    facts = json.loads((place / "meta.json").read_bytes())
    assert (facts["ulid"], facts["minTime"], facts["maxTime"]) == (name, START, START + 359 * 15_000 + 1)
    assert facts["stats"] == {"numSamples": 2160, "numSeries": 6, "numChunks": 18}


def test_a_segment_that_is_full_is_followed_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clinic.formats.tsdb.SEGMENT", 100)
    writer = ChunkWriter(lambda number: (tmp_path / str(number)).open("wb"), lambda data: 0)
    refs = [writer.add(1, b"x" * 40) for _ in range(4)]
    writer.close()
    assert [(ref >> 32, ref & 0xFFFFFFFF) for ref in refs] == [(0, 8), (0, 54), (1, 8), (1, 54)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "1"]
    assert SEGMENT == 512 << 20


def test_the_name_of_a_block_is_as_the_specification_writes_it() -> None:
    assert ulid(0, bytes(10)) == "0" * 26
    assert ulid((1 << 48) - 1, b"\xff" * 10) == "7ZZZZZZZZZZZZZZZZZZZZZZZZZ"
