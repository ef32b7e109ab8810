"""Logs of the window: of every instance by kind, and what TiUP wrote down of its operations."""

from __future__ import annotations

import glob
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from clinic.collector import Category, Collector, Content, Instance, Item, Sensitivity, Target, Volatility
from clinic.source.base import CONTROL
from clinic.source.log.window import LogWindow, index
from clinic_collectors._audit import concerns
from clinic_collectors._logs import SETTINGS, paths
from clinic_collectors._topology import tiup_folder

USER_DATA = Sensitivity.USER_DATA

_CAP = 2 << 30
"""Plain bytes of one file of the window; TiDB's family rotates at 300 MB."""

_SILENCE = 2 * 3600.0
"""Seconds: every process of a storage cluster says something more often, however little it has to do."""

_NEVER_SILENT = ("tidb", "tikv", "pd", "tiflash")


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of log."""

    name: str
    """The last word of its items' ids and the name of their folder."""

    priority: int
    """Who gets room first when there is not enough."""

    sensitivity: Sensitivity = USER_DATA
    """What it may hold: the text of statements may be in any log of a database."""

    default: bool = True
    """Whether it is collected when nobody names it."""


KINDS = (
    Kind("error", 20),
    Kind("slow", 30),
    Kind("std", 40),
    Kind("rocksdb", 60, Sensitivity.INTERNAL),
    Kind("raft", 60, Sensitivity.INTERNAL),
    Kind("audit", 70, default=False),
    Kind("general", 70, default=False),
)


class Logs(Collector):
    """The lines inside the window, whole entries and nothing else; what a log does not cover is on record."""

    name = "log"
    category = Category.LOGS
    summary = (
        "logs of the window: std, error, slow, rocksdb, raft, on request audit, general and TiUP's operations"
    )

    def items(self, target: Target) -> Iterator[Item]:
        taken: set[str] = set()
        for instance in target.instances():
            for kind in KINDS:
                # Inside a container the paths are not those of the host.
                logs = paths(instance, kind.name) if not instance.container else ()
                if logs:
                    yield _item(instance, kind, logs, taken)
        yield from _operations(target)


def _item(instance: Instance, kind: Kind, logs: tuple[str, ...], taken: set[str]) -> Item:
    directory = posixpath.dirname(logs[0])
    path = f"{instance.host}{directory}/{kind.name}"
    if path in taken:  # two instances whose logs are in one directory
        path = f"{path}-{instance.component}-{instance.port}"
    taken.add(path)
    steady = kind.name == "std" and instance.component in _NEVER_SILENT
    source = LogWindow(
        instance.host, logs, configs=_configs(instance), settings=SETTINGS.get(kind.name, ()),
        home=instance.deploy_dir, below=directory, started=instance.started, running=instance.pid > 0,
        silence=_SILENCE if steady else 0.0,
    )  # fmt: skip
    return Item(
        path, source, id=f"log.{kind.name}", instance=instance.id, folder=True, content=Content.LOG,
        sensitivity=kind.sensitivity, volatility=Volatility.DAYS, priority=kind.priority, default=kind.default,
        cap=_CAP, observer=index,
    )  # fmt: skip


def _configs(instance: Instance) -> tuple[str, ...]:
    """What may say where its logs are; the last one was read last, and counts."""
    return tuple(path for path in instance.config_files if path.startswith("/") and path.endswith(".toml"))


def _operations(target: Target) -> Iterator[Item]:
    """TiUP's audit has a file for each operation on any of its clusters; its debug logs are of failed ones.

    Files that tell of another cluster alone are left where they are.
    """
    folder = tiup_folder(target.cluster)
    if not folder:
        return
    home = folder.partition("/clusters/")[0]
    debug = posixpath.join(posixpath.dirname(posixpath.dirname(home)), "logs")
    for path, directory, pattern in (("cluster_audit", f"{home}/audit", "*"), ("tiup_logs", debug, "*.log")):
        source = LogWindow(
            CONTROL, (), patterns=(f"{glob.escape(directory)}/{pattern}",), below=directory,
            meant=partial(concerns, target.cluster.name),
        )  # fmt: skip
        yield Item(
            path, source,
            id="log.ops", folder=True, content=Content.LOG, volatility=Volatility.DAYS, default=False, cap=32 << 20,
            observer=index,
        )  # fmt: skip
