"""What a program says of itself, asked in a way that gives it no rights: for instances whose API is down."""

from __future__ import annotations

import posixpath

from clinic.collector import Instance
from clinic.source.binary_version import Inside
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


def path_of(instance: Instance) -> str:
    """Its program's absolute path; empty where it is unknown, or is another one in its container."""
    program, _ = _PROGRAMS.get(instance.component, ("", ""))
    below = posixpath.join(instance.deploy_dir, program) if program and instance.deploy_dir else ""
    path = instance.binary or below
    return path if path.startswith("/") and not instance.container else ""


def told(instance: Instance) -> Inside | None:
    """What the program's file says, without running it; None where nobody knows where it is."""
    path = path_of(instance)
    return Inside(instance.host, path) if path and instance.component in _PROGRAMS else None


def asked(instance: Instance) -> Command | None:
    """The program with the rights of the account that runs it; None where it is unknown, or that account is root.

    Never as root and never as another who calls: the file is that account's, and it may have put anything there.
    """
    path = path_of(instance)
    _, option = _PROGRAMS.get(instance.component, ("", ""))
    if not path or not option or instance.user in ("", "root", "0"):
        return None
    # In the words and not in the environment: who drops root's rights would load libraries from there as root.
    library = ("env", f"LD_LIBRARY_PATH={posixpath.dirname(path)}") if instance.component == "tiflash" else ()
    argv = (*library, path, option)
    return Command(
        instance.host, argv, account=instance.user, package="util-linux", deadline=10.0, stderr="append"
    )
