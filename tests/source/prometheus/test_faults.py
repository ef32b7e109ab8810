"""Every sample of a real Prometheus comes through limits, proxies and damage, or a record says what did not."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from tests.client.servers import Peer, Serve, serve
from tests.source.prometheus.promservers import hurry, read, values_of
from tests.source.prometheus.realproms import (
    WINDOW,
    Change,
    Truth,
    no_read,
    passed_on,
    prometheus,
    proxy,
    reset,
    truth,
    write_block,
)

from clinic.cluster.model import Cluster, Instance, Machine
from clinic.deadline import Deadline
from clinic.errors import ItemError
from clinic.formats.remoteread import LabelMatch, Match
from clinic.formats.xorchunk import STALE, to_bits
from clinic.host.local import LocalHost
from clinic.outcome import Reason, Status
from clinic.run.doors import AttemptDoors, Common
from clinic.secret import SecretRegister
from clinic.source.prometheus import attempt
from clinic.source.prometheus.samples import Samples

__all__ = ["hurry", "serve"]  # fixtures

pytestmark = [pytest.mark.lab, pytest.mark.slow]

Taken = tuple[dict[str, bytes], ItemError | None]


@pytest.fixture(scope="module")
def wanted() -> Truth:
    """What the server has."""
    return truth()


@pytest.fixture(scope="module")
def data(wanted: Truth, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with it."""
    place = tmp_path_factory.mktemp("prometheus") / "data"
    write_block(place, wanted)
    return place


@pytest.fixture(scope="module")
def port(data: Path) -> Iterator[int]:
    """A server without limits over it."""
    with prometheus(data) as (port, _):
        yield port


def take(port: int, **wish: object) -> Taken:
    """All samples that can be had at this port."""
    cluster = Cluster("c", "manual", (Machine("127.0.0.1"),))
    common = Common(cluster, WINDOW, SecretRegister(), lambda machine: LocalHost(machine.name))
    try:
        source = Samples(Instance("prometheus", "127.0.0.1", port), **wish)  # type: ignore[arg-type]  # a test's words
        return read(source, AttemptDoors(common, Deadline(120)))
    finally:
        common.close()


def samples(files: dict[str, bytes]) -> dict[tuple[tuple[str, str], ...], list[tuple[int, int]]]:
    """Every sample of both kinds of files, each asserted to have come once."""
    found = values_of(files)
    for name, content in files.items():
        if name.startswith("export-"):
            for line in content.splitlines():
                row = json.loads(line)
                labels = tuple(sorted(row["metric"].items()))
                both = zip(row["timestamps"], row["values"], strict=True)
                found.setdefault(labels, []).extend((moment, to_bits(float(value))) for moment, value in both)
    for pairs in found.values():
        assert len({moment for moment, _ in pairs}) == len(pairs), "no sample comes twice"
        pairs.sort()
    return found


def expected(wanted: Truth, *, stale: bool) -> dict[tuple[tuple[str, str], ...], list[tuple[int, int]]]:
    """The truth; JSON has no staleness markers, and one kind of NaN."""
    nan = to_bits(float("nan"))
    return {
        tuple((name.decode(), value.decode()) for name, value in labels): [
            (moment, nan if bits == nan else bits) for moment, bits in pairs if stale or bits != STALE
        ]
        for labels, pairs in wanted.items()
    }


def only(wanted: Truth, *names: str) -> Truth:
    """The series of these metrics."""
    return {labels: pairs for labels, pairs in wanted.items() if labels[0][1].decode() in names}


def rows(files: dict[str, bytes]) -> list[dict[str, object]]:
    """What is said of each metric, the head first."""
    return [json.loads(line) for line in files["metrics.jsonl"].splitlines()]


def test_every_sample_comes_bit_for_bit_and_is_verified(port: int, wanted: Truth) -> None:
    files, error = take(port, verify=True)
    assert error is None
    assert samples(files) == expected(wanted, stale=True)
    head, *metrics = rows(files)
    assert head["verified"] == {"metrics": 6, "seed": round(WINDOW.end.timestamp() * 1000)}
    assert all(row["listed"] == row["series"] == 12 for row in metrics)


