"""Control groups tell the unit and the container of a process."""

from __future__ import annotations

import pytest

from clinic.cluster.discovery.placement import Placement, placement

ID = "0123456789abcdef" * 4

CASES = {
    "a system unit": ("0::/system.slice/tidb-4000.service\n", Placement(unit="tidb-4000.service")),
    "a group below the unit": (
        "0::/system.slice/mariadb.service/supervise\n",
        Placement(unit="mariadb.service"),
    ),
    "a unit of a user's manager": (
        "0::/user.slice/user-1000.slice/user@1000.service/app.slice/tikv-20160.service\n",
        Placement(unit="tikv-20160.service"),
    ),
    "a user's session": ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/x.scope\n", Placement()),
    "a login": ("0::/user.slice/user-0.slice/session-3.scope\n", Placement()),
    "version 1": (
        "12:memory:/other.service\n4:cpu,cpuacct:/\n1:name=systemd:/system.slice/pd-2379.service\n0::/\n",
        Placement(unit="pd-2379.service"),
    ),
    "docker with systemd": (
        f"0::/system.slice/docker-{ID}.scope\n",
        Placement(container="docker 0123456789ab"),
    ),
    "docker with cgroupfs": (f"1:name=systemd:/docker/{ID}\n", Placement(container="docker 0123456789ab")),
    "a pod with systemd": (
        f"0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1.slice/cri-containerd-{ID}.scope\n",
        Placement(container="kubernetes 0123456789ab"),
    ),
    "a pod with cgroupfs": (
        f"3:cpu:/kubepods/burstable/pod5f2c/{ID}\n",
        Placement(container="kubernetes 0123456789ab"),
    ),
    "podman": (
        f"0::/machine.slice/libpod-{ID}.scope/container\n",
        Placement(container="libpod 0123456789ab"),
    ),
    "lxc": ("0::/lxc.payload.web1/system.slice/etcd.service\n", Placement("etcd.service", "lxc web1")),
    "nspawn": ("0::/machine.slice/machine-db.scope/payload\n", Placement(container="machine db")),
    "no control groups": ("", Placement()),
    "nonsense": ("x\n:\n::\n\n", Placement()),
}


@pytest.mark.parametrize("name", CASES)
def test_unit_and_container(name: str) -> None:
    text, expected = CASES[name]
    assert placement(text) == expected
