"""Host keys that nobody knows yet are gathered as OpenSSH would see them, and known once they were accepted."""

from __future__ import annotations

import stat
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from tests.lab.own_sshd import Sshd

from clinic.host.ssh.hostkeys import accept, scan

pytestmark = pytest.mark.lab


def test_an_unknown_key_is_shown_as_the_machine_tells_it(sshd: Sshd, tmp_path: Path) -> None:
    own = tmp_path / "state" / "known_hosts"
    login = replace(sshd.login, known_hosts=(str(own),))
    [scanned] = scan([login])
    assert not scanned.known
    [key] = scanned.keys
    told = subprocess.run(
        ["ssh-keygen", "-lf", f"{sshd.home}/host_key.pub"], capture_output=True, text=True, check=True
    ).stdout
    assert key.fingerprint == told.split()[1]
    accept(scanned.keys, own)
    assert stat.S_IMODE(own.stat().st_mode) == 0o600
    assert [one.known for one in scan([login])] == [True]
    sshd.door(login).close()


def test_a_hashed_name_is_known(sshd: Sshd, tmp_path: Path) -> None:
    hashed = tmp_path / "hashed"
    hashed.write_text(Path(sshd.login.known_hosts[0]).read_text())
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(hashed)], check=True, capture_output=True)
    assert "127.0.0.1" not in hashed.read_text()
    assert scan([replace(sshd.login, known_hosts=(str(hashed),))])[0].known


def test_machines_that_do_not_answer_say_why(sshd: Sshd) -> None:
    silent = replace(sshd.login, name="silent", port="1", known_hosts=())
    hidden = replace(sshd.login, name="hidden", options=("ProxyCommand=nc %h %p",), known_hosts=())
    unknown = replace(sshd.login, known_hosts=())
    found = scan([silent, hidden, unknown])
    assert [one.host for one in found] == ["silent", "hidden", "node"]
    assert "port 1 shows no key" in found[0].why or "refused" in found[0].why
    assert "ProxyCommand" in found[1].why
    assert found[2].keys


def test_a_name_of_its_own_counts(sshd: Sshd) -> None:
    login = replace(sshd.login, options=("HostKeyAlias=node-7",), known_hosts=())
    [scanned] = scan([login])
    assert [key.place for key in scanned.keys] == ["node-7"]
