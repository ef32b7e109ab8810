"""The door to another machine, tried at a real sshd: it does what the door to this machine does."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from tests.host.ssh.conftest import drained, login_shell
from tests.lab.own_sshd import Serve, Sshd

from clinic.deadline import Deadline
from clinic.errors import Cancelled, ItemError, TimedOut
from clinic.host.local import LocalHost
from clinic.host.ssh.host import SSHHost, parse_tools
from clinic.outcome import Reason
from clinic.units import KIB, MIB

pytestmark = pytest.mark.lab
Ask = Callable[..., tuple[int, bytes, str]]


def soon() -> Deadline:
    """Far enough away not to pass."""
    return Deadline(20)


def refusal(call: Callable[[], object]) -> tuple[Reason, str, str]:
    """Why it is refused, in words, and what would mend it."""
    with pytest.raises(ItemError) as caught:
        call()
    return caught.value.reason, caught.value.message, caught.value.fix


@pytest.fixture
def both(node: SSHHost, here: LocalHost) -> tuple[SSHHost, LocalHost]:
    """The two doors, which lead to the same machine here."""
    return node, here


def test_a_command_ends_as_it_does_here(both: tuple[SSHHost, LocalHost]) -> None:
    for argv in (
        ("uname", "-a"),
        ("sh", "-c", "echo a; echo b >&2; exit 3"),
        ("sh", "-c", "kill -9 $$"),
        ("/bin/pwd",),
    ):
        ends: list[tuple[int, bytes, str]] = []
        for host in both:
            with host.run(argv, soon()) as process:
                output = drained(process)
                ends.append((process.status, output, process.stderr))
        assert ends[0] == ends[1]


def test_a_tool_that_cannot_be_run_is_none() -> None:
    said = "/usr/sbin/\nip\nbroken\nthere\nbroken/\nthere/\n/usr/bin/\nip\nls\nthere\nls/\n"
    assert parse_tools(said) == {"ip": "/usr/sbin/ip", "there": "/usr/bin/there"}


def test_it_knows_the_same_tools(both: tuple[SSHHost, LocalHost]) -> None:
    node, here = both
    for tool in ("ls", "sh", "ps", "no-such-tool", "", "../bin/ls", "stat"):
        assert node.which(tool) == here.which(tool)
    assert node.user == here.user
    reason, message, _ = refusal(lambda: node.run(("no-such-tool",), soon()))
    assert (reason, message) == (Reason.TOOL_ABSENT, "no-such-tool is not installed on node")


def test_files_are_listed_as_they_are_here(both: tuple[SSHHost, LocalHost], tmp_path: Path) -> None:
    for name in ("a.log", "b log", "c\nd.log", "é\udcff.log", "$(id).log", ".hidden"):
        (tmp_path / name).write_text(name[:1])
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "x.log").write_text("x")
    (tmp_path / "link.log").symlink_to("nowhere")
    (tmp_path / "there").symlink_to("deep")
    os.mkfifo(tmp_path / "fifo")
    os.utime(tmp_path / "a.log", (1_700_000_000, 1_700_000_000))
    for pattern in (
        "*",
        "*.log",
        "*/*/*.log",
        "there/er/*",
        "nothing*",
        "nothing",
        "no/thing",
        "deep",
        "[ab]*",
        "fifo",
    ):
        told = [host.list(f"{tmp_path}/{pattern}", soon()) for host in both]
        assert [(i.path, i.kind, i.size, i.mode, i.uid, i.gid, int(i.mtime)) for i in told[0]] == [
            (i.path, i.kind, i.size, i.mode, i.uid, i.gid, int(i.mtime)) for i in told[1]
        ]
    assert (
        both[0].stat(f"{tmp_path}/link.log", soon()).kind == both[1].stat(f"{tmp_path}/link.log", soon()).kind
    )
    assert len(both[0].list(f"{tmp_path}/*", soon(), limit=2)) == 2


def test_many_files_are_listed_in_one_answer(node: SSHHost, tmp_path: Path) -> None:
    for number in range(1500):
        (tmp_path / f"{number:05}.{'x' * 100}.log").touch()
    assert len(node.list(f"{tmp_path}/*.log", soon())) == 1500


@pytest.mark.parametrize(
    "path", ["/no/such/file", "/etc", "/dev/null", "fifo", "id_rsa", "tls.pem", "/etc/shadow", "relative"]
)
def test_what_is_refused_here_is_refused_there(
    both: tuple[SSHHost, LocalHost], path: str, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "id_rsa").write_text("x")
    (tmp_path / "tls.pem").write_text("-----BEGIN PRIVATE KEY-----\nMII\n")
    name = path if "/" in path or path == "relative" else f"{tmp_path}/{path}"
    told = [refusal(partial(host.open, name, soon())) for host in both]
    assert told[0] == told[1]


def test_files_are_read_as_they_are_here(both: tuple[SSHHost, LocalHost], tmp_path: Path) -> None:
    for size in (0, 1, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, 3 * MIB + 17):
        data = (
            os.urandom(min(size, MIB)) + b"line of a log\n" * ((max(0, size - MIB)) // 14 + 1)
            if size
            else b""
        )
        data = data[:size]
        (tmp_path / "file").write_bytes(data)
        wanted = [(0, 10), (size - 5, 50), (size + 1, 3), (5000, 70_000), (4096, 4096), (1, 0)]
        wanted = [(max(0, at), length) for at, length in wanted]
        for host in both:
            with host.open(f"{tmp_path}/file", soon()) as reader:
                assert reader.info.size == size
                assert b"".join(reader.stream(0, None, soon())) == data
                assert (
                    b"".join(reader.stream(size // 3, size - 7, soon())) == data[size // 3 : max(0, size - 7)]
                )
                assert reader.ranges(wanted, soon()) == [data[at : at + length] for at, length in wanted]


def test_a_rotation_while_it_is_read_changes_nothing(node: SSHHost, tmp_path: Path) -> None:
    log, data = tmp_path / "tidb.log", os.urandom(2 * MIB)
    log.write_bytes(data)
    with node.open(str(log), soon()) as reader:
        log.rename(tmp_path / "tidb-1.log")
        log.write_bytes(b"new")
        (tmp_path / "tidb-1.log").unlink()
        assert reader.ranges([(MIB, 100)], soon()) == [data[MIB : MIB + 100]]
        assert b"".join(reader.stream(0, None, soon())) == data


@pytest.mark.parametrize("length", [20, 5000])
def test_many_ranges_are_one_round_trip(node: SSHHost, sshd: Sshd, tmp_path: Path, length: int) -> None:
    """Few bytes come as they are, many compressed, and read by two at once."""
    data = os.urandom(MIB) * 12
    (tmp_path / "log").write_bytes(data)
    with node.open(f"{tmp_path}/log", soon()) as reader:
        before = sshd.meter.requests
        found = reader.ranges([(number * 100_000 + 3, length) for number in range(99)], soon())
        assert sshd.meter.requests - before == 1
    assert found == [data[number * 100_000 + 3 :][:length] for number in range(99)]


def test_proc_is_read(both: tuple[SSHHost, LocalHost], node: SSHHost) -> None:
    for host in both:
        with host.open("/proc/1/status", soon()) as reader:
            assert b"".join(reader.stream(0, None, soon())).startswith(b"Name:")
    with node.open("/proc/kallsyms", soon()) as reader:
        assert len(b"".join(reader.stream(0, 200_000, soon()))) == 200_000


def test_slow_commands_do_not_hold_up_others(node: SSHHost, nap: str) -> None:
    with (
        node.run(("sh", "-c", f"exec sleep {nap}"), soon()),
        node.run(("sh", "-c", f"exec sleep {nap}"), soon()),
        node.run(("echo", "x"), soon()) as third,
    ):
        assert drained(third) == b"x\n"


def test_one_connection_carries_it_all(node: SSHHost, sshd: Sshd) -> None:
    threads = [
        threading.Thread(target=lambda: [drained(node.run(("sleep", "0.05"), soon())) for _ in range(5)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    accepted = (sshd.home / "log").read_text().count("Accepted publickey")
    drained(node.run(("true",), soon()))
    assert (sshd.home / "log").read_text().count("Accepted publickey") == accepted
    assert node.cost()["ssh_connections"] == 1


@pytest.mark.parametrize(
    "line", ["exec sleep {nap}", "setsid sh -c 'sleep {nap} & exec sleep {nap}'; exec sleep {nap}"]
)
def test_a_deadline_leaves_nothing_running_there(
    node: SSHHost, line: str, nap: str, asleep: Callable[[int], int]
) -> None:
    with pytest.raises(TimedOut), node.run(("sh", "-c", line.format(nap=nap)), Deadline(0.5)) as process:
        drained(process)
    assert asleep(0) == 0


def test_a_cancelled_command_is_gone(node: SSHHost, nap: str, asleep: Callable[[int], int]) -> None:
    deadline = soon()
    with pytest.raises(Cancelled), node.run(("sh", "-c", f"exec sleep {nap}"), deadline) as process:
        assert asleep(1) == 1
        deadline.cancel()
        drained(process)
    assert asleep(0) == 0


def test_closing_it_leaves_nothing(
    node: SSHHost, sshd: Sshd, nap: str, asleep: Callable[[int], int], tmp_path: Path
) -> None:
    before = set(sshd.home.iterdir())
    (tmp_path / "log").write_bytes(bytes(MIB))
    reader = node.open(f"{tmp_path}/log", soon())
    lines = (f"setsid sleep {nap} & exec sleep {nap}", f"exec sleep {nap}")
    processes = [node.run(("sh", "-c", line), soon()) for line in lines]
    assert asleep(3) == 3
    node.close()
    assert asleep(0) == 0
    reader.close()
    for process in processes:
        process.close()
    assert set(sshd.home.iterdir()) <= before
    assert sshd.left() == []


@pytest.mark.parametrize("shell", ["/usr/bin/busybox sh", "/usr/bin/bash", "/usr/bin/dash"])
def test_any_login_shell_will_do(serve: Serve, shell: str, ask: Ask) -> None:
    host = login_shell(serve, shell).door()
    assert ask(host, "sh", "-c", "echo x; exit 4")[:2] == (4, b"x\n")
    host.close()
