"""The lab's servers are real and answer their own protocols; nothing of a lab outlives it."""

from __future__ import annotations

import dataclasses
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
from tests.lab.control import CHECKOUT, down
from tests.lab.fixtures import LabOfTests
from tests.lab.program import LOOPBACK
from tests.lab.standin.members import component_of
from tests.lab.state import Lab, Missing, Server, load

pytestmark = pytest.mark.lab

OWNER = """
import sys, time
from pathlib import Path
from tests.lab.control import running
from tests.lab.options import Options
with running(Path(sys.argv[1]), print, Options(cluster=False)):
    print("up", flush=True)
    time.sleep(600)
"""
"""What a test session does with its lab, in a process that can be killed."""


@pytest.fixture
def own_directory(tmp_path: Path) -> Iterator[Path]:
    """A directory for one more lab, which is stopped whatever happens."""
    directory = tmp_path / "lab"
    yield directory
    down(directory)


def ask(url: str, **parameters: str) -> Any:
    """The JSON that a server answers."""
    answer = requests.get(url, params=parameters, timeout=5)
    answer.raise_for_status()
    return answer.json()


def command(word: str, directory: Path) -> subprocess.CompletedProcess[str]:
    """What the lab's command line does, with the real servers alone."""
    argv = [sys.executable, str(CHECKOUT / "tests/lab/lab.py"), word, "--dir", str(directory), "--json"]
    argv += ["--no-cluster"] if word == "up" else []
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=120)


def sql(server: Server, user: str, password: str, statement: str) -> subprocess.CompletedProcess[str]:
    """Runs a statement with the real client, over TLS whose certificate it verifies."""
    argv = ["mariadb", "--no-defaults", "-h", server.host, "-P", str(server.port), "-u", user, "-NB"]
    argv += [f"--ssl-ca={server.files['ca']}", "--ssl-verify-server-cert", "-e", statement]
    environment = {**os.environ, "MYSQL_PWD": password}
    return subprocess.run(argv, env=environment, capture_output=True, text=True, check=False, timeout=30)


def ssh(server: Server, *words: str) -> subprocess.CompletedProcess[str]:
    """Runs the real client with the lab's configuration for it."""
    argv = ["ssh", "-F", str(server.files["client_config"]), *words]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=30)


def ports(lab: Lab) -> set[int]:
    """Every port of the real servers' address that the lab's servers listen on."""
    return {port for server in lab.servers if server.host == LOOPBACK for port in server.ports.values()}


def listens(port: int) -> bool:
    """Whether anybody accepts connections at a loopback port."""
    with socket.socket() as client:
        return client.connect_ex((LOOPBACK, port)) == 0


def gone(lab: Lab) -> bool:
    """Whether no process of the lab runs and no port of it is open."""
    processes = [lab.supervisor, *(server.process for server in lab.servers)]
    return not any(each.alive() for each in processes) and not any(map(listens, ports(lab)))


