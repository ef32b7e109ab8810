"""The servers of the lab, in the order in which they are listed."""

from __future__ import annotations

from tests.lab.databases import Etcd, MariaDB
from tests.lab.machines.sshd import sshds
from tests.lab.monitoring import Alertmanager, NodeExporter, Prometheus, VictoriaMetrics
from tests.lab.program import Program
from tests.lab.sshd import Sshd
from tests.lab.standin.programs import SharedCluster, members

_cluster = SharedCluster()

PROGRAMS: tuple[Program, ...] = (
    Prometheus(),
    Alertmanager(),
    NodeExporter(),
    VictoriaMetrics(),
    MariaDB(),
    Etcd(),
    Sshd(),
    *members(_cluster),
    *sshds(_cluster),
)
