"""What the lab does when something is missing, broken, or not its own."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pwd
import re
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.lab.control import CHECKOUT, down
from tests.lab.directory import LOCK_FILE, claim, locked
from tests.lab.fixtures import LabOfTests
from tests.lab.packages import SETPRIV, obtain
from tests.lab.ports import Ports
from tests.lab.process import Running
from tests.lab.program import LOOPBACK, Launch, NotReady, Place, Program, Tool
from tests.lab.servers import PROGRAMS
from tests.lab.state import Identity, Lab, LabError, Missing, Server, load


class Shell(Program):
    """A "server" that is a shell command, and that never answers."""

    name = "shell"
    tools = (Tool("sh", ("dash",)),)

    def __init__(self, script: str) -> None:
        self._script = script

    def prepare(self, place: Place) -> Launch:
        return Launch([self.binary(), "-c", self._script], f"sh://{place.address}")

    def check(self, server: Server) -> None:
        raise NotReady(f"nobody answers at {server.port}")


class Abacus(Program):
    """A server that no Debian has."""

    name = "abacus"
    tools = (Tool("abacusd", ("abacus-server", "abacus")), Tool("abacus-client", ("abacus-client",)))

    def prepare(self, place: Place) -> Launch:
        return Launch([self.binary()], place.address)

    def check(self, server: Server) -> None:
        raise NotReady(server.name)


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process that has nothing to do with any lab."""
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process
        process.kill()


def started(script: str, home: Path) -> Running:
    """A shell command, started the way a server is."""
    program = Shell(script)
    place = Place(home, {"client": 1}, pwd.getpwuid(os.geteuid()).pw_name, {})
    return Running(program, place, program.prepare(place))


def lab_of(directory: Path, process: Identity, missing: tuple[Missing, ...] = ()) -> Lab:
    """A lab whose supervisor is `process`."""
    return Lab(directory, directory, process, (), missing)


def test_a_server_that_ends_early_is_reported_with_the_end_of_its_log(tmp_path: Path) -> None:
    running = started("seq 100; echo no such option >&2; exit 3", tmp_path)
    with pytest.raises(LabError, match="shell ended early, with status 3") as caught:
        running.wait_ready(threading.Event())
    shown = str(caught.value).splitlines()
    assert shown[1] == f"the end of {tmp_path}/shell.log:"
    assert [line.strip() for line in shown[-2:]] == ["100", "no such option"]
    assert len(shown) < 20


def test_a_server_that_never_answers_is_given_up_at_the_deadline(tmp_path: Path) -> None:
    running = started("exec sleep 600", tmp_path)
    try:
        with pytest.raises(LabError, match="shell was not ready after 0 s: nobody answers at 1"):
            running.wait_ready(threading.Event(), seconds=0.1)
    finally:
        running.process.kill()
        running.process.wait()


def test_waiting_ends_when_the_lab_is_given_up(tmp_path: Path) -> None:
    running = started("exec sleep 600", tmp_path)
    given_up = threading.Event()
    given_up.set()
    running.wait_ready(given_up)
    assert running.process.poll() is None
    running.process.kill()
    running.process.wait()


def test_a_pid_that_was_given_to_another_process_is_left_alone(
    tmp_path: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    claim(tmp_path)
    true = Identity.of(sleeper.pid)
    lab_of(tmp_path, dataclasses.replace(true, started="an-earlier-boot/1")).save()
    assert down(tmp_path)
    assert sleeper.poll() is None
    lab_of(tmp_path, true).save()
    sleeper_ends = threading.Thread(target=sleeper.wait)
    sleeper_ends.start()
    assert down(tmp_path)
    sleeper_ends.join()
    assert sleeper.returncode == -15


def test_what_is_saved_is_loaded_again(tmp_path: Path) -> None:
    lab = lab_of(tmp_path, Identity.of(os.getpid()), (Missing("etcd", "etcd: not installed"),))
    assert load(tmp_path) is None
    lab.save()
    assert load(tmp_path) == lab
    assert lab.alive()


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "is not JSON"), ('{"format": 99}', "has format 99, not 1"), ("{}", "is not a lab's state")],
)
def test_a_state_file_of_another_kind_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "lab.json").write_text(text)
    with pytest.raises(LabError, match=message):
        down(tmp_path)


def test_a_directory_that_is_not_a_labs_is_refused(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").touch()
    with pytest.raises(LabError, match="holds something that is not a lab's; name another with --dir"):
        claim(tmp_path)
    assert not (tmp_path / LOCK_FILE).exists()


def test_one_lab_at_a_time_in_a_directory(tmp_path: Path) -> None:
    claim(tmp_path)
    with (
        locked(tmp_path),
        pytest.raises(LabError, match="another lab is starting or running"),
        locked(tmp_path),
    ):
        pass


def test_ports_are_never_given_twice() -> None:
    with contextlib.closing(Ports()) as one, contextlib.closing(Ports()) as other:
        taken = [ports.take() for _ in range(200) for ports in (one, other)]
    assert len(set(taken)) == len(taken)


def test_a_port_that_is_kept_is_free_for_the_server_and_for_nobody_else() -> None:
    with contextlib.closing(Ports()) as ports, socket.socket() as server, socket.socket() as other:
        port = ports.take()
        with pytest.raises(OSError, match="in use"):
            other.bind((LOOPBACK, port))
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((LOOPBACK, port))
        server.listen()
        with socket.create_connection((LOOPBACK, port), timeout=5):
            pass


@pytest.mark.lab
def test_a_server_that_no_package_brings_is_missing_with_a_reason() -> None:
    told: list[str] = []
    missing = obtain([Abacus(), Shell("true")], told.append)
    assert list(missing) == ["abacus"]
    assert missing["abacus"].startswith("abacus: not installed, and ")
    assert missing["abacus"].endswith(" (Debian packages: abacus-client, abacus-server)")


def test_nothing_is_installed_without_root() -> None:
    told: list[str] = []
    caller = os.geteuid()
    if caller == 0:
        os.seteuid(pwd.getpwnam("nobody").pw_uid)
    try:
        missing = obtain([Abacus()], told.append)
    finally:
        os.seteuid(caller)
    assert "installing it needs root" in missing["abacus"]
    assert told == []


def test_the_packages_that_the_lab_may_install_are_documented() -> None:
    documented = set(re.findall(r"`([a-z0-9-]+)`", (CHECKOUT / "docs" / "testing.md").read_text()))
    wanted = {each.packages[0] for program in PROGRAMS for each in (SETPRIV, *program.tools)}
    assert wanted <= documented


def test_a_test_that_needs_an_absent_server_is_not_run(tmp_path: Path) -> None:
    lab = LabOfTests(
        tmp_path, tmp_path, Identity(1, ""), (), (Missing("etcd", "etcd: not installed, and ..."),)
    )
    with pytest.raises(pytest.skip.Exception) as caught:
        _ = lab.etcd
    assert str(caught.value) == "not run: etcd: not installed, and ..."


def test_an_unknown_server_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="the lab has no server called prometheus"):
        _ = lab_of(tmp_path, Identity(1, "")).prometheus


def test_lab_json_says_in_which_format_it_is(tmp_path: Path) -> None:
    assert json.loads(lab_of(tmp_path, Identity(1, "")).to_json())["format"] == 1
