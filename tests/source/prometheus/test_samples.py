"""Samples as the server holds them: all of them, checked, or a record that names what is missing."""

from __future__ import annotations

import json

import pytest
import requests
from tests.client.servers import Peer, Script, Serve, serve
from tests.lab.fixtures import LabOfTests
from tests.source.prometheus.promservers import (
    CHUNK,
    NAMES,
    TYPE,
    answers,
    at,
    busy,
    cut,
    doors,
    good,
    hurry,
    message,
    page,
    read,
    values_of,
    wrong_checksum,
)  # fmt: skip

from clinic.cluster.model import Instance
from clinic.deadline import Deadline
from clinic.formats.readframes import frame
from clinic.formats.xorchunk import STALE, to_bits
from clinic.outcome import Reason, Status
from clinic.run.doors import AttemptDoors
from clinic.source.prometheus import attempt as module
from clinic.source.prometheus.samples import Samples

__all__ = ["doors", "hurry", "serve"]  # fixtures


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
    assert came * 0.85 < estimate.size < came * 1.15


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


@pytest.mark.parametrize("bad", [wrong_checksum, cut], ids=["a wrong checksum", "cut short"])
def test_what_breaks_off_once_is_asked_for_again(serve: Serve, doors: AttemptDoors, bad: Script) -> None:
    port = serve(answers([bad, good])).port
    files, error = read(Samples(Instance("prometheus", "127.0.0.1", port)), doors)
    assert error is None
    assert {dict(labels)["__name__"] for labels in values_of(files)} == {"a_total", "b_total"}
    assert all(len(samples) == 60 for samples in values_of(files).values())


def test_a_server_that_asks_for_time_gets_it(
    serve: Serve, doors: AttemptDoors, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(Deadline, "pause", lambda self, seconds: pauses.append(seconds))  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]  # it stands for a method

    def later(peer: Peer) -> None:
        peer.answer(b"busy", "Retry-After: 17", status="503 Service Unavailable")

    files, error = read(
        Samples(Instance("prometheus", "127.0.0.1", serve(answers([later, good])).port)), doors
    )
    assert error is None and pauses == [17]
    assert len(values_of(files)) == 2


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


def test_pages_of_files_in_its_memory_are_no_strain(serve: Serve, doors: AttemptDoors) -> None:
    resident = iter(range(10**6, 10**13, 10**10))

    def script(peer: Peer) -> None:
        while head := peer.head():
            if b"/api/v1/label" in head:
                peer.answer(NAMES)
            elif b"/api/v1/read" in head:
                good(peer)
            else:
                own = b"go_memstats_heap_inuse_bytes 3e+07\ngo_memstats_next_gc_bytes 4e+07\n"
                peer.answer(own + b"process_resident_memory_bytes %d\n" % next(resident), kind="text/plain")

    files, error = read(Samples(Instance("prometheus", "127.0.0.1", serve(script).port)), doors)
    assert error is None
    head = json.loads(files["metrics.jsonl"].splitlines()[0])
    assert (head["heap_growth"], head["pauses"]) == (0, 0)
    assert head["protection"]["pause_at_heap_growth"] < head["protection"]["stop_at_heap_growth"]


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
