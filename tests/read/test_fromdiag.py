"""What diag collected, in its directory or in a `.diag`, is read as a bundle is, with what diag loses named."""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from tests.read.conftest import instances, run
from tests.read.test_diag import LOG, START, Pair, opened, pair

from clinic.cli.main import run as clinic
from clinic.errors import UsageError
from clinic.read.diaganswers import BadAnswer, series_of
from clinic.read.diagtree import convert
from clinic.read.logs import Choice, merged
from clinic.read.metrics import listed, select
from clinic.read.open import Opened, opening
from clinic.read.pack import pack
from clinic.read.samples import chosen
from clinic.read.selector import parse

__all__ = ["instances", "opened", "pair", "run"]

EVER = 1 << 62


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go."""
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    return tmp_path / "scratch"


def samples(opened: Opened, text: str) -> list[tuple[int, float]]:
    (one,) = chosen(opened)
    return [
        pair
        for each in select(opened, one, parse(text), -EVER, EVER)
        for pair in zip(each.times, each.values, strict=True)
    ]


def test_a_diag_file_is_read_as_its_bundle_and_nothing_of_it_has_a_name(
    opened: Opened, pair: Pair, tmp_path: Path, scratch: Path
) -> None:
    pack(opened, tmp_path / "p.diag", certificate=pair.pem)
    convert(opened, tmp_path / "tree")
    for path in (tmp_path / "p.diag", tmp_path / "tree"):
        with opening(path, key=pair.key) as read:
            lines = list(merged(read, Choice(kinds=("std",))))
            assert [line.text for line in lines] == LOG.splitlines()
            assert {line.file.source for line in lines} == {"db1"}
            assert samples(read, "up") == samples(opened, "up") != []
            assert samples(read, "load") == samples(opened, "load")
            assert [metric.name for metric in listed(read, chosen(read)[0])] == ["load", "up"]
            assert os.listdir(scratch) == []
    assert os.listdir(scratch) == []


def test_without_its_key_nothing_of_it_is_read(opened: Opened, pair: Pair, tmp_path: Path) -> None:
    pack(opened, tmp_path / "p.diag", certificate=pair.pem)
    with pytest.raises(UsageError, match="is encrypted"), opening(tmp_path / "p.diag"):
        pass


# -- as diag itself writes it

ENTRY = b"[2026/11/25 %s.000 +00:00] [%s] [a.go:1] [hello]\n"
TOPOLOGY: dict[str, object] = {
    "version": "v7.5.1",
    "tidb": [
        {"host": "10.0.0.1", "port": 4000, "attributes": {"deploy_dir": "/d/tidb-4000"}},
        {"host": "10.0.0.1", "port": 4001, "attributes": {"deploy_dir": "/d/tidb-40", "log_dir": "/l/4001"}},
    ],
    "pd": [{"host": "10.0.0.2", "port": 2379}],
    "attributes": {"tiup-cluster": {}},
}
FILES = {
    "cluster.json": json.dumps(
        {"cluster_name": "shop", "cluster_id": 7026979526203810949, "topology": TOPOLOGY}
    ).encode(),
    "meta.yaml": b"user: tidb\n",
    "diag.log": ENTRY % (b"09:00:00", b"INFO"),
    "10.0.0.1/dmesg.log": b"[1] x\n",
    "10.0.0.1/d/tidb-4000/log/tidb.log": ENTRY % (b"10:00:03", b"ERROR"),
    "10.0.0.1/d/tidb-4000/log/tidb-2026-11-25T10-00-02.000.log.gz": gzip.compress(
        ENTRY % (b"10:00:01", b"INFO")
    ),
    "10.0.0.1/l/4001/tidb.log": ENTRY % (b"10:00:02", b"WARN"),
    "10.0.0.1/d/tidb-4000/conf/config.json": b'{"a": 1}',
    "10.0.0.1/l/../odd": b"",
    "10.0.0.1/d/tidb-40/conf/config.json": b'{"a": 2}',
    "10.0.0.2/d/pd/log/pd.log": b"",
}
M = "monitor/metrics/10_0_0_9_9090/"


EMPTY = "it is empty, or cut short before its first sample"


def answer(values: list[tuple[float, str]], **labels: str) -> bytes:
    series = {"metric": {"__name__": "up", **labels}, "values": values}
    return json.dumps({"status": "success", "data": {"resultType": "matrix", "result": [series]}}).encode()


METRICS = {
    f"{M}up-2025-11-24T16:00:00Z-2025-11-24T18:00:00Z.json": zstandard.compress(
        answer([(START / 1000, "1"), (START / 1000 + 15, "NaN")], a="]]}")
    ),
    # diag asks backwards and twice for the moment between two of its blocks.
    f"{M}up-2025-11-24T14:00:00Z-2025-11-24T16:00:00Z.json": answer(
        [(START / 1000 - 15, "+Inf"), (START / 1000, "1")], a="]]}"
    ),
    f"{M}bad-a.json": b'{"status":"error","errorType":"execution","error":"too many samples"}',
    f"{M}bad-b.json": b"",
    f"{M}bad-c.json": zstandard.compress(answer([(1.0, "1")] * 9000))[:40],
    f"{M}bad-d.json": answer([(1.0, "1"), (2.0, "2")])[:-20],
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A directory as diag makes it."""
    for name, data in (FILES | METRICS).items():
        if ".." not in name:
            (tmp_path / "diag" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "diag" / name).write_bytes(data)
    (tmp_path / "diag" / "10.0.0.1" / "l" / "4001" / "link.log").symlink_to("/etc/passwd")
    return tmp_path / "diag"


