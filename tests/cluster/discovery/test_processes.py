"""Instances are found among real processes, whatever these look like, and nothing is opened because of them."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from clinic.cluster.discovery import describe as describing
from clinic.cluster.discovery import looking, processes, reach
from clinic.cluster.discovery.argv import MOST_BYTES
from clinic.cluster.discovery.processes import Findings, find
from clinic.cluster.discovery.reach import Account
from clinic.cluster.model import Instance

Listen = Callable[..., socket.socket]
Start = Callable[..., Any]
Forked = Callable[[Callable[[], dict[str, Any]]], dict[str, Any]]

SHADOW = "/etc/shadow"


def unmasked(words: Sequence[str]) -> tuple[str, ...]:
    return tuple(words)


def instance_of(pid: int, findings: Findings | None = None) -> Instance:
    found = findings or find(unmasked, "db1")
    return next(instance for instance in found.instances if instance.pid == pid)


def pids() -> set[int]:
    return {instance.pid for instance in find(unmasked, "db1").instances}


def port_of(one: socket.socket) -> int:
    return int(one.getsockname()[1])


def test_a_process_is_described_whole(pretend: Start, listen: Listen, open_folder: Path) -> None:
    sql, status = listen(), listen()
    console = open_folder / "console"
    (open_folder / "conf").mkdir()
    (open_folder / "conf" / "tidb.toml").touch()
    ports = ["-P", str(port_of(sql)), f"--status={port_of(status)}", "--advertise-address=10.0.1.5"]
    own = pretend(
        "tidb-server",
        ["--config=conf/tidb.toml", f"--log-file={open_folder}/log/tidb.log", *ports],
        listening=[sql, status],
        output=console,
    )
    found = instance_of(own.pid)
    assert (found.component, found.host, found.port) == ("tidb", "db1", port_of(sql))
    assert found.id == f"db1-{port_of(sql)}"
    assert found.status_port == port_of(status)
    assert found.binary == str(own.binary)
    assert found.argv[:2] == (str(own.binary), "-c")
    assert found.argv[-1] == "--advertise-address=10.0.1.5"
    assert found.user == psutil.Process().username()
    assert found.started == pytest.approx(time.time(), abs=10)
    assert found.deploy_dir == str(open_folder)
    assert found.config_files == (f"{open_folder}/conf/tidb.toml",)
    assert found.log_files == (f"{open_folder}/log/tidb.log", str(console))
    assert found.log_dir == f"{open_folder}/log"
    assert found.extra["advertise"] == "10.0.1.5"
    assert found.extra["address"] == "127.0.0.1"
    assert found.container == ""


def test_a_process_is_found_by_its_program_whatever_it_is_called(pretend: Start) -> None:
    own = pretend("tikv-server", called="something else")
    assert instance_of(own.pid).component == "tikv"


def test_a_process_is_found_by_its_name_whatever_its_program(pretend: Start) -> None:
    own = pretend("stand-in", called="bin/pd-server")
    assert instance_of(own.pid).component == "pd"


def test_a_process_whose_thread_was_renamed_is_found(pretend: Start) -> None:
    own = pretend("tiflash", command="server", code="echo TiFlashMain >/proc/self/comm; read -r line")
    until(lambda: looking.comm(own.pid) == "TiFlashMain")
    assert instance_of(own.pid).component == "tiflash"


def test_a_command_tells_what_the_program_is(pretend: Start) -> None:
    server = pretend("cdc", command="server")
    client = pretend("cdc", command="cli")
    assert instance_of(server.pid).component == "ticdc"
    assert client.pid not in pids()


def test_a_script_that_starts_a_component_is_not_listed_beside_it(pretend: Start, open_folder: Path) -> None:
    script = open_folder / "tidb-server"
    script.write_text("#!/bin/bash\nread -r line\n")
    script.chmod(0o755)
    with subprocess.Popen([script], stdin=subprocess.PIPE) as process:
        until(lambda: looking.comm(process.pid) == "tidb-server")
        assert process.pid not in pids()


def test_a_program_that_was_replaced_says_so(pretend: Start) -> None:
    own = pretend("tidb-server")
    own.binary.unlink()
    found = instance_of(own.pid)
    assert found.component == "tidb"
    assert found.binary == str(own.binary)
    assert "deleted" in found.extra["binary"]


def test_a_process_that_has_ended_is_not_listed(pretend: Start) -> None:
    own = pretend("tidb-server")
    own.process.kill()
    until(lambda: psutil.Process(own.pid).status() == psutil.STATUS_ZOMBIE)
    assert own.pid not in pids()


def test_a_number_that_went_to_another_process_meanwhile_is_not_mixed_up(
    pretend: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = pretend("tidb-server")

    def gone(process: psutil.Process) -> bool:
        return bool(process.pid != own.pid)

    monkeypatch.setattr(psutil.Process, "is_running", gone)
    assert own.pid not in pids()


def test_processes_that_come_and_go_meanwhile_break_nothing() -> None:
    """What ends between two looks is left out, and nothing is said about it."""
    command = "while :; do (exec -a tidb-server sleep 0.001); done"
    with subprocess.Popen(["bash", "-c", command]) as busy:
        try:
            findings = [find(unmasked, "db1") for _ in range(8)]
        finally:
            busy.kill()
    assert not any("could not be looked at" in text for each in findings for text in each.unknown)


def test_open_log_files_are_seen_where_nothing_names_them(pretend: Start, open_folder: Path) -> None:
    log, journal = open_folder / "tiproxy.log", open_folder / "000123.log"
    files = f"6>>{open_folder}/gone.log 7>>{log} 8>>{journal} 9>>{open_folder}/notes.txt"
    own = pretend("tiproxy", code=f"exec {files}; rm {open_folder}/gone.log; read -r line")
    until(lambda: log.exists() and not (open_folder / "gone.log").exists())
    found = instance_of(own.pid)
    assert found.log_files == (str(log),)
    assert found.log_dir == str(open_folder)


def test_an_output_that_was_deleted_is_no_log_file(pretend: Start, open_folder: Path) -> None:
    console = open_folder / "console"
    own = pretend("tidb-server", output=console)
    assert instance_of(own.pid).log_files == (str(console),)
    console.unlink()
    assert instance_of(own.pid).log_files == ()


def test_the_log_directory_of_tiup_is_taken_where_no_log_is_seen(pretend: Start, open_folder: Path) -> None:
    (open_folder / "log").mkdir()
    own = pretend("prometheus", [f"--config.file={open_folder}/p.yml"])
    assert instance_of(own.pid).log_dir == f"{open_folder}/log"


def test_ports_are_those_of_the_process_alone(pretend: Start, listen: Listen) -> None:
    mine, other = listen(), listen()
    own = pretend("tikv-server", listening=[mine])
    assert instance_of(own.pid).port == port_of(mine)
    assert str(port_of(other)) not in instance_of(own.pid).extra.get("ports", "")


def test_a_port_that_had_to_be_guessed_is_said_to_be_one(pretend: Start, listen: Listen) -> None:
    sockets = [listen(), listen()]
    own = pretend("etcd", listening=sockets)
    findings = find(unmasked, "db1")
    assert instance_of(own.pid, findings).port == port_of(sockets[1])
    assert any(f"etcd (process {own.pid}) is for clients" in text for text in findings.unknown)


def test_a_port_that_two_claim_goes_to_the_one_that_listens(pretend: Start, listen: Listen) -> None:
    sql = listen()
    fake = pretend("tidb-server", ["-P", str(port_of(sql))])
    real = pretend("tidb-server", ["-P", str(port_of(sql))], listening=[sql])
    findings = find(unmasked, "db1")
    assert instance_of(real.pid, findings).port == port_of(sql)
    assert instance_of(fake.pid, findings).port == 0
    assert instance_of(fake.pid, findings).extra["claimed_port"] == str(port_of(sql))
    assert len({instance.id for instance in findings.instances}) == len(findings.instances)
    assert any(f"process {fake.pid}) claims port {port_of(sql)}" in text for text in findings.differences)


def test_servers_at_one_port_of_several_addresses_keep_it_and_are_told_apart(
    pretend: Start, listen: Listen
) -> None:
    """As a whole cluster on one machine has them, and no two of them contradict each other."""
    first = listen("127.0.4.1")
    second = listen("127.0.4.2", free := port_of(first))
    one = pretend("tidb-server", ["-P", str(free), "--host=127.0.4.1"], listening=[first])
    other = pretend("tidb-server", ["-P", str(free), "--host=127.0.4.2"], listening=[second])
    findings = find(unmasked, "db1")
    found = [instance_of(own.pid, findings) for own in (one, other)]
    assert [each.port for each in found] == [free, free]
    assert [each.id for each in found] == [f"127.0.4.1-{free}", f"127.0.4.2-{free}"]
    assert not any(f"process {one.pid})" in text for text in findings.differences)


def test_ports_in_another_network_namespace_are_found(pretend: Start, open_folder: Path) -> None:
    """As a container has one: the port is not among our own."""
    start = (
        "import os, socket, sys; s = socket.socket(); s.bind(('', 4000)); s.listen(); s.set_inheritable(True);"
        "os.execv(sys.argv[2], sys.argv[2:])"
    )
    allowed = subprocess.run(["unshare", "-n", "true"], capture_output=True, text=True, check=False)
    if allowed.returncode:
        pytest.skip(f"no network namespaces here: {allowed.stderr.strip()}")
    prefix = ["unshare", "-n", sys.executable, "-I", "-S", "-c", start, "--"]
    own = pretend("tidb-server", prefix=prefix)
    assert instance_of(own.pid).port == 4000


def test_a_command_line_is_masked_before_anything_is_taken_from_it(pretend: Start) -> None:
    def mask(words: Sequence[str]) -> tuple[str, ...]:
        return tuple(word.replace("hunter2", "***") for word in words)

    own = pretend("tikv-server", ["--pd=http://root:hunter2@10.0.1.1:2379", "--labels=pw=hunter2"])
    found = instance_of(own.pid, find(mask, "db1"))
    assert found.extra["pd"] == "http://root:***@10.0.1.1:2379"
    assert "hunter2" not in repr(found)


class TestHostile:
    """A program in somebody's home that calls itself tidb-server and says what it likes."""

    def test_it_is_listed_and_neither_run_nor_opened_nor_what_it_names(
        self, pretend: Start, open_folder: Path, somebody: int | None, forked: Forked
    ) -> None:
        """Looking at a file without opening it (O_PATH) is all that happens to it."""
        named = [open_folder / name for name in ("the.toml", "the.log")]
        for path in named:
            path.touch()
        own = pretend("tidb-server", [f"--config={named[0]}", f"--log-file={named[1]}"], account=somebody)

        def watched() -> dict[str, Any]:
            events: list[tuple[str, tuple[Any, ...]]] = []
            sys.addaudithook(lambda event, args: events.append((event, args)))
            found = instance_of(own.pid)
            opened = [
                str(args[0]) for event, args in events if event == "open" and not int(args[2]) & os.O_PATH
            ]
            ran = [
                event for event, _ in events if event.startswith(("subprocess", "os.exec", "os.posix_spawn"))
            ]
            return {
                "found": [found.binary, *found.config_files, *found.log_files],
                "opened": opened,
                "ran": ran,
            }

        seen = forked(watched)
        assert seen["found"] == [str(own.binary), *map(str, named)]
        assert f"/proc/{own.pid}/cmdline" in seen["opened"]
        names = ("tidb-server", "the.toml", "the.log")
        assert not [path for path in seen["opened"] if path.endswith(names)]
        assert seen["ran"] == []

    def test_files_that_its_account_cannot_read_are_left_out_and_named(
        self, pretend: Start, open_folder: Path, somebody: int | None
    ) -> None:
        closed = open_folder / "closed.toml"
        closed.touch()
        closed.chmod(0)
        (open_folder / "linked.log").symlink_to(SHADOW)
        own = pretend(
            "tidb-server",
            [f"--config={closed}", f"--log-file={SHADOW}", f"--log-slow-query={open_folder}/linked.log"],
            account=somebody,
        )
        findings = find(unmasked, "db1")
        found = instance_of(own.pid, findings)
        assert found.config_files == ()
        assert found.log_files == ()
        said = next(text for text in findings.unknown if f"process {own.pid}" in text)
        assert all(path in said for path in (str(closed), SHADOW, f"{open_folder}/linked.log"))

    def test_what_it_calls_itself_cannot_reach_a_terminal(self, pretend: Start, open_folder: Path) -> None:
        words = ["\x1b[2J\x1b]0;owned\x07", "--log-file=/a\n/b\u202e.log", b"--config=/\xff\x9b.toml"]
        folder = _folder(open_folder / "a\n\x1b[31m")
        own = pretend("tidb-server", words, root=folder, cwd=folder)
        findings = find(unmasked, "db1")
        found = instance_of(own.pid, findings)
        assert found.log_files == ("/a\\n/b\\u202e.log",)
        assert found.config_files == ("/\\xff\\x9b.toml",)
        texts = [*found.argv, *found.log_files, *found.config_files, *findings.unknown, *findings.differences]
        texts += [
            found.binary,
            found.deploy_dir,
            found.log_dir,
            found.user,
            found.unit,
            *found.extra.values(),
        ]
        assert all(text.isprintable() for text in texts)
        json.dumps(texts).encode("utf-8")

    def test_two_megabytes_of_arguments_are_bounded(
        self, pretend: Start, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sizes: list[int] = []
        read = looking.read

        def measured(pid: int, name: str, most: int) -> bytes:
            sizes.append(len(data := read(pid, name, most)))
            return data

        monkeypatch.setattr(looking, "read", measured)
        own = pretend("tidb-server", ["-P", "4001", *["x" * 120_000] * 14])
        found = instance_of(own.pid)
        assert found.port == 4001
        assert sum(map(len, found.argv)) < 300_000
        assert "cut" in found.extra["argv"]
        assert max(sizes) == MOST_BYTES + 1

    def test_any_number_of_them_is_bounded(self, pretend: Start, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(processes, "MOST_INSTANCES", 2)
        for _ in range(4):
            pretend("tidb-server")
        findings = find(unmasked, "db1")
        assert len(findings.instances) <= 2
        assert any("only the first 2 were looked at" in text for text in findings.unknown)

    def test_names_with_separators_stay_one_instance(self, pretend: Start, open_folder: Path) -> None:
        own = pretend("tidb-server", [f"--advertise-address=../../{'x' * 5000}"])
        assert instance_of(own.pid).id == f"db1-tidb-{own.pid}"
        assert len(instance_of(own.pid).extra["advertise"]) < 1100


def test_a_process_that_hangs_is_listed_by_its_program(
    pretend: Start, open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its command line can't be read, as with a process that is stuck in the kernel."""
    own, other = pretend("tikv-server"), pretend("tidb-server")
    fifo = open_folder / "fifo"
    os.mkfifo(fifo)
    read = looking.read

    def stuck(pid: int, name: str, most: int) -> bytes:
        return fifo.read_bytes() if (pid, name) == (own.pid, "cmdline") else read(pid, name, most)

    monkeypatch.setattr(looking, "read", stuck)
    monkeypatch.setattr("clinic.cluster.discovery.time_limits.patiently.__defaults__", (0.1,))
    started = time.monotonic()
    findings = find(unmasked, "db1")
    assert time.monotonic() - started < 10
    fifo.write_bytes(b"")  # lets the thread go
    found = instance_of(own.pid, findings)
    assert (found.component, found.port, found.binary) == ("tikv", 0, str(own.binary))
    assert instance_of(other.pid, findings).argv
    assert any(f"tikv (process {own.pid}) could not be looked at" in text for text in findings.unknown)


def test_a_file_system_that_hangs_costs_the_paths_and_nothing_else(
    pretend: Start, listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with a data directory on an NFS server that is gone."""
    sql, go_on = listen(), threading.Event()
    own = pretend("tidb-server", ["--config=/dead/tidb.toml"], listening=[sql])
    real = reach.could_read

    def hanging(account: Account, path: str) -> bool:
        return go_on.wait() if path.startswith("/dead/") else real(account, path)

    monkeypatch.setattr(reach, "could_read", hanging)
    monkeypatch.setattr("clinic.cluster.discovery.time_limits.patiently.__defaults__", (0.1,))
    findings = find(unmasked, "db1")
    go_on.set()
    found = instance_of(own.pid, findings)
    assert (found.port, found.config_files) == (port_of(sql), ())
    assert any(
        f"the files of tidb (process {own.pid}) could not be looked at" in text for text in findings.unknown
    )


def test_files_of_a_container_are_not_taken_for_those_of_the_host(
    pretend: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = pretend("tidb-server", ["--config=/etc/hostname"])
    real = looking.cgroups

    def in_docker(pid: int) -> str:
        return f"0::/system.slice/docker-{'ab' * 32}.scope\n" if pid == own.pid else real(pid)

    monkeypatch.setattr(looking, "cgroups", in_docker)
    findings = find(unmasked, "db1")
    found = instance_of(own.pid, findings)
    assert found.container == "docker abababababab"
    assert (found.config_files, found.deploy_dir) == ((), "")
    assert any("runs in a container (docker abababababab)" in text for text in findings.unknown)


def test_what_another_account_hides_is_said(pretend: Start, listen: Listen, without_rights: Forked) -> None:
    """As an account without rights sees a process of somebody else."""
    own = pretend("tidb-server", ["-P", "4001", "--config=conf/tidb.toml"], listening=[listen()])

    def told() -> dict[str, Any]:
        findings = find(unmasked, "db1")
        return {**asdict(instance_of(own.pid, findings)), "unknown": findings.unknown}

    found = without_rights(told)
    assert (found["component"], found["port"], found["binary"]) == ("tidb", 4001, "")
    assert found["config_files"] == []
    assert any("of other accounts" in text and "run as root" in text for text in found["unknown"])


def test_an_account_without_rights_still_sees_usual_ports(
    pretend: Start, listen: Listen, without_rights: Forked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel tells everybody which account listens, and only that account which process does."""
    sql = listen()
    own = pretend("tidb-server", listening=[sql])
    only(monkeypatch, [own.pid], port_of(sql))
    found = without_rights(lambda: asdict(instance_of(own.pid)))
    assert (found["port"], found["extra"]["address"]) == (port_of(sql), "127.0.0.1")


def test_an_account_without_rights_sees_the_usual_port_of_each_of_several_servers(
    pretend: Start, listen: Listen, without_rights: Forked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One is told its address; to the other belongs the address that is left."""
    first = listen("127.0.4.1")
    free = port_of(first)
    second = listen("127.0.4.2", free)
    one = pretend("tidb-server", ["--host=127.0.4.1"], listening=[first])
    other = pretend("tidb-server", listening=[second])
    only(monkeypatch, [one.pid, other.pid], free)
    found = without_rights(lambda: asdict(find(unmasked, "db1")))
    ids = {each["pid"]: (each["port"], each["own_id"]) for each in found["instances"]}
    assert ids == {one.pid: (free, f"127.0.4.1-{free}"), other.pid: (free, f"127.0.4.2-{free}")}
    assert found["differences"] == []


def test_what_stays_unseen_does_not_sound_as_if_nobody_were_an_account(
    pretend: Start, without_rights: Forked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be run by the account `nobody`."""
    own = pretend("tidb-server", ["-P", "4001"])
    only(monkeypatch, [own.pid], 4001)
    unknown = without_rights(lambda: {"unknown": find(unmasked, "db1").unknown})["unknown"]
    assert any("the ports that no option names" in text for text in unknown)
    assert not any("nobody" in text for text in unknown)


def test_looking_costs_little(pretend: Start, record_property: Callable[[str, object], None]) -> None:
    """Little more than to read three files of each of 300 processes, of which a dozen are instances."""
    for _ in range(12):
        pretend("tidb-server", ["-P", "4000", "--config=/etc/hostname"])
    with _crowd(300 - len(psutil.pids())):
        times = [(_cost(_read_all), _cost(lambda: find(unmasked, "db1"))) for _ in range(7)]
    reading, looking = (min(each) for each in zip(*times, strict=True))
    record_property("milliseconds", round(looking * 1000, 1))
    assert looking < 5 * reading, f"{looking * 1000:.1f} ms, where reading takes {reading * 1000:.1f} ms"


def _cost(act: Callable[[], object]) -> float:
    """Processor seconds: others who use the machine meanwhile do not count."""
    started = time.process_time()
    act()
    return time.process_time() - started


def _read_all() -> None:
    for pid in psutil.pids():
        for name in ("stat", "status", "cmdline"):
            with contextlib.suppress(OSError):
                Path("/proc", str(pid), name).read_bytes()


@contextlib.contextmanager
def _crowd(count: int) -> Generator[None, None, None]:
    """That many idle processes beside all others."""
    idle = [subprocess.Popen(["sleep", "60"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in idle:
            process.kill()
            process.wait()


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def only(monkeypatch: pytest.MonkeyPatch, pids: list[int], usual: int) -> None:
    """Nothing runs on this machine but the TiDB servers `pids`, and their usual port is this."""
    tidb = replace(looking.sight(pids[0]).component, ports=(usual,))  # type: ignore[union-attr]  # it is there
    monkeypatch.setattr(describing, "COMPONENTS", (tidb,))
    monkeypatch.setattr(processes, "COMPONENTS", (tidb,))
    monkeypatch.setattr(psutil, "pids", lambda: pids)


def until(true: Callable[[], object]) -> None:
    """Wait until that is so."""
    deadline = time.monotonic() + 5
    while not true():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.005)
