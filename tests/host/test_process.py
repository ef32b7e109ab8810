"""Commands end when they should, whatever they do, and leave nothing behind."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Callable

import psutil
import pytest

from clinic.deadline import Deadline
from clinic.errors import Cancelled, TimedOut
from clinic.host.base import Process
from clinic.host.local import LocalHost
from clinic.host.process import PIECE, TAIL
from clinic.outcome import Reason
from clinic.units import GIB, KIB, MIB

Ask = Callable[..., tuple[int, bytes, str]]
Drain = Callable[[Process], bytes]
Asleep = Callable[[int], int]


def test_output_status_and_errors_come_apart(ask: Ask) -> None:
    assert ask("sh", "-c", "echo out; echo err >&2; exit 7") == (7, b"out\n", "err\n")


def test_the_status_of_a_killed_command_is_minus_the_signal(ask: Ask) -> None:
    assert ask("sh", "-c", "kill -TERM $$")[0] == -15


def test_a_status_is_not_made_up_before_the_end(here: LocalHost) -> None:
    with here.run(["sleep", "5"], Deadline(5)) as process, pytest.raises(RuntimeError):
        _ = process.status


def test_a_hang_ends_at_the_deadline(here: LocalHost, nap: str, asleep: Asleep) -> None:
    started = time.monotonic()
    with here.run(["sleep", nap], Deadline(0.2)) as process, pytest.raises(TimedOut) as caught:
        list(process.chunks())
    assert caught.value.reason is Reason.DEADLINE
    assert time.monotonic() - started < 1
    assert asleep(0) == 0


def test_silence_ends_at_the_stall_deadline(here: LocalHost, nap: str, asleep: Asleep) -> None:
    with here.run(["sh", "-c", f"echo hello; sleep {nap}"], Deadline(60, stall=0.5)) as process:
        chunks = process.chunks()
        assert next(chunks) == b"hello\n"
        with pytest.raises(TimedOut) as caught:
            next(chunks)
    assert caught.value.reason is Reason.STALLED
    assert asleep(0) == 0


def test_our_own_slowness_is_no_stall(here: LocalHost) -> None:
    with here.run(["sh", "-c", "echo a; sleep 0.05; echo b"], Deadline(60, stall=0.5)) as process:
        chunks = process.chunks()
        assert next(chunks) == b"a\n"
        time.sleep(0.6)
        assert list(chunks) == [b"b\n"]


def test_a_child_that_ignores_sigterm_is_killed(here: LocalHost, nap: str, asleep: Asleep) -> None:
    script = f"trap '' TERM INT HUP; echo ready; while :; do sleep {nap}; done"
    with here.run(["sh", "-c", script], Deadline(0.2)) as process:
        with pytest.raises(TimedOut):
            list(process.chunks())
        assert not psutil.pid_exists(process.pid)  # type: ignore[attr-defined] # only a local process has one
    assert asleep(0) == 0


def test_a_stopped_child_is_killed(here: LocalHost, nap: str, asleep: Asleep) -> None:
    script = f"sleep {nap} & kill -STOP $! $$"
    with here.run(["sh", "-c", script], Deadline(0.2)) as process, pytest.raises(TimedOut):
        list(process.chunks())
    assert asleep(0) == 0


@pytest.mark.parametrize("starter", ["", "setsid "], ids=["in the group", "in a session of its own"])
def test_a_grandchild_that_holds_the_pipe_neither_hangs_us_nor_survives(
    ask: Ask, nap: str, asleep: Asleep, starter: str
) -> None:
    started = time.monotonic()
    assert ask("sh", "-c", f"{starter}sleep {nap} & echo done") == (0, b"done\n", "")
    assert time.monotonic() - started < 1.5
    assert asleep(0) == 0


def test_a_grandchild_that_never_stops_talking_is_cut_off(ask: Ask, nap: str, asleep: Asleep) -> None:
    script = f"(sleep {nap} & while :; do echo noise; echo noise >&2; done) & sleep 0.05; echo done"
    started = time.monotonic()
    status, output, _ = ask("sh", "-c", script)
    assert status == 0
    assert b"done\n" in output
    assert time.monotonic() - started < 3
    assert asleep(0) == 0


@pytest.mark.parametrize("starter", ["", "setsid "], ids=["in the group", "in a session of its own"])
def test_a_deadline_takes_grandchildren_along(
    here: LocalHost, nap: str, asleep: Asleep, starter: str
) -> None:
    script = f"{starter}sleep {nap} >/dev/null 2>&1 & {starter}sleep {nap} & sleep {nap}"
    with here.run(["sh", "-c", script], Deadline(0.2)) as process, pytest.raises(TimedOut):
        list(process.chunks())
    assert asleep(0) == 0


def test_what_a_command_let_go_of_is_killed_with_its_group(ask: Ask, nap: str, asleep: Asleep) -> None:
    assert ask("sh", "-c", f"sleep {nap} >/dev/null 2>&1 & echo done")[1] == b"done\n"
    assert asleep(0) == 0


def test_a_daemon_that_a_command_made_dies_with_the_host(nap: str, asleep: Asleep, drain: Drain) -> None:
    host = LocalHost("here")
    script = f"setsid sleep {nap} >/dev/null 2>&1 & sleep 0.1; echo done"
    with host.run(["sh", "-c", script], Deadline(5)) as process:
        assert drain(process) == b"done\n"
    assert asleep(1) == 1
    host.close()
    assert asleep(0) == 0


def test_a_cancel_in_the_middle_is_felt_at_once(here: LocalHost, nap: str, asleep: Asleep) -> None:
    deadline = Deadline(60)
    with here.run(["sh", "-c", f"echo begun; sleep {nap}"], deadline) as process:
        chunks = process.chunks()
        assert next(chunks) == b"begun\n"
        threading.Timer(0.05, deadline.cancel).start()
        started = time.monotonic()
        with pytest.raises(Cancelled):
            next(chunks)
    assert time.monotonic() - started < 1
    assert asleep(0) == 0


def test_closing_the_host_ends_what_other_threads_read(nap: str, asleep: Asleep) -> None:
    host = LocalHost("here")
    ends: list[object] = []

    def read() -> None:
        with host.run(["sh", "-c", f"echo begun; sleep {nap}"], Deadline(60)) as process:
            try:
                ends.extend(process.chunks())
            except Cancelled as error:
                ends.append(error.reason)

    reader = threading.Thread(target=read)
    reader.start()
    while not ends:
        time.sleep(0.01)
    host.close()
    reader.join(2)
    assert ends == [b"begun\n", Reason.INTERRUPTED]
    assert asleep(0) == 0
    with pytest.raises(Cancelled):
        host.run(["true"], Deadline(1))
    host.close()


def test_leaving_early_kills(here: LocalHost, nap: str, asleep: Asleep) -> None:
    with here.run(["sh", "-c", f"echo begun; exec sleep {nap}"], Deadline(60)) as process:
        assert next(process.chunks()) == b"begun\n"
    assert process.status == -15
    process.close()
    assert asleep(0) == 0


def test_a_command_that_closes_its_pipes_is_waited_for(ask: Ask) -> None:
    assert ask("sh", "-c", "echo said; exec >&- 2>&-; sleep 0.2; exit 3") == (3, b"said\n", "")


def test_an_old_kernel_will_do(ask: Ask, nap: str, asleep: Asleep, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before Linux 5.3 nothing says that a child has ended but the child."""

    def none(pid: int) -> int:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(os, "pidfd_open", none)
    assert ask("sh", "-c", "echo said; exec >&- 2>&-; sleep 0.1; exit 3") == (3, b"said\n", "")
    assert ask("sh", "-c", f"sleep {nap} & echo done") == (0, b"done\n", "")
    assert asleep(0) == 0


