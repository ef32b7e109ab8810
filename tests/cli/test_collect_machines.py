"""`clinic collect` of a cluster whose instances have a machine each: namespaces with sshd, five of them odd."""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.cli.underway import LARGE, RATE, await_middle
from tests.lab.fixtures import LabOfTests
from tests.lab.machines import kinds
from tests.lab.machines.machines import Machines
from tests.lab.standin.cluster import Cluster
from tests.lab.standin.members import RECORDED_HOSTS

from clinic.bundle.reader import Bundle
from clinic.bundle.record import Record
from clinic.outcome import Reason, Status

pytestmark = pytest.mark.lab
Clinic = Callable[..., Any]

WANTED = "system.kernel,clock,processes.table,logs,config.files"


@pytest.fixture
def home(machines_lab: LabOfTests, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home in which the lab's cluster is TiUP's."""
    monkeypatch.setenv("TIUP_HOME", str(Cluster(machines_lab).tiup_home))
    return home


def collect(clinic: Clinic, known: Path, *words: str | Path) -> Any:
    """Collect from the lab's cluster, with host keys that are known."""
    chosen = ["-y", "-o", "b", "--known-hosts", known, "--max-load", "100000", *words]
    return clinic("collect", "lab", *chosen, timeout=240)


def by_machine(bundle: Path, machines: Machines) -> Mapping[str, list[Record]]:
    """The records of each machine, by its name in the lab."""
    names = {machines.address(name): name for name in machines.names}
    found: dict[str, list[Record]] = defaultdict(list)
    for record in Bundle.open(bundle).manifest.records:
        if record.entry.host in names:
            found[names[record.entry.host]].append(record)
    return found


def test_every_machine_gives_what_this_one_gives_and_nothing_stays_there(
    clinic: Clinic, machines: Machines, home: Path, tmp_path: Path
) -> None:
    _ = home
    known = machines.write_known_hosts(tmp_path / "known_hosts")
    ran = {name: sorted(machines.processes(name).values()) for name in machines.names}
    written = machines.written()
    ended = collect(clinic, known, "-i", WANTED, "--from", "-30m")
    assert "Over SSH" in ended.out, ended.err
    found = by_machine(tmp_path / "b", machines)
    for name in set(RECORDED_HOSTS) - {kinds.BEHIND_JUMP}:
        kernel = [one for one in found[name] if one.entry.id == "system.kernel"]
        assert [one.status for one in kernel] == [Status.OK], name
        logs = [one for one in found[name] if one.entry.id == "log.std" and one.files]
        assert logs, name
        assert not [one for one in found[name] if one.reason is Reason.UNREACHABLE and "SSH" in one.message]
    unreached = {one.reason for one in found[kinds.BEHIND_JUMP]}
    assert unreached == {Reason.UNREACHABLE}
    assert {name: sorted(machines.processes(name).values()) for name in machines.names} == ran
    assert machines.written() == written


def test_a_machine_whose_clock_is_off_is_known_to_be(
    clinic: Clinic, machines: Machines, home: Path, tmp_path: Path
) -> None:
    _ = home
    known = machines.write_known_hosts(tmp_path / "known_hosts")
    skewed, right = machines.address(kinds.SKEWED), machines.address("tidb-1")
    collect(clinic, known, "-i", "log.std", "-N", skewed, "-N", right, "--from", "-20m", "--to", "-10m")
    footprint = Bundle.open(tmp_path / "b").manifest.footprint
    assert abs(footprint[skewed]["clock_ahead"] - kinds.SKEW_SECONDS) < 5
    assert abs(footprint[right]["clock_ahead"]) < 5


def test_a_machine_behind_another_is_reached_through_it(
    clinic: Clinic, machines: Machines, home: Path, tmp_path: Path
) -> None:
    _ = home
    known = machines.write_known_hosts(tmp_path / "known_hosts")
    config = machines.write_ssh_config(tmp_path / "ssh_config", known)
    through = f"ProxyCommand=ssh -F {config} -W %h:%p {machines.address(kinds.JUMP)}"
    behind = machines.address(kinds.BEHIND_JUMP)
    ended = collect(clinic, known, "-i", WANTED, "-N", behind, "--ssh-option", through)
    found = by_machine(tmp_path / "b", machines)
    kernel = [one for one in found[kinds.BEHIND_JUMP] if one.entry.id == "system.kernel"]
    assert [one.status for one in kernel] == [Status.OK], ended.err


def test_a_machine_that_is_cut_off_costs_its_items_and_is_gone_on_with(
    clinic: Clinic, machines: Machines, home: Path, tmp_path: Path
) -> None:
    _ = home
    known = machines.write_known_hosts(tmp_path / "known_hosts")
    chosen = ["-i", "system.kernel", "-N", machines.address("tikv-1"), "-N", machines.address("tidb-2")]
    with machines.cut_off("tikv-1"):
        assert collect(clinic, known, *chosen).code == 3
    found = by_machine(tmp_path / "b", machines)
    assert [(one.status, one.reason) for one in found["tikv-1"]] == [(Status.FAILED, Reason.UNREACHABLE)]
    assert [one.status for one in found["tidb-2"]] == [Status.OK]
    assert clinic("collect", "--resume", "b", timeout=120).code == 0
    assert [one.status for one in by_machine(tmp_path / "b", machines)["tikv-1"]] == [Status.OK]


def test_a_key_that_nobody_knows_costs_its_machine_alone_and_says_how_to_mend_it(
    clinic: Clinic, machines: Machines, home: Path, tmp_path: Path
) -> None:
    _ = home
    known = machines.write_known_hosts(tmp_path / "known_hosts", "tidb-1")
    unknown, other = machines.address("tidb-1"), machines.address("tidb-2")
    collect(clinic, known, "-i", "system.kernel", "-N", unknown, "-N", other)
    found = by_machine(tmp_path / "b", machines)
    assert [one.status for one in found["tidb-2"]] == [Status.OK]
    [refused] = found["tidb-1"]
    assert refused.status is not Status.OK
    assert "clinic doctor" in refused.fix


NEEDS_ROOT = ("system.slabinfo", "system.dmesg")
"""Items of every machine that root alone may have."""

LIKE_THEM = (
    "/usr/bin/cat /proc/slabinfo /etc/shadow",
    "/usr/bin/cat /etc/shadow",
    "/usr/bin/cat",
    "/usr/bin/dmesg",
    "/usr/bin/dmesg -r -c",
    "/usr/bin/dmesg --raw",
    "-u nobody /usr/bin/dmesg -r",
    "/usr/bin/sh -c '/usr/bin/dmesg -r'",
)
"""What is like them and more than them."""


class OneMachine:
    """Commands for one machine alone, without the cluster, that allows what it is told to with sudo."""

    name = "tidb-1"

    def __init__(self, clinic: Clinic, machines: Machines, directory: Path) -> None:
        known = machines.write_known_hosts(directory / "known_hosts")
        self.machines, self._clinic, self._directory = machines, clinic, directory
        self._config = machines.write_ssh_config(directory / "ssh_config", known)
        self.address = machines.address(self.name)
        where = ["--host", f"{machines.account}@{self.address}", "--ssh-key", machines.key]
        self._words = [*where, "--known-hosts", known]

    def blocked(self) -> Mapping[str, str]:
        """The line that `clinic doctor` prints for each item that root alone may have."""
        [visit] = self._clinic("doctor", *self._words, "--json").json
        fixes = {one["id"]: one["fix"] for one in visit["blocked"] if one["reason"] == "not_permitted"}
        assert visit["root"] is not bool(fixes)
        return {name: fix.partition("with visudo: ")[2] for name, fix in fixes.items()}

    def collect(self, bundle: str, *allowed: str) -> Mapping[str, Record]:
        """What becomes of the items, where sudo allows these lines."""
        chosen = ["-y", "-i", ",".join(NEEDS_ROOT), "--max-load", "100000", "-o", bundle]
        with self.machines.allowing(self.name, *allowed):
            self._clinic("collect", *self._words, *chosen)
        return {one.entry.id: one for one in by_machine(self._directory / bundle, self.machines)[self.name]}

    def sudo(self, words: str) -> subprocess.CompletedProcess[str]:
        """A command with sudo, as somebody who is logged in there."""
        argv = ["ssh", "-F", str(self._config), self.address, f"sudo -n {words}"]
        return subprocess.run(argv, check=False, capture_output=True, text=True, timeout=30)


@pytest.fixture
def one(clinic: Clinic, machines: Machines, tmp_path: Path) -> OneMachine:
    """A machine of which nothing is collected but what root alone may have."""
    return OneMachine(clinic, machines, tmp_path)


def test_sudo_does_what_the_printed_line_allows_and_nothing_else(one: OneMachine) -> None:
    lines = one.blocked()
    assert set(NEEDS_ROOT) <= set(lines)
    for record in one.collect("none").values():
        assert (record.status, record.reason) == (Status.SKIPPED, Reason.NOT_PERMITTED)
        assert record.fix.endswith(f"with visudo: {lines[record.entry.id]}")
    for allowed, other in (NEEDS_ROOT, NEEDS_ROOT[::-1]):
        found = one.collect(allowed, lines[allowed])
        assert found[allowed].status is Status.OK, found[allowed].message
        assert [action.whom for action in found[allowed].actions if action.kind == "command"] == ["root"]
        assert (found[other].status, found[other].reason) == (Status.SKIPPED, Reason.NOT_PERMITTED)
        assert found[other].fix.endswith(f"with visudo: {lines[other]}")
        with one.machines.allowing(one.name, lines[allowed]):
            assert set(one.blocked()) == set(lines) - {allowed}


def test_a_command_that_is_like_an_allowed_one_is_refused(one: OneMachine) -> None:
    with one.machines.allowing(one.name, *one.blocked().values()):
        assert one.sudo("/usr/bin/cat /proc/slabinfo").stdout.startswith("slabinfo")
        for words in LIKE_THEM:
            refused = one.sudo(words)
            assert (refused.returncode, refused.stdout) == (1, ""), words
            assert "a password is required" in refused.stderr


def test_they_are_reached_as_tiup_would(
    clinic: Clinic, machines: Machines, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _ = home
    known = machines.write_known_hosts(tmp_path / "known_hosts")
    log, wrapper = tmp_path / "said", tmp_path / "wrapper"
    wrapper.write_text(f'#!/bin/sh\necho "$*" >>{log}\nexec ssh "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setenv("TIUP_SSH_PATH", str(wrapper))
    words = ["collect", "lab", "--dry-run", "-i", "system.kernel", "-N", machines.address("tidb-1")]
    words += ["--known-hosts", str(known)]
    assert "(ssh_type of TiUP: builtin)" in clinic(*words).out
    assert not log.exists()
    ended = clinic(*words, env={"TIUP_NATIVE_SSH": "1"})
    assert f"program {wrapper} (ssh_type of TiUP: system): {machines.address('tidb-1')}." in ended.out
    assert f"-l {machines.account}" in log.read_text()


def test_a_cluster_without_ssh_is_read_on_this_machine_and_nowhere_else(
    clinic: Clinic, machines: Machines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "tiup/storage/cluster/clusters/prod"
    folder.mkdir(parents=True)
    away = machines.address("tidb-1")
    (folder / "meta.yaml").write_text(
        "user: tidb\ntidb_version: v8.5.3\ntopology:\n  global: {ssh_type: none}\n"
        f"  pd_servers: [{{host: 127.0.0.1, client_port: 1}}]\n  tidb_servers: [{{host: {away}}}]\n"
    )
    monkeypatch.setenv("TIUP_HOME", str(tmp_path / "tiup"))
    ended = clinic("collect", "prod", "-y", "-i", "system.kernel", "-o", "b", timeout=120)
    records = {one.entry.host: one for one in Bundle.open(tmp_path / "b").manifest.records}
    assert records["127.0.0.1"].status is Status.OK, ended.err
    assert (records[away].status, records[away].reason) == (Status.FAILED, Reason.UNREACHABLE)
    assert "ssh_type: none" in records[away].message
    visited = clinic("doctor", "--cluster", "prod", "--json", timeout=120).json
    assert {one["host"]: one["reached"].split(" (")[0] for one in visited} == {
        "127.0.0.1": "directly, since it is this machine",
        away: "not at all: TiUP uses no SSH",
    }


def test_a_network_that_drops_in_the_middle_keeps_what_came_and_the_rest_is_gone_on_with(
    clinic: Clinic, machines: Machines, home: Path, tmp_path: Path, declared: Callable[..., Path]
) -> None:
    _ = home
    known = machines.write_known_hosts(tmp_path / "known_hosts")
    with tempfile.TemporaryDirectory(prefix="clinic-cut-") as top:
        Path(top).chmod(0o755)
        (Path(top) / "a").write_bytes(os.urandom(300))
        (Path(top) / "b").write_bytes(os.urandom(LARGE))
        collector: list[str | Path] = [
            "--collector",
            declared([{"path": "kept", "files": [f"{top}/*"], "content": "opaque"}]),
        ]
        chosen: list[str | Path] = [
            *collector,
            "-i",
            "made",
            "-N",
            machines.address("tikv-1"),
            "--limit",
            RATE,
        ]
        cutter = threading.Thread(target=lambda: _cut_once_it_reads(machines, "tikv-1", tmp_path / "b"))
        cutter.start()
        try:
            ended = collect(clinic, known, *chosen)
            assert ended.code == 3, ended.out
        finally:
            cutter.join()
            machines.heal("tikv-1")
        [first] = [one for one in by_machine(tmp_path / "b", machines)["tikv-1"] if one.files]
        assert first.files[0].plain == 300
        assert first.status.resumable or first.reason is Reason.UNREACHABLE
        ended = clinic("collect", "--resume", "b", "--limit", "100M", *collector, timeout=120)
        assert ended.code == 0, ended.out
        [last] = [one for one in by_machine(tmp_path / "b", machines)["tikv-1"] if one.files]
        assert (last.status, [file.plain for file in last.files]) == (Status.OK, [300, LARGE])


def _cut_once_it_reads(machines: Machines, name: str, bundle: Path) -> None:
    await_middle(bundle)
    machines.cut(name)