def test_logs_are_merged_and_belong_to_their_instance(tree: Path) -> None:
    with opening(tree) as read:
        lines = [(line.file.source, str(line.level)) for line in merged(read, Choice())]
    assert [source for source, _ in lines] == ["10.0.0.1-4000", "10.0.0.1-4001", "10.0.0.1-4000"]
    with opening(tree) as read:
        graver = list(merged(read, Choice(level="warn", instances=("10.0.0.1:4001",))))
    assert len(graver) == 1


def test_metrics_in_several_files_are_one_series_and_what_diag_lost_is_named(tree: Path) -> None:
    with opening(tree) as read:
        found = samples(read, 'up{a="]]}"}')
        assert [moment for moment, _ in found] == [START - 15_000, START, START + 15_000]
        told = {metric.name.removeprefix(M): metric.missing for metric in listed(read, chosen(read)[0])}
    assert told == {
        "up": "", "bad-a.json": "it is an error of Prometheus: too many samples", "bad-b.json": EMPTY,
        "bad-c.json": EMPTY, "bad-d.json": "it is cut short or damaged",
    }  # fmt: skip


def test_the_commands_read_it(tree: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert clinic(["logs", str(tree), "--level", "error"]) == 0
    assert "10.0.0.1-4000" in capfd.readouterr().out
    assert clinic(["metrics", str(tree), "up", "--json"]) == 0
    out, err = capfd.readouterr()
    assert json.loads(out.splitlines()[0])["metric"] == {"__name__": "up", "a": "]]}"}
    assert "bad-d.json: it is cut short or damaged; what stands before that is shown" in err
    assert clinic(["drift", str(tree), "--json"]) in (0, 1)
    assert '"a"' in capfd.readouterr().out
    assert clinic(["inspect", str(tree), "meta.yaml"]) == 0
    assert capfd.readouterr().out == "user: tidb\n"
    assert clinic(["inspect", str(tree)]) == 0
    assert "Collected by diag: nothing in it has a digest" in capfd.readouterr().out
    assert clinic(["convert", str(tree), "--to", "diag", "-o", str(tree / "../again")]) == 2
    assert "was collected by diag, and is no bundle" in capfd.readouterr().err
    assert clinic(["rebuild", str(tree), "--dir", str(tree / "../data")]) == 0


@given(st.lists(st.text(max_size=9), max_size=5), st.integers(0, 600))
def test_a_cut_answer_gives_what_is_whole(names: list[str], cut: int) -> None:
    """Whatever labels hold, and wherever it is cut: a beginning of the series, never another error."""
    rows = [{"metric": {"x": name}, "values": [[1, "1"]]} for name in names]
    data = json.dumps({"data": {"result": rows}}, ensure_ascii=False, separators=(",", ":")).encode()
    found: list[str] = []
    whole = cut >= len(data) - 2
    try:
        found.extend(each.labels["x"] for each in series_of(io.BytesIO(data[:cut])))
    except BadAnswer:
        whole = False
    assert found == names[: len(found)]
    if cut >= len(data) - 2:
        assert whole
        assert found == names


@pytest.mark.slow
def test_a_kill_at_any_instant_leaves_nothing(
    opened: Opened, pair: Pair, tmp_path: Path, scratch: Path
) -> None:
    pack(opened, tmp_path / "p.diag", certificate=pair.pem)
    words: list[str | Path] = [sys.executable, "-m", "clinic", "logs", tmp_path / "p.diag", "--key", pair.key]
    for number in range(8):
        running = subprocess.Popen(
            words,
            env={**os.environ, "TMPDIR": str(scratch)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(0.15 * number)
        running.kill()
        running.wait()
        assert os.listdir(scratch) == []
