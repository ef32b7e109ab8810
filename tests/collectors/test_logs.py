"""Which logs of an instance are taken, where they go, and who has to ask for them."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import pytest

from clinic.cluster.model import Cluster, Instance, Machine
from clinic.collector import Content, Item, Sensitivity, Target, Volatility, Window
from clinic.source.log.window import LogWindow
from clinic_collectors._logs import paths
from clinic_collectors.logs import Logs

helpers = importlib.import_module("clinic_collectors._logs")

NOON = datetime(2026, 11, 24, 12, tzinfo=timezone.utc)


def items(*instances: Instance, deployed: str = "local", key: str = "") -> list[Item]:
    """What is declared for a cluster of these."""
    machine = Machine("db-1", local=True, login={"key": key} if key else {})
    cluster = Cluster("lab", deployed, (machine,), instances)
    return list(Logs().items(Target(cluster, Window(NOON, NOON + timedelta(hours=2)))))


TIDB = Instance("tidb", "db-1", 4000, deploy_dir="/tidb-deploy/tidb-4000", pid=7, started=1000.0)


def source(item: Item) -> LogWindow:
    """Its source."""
    assert isinstance(item.source, LogWindow)
    return item.source


def test_a_log_of_each_kind_in_a_folder_of_its_own_below_the_host_s_path() -> None:
    found = {item.id: item for item in items(TIDB)}
    assert set(found) == {"log.std", "log.error", "log.slow", "log.audit", "log.general"}
    for item in found.values():
        kind = item.id.removeprefix("log.")
        assert item.path == f"db-1/tidb-deploy/tidb-4000/log/{kind}"
        assert source(item).below == "/tidb-deploy/tidb-4000/log"
        assert (item.content, item.volatility, item.folder) == (Content.LOG, Volatility.DAYS, True)
        assert item.instance == "db-1-4000"
    assert source(found["log.std"]).logs == ("/tidb-deploy/tidb-4000/log/tidb.log",)
    assert "/tidb-deploy/tidb-4000/log/tidb_slow_query.log" in source(found["log.slow"]).logs


def test_statements_are_user_data_and_two_kinds_have_to_be_asked_for() -> None:
    found = {item.id: item for item in items(TIDB)}
    assert {name for name, item in found.items() if not item.default} == {"log.audit", "log.general"}
    for name in ("log.slow", "log.audit", "log.general"):
        assert found[name].sensitivity is Sensitivity.USER_DATA


def test_errors_and_slow_queries_get_room_before_the_rest() -> None:
    found = sorted(items(TIDB), key=lambda item: item.priority)
    assert [item.id for item in found[:3]] == ["log.error", "log.slow", "log.std"]


def test_what_a_process_writes_goes_before_what_it_usually_does() -> None:
    told = Instance(
        "tidb", "db-1", 4000, pid=7, started=1000.0, log_dir="/data/log",
        log_files=("/data/log/db.log", "/data/slow/tidb-slow-4000.log", "/data/log/stderr.log"),
    )  # fmt: skip
    found = {item.id: item for item in items(told)}
    assert source(found["log.std"]).logs == ("/data/log/db.log", "/data/log/tidb.log")
    assert source(found["log.slow"]).logs[0] == "/data/slow/tidb-slow-4000.log"
    assert found["log.slow"].path == "db-1/data/slow/slow"
    assert source(found["log.error"]).logs[0] == "/data/log/stderr.log"


def test_a_storage_server_s_engines_have_their_logs_among_its_data() -> None:
    tikv = Instance("tikv", "db-1", 20160, deploy_dir="/d/tikv", data_dirs=("/data/tikv/",))
    found = {item.id: item for item in items(tikv)}
    assert source(found["log.rocksdb"]).logs == ("/data/tikv/rocksdb.info", "/data/tikv/db/LOG")
    assert source(found["log.raft"]).logs == ("/data/tikv/raftdb.info", "/data/tikv/raft/LOG")
    assert found["log.raft"].path == "db-1/data/tikv/raft"


def test_two_instances_whose_logs_are_in_one_directory_are_kept_apart() -> None:
    shared = "/tidb-deploy/prometheus-9090"
    found = items(
        Instance("prometheus", "db-1", 9090, deploy_dir=shared),
        Instance("ng-monitoring", "db-1", 12020, deploy_dir=shared),
    )
    assert [item.path for item in found] == [
        f"db-1{shared}/log/std",
        f"db-1{shared}/log/std-ng-monitoring-12020",
    ]
    assert [source(item).logs for item in found] == [
        (f"{shared}/log/prometheus.log",),
        (f"{shared}/log/ng.log",),
    ]


def test_a_server_that_says_nothing_for_hours_is_remarkable_only_where_it_never_does() -> None:
    found = {item.id: source(item) for item in items(TIDB)}
    assert found["log.std"].silence > 0
    assert (found["log.std"].started, found["log.std"].running) == (1000.0, True)
    assert found["log.slow"].silence == 0
    [grafana] = items(Instance("grafana", "db-1", 3000, deploy_dir="/d/grafana"))
    assert source(grafana).silence == 0


def test_what_runs_in_a_container_has_no_paths_on_the_host() -> None:
    assert items(Instance("tidb", "db-1", 4000, deploy_dir="/tidb", container="docker")) == []


def test_an_instance_of_which_nothing_is_known_declares_what_a_package_does() -> None:
    found = {item.id: source(item).logs for item in items(Instance("mariadb", "db-1", 3306))}
    assert "/var/log/mysql/error.log" in found["log.std"]
    assert items(Instance("tidb", "db-1", 4000)) == []


def test_tiup_s_operations_have_to_be_asked_for() -> None:
    key = "/home/tidb/.tiup/storage/cluster/clusters/lab/ssh/id_rsa"
    found = items(deployed="tiup", key=key)
    assert [(item.id, item.path, item.default) for item in found] == [
        ("log.ops", "cluster_audit", False),
        ("log.ops", "tiup_logs", False),
    ]
    assert source(found[0]).patterns == ("/home/tidb/.tiup/storage/cluster/audit/*",)
    assert source(found[1]).patterns == ("/home/tidb/.tiup/logs/*.log",)
    for meant in (source(item).meant for item in found):
        assert meant is not None
        assert meant(b"tiup-cluster stop lab\n")
        assert not meant(b"tiup-cluster stop another\n")


@pytest.mark.parametrize(
    ("component", "path", "kind"),
    [
        ("tidb", "/l/tidb.log", "std"), ("tidb", "/l/tidb_slow_query.log", "slow"), ("tidb", "/l/a-audit.log", "audit"),
        ("tidb", "/l/General.log", "general"), ("pd", "/l/pd_stderr.log", "error"),
        ("tiflash", "/l/tiflash_error.log", "error"), ("tikv", "/d/rocksdb.info", "rocksdb"),
        ("tikv", "/d/db/LOG", "rocksdb"), ("tikv", "/d/raft/LOG", "raft"), ("tikv", "/d/raftdb.info", "raft"),
        ("mariadb", "/var/log/mysql/error.log", "std"), ("mysql", "/data/db-1.err", "std"),
        ("mysql", "/data/db-1-slow.log", "slow"),
    ],
)  # fmt: skip
def test_a_log_file_s_name_tells_what_it_is_for(component: str, path: str, kind: str) -> None:
    assert helpers.kind_of(component, path) == kind


def test_a_recorded_machine_gives_what_its_window_has(play: Callable[[str, str, str], bytes]) -> None:
    slow = play("tiup", "log.slow", "db-1-4000")
    assert slow.startswith(b"# Time: ")
    assert b"select" in slow.lower()
    assert b"panic:" in play("tiup", "log.error", "db-1-4000")


@pytest.mark.parametrize("component", ["dm-master", "dm-worker"])
def test_logs_of_dm_are_where_tiup_has_them(component: str) -> None:
    instance = Instance(component, "a", 8261, deploy_dir=f"/dm-deploy/{component}-8261")
    log = f"/dm-deploy/{component}-8261/log/{component}"
    assert paths(instance, "std") == (f"{log}.log",)
    assert paths(instance, "error") == (f"{log}_stderr.log",)
    told = Instance(component, "a", 8261, log_dir="/elsewhere", log_files=(f"/elsewhere/{component}.log",))
    assert paths(told, "std") == (f"/elsewhere/{component}.log",)
