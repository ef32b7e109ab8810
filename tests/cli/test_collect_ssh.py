"""`clinic collect` from another machine, over a real sshd: as from this one, and nothing stays there."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.lab.own_sshd import Serve, Sshd

from clinic.bundle.reader import Bundle
from clinic.outcome import Reason, Status

pytestmark = pytest.mark.lab
Clinic = Callable[..., Any]


@pytest.fixture(scope="module")
def sshd(serve: Serve) -> Sshd:
    """A server that lets the caller's own account in."""
    return serve()


def login(sshd: Sshd) -> list[str]:
    """The options that lead to it."""
    return [
        "--host", f"{sshd.login.user}@127.0.0.1:{sshd.port}", "--ssh-key", sshd.login.key,
        "--known-hosts", sshd.login.known_hosts[0], "--max-load", "100000",
    ]  # fmt: skip


def test_a_machine_is_collected_from(clinic: Clinic, sshd: Sshd, tmp_path: Path) -> None:
    ended = clinic("collect", "-y", "-i", "system,clock,network", "-o", "b", *login(sshd))
    assert ended.code == 0, ended.err
    manifest = Bundle.open(tmp_path / "b").manifest
    assert manifest.run.cluster.machines == ("127.0.0.1",)
    assert {record.status for record in manifest.records} <= {Status.OK, Status.SKIPPED}
    [kernel] = [record for record in manifest.records if record.entry.id == "system.kernel"]
    assert kernel.files
    cost = manifest.footprint["127.0.0.1"]
    assert cost["ssh_connections"] == 1
    assert cost["ssh_requests"] > 20
    assert cost["ssh_received"] > 10_000
    assert abs(cost["clock_ahead"]) < 5
    assert 0 < cost["ssh_cpu_seconds"] < 60
    assert "Over SSH: 1 host, 1 connection" in ended.out
    assert sshd.left() == []


def test_only_the_window_of_a_log_travels(clinic: Clinic, sshd: Sshd, tmp_path: Path) -> None:
    log = tmp_path / "tidb.log"
    with log.open("w") as file:
        for second in range(86400):
            at = time.strftime("%Y/%m/%d %H:%M:%S", time.gmtime(1_764_000_000 + second))
            file.write(
                f'[{at}.000 +00:00] [INFO] [conn.go:1] ["a line"] [number={second}] [text="{"x" * 150}"]\n'
            )
    described = tmp_path / "orders.yaml"
    described.write_text(
        f"name: orders\ninstances: [{{component: tidb, host: node1.invalid, port: 4000, log_files: [{log}]}}]\n"
    )
    ended = clinic(
        "collect", "-y", "--topology", described, "-i", "logs", "-o", "b", "--ssh-option", "HostName=127.0.0.1",
        "--ssh-port", str(sshd.port), *login(sshd)[2:], "--from", "@1764036000", "--to", "@1764037800",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    bundle = Bundle.open(tmp_path / "b")
    [record] = [one for one in bundle.manifest.records if one.files]
    numbers = [
        int(line.split("number=")[1].split("]")[0]) for line in _plain(tmp_path / "b" / record.files[0].path)
    ]
    assert numbers == list(range(36000, 37801))
    assert bundle.manifest.footprint["node1.invalid"]["ssh_received"] < log.stat().st_size / 10


def _plain(path: Path) -> list[str]:
    import zstandard

    with path.open("rb") as file:
        return zstandard.ZstdDecompressor().stream_reader(file).read().decode().splitlines()


def test_a_dead_machine_costs_only_its_own_items(clinic: Clinic, sshd: Sshd, tmp_path: Path) -> None:
    ended = clinic("collect", "-y", "-i", "clock", "-o", "b", "--host", "nobody@127.0.0.2:1", *login(sshd))
    assert ended.code == 3
    records = Bundle.open(tmp_path / "b").manifest.records
    assert {one.reason for one in records if one.entry.host == "127.0.0.2"} == {Reason.UNREACHABLE}
    assert all(one.status in (Status.OK, Status.SKIPPED) for one in records if one.entry.host == "127.0.0.1")
    assert "can't be reached over SSH" in ended.out
