"""What may run here, as whom, with what environment, and what it costs."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from clinic.deadline import Deadline
from clinic.errors import Failed, ItemError, Retryable, Skip, TimedOut
from clinic.host.local import LocalHost
from clinic.outcome import Reason

Ask = Callable[..., tuple[int, bytes, str]]
AsNobody = Callable[[Callable[[], Any]], Any]


@pytest.fixture
def forks(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Every program that was started from here on."""
    started: list[object] = []

    class Counting(subprocess.Popen[bytes]):
        def __init__(self, args: Any, **options: Any) -> None:
            started.append(args)
            super().__init__(args, **options)

    monkeypatch.setattr(subprocess, "Popen", Counting)
    return started


def test_an_absent_tool_costs_no_fork(here: LocalHost, forks: list[object]) -> None:
    with pytest.raises(Skip) as caught:
        here.run(["no-such-tool-anywhere", "-v"], Deadline(1))
    assert caught.value.reason is Reason.TOOL_ABSENT
    assert "no-such-tool-anywhere" in caught.value.message
    assert forks == []
    here.run(["true"], Deadline(1)).close()
    assert ("/usr/bin/true",) in forks or ("/bin/true",) in forks


@pytest.mark.parametrize("tool", ["", ".", "..", "../bin/sh", "a\0b", "/bin/sh"])
def test_only_plain_names_are_looked_up(here: LocalHost, tool: str) -> None:
    assert here.which(tool) is None


