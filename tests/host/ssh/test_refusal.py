"""Logins that fail, each with the words that tell why and what would mend it; connections that are lost."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.host.ssh.conftest import drained, login_shell
from tests.lab.own_sshd import Serve, Sshd

from clinic.deadline import Deadline
from clinic.errors import Failed, ItemError, Retryable
from clinic.host.ssh.command_line import Login
from clinic.host.ssh.host import SSHHost
from clinic.outcome import Reason

pytestmark = pytest.mark.lab


def refused(sshd: Sshd, login: Login | None = None) -> ItemError:
    """Why nobody gets in."""
    with pytest.raises(ItemError) as caught:
        sshd.door(login).close()
    return caught.value


def test_a_key_that_is_not_accepted(sshd: Sshd, tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "other")], check=True)
    error = refused(sshd, replace(sshd.login, key=str(tmp_path / "other")))
    assert isinstance(error, Failed)
    assert error.reason is Reason.NOT_PERMITTED
    assert "node does not let us in" in error.message
    assert "Permission denied (publickey)" in error.message
    assert "--ssh-key" in error.fix
    assert f"ssh -p {sshd.port} {sshd.login.user}@127.0.0.1 true" in error.fix


def test_a_host_key_that_nobody_knows(sshd: Sshd) -> None:
    error = refused(sshd, replace(sshd.login, known_hosts=("/dev/null",)))
    assert error.reason is Reason.UNSAFE
    assert "is not known" in error.message
    assert "clinic doctor --cluster" in error.fix


def test_a_host_key_that_has_changed(sshd: Sshd, tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "host")], check=True)
    known = tmp_path / "known"
    known.write_text(f"[127.0.0.1]:{sshd.port} {(tmp_path / 'host.pub').read_text()}")
    error = refused(sshd, replace(sshd.login, known_hosts=(str(known),)))
    assert error.reason is Reason.UNSAFE
    assert "is another than the known one" in error.message
    command = f"ssh-keygen -R '[127.0.0.1]:{sshd.port}' -f {known}"
    assert command in error.fix
    subprocess.run(command, shell=True, check=True, capture_output=True)  # noqa: S602 - as a person would type it
    assert known.read_text() == ""


def test_no_answer(sshd: Sshd) -> None:
    error = refused(sshd, replace(sshd.login, port="1"))
    assert isinstance(error, Retryable)
    assert error.reason is Reason.UNREACHABLE
    assert "Connection refused" in error.message


@pytest.mark.parametrize("forced", ["/usr/sbin/nologin", "echo only backups here", "cat", "true"])
def test_a_login_without_a_shell(serve: Serve, forced: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clinic.host.ssh.shell.ANSWERS", 2.0)
    error = refused(serve(f"ForceCommand {forced}"))
    assert error.reason is Reason.BAD_ANSWER
    assert "gives no shell" in error.message
    assert "--ssh-user" in error.fix


def test_a_login_that_prints_is_no_trouble(serve: Serve, tmp_path: Path) -> None:
    banner = tmp_path / "banner"
    banner.write_text("Authorised use only.\n")
    shouting = serve(
        f"Banner {banner}",
        'ForceCommand echo Welcome; echo mind the gap >&2; exec bash -c "$SSH_ORIGINAL_COMMAND"',
    )
    host = shouting.door()
    with host.run(("echo", "x"), Deadline(10)) as process:
        assert drained(process) == b"x\n"
        assert process.stderr == ""
    host.close()


def test_what_ssh_config_says_of_forwarding_does_not_count(sshd: Sshd, home: Path, tmp_path: Path) -> None:
    (home / ".ssh").mkdir()
    config = tmp_path / "config"
    marker = tmp_path / "local-command-ran"
    config.write_text(
        f"ForwardAgent yes\nForwardX11 yes\nPermitLocalCommand yes\nLocalCommand touch {marker}\nRemoteCommand id\n"
        "RequestTTY force\nStrictHostKeyChecking no\nTunnel yes\nLocalForward 127.0.0.1:1 127.0.0.1:1\n"
        f"ControlPersist 60\nControlPath {tmp_path}/of-the-user\nControlMaster auto\nUserKnownHostsFile /dev/null\n"
    )
    wrapper = tmp_path / "bin" / "ssh"
    wrapper.parent.mkdir()
    wrapper.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {config} "$@"\n')
    wrapper.chmod(0o755)
    login = replace(sshd.login, environment={"PATH": f"{wrapper.parent}:{os.environ['PATH']}"})
    assert refused(sshd, replace(login, known_hosts=("/dev/null",))).reason is Reason.UNSAFE
    host = sshd.door(login)
    with host.run(("sh", "-c", "cat /proc/$PPID/environ; tty"), Deadline(10)) as process:
        said = drained(process)
    host.close()
    assert b"SSH_AUTH_SOCK" not in said and b"DISPLAY" not in said and b"not a tty" in said
    assert not marker.exists()
    assert not (tmp_path / "of-the-user").exists()


def test_a_server_that_dies_costs_what_runs_and_nothing_more(
    serve: Serve, nap: str, asleep: Callable[[int], int]
) -> None:
    server = serve()
    host = server.door()
    with (
        pytest.raises(Retryable) as caught,
        host.run(("sh", "-c", f"echo x; exec sleep {nap}"), Deadline(30)) as one,
    ):
        for _ in one.chunks():
            server.kill_servers()
    assert caught.value.reason is Reason.UNREACHABLE
    assert "was lost" in caught.value.message
    assert asleep(0) == 0
    with pytest.raises(Retryable) as again:
        host.run(("true",), Deadline(30))
    assert again.value.reason is Reason.UNREACHABLE
    host.close()


def test_a_lost_connection_is_made_anew(sshd: Sshd) -> None:
    host = sshd.door()
    with host.run(("sh", "-c", "echo $PPID"), Deadline(10)) as process:
        drained(process)
    with pytest.raises(Retryable), host.run(("sh", "-c", "echo x; exec sleep 100"), Deadline(30)) as one:
        for _ in one.chunks():
            sshd.kill_servers(listener=False)
    with host.run(("echo", "back"), Deadline(30)) as process:
        assert drained(process) == b"back\n"
    assert host.cost()["ssh_connections"] == 2
    host.close()


def test_one_session_for_each_connection_is_enough(serve: Serve) -> None:
    host: SSHHost = serve("MaxSessions 1").door()
    with host.run(("sh", "-c", "echo a; sleep 0.5"), Deadline(10)) as first:
        pieces = first.chunks()
        assert next(pieces) == b"a\n"
        started = time.monotonic()
        with pytest.raises(ItemError):
            host.run(("true",), Deadline(0.3))
        assert time.monotonic() - started < 5
        assert b"".join(pieces) == b""
    with host.run(("echo", "b"), Deadline(10)) as second:
        assert drained(second) == b"b\n"
    host.close()


def test_a_crowded_server_is_tried_again(serve: Serve) -> None:
    """MaxStartups drops some of many logins at once; none of them is lost."""
    server = serve("MaxStartups 2:90:3")
    import threading

    doors: list[SSHHost] = []
    threads = [threading.Thread(target=lambda: doors.append(server.door())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(doors) >= 3
    for door in doors:
        door.close()


def test_an_account_without_a_shell(serve: Serve) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can play several users")
    nobody = next(entry.pw_name for entry in pwd.getpwall() if entry.pw_shell.endswith("nologin"))
    server = serve(user=nobody)
    error = refused(server, server.login)
    assert error.reason is Reason.BAD_ANSWER
    assert "not available" in error.message


def test_a_login_shell_of_another_kind(serve: Serve) -> None:
    for shell in ("busybox ash", "bash --posix"):
        host = login_shell(serve, shell, first="echo hello; echo there >&2").door()
        with host.run(("echo", shell), Deadline(10)) as process:
            assert drained(process) == f"{shell}\n".encode()
        host.close()
