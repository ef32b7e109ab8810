"""A node behind a jump host, and one whose clock is off."""

from __future__ import annotations

import os
import shutil
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from tests.host.ssh.conftest import drained
from tests.lab.own_sshd import Serve, Sshd

from clinic.deadline import Deadline
from clinic.host.ssh.command_line import Login
from clinic.host.ssh.hostkeys import scan

pytestmark = pytest.mark.lab
FAKE_TIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")


@pytest.fixture
def behind(serve: Serve, sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Login:
    """A login at `sshd` through another server, as the user's own ssh_config says it."""
    jump = serve()
    config = tmp_path / "config"
    config.write_text(
        f"Host jump\n HostName 127.0.0.1\n Port {jump.port}\n User {jump.user}\n IdentityFile {jump.home}/user_key\n"
        f" UserKnownHostsFile {jump.home}/known_hosts\nHost node\n HostName 127.0.0.1\n Port {sshd.port}\n"
        " ProxyJump jump\n"
    )
    program = tmp_path / "bin" / "ssh"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {config} "$@"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    return replace(sshd.login, address="node", port="")


def test_it_is_reached_through_the_jump_host(sshd: Sshd, behind: Login) -> None:
    host = sshd.door(behind)
    with host.run(("sh", "-c", "echo x"), Deadline(20)) as process:
        assert drained(process) == b"x\n"
    host.close()


def test_its_key_is_gathered_through_the_jump_host(sshd: Sshd, behind: Login) -> None:
    [scanned] = scan([replace(behind, known_hosts=())])
    assert [key.line for key in scanned.keys] == [
        Path(sshd.login.known_hosts[0]).read_text().rsplit(" ", 1)[0].strip()
    ]


def test_a_clock_that_is_off_is_measured(serve: Serve) -> None:
    if not FAKE_TIME.exists():
        pytest.skip("not run: no libfaketime here")
    server = serve(f'ForceCommand LD_PRELOAD={FAKE_TIME} FAKETIME=+3600 exec sh -c "$SSH_ORIGINAL_COMMAND"')
    host = server.door()
    assert abs(host.ahead - 3600) < 10
    assert host.cost()["clock_ahead"] == host.ahead
    host.close()