def test_conditions_on_labels_choose(port: int, wanted: Truth) -> None:
    chosen = (
        LabelMatch(Match.EQUAL, "instance", "10.0.0.1:20180"),
        LabelMatch(Match.NOT_REGEX, "type", "a.b.[12]"),
    )
    files, error = take(port, labels=chosen)
    assert error is None
    assert len(samples(files)) == 6
    assert {dict(labels)["type"] for labels in samples(files)} == {"a|b.0"}


def test_a_value_each_minute(port: int) -> None:
    files, error = take(port, step=60_000)
    assert error is None
    assert "a value each 60 s" in str(rows(files)[0]["way"])
    found = samples(files)
    assert len(found) == 6 * 12
    assert all(moment % 60_000 == 0 for pairs in found.values() for moment, _ in pairs)


LIMITS = (
    ["--storage.remote.read-concurrent-limit=1", "--storage.remote.read-max-bytes-in-frame=2048"],
    ["--query.max-samples=1", "--storage.remote.read-sample-limit=1"],
)


@pytest.mark.parametrize("flags", LIMITS)
def test_limits_of_a_server_cost_no_sample(data: Path, wanted: Truth, flags: list[str]) -> None:
    with prometheus(data, *flags) as (port, _):
        files, error = take(port)
    assert error is None
    assert samples(files) == expected(wanted, stale=True)


@pytest.mark.parametrize("limit", [3000, 100, 10])
def test_low_limits_of_queries_are_met_by_time_and_label(
    data: Path, wanted: Truth, serve: Serve, limit: int
) -> None:
    """12 series with 240 samples each; of 10 samples, one series and some minutes may be asked for at once."""
    with prometheus(data, f"--query.max-samples={limit}") as (port, _):
        files, error = take(serve(proxy(port, no_read)).port, match=("metric_00*", "metric_01*"))
    assert error is None
    few = {
        labels: pairs
        for labels, pairs in wanted.items()
        if labels[0][1] in (b"metric_00_total", b"metric_01_total")
    }
    assert samples(files) == expected(few, stale=False)
    head, *metrics = rows(files)
    assert "has no remote read" in str(head["way"]) and all(
        "range selectors" in str(row["way"]) for row in metrics
    )


def cut_at(size: int, *, hard: bool = False) -> Change:
    """A proxy that cuts what is longer, as one does after thirty seconds."""

    def change(peer: Peer, path: bytes, answer: requests.Response) -> bool:
        if len(answer.content) <= size or b"/api/v1/read" not in path:
            return False
        kind = answer.headers["Content-Type"].encode()
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: " + kind + b"\r\n\r\n")
        peer.send(b"%x\r\n" % size + answer.content[:size])
        reset(peer) if hard else peer.connection.shutdown(socket.SHUT_RDWR)
        return True

    return change


@pytest.mark.parametrize(("size", "hard"), [(20_000, False), (2_000, False), (2_000, True)])
def test_what_a_proxy_cuts_is_asked_for_in_parts(
    port: int, wanted: Truth, serve: Serve, size: int, hard: bool
) -> None:
    files, error = take(serve(proxy(port, cut_at(size, hard=hard))).port)
    assert error is None
    assert samples(files) == expected(wanted, stale=True)