def eventually(holds: Callable[[], bool], seconds: float = 20) -> bool:
    """Whether it holds before the time is over."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def up_in(directory: Path) -> Lab:
    """The lab that is up in a directory."""
    lab = load(directory)
    assert lab is not None
    assert lab.alive()
    return lab


def test_prometheus_has_scraped_every_server_and_found_one_down(scraped_lab: LabOfTests) -> None:
    real = {server.name for server in scraped_lab.servers if server.host == LOOPBACK}
    members = {component_of(server.name) for server in scraped_lab.servers if server.host != LOOPBACK}
    scraped = (real | members) - {"mariadb", "sshd"}

    def as_expected() -> bool:
        answer = ask(f"{scraped_lab.prometheus.url}/api/v1/query", query="up")
        found = {series["metric"]["job"]: series["value"][1] for series in answer["data"]["result"]}
        return found == {"down": "0", **dict.fromkeys(scraped, "1")}

    assert eventually(as_expected)


def test_alerts_of_prometheus_reach_alertmanager(scraped_lab: LabOfTests) -> None:
    alerts = ask(f"{scraped_lab.alertmanager.url}/api/v2/alerts")
    found = {
        (each["labels"]["alertname"], each["labels"].get("job")): each["status"]["state"] for each in alerts
    }
    assert found["LabAlwaysFiring", None] == "active"
    assert found["LabTargetDown", "down"] == "active"


def test_node_exporter_tells_the_figures_of_this_machine(lab: LabOfTests) -> None:
    text = requests.get(f"{lab.node_exporter.url}/metrics", timeout=5).text
    [line] = [line for line in text.splitlines() if line.startswith("node_boot_time_seconds ")]
    assert abs(float(line.split()[1]) - psutil.boot_time()) < 60


def test_victoria_metrics_answers_the_queries_of_prometheus(lab: LabOfTests) -> None:
    url = f"{lab.victoria_metrics.url}/api/v1/query"

    def scraped() -> bool:
        return len(ask(url, query="up == 1")["data"]["result"]) == 2

    assert eventually(scraped)


def test_mariadb_lets_root_in_with_its_password_over_tls(lab: LabOfTests) -> None:
    password = lab.mariadb.credentials["root_password"]
    done = sql(lab.mariadb, "root", password, "SHOW STATUS LIKE 'Ssl_cipher'")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[1].startswith("TLS_")


@pytest.mark.parametrize("password", ["", "wrong"])
def test_mariadb_lets_nobody_in_with_another_password(lab: LabOfTests, password: str) -> None:
    for user in ("root", lab.mariadb.credentials["plain_user"], ""):
        done = sql(lab.mariadb, user, password, "SELECT 1")
        assert "ERROR 1045 (28000)" in done.stderr


def test_mariadb_has_a_user_without_privileges(lab: LabOfTests) -> None:
    user, password = lab.mariadb.credentials["plain_user"], lab.mariadb.credentials["plain_password"]
    assert sql(lab.mariadb, user, password, "SELECT 1").stdout == "1\n"
    assert "ERROR 1142 (42000)" in sql(lab.mariadb, user, password, "SELECT * FROM mysql.db").stderr


def test_etcd_keeps_what_it_is_given(lab: LabOfTests) -> None:
    assert ask(f"{lab.etcd.url}/version")["etcdserver"].startswith("3.")
    pair = {"key": "bGFi", "value": "cmVhbA=="}
    requests.post(f"{lab.etcd.url}/v3/kv/put", json=pair, timeout=5).raise_for_status()
    found = requests.post(f"{lab.etcd.url}/v3/kv/range", json={"key": pair["key"]}, timeout=5).json()
    assert found["kvs"][0]["value"] == pair["value"]


def test_sshd_runs_a_command_as_the_caller(lab: LabOfTests) -> None:
    done = ssh(lab.sshd, "lab", "id -u; echo $SSH_CONNECTION")
    assert done.returncode == 0, done.stderr
    uid, connection = done.stdout.splitlines()
    assert uid == str(os.geteuid())
    assert connection.split()[3] == str(lab.sshd.port)


def test_sshd_wants_the_labs_own_key(lab: LabOfTests, tmp_path: Path) -> None:
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True, timeout=30)
    known = f"UserKnownHostsFile={lab.sshd.files['known_hosts']}"
    argv = ["ssh", "-F", "none", "-o", known, "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes"]
    argv += ["-i", str(key), "-p", str(lab.sshd.port), f"{lab.sshd.user}@{lab.sshd.host}", "true"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=30)
    assert "Permission denied (publickey)" in done.stderr


def test_what_lab_json_says_of_a_server_is_so(lab: LabOfTests) -> None:
    # As it is now: tests of faults stop and start instances, under new pids.
    for server in up_in(lab.directory).servers:
        process = psutil.Process(server.process.pid)
        open_here = {each.laddr.port for each in process.net_connections("tcp") if each.status == "LISTEN"}
        assert set(server.ports.values()) == open_here, server.name
        assert process.username() == server.user
        if server.host == LOOPBACK:
            assert Path(server.argv[0]).samefile(process.exe())
        else:
            assert tuple(process.cmdline()) == server.argv, "the stand-in looks like what it stands in for"
        named = [server.config, server.data, server.log, *server.files.values()]
        assert all(path.exists() for path in named if path is not None)


def test_lab_json_is_for_its_owner_alone(lab: LabOfTests) -> None:
    assert (lab.directory / "lab.json").stat().st_mode & 0o777 == 0o600


def test_a_second_lab_has_ports_of_its_own_and_down_leaves_nothing(
    lab: LabOfTests, own_directory: Path
) -> None:
    assert command("status", own_directory).returncode == 1
    assert command("up", own_directory).returncode == (3 if lab.missing else 0)
    second = up_in(own_directory)
    assert not ports(lab) & ports(second)
    assert command("up", own_directory).stdout == second.to_json(), "up again finds the same lab"
    assert ssh(second.sshd, "lab", "setsid sleep 600 > /dev/null 2>&1 &").returncode == 0
    left = [each.pid for each in psutil.Process(second.supervisor.pid).children(recursive=True)]
    assert len(left) > len(second.servers)

    assert command("down", own_directory).returncode == 0
    assert gone(second)
    assert not any(psutil.pid_exists(pid) for pid in left), "what was started over ssh is gone too"
    assert not second.root.exists() or second.root == own_directory
    up_in(lab.directory)  # the other lab is untouched
    assert command("down", own_directory).returncode == 0, "down again does nothing"


def test_a_lab_that_lacks_a_server_says_so_with_exit_status_3(own_directory: Path) -> None:
    command("up", own_directory)
    without = dataclasses.replace(up_in(own_directory), missing=(Missing("abacus", "abacus: none here"),))
    without.save()
    for word in ("up", "status"):
        done = command(word, own_directory)
        assert done.returncode == 3
        assert '"reason": "abacus: none here"' in done.stdout


def test_a_lab_ends_with_the_session_that_started_it(own_directory: Path) -> None:
    """Also by SIGKILL, which lets a session clean up nothing."""
    argv = [sys.executable, "-c", OWNER, str(own_directory)]
    with subprocess.Popen(argv, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        assert "up\n" in iter(owner.stdout.readline, "")
        orphan = up_in(own_directory)
        owner.send_signal(signal.SIGKILL)
    assert eventually(lambda: gone(orphan))
    assert eventually(lambda: not own_directory.exists()), "a session's lab takes its files along"


def test_the_servers_end_when_their_supervisor_is_killed(own_directory: Path) -> None:
    command("up", own_directory)
    lab = up_in(own_directory)
    os.kill(lab.supervisor.pid, signal.SIGKILL)
    assert eventually(lambda: gone(lab))
    assert command("status", own_directory).returncode == 1
    assert command("down", own_directory).returncode == 0


def test_a_session_uses_the_lab_that_it_is_named(lab: LabOfTests, tmp_path: Path) -> None:
    argv = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        f"{__file__}::{test_etcd_keeps_what_it_is_given.__name__}",
    ]
    for directory, expected in ((lab.directory, "1 passed"), (tmp_path, "where no lab is up")):
        environment = {**os.environ, "CLINIC_LAB_DIR": str(directory)}
        done = subprocess.run(
            argv, cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False, timeout=60
        )
        assert expected in done.stdout
