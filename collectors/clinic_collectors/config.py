"""Configuration: the files that an instance was started with, and what it runs with now."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Iterator

from clinic.collector import Category, Collector, Content, Instance, Item, Stage, Target, Volatility
from clinic.source.file import Files
from clinic_collectors._servers import Ask, of_cluster, on_instances, place
from clinic_collectors._sql import Table, of_servers

LEARN = Stage.LEARN

_ENDINGS = ("toml", "yml", "yaml", "ini", "cnf", "conf", "json")

_MYSQL = (
    "/etc/my.cnf", "/etc/my.cnf.d/*.cnf", "/etc/mysql/*.cnf", "/etc/mysql/conf.d/*.cnf",
    "/etc/mysql/mysql.conf.d/*.cnf", "/etc/mysql/mariadb.conf.d/*.cnf",
)  # fmt: skip
"""Where the server and what its option files include are, with Debian and Red Hat."""

# diag has the first four under this very name; TiFlash's is that of the proxy inside it.
RUNNING = tuple(
    Ask("running", "conf/config.json", path, (component,), deploy=True, stage=LEARN, priority=20)
    for component, path in (
        ("tidb", "/config"), ("pd", "/pd/api/v1/config"), ("tikv", "/config?full=true"), ("tiflash", "/config"),
        ("tiproxy", "/api/admin/config/?format=json"),
    )
) + tuple(
    Ask("running", "config.json", path, (component,), stage=LEARN, priority=20)
    for component, path in (
        ("tso", "/tso/api/v1/config"), ("scheduling", "/scheduling/api/v1/config"),
        ("resource-manager", "/resource-manager/api/v1/config"), ("ng-monitoring", "/config"),
        ("prometheus", "/api/v1/status/config"), ("alertmanager", "/api/v2/status"),
    )
)  # fmt: skip

MORE = (Ask("flags", "flags.json", "/api/v1/status/flags", ("prometheus",), stage=LEARN),)

DEFAULTS = (Ask("pd-defaults", "config/pd-defaults.json", "/pd/api/v1/config/default", stage=LEARN),)

SHOWN = (Table("show", "config/show_config.csv", "SHOW CONFIG", stage=LEARN, priority=20),)


class Config(Collector):
    """Files and running configuration of every instance; `clinic drift` compares them."""

    name = "config"
    category = Category.CONFIG
    summary = "configuration files, start scripts, running configuration by HTTP and SHOW CONFIG"

    def items(self, target: Target) -> Iterator[Item]:
        for instance in target.instances():
            yield from _elsewhere(instance)
        for instance in _deployed(target.instances()):
            yield from _in_deploy_dir(instance)
        yield from on_instances(self, target, RUNNING, MORE)
        yield from of_cluster(self, target, "pd", DEFAULTS)
        yield from of_servers(self, target, SHOWN)


def _deployed(instances: Iterable[Instance]) -> list[Instance]:
    """One instance for each deploy directory: those beside Prometheus, and both exporters, share theirs."""
    found: dict[tuple[str, str], Instance] = {}
    for instance in instances:
        if _directory(instance):
            found.setdefault((instance.host, _directory(instance)), instance)
    return list(found.values())


def _directory(instance: Instance) -> str:
    """The deploy directory, where the instance is in one and its paths are those of the host."""
    return (
        instance.deploy_dir.rstrip("/")
        if instance.deploy_dir.startswith("/") and not instance.container
        else ""
    )


def _in_deploy_dir(instance: Instance) -> Iterator[Item]:
    """`conf` and the scripts that start it, under the names that they have on the host."""
    deploy, folder = _directory(instance), place(instance, deploy=True)
    conf = tuple(f"{glob.escape(deploy)}/conf/*.{ending}" for ending in _ENDINGS)
    scripts = (f"{glob.escape(deploy)}/scripts/run_*.sh",)
    for name, below, patterns, content in (
        ("files", "conf", conf, Content.INI), ("scripts", "scripts", scripts, Content.TEXT)
    ):  # fmt: skip
        yield Item(
            f"{folder}/{below}", Files(instance.host, patterns, below=f"{deploy}/{below}", telling=True),
            id=f"config.{name}", instance=instance.id, folder=True, content=content, stage=LEARN,
            volatility=Volatility.STABLE, priority=20,
        )  # fmt: skip


def _elsewhere(instance: Instance) -> Iterator[Item]:
    """Files that it was told, or looks for, outside of its deploy directory, and the unit that starts it."""
    conf = f"{_directory(instance)}/conf/"
    told = [
        glob.escape(path) for path in instance.config_files if conf == "/conf/" or not path.startswith(conf)
    ]
    usual = list(_MYSQL) if instance.component in ("mysql", "mariadb") else []
    usual += _unit_files(instance.unit)
    patterns = tuple(dict.fromkeys(path for path in [*told, *usual] if path.startswith("/")))
    if patterns and not instance.container:
        yield Item(
            f"{place(instance)}/conf", Files(instance.host, patterns, telling=True), id="config.files",
            instance=instance.id, folder=True, content=Content.INI, stage=LEARN, volatility=Volatility.STABLE,
            priority=20,
        )  # fmt: skip


def _unit_files(unit: str) -> list[str]:
    """The unit as files, also where systemd can't be asked; what was changed of it is beside it in `.d`."""
    if not unit or "/" in unit:
        return []
    folders = ("/etc/systemd/system", "/usr/lib/systemd/system")
    return [f"{folder}/{glob.escape(unit)}{rest}" for folder in folders for rest in ("", ".d/*.conf")]
