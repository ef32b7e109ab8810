"""The loop in every shell that a node may have, without a connection: what ssh carries are three pipes."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clinic.deadline import Deadline
from clinic.errors import Failed, ItemError, TimedOut
from clinic.host.descendants import MARK
from clinic.host.process import PIECE
from clinic.host.ssh import shell as module
from clinic.host.ssh.host import parse_tools
from clinic.host.ssh.quoting import command, script
from clinic.host.ssh.script import BOOT
from clinic.host.ssh.shell import Ended, RemoteShell
from clinic.host.ssh.traffic import Bucket, HostMeter

SHELLS = ("dash", "bash", "busybox sh")
Begin = Callable[..., RemoteShell]


@pytest.fixture(params=SHELLS)
def begin(request: pytest.FixtureRequest) -> Iterator[Begin]:
    """Starts the loop in a shell, after what `first` prints."""
    shell: str = request.param
    if shutil.which(shell.split(maxsplit=1)[0]) is None:
        pytest.skip(f"not run: no {shell} here")
    started: list[RemoteShell] = []

    def begin(first: str = "true") -> RemoteShell:
        line = f"{first}; {BOOT.replace('/bin/sh', shell)}"
        child = subprocess.Popen(
            ["/bin/sh", "-c", line], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0,
            start_new_session=True,
        )  # fmt: skip
        started.append(
            RemoteShell(child, secrets.token_hex(12), secrets.token_hex(8), HostMeter(Bucket(None)))
        )
        return started[-1]

    yield begin
    for one in started:
        one.close()


@pytest.fixture
def shell(begin: Begin) -> RemoteShell:
    """One that has answered."""
    one = begin()
    one.greet(Deadline(10))
    return one


def say(shell: RemoteShell, body: bytes, seconds: float = 10) -> tuple[int, bytes, bytes]:
    """Run a body to its end: status, output, end of standard error."""
    deadline = Deadline(seconds)
    shell.begin(body, deadline)
    output = shell.rest(deadline)
    return shell.status, output, shell.tail


def run(shell: RemoteShell, *argv: str, stdin: bytes = b"") -> tuple[int, bytes, bytes]:
    """The same for a command."""
    return say(shell, command(argv, {}, stdin))


def test_it_says_who_it_is(begin: Begin) -> None:
    facts = begin().greet(Deadline(10)).decode()
    assert f"uid={os.geteuid()}\n" in facts
    assert "tool=stat\n" in facts


def test_it_lists_what_can_be_run(shell: RemoteShell) -> None:
    """Root's tools are looked at again before they run, others' are tried at once."""
    for who in (b"0", b"1000"):
        tools = parse_tools(say(shell, script(b"U=%b; tools_" % who))[1].decode())
        assert Path(tools["stat"]).samefile("/usr/bin/stat")


def test_what_a_login_prints_first_is_passed_over(begin: Begin) -> None:
    shell = begin("echo Welcome; printf '\\036'; head -c 50000 /dev/zero; echo warning >&2")
    assert "uid=" in shell.greet(Deadline(10)).decode()
    assert run(shell, "echo", "x") == (0, b"x\n", b"")


def test_a_login_that_prints_without_an_end_is_given_up(
    begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHATTER", 100_000)
    with pytest.raises(Failed, match="prints without an end"):
        begin("yes").greet(Deadline(10))


def test_no_shell_is_told_apart(begin: Begin) -> None:
    shell = begin("echo This account is not available; exit 1")
    with pytest.raises(Ended):
        shell.greet(Deadline(10))
    assert shell.close() == 1


def test_both_streams_and_the_status_come_apart(shell: RemoteShell) -> None:
    assert run(shell, "sh", "-c", "echo out; echo err >&2; exit 7") == (7, b"out\n", b"err\n")
    assert run(shell, "sh", "-c", "kill -9 $$") == (-9, b"", b"")
    assert run(shell, "true") == (0, b"", b"")


def test_every_byte_comes_through(shell: RemoteShell) -> None:
    everything = bytes(range(256)) * 50
    assert run(shell, "cat", stdin=everything) == (0, everything, b"")
    # What looks like a mark, and what ends like the beginning of one.
    assert run(shell, "printf", "\\036%s 1 0\\n\\036", "f" * 24)[1] == b"\x1e" + b"f" * 24 + b" 1 0\n\x1e"


def test_arguments_are_never_read_as_shell(shell: RemoteShell) -> None:
    odd = ["", "a b", "$(id)", "`id`", "'", '"', "\\", "*", "a\nb\n.\n", "-n", "é\udcff", "%s", "~", "!x"]
    status, output, _ = run(shell, "printf", "%s\\n", *odd)
    assert status == 0
    assert output == b"".join(os.fsencode(word) + b"\n" for word in odd)


def test_a_command_has_nothing_but_its_environment(shell: RemoteShell) -> None:
    names = {line.partition(b"=")[0] for line in run(shell, "env")[1].splitlines()}
    assert names == {b"PATH", b"LC_ALL", b"HOME", MARK.encode()}


def test_output_comes_while_the_command_runs(shell: RemoteShell) -> None:
    shell.begin(command(("sh", "-c", "echo early; read x </dev/null; exec sleep 100"), {}, b""), Deadline(10))
    assert shell.read(Deadline(10)) == b"early\n"
    shell.stop()
    assert not shell.broken


def test_much_output_needs_little_room(shell: RemoteShell) -> None:
    size = 0
    shell.begin(command(("head", "-c", "50000000", "/dev/zero"), {}, b""), Deadline(30))
    while (data := shell.read(Deadline(30))) is not None:
        size += len(data)
        assert len(data) <= 2 * PIECE
    assert size == 50_000_000


@pytest.mark.parametrize(
    "line",
    [
        "exec sleep {nap}",
        "trap '' TERM HUP; sleep {nap} & sleep {nap} & wait",
        "setsid setsid sh -c 'sleep {nap} & exec sleep {nap}' >/dev/null 2>&1; exec sleep {nap}",
    ],
)
def test_a_deadline_takes_all_of_a_command_along(
    shell: RemoteShell, line: str, nap: str, asleep: Callable[[int], int]
) -> None:
    shell.begin(command(("sh", "-c", line.format(nap=nap)), {}, b""), Deadline(10))
    expected = line.count("{nap}")
    assert asleep(expected) == expected
    with pytest.raises(TimedOut):
        shell.read(Deadline(0.1))
    shell.stop()
    assert asleep(0) == 0
    assert not shell.broken
    assert run(shell, "echo", "on") == (0, b"on\n", b"")


def test_endless_output_can_be_stopped(shell: RemoteShell) -> None:
    shell.begin(script(b"cat /dev/zero"), Deadline(10))
    with pytest.raises(ItemError):
        shell.rest(Deadline(0.2))
    shell.stop()
    assert run(shell, "echo", "on") == (0, b"on\n", b"")


def test_the_end_of_its_input_ends_everything(
    shell: RemoteShell, nap: str, asleep: Callable[[int], int]
) -> None:
    line = f"setsid sleep {nap} >/dev/null 2>&1 & exec sleep {nap}"
    shell.begin(command(("sh", "-c", line), {}, b""), Deadline(10))
    assert asleep(2) == 2
    assert shell.close() == 0
    assert asleep(0) == 0


def test_what_a_command_let_go_of_dies_with_the_shell(
    shell: RemoteShell, nap: str, asleep: Callable[[int], int]
) -> None:
    run(shell, "sh", "-c", f"setsid sleep {nap} >/dev/null 2>&1 & sleep 0.3; exit 0")
    assert asleep(1) == 1
    shell.close()
    assert asleep(0) == 0


def test_it_tells_what_it_spent(shell: RemoteShell) -> None:
    run(shell, "sh", "-c", "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done")
    spent = shell.spent(Deadline(10))
    assert 0.02 < spent < 100
    assert run(shell, "echo", "on") == (0, b"on\n", b"")
    assert shell.spent(Deadline(10)) >= spent
