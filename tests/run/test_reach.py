"""How a machine is reached: as TiUP would, unless the command line says otherwise."""

from __future__ import annotations

import pytest

from clinic.cluster.model import Machine
from clinic.errors import Failed
from clinic.outcome import Reason
from clinic.run.reach import Reach, Ssh
from clinic.secret import SecretRegister

TOLD = {"user": "tidb", "port": "2222", "address": "10.0.1.5", "key": "/k/id_rsa"}


def machine(executor: str = "", *, local: bool = False, **more: str) -> Machine:
    return Machine("db1", local=local, login={**TOLD, **({"executor": executor} if executor else {}), **more})


@pytest.mark.parametrize(
    ("ssh", "one", "way"),
    [
        (Ssh(), machine("builtin"), "over SSH as tidb, port 2222, key /k/id_rsa (ssh_type of TiUP: builtin)"),
        (
            Ssh(),
            machine("system", client="/opt/ssh"),
            "over SSH as tidb, port 2222, key /k/id_rsa, program /opt/ssh (ssh_type of TiUP: system)",
        ),
        (Ssh(user="root"), machine(), "over SSH as root, port 2222, key /k/id_rsa"),
        (Ssh(), Machine("db1"), "over SSH as ssh is configured"),
        (Ssh(), machine("none", local=True), "directly, since it is this machine (ssh_type of TiUP: none)"),
        (
            Ssh(),
            machine("none"),
            "not at all: TiUP uses no SSH (ssh_type of TiUP: none), and it is not this machine",
        ),
        (
            Ssh(user="me"),
            machine("none"),
            "over SSH as me, port 2222, key /k/id_rsa (ssh_type of TiUP: none)",
        ),
    ],
)
def test_the_way_is_said(ssh: Ssh, one: Machine, way: str) -> None:
    assert ssh.way(one) == way


def test_the_login_is_that_of_tiup_with_the_program_that_it_names() -> None:
    login = Ssh().login(machine("system", client="/opt/ssh"))
    assert (login.user, login.port, login.key, login.client) == ("tidb", "2222", "/k/id_rsa", "/opt/ssh")
    assert Ssh().login(machine("builtin")).client == "ssh"


def test_without_ssh_no_other_machine_is_taken_for_this_one() -> None:
    reach = Reach(Ssh(), SecretRegister())
    with pytest.raises(
        Failed, match=r"without SSH \(ssh_type: none\), and 10\.0\.1\.5 is not this machine's"
    ) as no:
        reach.open(machine("none"))
    assert no.value.reason is Reason.UNREACHABLE
    assert "--ssh-user" in no.value.fix
