"""The doors that all attempts of a run share."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from clinic.cluster.model import Cluster, Machine
from clinic.errors import Failed
from clinic.host.base import Host
from clinic.host.local import LocalHost
from clinic.outcome import Reason
from clinic.run.doors import Common
from clinic.secret import SecretRegister
from clinic.source.base import CONTROL
from clinic.window import Window

NOW = datetime.now(timezone.utc)
WINDOW = Window(NOW - timedelta(hours=1), NOW)


def test_this_machine_has_a_door_though_it_is_none_of_the_cluster_s() -> None:
    """TiUP's files are on the machine that manages the cluster, which is seldom one of its own."""
    opened: list[Machine] = []

    def connect(machine: Machine) -> Host:
        opened.append(machine)
        return LocalHost(machine.name)

    common = Common(Cluster("prod", "tiup", (Machine("10.0.1.5"),)), WINDOW, SecretRegister(), connect)
    assert common.host(CONTROL) is common.host(CONTROL)
    assert opened == [Machine(CONTROL, local=True)]
    common.host("10.0.1.5")
    assert opened[1] == Machine("10.0.1.5")
    with pytest.raises(Failed) as raised:
        common.host("10.0.9.9")
    assert raised.value.reason is Reason.NOT_FOUND
    common.close()