def test_what_was_written_before_a_cut_is_not_written_again(
    data: Path, wanted: Truth, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frames are not held back until their group is whole, and the proxy cuts in the middle of a series."""
    monkeypatch.setattr(attempt, "HOLD", 0)
    with prometheus(data, "--storage.remote.read-max-bytes-in-frame=700") as (port, _):
        files, error = take(serve(proxy(port, cut_at(3_000))).port)
    assert error is None
    assert samples(files) == expected(wanted, stale=True)


def too_late(peer: Peer, path: bytes, answer: requests.Response) -> bool:
    """A proxy that gives up on what takes long, which is what is long."""
    if b"/api/v1/read" in path and len(answer.content) > 5_000:
        peer.answer(
            b"<html><title>504 Gateway Time-out</title></html>",
            status="504 Gateway Time-out",
            kind="text/html",
        )
        return True
    return False


def test_a_gateway_that_gives_up_is_asked_for_less(port: int, wanted: Truth, serve: Serve) -> None:
    files, error = take(serve(proxy(port, too_late)).port)
    assert error is None
    assert samples(files) == expected(wanted, stale=True)


def lying(by: int) -> Change:
    """A proxy whose Content-Length is not that of the body; it sends no more than it says."""

    def change(peer: Peer, path: bytes, answer: requests.Response) -> bool:
        if b"/api/v1/read" not in path:
            return False
        size = len(answer.content) + by
        kind = answer.headers["Content-Type"].encode()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nContent-Type: %s\r\n\r\n" % (size, kind))
        peer.send(answer.content[:size])
        reset(peer) if by > 0 else peer.connection.shutdown(socket.SHUT_RDWR)
        return True

    return change


@pytest.mark.parametrize("by", [10, -10])
def test_a_length_that_lies_never_makes_data(port: int, wanted: Truth, serve: Serve, by: int) -> None:
    """Nothing of it is taken as chunks; range selectors, whose length is right, bring every sample."""
    files, error = take(serve(proxy(port, lying(by))).port, match=("metric_00*",))
    assert error is None and not any(name.startswith("frames-") for name in files)
    assert samples(files) == expected(only(wanted, "metric_00_total"), stale=False)
    assert "range selectors" in str(rows(files)[1]["way"])


def test_a_frame_with_a_wrong_checksum_is_asked_for_again(port: int, wanted: Truth, serve: Serve) -> None:
    seen: list[int] = []

    def change(peer: Peer, path: bytes, answer: requests.Response) -> bool:
        if b"/api/v1/read" not in path:
            return False
        seen.append(1)
        body = bytearray(answer.content)
        if len(seen) % 2:
            body[len(body) // 2] ^= 4
        passed_on(peer, answer, bytes(body))
        return True

    files, error = take(serve(proxy(port, change)).port)
    assert error is None and len(seen) > 1
    assert samples(files) == expected(wanted, stale=True)


def test_a_server_that_is_killed_in_the_middle_leaves_what_came_and_a_record(
    data: Path, wanted: Truth, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempt, "FIRST_GROUP", 1)
    monkeypatch.setattr(attempt, "LARGEST_GROUP", 1)
    with prometheus(data) as (port, running):
        reads: list[int] = []

        def change(peer: Peer, path: bytes, answer: requests.Response) -> bool:
            reads.append(b"/api/v1/read" in path)
            if sum(reads) == 3:
                running.kill()
                running.wait()
            return False

        script = proxy(port, change)

        def dying(peer: Peer) -> None:
            try:
                script(peer)
            except requests.RequestException:
                reset(peer)

        files, error = take(serve(dying).port)
    assert error is not None and error.status is Status.PARTIAL and error.reason is Reason.UNREACHABLE
    complete = expected(wanted, stale=True)
    got = samples(files)
    assert 24 <= len(got) < len(complete) and all(complete[labels] == pairs for labels, pairs in got.items())
    missing = {row["metric"] for row in rows(files)[1:] if "missing" in row}
    assert {dict(labels)["__name__"] for labels in complete} == missing | {
        dict(labels)["__name__"] for labels in got
    }


def test_a_series_that_does_not_come_is_a_gap(port: int, serve: Serve) -> None:
    """What a proxy of several servers does when one of them is down: a good answer without its series."""

    def change(peer: Peer, path: bytes, answer: requests.Response) -> bool:
        if b"/api/v1/read" not in path:
            return False
        passed_on(peer, answer, b"")
        return True

    files, error = take(serve(proxy(port, change)).port)
    assert error is not None and error.reason is Reason.GAP
    assert all("0 series came of 12" in str(row["missing"]) for row in rows(files)[1:])