def test_tools_come_from_the_system_path_alone(
    here: LocalHost, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = place / "clinic-test-tool"
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{place}:{os.environ['PATH']}")
    assert here.which("clinic-test-tool") is None
    assert here.which("sh") in ("/usr/bin/sh", "/bin/sh")


def test_a_command_inherits_nothing(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CLINIC_TOKEN", "LD_PRELOAD_X", "MYSQL_PWD", "LANG"):
        monkeypatch.setenv(name, "canary")
    given = dict(line.split("=", 1) for line in ask("env")[1].decode().splitlines())
    mark = given.pop("CLINIC_CHILD")
    assert mark and given == {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "HOME": "/"}
    assert b"TZ=UTC\n" in ask("env", environment={"TZ": "UTC"})[1]


@pytest.fixture
def cores() -> Iterator[None]:
    """Core dumps are on, as far as we may turn them on."""
    before = resource.getrlimit(resource.RLIMIT_CORE)
    most = resource.RLIM_INFINITY if os.geteuid() == 0 else before[1]
    resource.setrlimit(resource.RLIMIT_CORE, (most, most))
    yield
    resource.setrlimit(resource.RLIMIT_CORE, before)


@pytest.mark.usefixtures("cores")
def test_a_command_starts_from_a_clean_slate(ask: Ask) -> None:
    looks = (
        "pwd",
        "umask",
        "ulimit -c",
        "readlink /proc/self/fd/0",
        "ls /proc/self/fd",
        "ps -o sid= -p $$",
        "echo $$",
    )
    answers = ask("sh", "-c", "; ".join(("sleep 0.1", *looks)))[1].decode().split()
    assert answers[:4] == ["/", "0077", "0", "/dev/null"]
    assert answers[4:8] == ["0", "1", "2", "3"], "3 is what ls itself opens"
    assert answers[8] == answers[9], "it leads a session of its own"


def test_hopeless_arguments_are_refused(here: LocalHost) -> None:
    with pytest.raises(Failed) as caught:
        here.run(["echo", "a\0b"], Deadline(1))
    assert caught.value.reason is Reason.UNSAFE
    with pytest.raises(Failed) as caught:
        here.run(["echo", "x" * 10_000_000], Deadline(1))
    assert "Argument list too long" in caught.value.message


def test_a_program_that_is_none_is_refused(here: LocalHost) -> None:
    with pytest.raises(ItemError) as caught:
        here.run(["/etc/passwd"], Deadline(1))
    assert caught.value.reason is Reason.NOT_PERMITTED
    with pytest.raises(Skip) as skipped:
        here.run(["/no/such/program"], Deadline(1))
    assert skipped.value.reason is Reason.TOOL_ABSENT


def test_nothing_starts_after_the_deadline(here: LocalHost, forks: list[object]) -> None:
    with pytest.raises(TimedOut):
        here.run(["true"], Deadline(0))
    assert forks == []


def test_being_out_of_processes_may_pass(as_nobody: AsNobody) -> None:
    def run() -> object:
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
        try:
            return LocalHost("here").run(["true"], Deadline(1)).status
        except Retryable as error:
            return error.message

    assert "Resource temporarily unavailable" in as_nobody(run)


def test_root_runs_no_program_that_another_could_have_changed(
    here: LocalHost, two_users: None, place: Path
) -> None:
    """A hostile `tidb-server` in a user's home, found by discovery, named by a link, or in root's own place."""
    home, proof = place / "user", place / "proof"
    home.mkdir()
    hostile = home / "tidb-server"
    hostile.write_text(f"#!/bin/sh\ntouch {proof}\n")
    hostile.chmod(0o755)
    os.chown(hostile, 65534, 65534)
    link, open_to_all = place / "link", place / "open"
    link.symlink_to(hostile)
    open_to_all.write_text(hostile.read_text())
    open_to_all.chmod(0o757)
    for program in (hostile, link, open_to_all):
        with pytest.raises(Failed) as caught:
            here.run([str(program), "-V"], Deadline(1))
        assert caught.value.reason is Reason.UNSAFE
        assert str(program) in caught.value.message
    os.chown(hostile, 0, 0)
    home.chmod(0o777)
    with pytest.raises(Failed):
        LocalHost("here").run([str(hostile)], Deadline(1))
    assert not proof.exists()


def test_sixty_small_commands_take_a_fraction_of_a_second(ask: Ask) -> None:
    ask("true")
    started = time.perf_counter()
    with ThreadPoolExecutor(4) as threads:
        assert {status for status, _, _ in threads.map(ask, ["true"] * 60)} == {0}
    assert time.perf_counter() - started < 10


def test_stat_names_what_is_there_and_follows_no_link(here: LocalHost, place: Path) -> None:
    (place / "file").write_bytes(b"12345")
    (place / "file").chmod(0o640)
    (place / "link").symlink_to("/etc/shadow")
    info = here.stat(f"{place}/file", Deadline(1))
    assert (info.path, info.kind, info.size, info.mode) == (f"{place}/file", "file", 5, 0o640)
    assert abs(info.mtime - time.time()) < 60
    assert here.stat(f"{place}/link", Deadline(1)).kind == "link"
    assert here.stat("/dev/null", Deadline(1)).kind == "other"
    assert here.stat("/", Deadline(1)).kind == "directory"


def test_a_root_that_is_root_needs_no_sudo(here: LocalHost, two_users: None, ask: Ask) -> None:
    assert here.is_root
    assert here.user == "root"
    assert ask("id", "-u", root=True)[1] == b"0\n"


MANY_THREADS = """
import sys, threading
from clinic.host.local import slim
if "slim" in sys.argv:
    slim()
kept, together = [], threading.Barrier(8)
def work():
    bytes(300_000)  # once it is freed, glibc by itself takes what is smaller from a heap
    together.wait()
    buffers = [bytes(200_000) for _ in range(100)]
    kept.append(bytes(5_000))  # it lies above them in the heap, which can't shrink below it
    together.wait()
threads = [threading.Thread(target=work) for _ in range(8)]
for one in threads: one.start()
for one in threads: one.join()
print(next(line for line in open("/proc/self/status") if line.startswith("VmRSS")).split()[1])
"""


def test_memory_that_threads_freed_goes_back_to_the_system() -> None:
    held = [
        int(
            subprocess.run([sys.executable, "-c", MANY_THREADS, *how], capture_output=True, check=True).stdout
        )
        for how in (["slim"], [])
    ]
    assert held[0] * 1.2 < held[1]


HARDENED = """
import os, resource, signal, subprocess
from clinic.host.local import harden
hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
harden()
open("made", "w").close()
print(oct(os.stat("made").st_mode & 0o777), resource.getrlimit(resource.RLIMIT_CORE))
print(subprocess.run(["sh", "-c", "ulimit -c; umask"], capture_output=True, text=True).stdout.split())
print(os.stat("/proc/self/environ").st_uid, flush=True)
os.kill(os.getpid(), signal.SIGSEGV)
"""


def test_a_hardened_process_leaves_no_core_and_no_readable_file(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", HARDENED], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines() == ["0o600 (0, 0)", "['0', '0077']", "0"]
    assert done.returncode == -11
    assert os.listdir(tmp_path) == ["made"], "a core would lie here"
