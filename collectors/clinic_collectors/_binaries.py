"""What a program says of itself, asked in a way that gives it no rights: for instances whose API is down."""

from __future__ import annotations

import posixpath

from clinic.collector import Instance
from clinic.source.command import Command

_PROGRAMS = {
    "tidb": ("bin/tidb-server", "-V"), "pd": ("bin/pd-server", "-V"), "tikv": ("bin/tikv-server", "-V"),
    "tiflash": ("bin/tiflash/tiflash", "version"), "ticdc": ("bin/cdc", "version"),
    "tiproxy": ("bin/tiproxy", "--version"), "tso": ("bin/pd-server", "-V"), "scheduling": ("bin/pd-server", "-V"),
    "resource-manager": ("bin/pd-server", "-V"), "router": ("bin/pd-server", "-V"),
    "dm-master": ("bin/dm-master/dm-master", "-V"), "dm-worker": ("bin/dm-worker/dm-worker", "-V"),
    "prometheus": ("bin/prometheus/prometheus", "--version"),
    "alertmanager": ("bin/alertmanager/alertmanager", "--version"),
    "grafana": ("bin/bin/grafana-server", "-v"), "node_exporter": ("bin/node_exporter/node_exporter", "--version"),
    "blackbox_exporter": ("bin/blackbox_exporter/blackbox_exporter", "--version"),
    "ng-monitoring": ("bin/ng-monitoring-server", "--version"),
    "mysql": ("", "--version"), "mariadb": ("", "--version"), "etcd": ("", "--version"),
    "victoria-metrics": ("", "--version"),
}  # fmt: skip
"""Where TiUP puts the program below the deploy directory, and the option that makes it tell its version and end."""

NOBODY = "65534"
"""The group: that of nobody, by number, since its name is not the same everywhere."""

_DROPPED = ("--clear-groups", "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all")


def asked(instance: Instance) -> Command | None:
    """The program with the rights of the account that runs it; None where it is unknown, or that account is root.

    Never as root and never as whoever calls: the file is that account's, and it may have put anything there.
    """
    program, option = _PROGRAMS.get(instance.component, ("", ""))
    path = instance.binary or (
        posixpath.join(instance.deploy_dir, program) if program and instance.deploy_dir else ""
    )
    if not path.startswith("/") or not option or instance.user in ("", "root", "0") or instance.container:
        return None
    # The library path is set behind the drop: before it, root itself would load libraries from there.
    library = ("env", f"LD_LIBRARY_PATH={posixpath.dirname(path)}") if instance.component == "tiflash" else ()
    argv = (
        "setpriv",
        f"--reuid={instance.user}",
        f"--regid={NOBODY}",
        *_DROPPED,
        "--",
        *library,
        path,
        option,
    )
    return Command(instance.host, argv, root=True, package="util-linux", deadline=10.0, stderr="append")
