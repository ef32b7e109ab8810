"""`clinic metrics` and `clinic rebuild` on a bundle of the lab: what a person sees, and a Prometheus over it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
from tests.cli.conftest import Ended
from tests.lab.fixtures import LabOfTests

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def bundle(scraped_lab: LabOfTests, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Metrics and alerts of the lab's Prometheus, by its address alone."""
    place = tmp_path_factory.mktemp("metrics")
    server = scraped_lab.prometheus
    root = place / "bundle"
    chosen = ["--include", "metrics,alerts", "--metrics-match", "up,ALERTS*,process_*"]
    words = ["collect", "-y", "--prometheus", server.url, *chosen]
    argv = [sys.executable, "-m", "clinic", *words, "-o", str(root)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=place)
    assert done.returncode in (0, 3), done.stderr + done.stdout
    return root


def test_what_is_there_is_listed(clinic: Callable[..., Ended], bundle: Path) -> None:
    done = clinic("metrics", bundle)
    assert done.code == 0
    assert re.search(r"^up +\d+ +\d+", done.out, re.MULTILINE)
    rows = [json.loads(line) for line in clinic("metrics", bundle, "--json").out.splitlines()]
    assert {row["metric"] for row in rows} >= {"up", "ALERTS", "process_resident_memory_bytes"}


def test_series_are_shown_as_lines_rows_and_objects(clinic: Callable[..., Ended], bundle: Path) -> None:
    shown = clinic("metrics", bundle, 'up{job="prometheus"}')
    assert "▁" in shown.out and "job=prometheus" in shown.out
    row = json.loads(clinic("metrics", bundle, 'up{job="down"}', "--json").out)
    assert set(row["values"]) == {0.0} and len(row["values"]) == len(row["timestamps"])
    lines = clinic("metrics", bundle, "up", "--csv").out.splitlines()
    assert lines[0] == "server,series,time,value" and len(lines) > 5


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nix"], "no series in the bundle matches nix"),
        (["rate(up"], "unclosed left parenthesis"),
        (["up", "--json", "--csv"], "can't both"),
    ],
)
def test_what_can_not_be_shown_is_said(
    clinic: Callable[..., Ended], bundle: Path, words: list[str], said: str
) -> None:
    done = clinic("metrics", bundle, *words)
    assert done.code == 2 and said in done.err


def test_promql_is_evaluated_by_the_prometheus_of_this_machine(
    clinic: Callable[..., Ended], bundle: Path
) -> None:
    shown = clinic("metrics", bundle, "sum by (job) (up)", "--step", "5s")
    assert shown.code == 0 and "{job=prometheus}" in shown.out and "▁" in shown.out
    (row,) = [json.loads(line) for line in clinic("metrics", bundle, "count(up)", "--json").out.splitlines()]
    assert row["metric"] == {} and min(row["values"]) >= 1


def test_promql_without_a_prometheus_names_it(
    clinic: Callable[..., Ended], bundle: Path, tmp_path: Path
) -> None:
    done = clinic("metrics", bundle, "sum(up)", env={"PATH": str(tmp_path)})
    assert done.code == 2 and "prometheus, which is not on the PATH" in done.err


def test_alerts_of_the_window_are_there(clinic: Callable[..., Ended], bundle: Path) -> None:
    history = json.loads(
        clinic("inspect", bundle, "monitor/alerts/*/alerts.json".replace("*", _server(bundle))).out
    )
    names = {one["metric"]["alertname"] for one in history["data"]["result"]}
    assert names == {"LabAlwaysFiring", "LabTargetDown"}


def _server(bundle: Path) -> str:
    return next((bundle / "monitor" / "alerts").iterdir()).name


@pytest.mark.slow
def test_a_prometheus_over_the_bundle_answers_as_the_source_did(bundle: Path, tmp_path: Path) -> None:
    argv = [
        sys.executable,
        "-m",
        "clinic",
        "rebuild",
        str(bundle),
        "--dir",
        str(tmp_path / "data"),
        "--serve",
    ]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as running:
        assert running.stdout is not None
        url = ""
        while not url and (line := running.stdout.readline()):
            found = re.search(r"http://127\.0\.0\.1:\d+", line)
            url = found.group() if found else ""
        answer = _asked(url)
        running.send_signal(signal.SIGINT)
        assert running.wait(timeout=30) == 0
    assert {one["metric"]["job"] for one in answer} >= {"prometheus", "down"}


def _asked(url: str) -> list[dict[str, dict[str, str]]]:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            query = {"query": "last_over_time(up[3h])"}
            found = requests.get(f"{url}/api/v1/query", params=query, timeout=5)
            if found.status_code == 200:
                return list(found.json()["data"]["result"])
        except requests.ConnectionError:
            pass
        time.sleep(0.2)
    return []
