"""The machines of the lab are apart from each other, reached by ssh, and each is what it is said to be."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.lab.fixtures import LabOfTests
from tests.lab.machines import kinds
from tests.lab.machines.machines import Machines
from tests.lab.standin.cluster import Cluster

pytestmark = pytest.mark.lab

Ssh = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def ssh(machines: Machines, tmp_path: Path) -> Ssh:
    """Runs a command on a machine, as somebody who has all host keys."""
    known = machines.write_known_hosts(tmp_path / "known_hosts")
    config = machines.write_ssh_config(tmp_path / "ssh_config", known)

    def run(name: str, command: str, *options: str) -> subprocess.CompletedProcess[str]:
        argv = ["ssh", "-F", str(config), "-o", "BatchMode=yes", "-o", "ConnectTimeout=5", *options]
        return subprocess.run(
            [*argv, machines.address(name), command], check=False, capture_output=True, text=True, timeout=30
        )

    return run


def test_every_machine_lets_the_account_in_and_has_its_own_name(machines: Machines, ssh: Ssh) -> None:
    for name in machines.names:
        done = ssh(name, "id -un; hostname")
        assert done.stdout.splitlines()[-2:] == [kinds.ACCOUNT, name], done.stderr


def test_each_instance_answers_at_the_address_of_its_machine(machines_lab: LabOfTests) -> None:
    cluster = Cluster(machines_lab)
    assert len({member.host for member in cluster.instances}) == len(cluster.instances)
    for member in cluster.instances:
        assert machines_lab.server(member.name).holder
        assert member.host == machines_lab.server(f"ssh-{member.name}").host


def test_one_has_busybox_and_nothing_else(ssh: Ssh) -> None:
    done = ssh(kinds.BUSYBOX, "readlink /bin/sed; command -v bash python3 zstd")
    assert done.stdout.splitlines() == ["busybox"]


def test_one_is_reached_through_the_jump_host_alone(machines: Machines, ssh: Ssh) -> None:
    assert ssh(kinds.BEHIND_JUMP, "true", "-o", "ProxyJump=none").returncode == 255
    assert ssh(kinds.BEHIND_JUMP, "hostname").stdout.strip() == kinds.BEHIND_JUMP


def test_one_has_another_clock(ssh: Ssh) -> None:
    behind = int(ssh(kinds.SKEWED, "date +%s").stdout) - int(time.time())
    assert kinds.SKEW_SECONDS - 10 <= behind <= kinds.SKEW_SECONDS + 10


def test_one_shows_a_banner_and_prints_at_every_login(ssh: Ssh) -> None:
    done = ssh(kinds.CHATTY, "true")
    assert "welcome" in done.stdout
    assert "belongs to the lab" in done.stderr


def test_what_is_cut_off_is_not_reached_and_comes_back(machines: Machines, ssh: Ssh) -> None:
    with machines.cut_off("tikv-1"):
        assert ssh("tikv-1", "true", "-o", "ConnectTimeout=1").returncode == 255
    assert ssh("tikv-1", "true").returncode == 0


def test_sessions_can_be_dropped_and_are_seen_until_then(machines: Machines, ssh: Ssh) -> None:
    before = machines.processes("tidb-1")
    with subprocess.Popen(
        [*ssh("tidb-1", "true").args[:-1], "sleep 60"], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as session:
        until = time.monotonic() + 20
        while "sleep 60" not in machines.processes("tidb-1").values() and time.monotonic() < until:
            time.sleep(0.05)
        assert "sleep 60" in machines.processes("tidb-1").values()
        assert machines.drop_sessions("tidb-1") > 0
        assert session.wait(20) == 255
    assert set(before) <= set(machines.processes("tidb-1"))


def test_what_an_account_writes_is_seen(machines: Machines, ssh: Ssh) -> None:
    before = machines.written()
    ssh("pd-1", "touch left-behind; touch /var/tmp/clinic-left-behind")
    new = {each.name for each in machines.written() - before}
    ssh("pd-1", "rm left-behind /var/tmp/clinic-left-behind")
    assert {"left-behind", "clinic-left-behind"} <= new
