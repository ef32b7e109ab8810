"""A node that means ill: what it sends is data, bounded here; and what it is asked for is bounded, too."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.lab.own_sshd import AT_EASE, Serve, Sshd

from clinic.bundle.reader import Bundle
from clinic.deadline import Deadline
from clinic.errors import Retryable, TimedOut
from clinic.host.process import TAIL
from clinic.host.ssh.host import SSHHost
from clinic.host.ssh.traffic import Bucket, HostMeter
from clinic.outcome import Reason
from clinic.units import KIB, MIB

pytestmark = pytest.mark.lab
Door = Callable[[str], SSHHost]

GIB_OF_ZEROS = "head -c 1073741824 /dev/zero"
PER_HOST = 4
"""Items that run on one host at once."""


@pytest.fixture(scope="module")
def sshd(serve: Serve) -> Sshd:
    """A server that lets the caller's own account in."""
    return serve()


@pytest.fixture
def node(sshd: Sshd) -> Iterator[SSHHost]:
    """The door to it."""
    host = sshd.door()
    yield host
    host.close()


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that root alone may write, in a place that every machine has."""
    path = Path(tempfile.mkdtemp(prefix="clinic-test-", dir="/var/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def packing(serve: Serve, place: Path) -> Iterator[Door]:
    """Logs in at a node whose zstd gives what a command gives, whatever it was to pack."""
    if os.geteuid() != 0:
        pytest.skip("only root can play several users")
    zstd = shutil.which("zstd")
    if zstd is None:
        pytest.skip("needs the zstd command")
    shutil.copy(zstd, place / "real")
    doors: list[SSHHost] = []

    def packing(command: str) -> SSHHost:
        program = place / "zstd"
        program.write_text(f"#!/bin/sh\n{command} | {place}/real -q -1 -c\n")
        program.chmod(0o755)
        line = f'mount --bind {program} {zstd}; exec sh -c "$SSH_ORIGINAL_COMMAND"'
        (place / "forced").write_text(line)
        doors.append(serve(f"ForceCommand unshare --mount sh {place}/forced").door())
        return doors[-1]

    yield packing
    for door in doors:
        door.close()


def test_a_small_answer_that_expands_without_an_end_is_no_answer(packing: Door, tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(os.urandom(MIB))
    with packing(GIB_OF_ZEROS).open(str(tmp_path / "log"), Deadline(20)) as reader:
        with pytest.raises(Retryable, match="expands without an end") as caught:
            reader.ranges([(100 * KIB, 100 * KIB)], Deadline(60))
        assert caught.value.reason is Reason.BAD_ANSWER


@pytest.mark.parametrize("command", [GIB_OF_ZEROS, "cat /dev/zero"])
def test_a_stream_that_expands_is_no_longer_than_the_file(
    packing: Door, tmp_path: Path, command: str
) -> None:
    (tmp_path / "log").write_bytes(os.urandom(MIB))
    host = packing(command)
    with host.open(str(tmp_path / "log"), Deadline(20)) as reader:
        assert sum(map(len, reader.stream(0, None, Deadline(60)))) == MIB
    with host.run(("echo", "on"), Deadline(20)) as process:
        assert b"".join(process.chunks()) == b"on\n"


def test_errors_without_an_end_are_kept_in_little_room(node: SSHHost) -> None:
    process = node.run(("sh", "-c", "yes >&2"), Deadline(1.0))
    with pytest.raises(TimedOut):
        list(process.chunks())
    assert 0 < len(process.stderr) <= TAIL


def test_no_more_comes_than_may(sshd: Sshd, tmp_path: Path) -> None:
    rate = 400 * KIB
    (tmp_path / "log").write_bytes(os.urandom(MIB))
    meter = HostMeter(Bucket(rate))
    host = SSHHost(sshd.login, lambda: sshd.home, meter, AT_EASE)
    with host.open(str(tmp_path / "log"), Deadline(20)) as reader:
        began, before = time.monotonic(), meter.received
        assert sum(map(len, reader.stream(0, None, Deadline(60)))) == MIB
        took = time.monotonic() - began
    assert meter.received - before >= MIB
    assert (meter.received - before) / rate <= took + Bucket.BURST + 0.2
    host.close()


@pytest.fixture
def words(sshd: Sshd) -> list[Any]:
    """What leads to the server."""
    where = ["--host", f"{sshd.user}@127.0.0.1:{sshd.port}", "--ssh-key", sshd.login.key]
    return [*where, "--known-hosts", sshd.login.known_hosts[0], "--max-load", "100000"]


def test_the_limit_holds_from_end_to_end(
    clinic: Callable[..., Any], declared: Callable[..., Path], words: list[Any], tmp_path: Path
) -> None:
    limit = 300 * KIB
    collector = declared(
        [{"path": "x.bin", "command": ["head", "-c", str(MIB), "/dev/urandom"], "content": "opaque"}]
    )
    chosen = ["--collector", collector, "-i", "made", "-o", "b", "--limit", str(limit)]
    ended = clinic("collect", "-y", *chosen, *words)
    assert ended.code == 0, ended.err
    cost = Bundle.open(tmp_path / "b").manifest.footprint
    assert cost["127.0.0.1"]["ssh_received"] >= MIB
    assert cost["127.0.0.1"]["ssh_received"] / limit <= cost["(control machine)"]["seconds"] + 1


def test_a_node_sees_one_connection_and_few_commands_at_once(
    clinic: Callable[..., Any], declared: Callable[..., Path], words: list[Any], sshd: Sshd, tmp_path: Path
) -> None:
    seen = tmp_path / "seen"
    line = f"echo 1 >>{seen}; sleep 0.4; echo -1 >>{seen}; echo done"
    collector = declared([{"path": f"{number}.txt", "command": ["sh", "-c", line]} for number in range(16)])
    accepted = (sshd.home / "log").read_text().count("Accepted publickey")
    ended = clinic("collect", "-y", "--collector", collector, "-i", "made", "-o", "b", *words)
    assert ended.code == 0, ended.err
    assert (sshd.home / "log").read_text().count("Accepted publickey") == accepted + 1
    steps = [int(step) for step in seen.read_text().split()]
    assert sum(steps) == 0 and len(steps) == 32
    assert 1 < max(sum(steps[:number]) for number in range(len(steps))) <= PER_HOST


def test_names_that_mean_ill_reach_no_shell_no_terminal_and_no_other_place(
    clinic: Callable[..., Any], declared: Callable[..., Path], words: list[Any], tmp_path: Path
) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    odd = [
        "tidb.log",
        "tidb-'; touch pwned; '.log",
        "tidb-\n.log",
        "tidb-\x1b[31m.log",
        "tidb-$(touch pwned).log",
    ]
    odd += ["tidb-..\\..\\x.log", "tidb-%2e%2e%2fx.log", "tidb-\x07\x9b.log"]
    for name in odd:
        (logs / name).write_text(name)
    collector = declared([{"path": "odd", "files": [f"{logs}/*"]}])
    ended = clinic("collect", "-y", "--collector", collector, "-i", "made", "-o", "b", *words)
    assert ended.code == 0, ended.err
    records = Bundle.open(tmp_path / "b").manifest.records
    found = [file for one in records for file in one.files]
    assert len(found) == len(odd), (ended.out, ended.err)
    assert not {"\x1b", "\x07", "\x9b"} & set(ended.out + ended.err)
    assert clinic("verify", "b").code == 0
    inside = {os.path.commonpath([path.resolve(), tmp_path / "b"]) for path in (tmp_path / "b").rglob("*")}
    assert inside == {str(tmp_path / "b")}
    assert not [*tmp_path.rglob("pwned"), *Path("/").glob("pwned")]
