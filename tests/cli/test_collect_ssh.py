"""`clinic collect` from another machine, over a real sshd: as from this one, and nothing stays there."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.cli.terminal import type_at_terminal
from tests.cli.underway import LARGE, RATE, await_middle
from tests.lab.own_sshd import Serve, Sshd, again

from clinic.bundle.reader import Bundle
from clinic.bundle.record import Record
from clinic.outcome import Reason, Status

pytestmark = pytest.mark.lab
Clinic = Callable[..., Any]
FAKE_TIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")


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


def write_log(tmp_path: Path) -> tuple[Path, Path]:
    """A log of a day with an entry a second, and the description of the cluster that writes it."""
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
    return log, described


def numbers_of(bundle: Bundle, directory: Path) -> list[int]:
    """Which entries are in the one file that was collected."""
    [record] = [one for one in bundle.manifest.records if one.files]
    return [int(line.split("number=")[1].split("]")[0]) for line in _plain(directory / record.files[0].path)]


def test_only_the_window_of_a_log_travels(clinic: Clinic, sshd: Sshd, tmp_path: Path) -> None:
    log, described = write_log(tmp_path)
    ended = clinic(
        "collect", "-y", "--topology", described, "-i", "logs", "-o", "b", "--ssh-option", "HostName=127.0.0.1",
        "--ssh-port", str(sshd.port), *login(sshd)[2:], "--from", "@1764036000", "--to", "@1764037800",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    bundle = Bundle.open(tmp_path / "b")
    assert numbers_of(bundle, tmp_path / "b") == list(range(36000, 37801))
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


def test_logs_are_cut_by_the_clock_that_wrote_them(clinic: Clinic, serve: Serve, tmp_path: Path) -> None:
    if not FAKE_TIME.exists():
        pytest.skip("not run: no libfaketime here")
    ahead = serve(f'ForceCommand LD_PRELOAD={FAKE_TIME} FAKETIME=+3600 exec sh -c "$SSH_ORIGINAL_COMMAND"')
    _, described = write_log(tmp_path)
    ended = clinic(
        "collect", "-y", "--topology", described, "-i", "logs", "-o", "b", "--ssh-option", "HostName=127.0.0.1",
        "--ssh-port", str(ahead.port), *login(ahead)[2:], "--from", "@1764036000", "--to", "@1764037800",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    bundle = Bundle.open(tmp_path / "b")
    offset = bundle.manifest.footprint["node1.invalid"]["clock_ahead"]
    assert abs(offset - 3600) < 10
    found = numbers_of(bundle, tmp_path / "b")
    assert abs(found[0] - (36000 + offset)) <= 1
    assert abs(found[-1] - (37800 + offset)) <= 1
    assert any("clock=+3" in action.outcome for one in bundle.manifest.records for action in one.actions)


def test_a_machine_that_dies_in_the_middle_can_be_gone_on_with(
    clinic: Clinic, serve: Serve, declared: Callable[..., Path], tmp_path: Path
) -> None:
    server, begun, back = serve(), tmp_path / "begun", tmp_path / "back"
    line = f"touch {begun}; [ -e {back} ] || sleep 60; echo done"
    collector = declared(
        [{"path": "quick.txt", "command": ["echo", "x"]}, {"path": "slow.txt", "command": ["sh", "-c", line]}]
    )

    def die() -> None:
        until = time.monotonic() + 60
        while not begun.exists() and time.monotonic() < until:
            time.sleep(0.05)
        server.kill()

    killer = threading.Thread(target=die)
    killer.start()
    # Only what the test knows: an item of several files that has some of them by then stays as it is.
    words = ["--collector", collector, "-i", "made", "-o", "b", *login(server)]
    ended = clinic("collect", "-y", *words, timeout=120)
    killer.join()
    assert ended.code == 3, ended.err
    records = {one.entry.path: one for one in Bundle.open(tmp_path / "b").manifest.records}
    [slow] = [one for path, one in records.items() if path.endswith("slow.txt")]
    assert (slow.status, slow.reason) == (Status.FAILED, Reason.UNREACHABLE)
    back.touch()
    server = again(server)
    ended = clinic("collect", "--resume", "b", "--collector", collector, timeout=120)
    server.kill()
    assert ended.code == 0, ended.err + ended.out
    assert all(one.status is Status.OK for one in Bundle.open(tmp_path / "b").manifest.records if one.files)


def test_what_a_lost_connection_cut_is_had_by_a_resumed_run_and_nothing_is_lost_by_one_in_vain(
    clinic: Clinic, serve: Serve, declared: Callable[..., Path], tmp_path: Path
) -> None:
    server, bundle = serve(), tmp_path / "b"
    files = {f"{tmp_path}/files/{name}": os.urandom(size) for name, size in (("a", 300), ("b", LARGE))}
    (tmp_path / "files").mkdir()
    for path, data in files.items():
        Path(path).write_bytes(data)
    rows = [{"path": "kept", "files": [f"{tmp_path}/files/*"], "content": "opaque"}]
    collector = ["--collector", declared(rows)]

    def die() -> None:
        await_middle(bundle)
        server.kill()

    def record() -> Record:
        [found] = [one for one in Bundle.open(bundle).manifest.records if one.entry.id == "made.kept"]
        return found

    killer = threading.Thread(target=die)
    killer.start()
    words = ["-i", "made", "-o", "b", "--limit", RATE, *login(server)]
    ended = clinic("collect", "-y", *collector, *words, timeout=180)
    killer.join()
    assert ended.code == 3, ended.err
    first = record()
    assert (first.status, first.reason) == (Status.PARTIAL, Reason.UNREACHABLE)
    assert first.files[0].plain == 300
    assert "--resume" in first.fix
    assert clinic("collect", "--resume", "b", *collector, timeout=180).code == 3
    second = record()
    assert second.files == first.files
    assert len(second.attempts) > len(first.attempts)
    server = again(server)
    ended = clinic("collect", "--resume", "b", *collector, "--limit", "100M", timeout=180)
    server.kill()
    assert ended.code == 0, ended.out
    assert [file.plain for file in record().files] == [300, LARGE]


def test_a_resumed_run_asks_for_keys_and_passphrases_as_the_first_one_does(
    clinic: Clinic, sshd: Sshd, tmp_path: Path
) -> None:
    key = tmp_path / "locked"
    key.write_bytes(Path(sshd.login.key).read_bytes())
    key.chmod(0o600)
    subprocess.run(["ssh-keygen", "-q", "-p", "-P", "", "-N", "Zq8-open", "-f", str(key)], check=True)
    where = ["--host", f"{sshd.login.user}@127.0.0.1:{sshd.port}", "--ssh-key", str(key)]
    assert clinic("collect", "-y", "-i", "clock", "-o", "b", *where).code == 4
    ended = clinic("collect", "--resume", "b", "--max-load", "100000")
    assert ended.code == 4
    assert "clinic doctor" in ended.out
    again = ["collect", "--resume", "b", "--max-load", "100000"]
    keys, phrase = b"keeps them in", b"passphrase for key"
    code, shown = type_at_terminal(tmp_path, again, (keys, b"no\n"))
    assert (code, "Not kept" in shown) == (4, True)
    code, shown = type_at_terminal(tmp_path, again, (keys, b"yes\n"), (phrase, b"Zq8-open\n"))
    assert code == 0, shown
    assert "SHA256" in shown
    assert "Zq8-open" not in shown
    records = Bundle.open(tmp_path / "b").manifest.records
    assert any(one.status is Status.OK and one.files for one in records)


def test_a_resumed_run_may_log_in_in_another_way(clinic: Clinic, sshd: Sshd, tmp_path: Path) -> None:
    where = ["--host", f"{sshd.login.user}@127.0.0.1:{sshd.port}", "--ssh-key", "/nonexistent"]
    known = ["--known-hosts", sshd.login.known_hosts[0], "--max-load", "100000"]
    assert clinic("collect", "-y", "-i", "clock", "-o", "b", *where, *known).code == 4
    ended = clinic("collect", "--resume", "b", "--ssh-key", sshd.login.key)
    assert ended.code == 0, ended.out + ended.err