def test_output_survives_a_slow_reader(here: LocalHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that was written before the end is read, however late."""
    monkeypatch.setattr("clinic.host.process.HELD", 0.05)
    got = 0
    with here.run(["head", "-c", "900K", "/dev/zero"], Deadline(60)) as process:
        for data in process.chunks():
            got += len(data)
            time.sleep(0.1)
    assert got == 900 * KIB


def test_pieces_are_bounded_and_errors_do_not_block(here: LocalHost) -> None:
    """Much on both pipes at once, in turns that would fill either of them."""
    script = "for i in $(seq 128); do head -c 65536 /dev/zero; head -c 65536 /dev/zero | tr '\\0' x >&2; done"
    total = 0
    with here.run(["sh", "-c", f"{script}; echo the end >&2"], Deadline(30)) as process:
        for data in process.chunks():
            assert len(data) <= PIECE
            total += len(data)
    assert total == 128 * 64 * KIB
    assert process.stderr.endswith("xxxthe end\n")
    assert len(process.stderr) == TAIL


def test_bytes_that_are_no_text_pass_unchanged(ask: Ask) -> None:
    status, output, errors = ask("sh", "-c", r"printf '\377\000\303'; printf '\377!' >&2")
    assert (status, output, errors) == (0, b"\xff\x00\xc3", "�!")


def test_input_is_fed_while_output_is_read(ask: Ask) -> None:
    data = os.urandom(3 * MIB)
    assert ask("cat", stdin=data)[1] == data


def test_input_that_nobody_wants_is_dropped(ask: Ask) -> None:
    assert ask("true", stdin=bytes(MIB))[0] == 0
    assert ask("sh", "-c", "exec <&-; sleep 0.1; echo fine", stdin=bytes(MIB))[1] == b"fine\n"


def test_memory_stays_flat_while_64_mib_pass(here: LocalHost) -> None:
    assert _growth(here, 64 * MIB) < 8 * MIB


@pytest.mark.soak
def test_memory_stays_flat_while_a_gigabyte_passes(here: LocalHost) -> None:
    assert _growth(here, GIB) < 8 * MIB


def _growth(host: LocalHost, size: int) -> int:
    """How much memory it takes to read so much, with noise on standard error."""
    us = psutil.Process()
    before = most = us.memory_info().rss
    script = f"yes noise | head -c {size // 8} >&2 & head -c {size} /dev/zero; wait"
    total = 0
    with host.run(["sh", "-c", script], Deadline(300)) as process:
        for data in process.chunks():
            total += len(data)
            if total % (16 * MIB) < len(data):
                most = max(most, us.memory_info().rss)
    assert (process.status, total) == (0, size)
    return most - before


def test_no_descriptor_and_no_zombie_is_left(here: LocalHost, ask: Ask) -> None:
    ask("true")
    before = os.listdir("/proc/self/fd")
    for _ in range(20):
        ask("sh", "-c", "echo a; echo b >&2", stdin=b"x")
    assert os.listdir("/proc/self/fd") == before
    children = psutil.Process().children()
    assert [child.status() for child in children].count(psutil.STATUS_ZOMBIE) == 0
