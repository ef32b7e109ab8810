"""TiUP's meta.yaml: all its defaults, every component, and what is wrong with one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinic.cluster.discovery.tiup_defaults import DM_KINDS, TIDB_KINDS
from clinic.cluster.discovery.tiup_spec import read_meta
from clinic.cluster.model import Cluster, Instance
from clinic.errors import UsageError
from clinic.yamlfile import Document, load

Read = Callable[[str], Cluster]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Reads a meta.yaml with this text."""

    def one(text: str) -> Cluster:
        path = tmp_path / "meta.yaml"
        path.write_text(text)
        return read_meta(load(path), "prod")

    return one


def meta(topology: str, version: str = "v8.5.3", head: str = "") -> str:
    """A meta.yaml around a topology that is indented by nothing."""
    indented = "\n".join(f"  {line}" for line in topology.splitlines())
    return f"user: tidb\ntidb_version: {version}\n{head}topology:\n{indented}\n"


def only(cluster: Cluster, component: str) -> Instance:
    (found,) = [one for one in cluster.instances if one.component == component]
    return found


SERVERS = {
    # component: (list, port, status port, deploy directory, data, log files, configuration, unit)
    "pd": ("pd_servers", 2379, 0, "pd-2379", True, ["pd.log", "pd_stderr.log"], ["pd.toml"], "pd-2379"),
    "tidb": (
        "tidb_servers", 4000, 10080, "tidb-4000", False,
        ["tidb.log", "tidb_slow_query.log", "tidb_stderr.log"], ["tidb.toml"], "tidb-4000",
    ),
    "tikv": (
        "tikv_servers", 20160, 20180, "tikv-20160", True, ["tikv.log", "tikv_stderr.log"], ["tikv.toml"], "tikv-20160",
    ),
    "tiflash": (
        "tiflash_servers", 3930, 20292, "tiflash-9000", True,
        ["tiflash.log", "tiflash_error.log", "tiflash_tikv.log", "tiflash_stderr.log"],
        ["tiflash.toml", "tiflash-learner.toml"], "tiflash-9000",
    ),
    "tiproxy": (
        "tiproxy_servers", 6000, 3080, "tiproxy-6000", False, ["tiproxy.log"], ["tiproxy.toml"], "tiproxy-6000",
    ),
    "ticdc": ("cdc_servers", 8300, 0, "cdc-8300", True, ["cdc.log", "cdc_stderr.log"], ["cdc.toml"], "cdc-8300"),
    "tikv-cdc": (
        "kvcdc_servers", 8600, 0, "tikv-cdc-8600", True,
        ["tikv-cdc.log", "tikv-cdc_stderr.log"], ["tikv-cdc.toml"], "tikv-cdc-8600",
    ),
    "tso": ("tso_servers", 3379, 0, "tso-3379", True, ["tso.log", "tso_stderr.log"], ["tso.toml"], "tso-3379"),
    "scheduling": (
        "scheduling_servers", 3379, 0, "scheduling-3379", True,
        ["scheduling.log", "scheduling_stderr.log"], ["scheduling.toml"], "scheduling-3379",
    ),
    "resource-manager": (
        "resource_manager_servers", 3379, 0, "resource-manager-3379", True,
        ["resource-manager.log", "resource-manager_stderr.log"], ["resource-manager.toml"], "resource-manager-3379",
    ),
    "router": (
        "router_servers", 3379, 0, "router-3379", True,
        ["router.log", "router_stderr.log"], ["router.toml"], "router-3379",
    ),
    "tidb-dashboard": (
        "tidb_dashboard_servers", 12333, 0, "tidb-dashboard-12333", True,
        ["tidb_dashboard.log", "tidb_dashboard_stderr.log"], ["tidb-dashboard.toml"], "tidb-dashboard-12333",
    ),
    "pump": ("pump_servers", 8250, 0, "pump-8250", True, ["pump.log", "pump_stderr.log"], ["pump.toml"], "pump-8250"),
    "drainer": (
        "drainer_servers", 8249, 0, "drainer-8249", True,
        ["drainer.log", "drainer_stderr.log"], ["drainer.toml"], "drainer-8249",
    ),
    "prometheus": (
        "monitoring_servers", 9090, 0, "prometheus-9090", True,
        ["prometheus.log"], ["prometheus.yml"], "prometheus-9090",
    ),
    "grafana": ("grafana_servers", 3000, 0, "grafana-3000", False, ["grafana.log"], ["grafana.ini"], "grafana-3000"),
    "alertmanager": (
        "alertmanager_servers", 9093, 0, "alertmanager-9093", True,
        ["alertmanager.log"], ["alertmanager.yml"], "alertmanager-9093",
    ),
}  # fmt: skip


@pytest.mark.parametrize("component", SERVERS)
def test_a_server_of_which_only_the_host_is_given_has_tiups_defaults(read: Read, component: str) -> None:
    key, port, status, folder, data, logs, configs, unit = SERVERS[component]
    top = "global: {deploy_dir: /tidb-deploy, data_dir: /tidb-data}"
    found = only(read(meta(f"{top}\n{key}:\n- host: 10.0.1.5\n")), component)
    deploy = f"/tidb-deploy/{folder}"
    assert (found.port, found.status_port, found.unit) == (port, status, f"{unit}.service")
    assert (found.deploy_dir, found.log_dir) == (deploy, f"{deploy}/log")
    assert found.data_dirs == ((f"/tidb-data/{folder}",) if data else ())
    assert found.log_files == tuple(f"{deploy}/log/{name}" for name in logs)
    assert found.config_files == tuple(f"{deploy}/conf/{name}" for name in configs)
    assert (found.host, found.user, found.tls) == ("10.0.1.5", "tidb", False)


def test_every_list_that_is_known_is_read(read: Read) -> None:
    for kinds, word in ((TIDB_KINDS, "tidb"), (DM_KINDS, "dm")):
        text = "".join(f"  {kind.key}: [{{host: 10.0.0.{number}}}]\n" for number, kind in enumerate(kinds, 1))
        cluster = read(f"{word}_version: v8.5.3\ntopology:\n{text}")
        assert {one.component for one in cluster.instances} >= {kind.component for kind in kinds}


def test_relative_directories_hang_off_the_deploy_directory_and_that_off_the_users_home(read: Read) -> None:
    top = "global: {user: test1, deploy_dir: test-deploy, data_dir: test-data, log_dir: logs}\n"
    cluster = read(
        f"user: test1\ntidb_version: v8.5.3\ntopology:\n  {top}"
        "  pd_servers: [{host: 10.0.1.5, data_dir: pd-data}]\n  tikv_servers: [{host: 10.0.1.6}]\n"
        "  tidb_servers: [{host: 10.0.1.7, deploy_dir: /d/tidb, log_dir: /var/log/tidb}]\n"
    )
    pd, tikv, tidb = (only(cluster, name) for name in ("pd", "tikv", "tidb"))
    assert pd.deploy_dir == "/home/test1/test-deploy/pd-2379"
    assert pd.data_dirs == ("/home/test1/test-deploy/pd-2379/pd-data",)
    assert tikv.data_dirs == ("/home/test1/test-deploy/tikv-20160/test-data",)
    assert tikv.log_dir == "/home/test1/test-deploy/tikv-20160/logs"
    assert (tidb.deploy_dir, tidb.log_dir) == ("/d/tidb", "/var/log/tidb")
    exporter = only(cluster, "node_exporter") if len(cluster.machines) == 1 else cluster.instances[-1]
    assert exporter.deploy_dir == "/home/test1/test-deploy/monitor-9100"


def test_without_any_directories_tiups_own_words_count(read: Read) -> None:
    tikv = only(read(meta("tikv_servers: [{host: db1}]")), "tikv")
    assert tikv.deploy_dir == "/home/tidb/deploy/tikv-20160"
    assert tikv.data_dirs == ("/home/tidb/deploy/tikv-20160/data",)
    assert tikv.log_dir == "/home/tidb/deploy/tikv-20160/log"


def test_absolute_global_directories_hold_one_directory_for_each_instance(read: Read) -> None:
    text = "global: {data_dir: /data, log_dir: /logs, deploy_dir: /deploy}\ncdc_servers: [{host: db1, port: 23333}]"
    cdc = only(read(meta(text)), "ticdc")
    assert (cdc.deploy_dir, cdc.data_dirs, cdc.log_dir) == (
        "/deploy/cdc-23333",
        ("/data/cdc-23333",),
        "/logs/cdc-23333",
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("data_dir: '/hdd0/tiflash,/hdd1/tiflash'", ("/hdd0/tiflash", "/hdd1/tiflash")),
        (
            "data_dir: /hdd0, config: {storage.main.dir: [/ssd1/t, /ssd0/t], storage.latest.dir: [/ssd0/t]}",
            ("/ssd0/t", "/ssd1/t"),
        ),
        ("config: {storage: {main: {dir: [/ssd0/t, /ssd1/t]}}}", ("/ssd0/t", "/ssd1/t")),
        ("data_dir: /hdd0, config: {storage.main.dir: /ssd}", ("/hdd0",)),
    ],
)
def test_tiflash_keeps_data_in_several_directories(read: Read, given: str, expected: tuple[str, ...]) -> None:
    assert only(read(meta(f"tiflash_servers: [{{host: db1, {given}}}]")), "tiflash").data_dirs == expected


def test_a_host_is_reached_at_its_manage_host(read: Read) -> None:
    cluster = read(
        meta(
            "global: {ssh_port: 2222}\ntidb_servers: [{host: 10.0.1.5, manage_host: 192.168.1.5, ssh_port: 22}]"
        )
    )
    (machine,) = cluster.machines
    assert dict(machine.login) == {"user": "tidb", "port": "22", "address": "192.168.1.5"}
    assert {one.extra["address"] for one in cluster.instances} == {"192.168.1.5"}
    assert {one.host for one in cluster.instances} == {"10.0.1.5"}


@pytest.mark.parametrize(
    ("said", "executor"),
    [("builtin", "builtin"), ("system", "system"), ("native", "system"), ("none", "none")],
)
def test_how_tiup_reaches_hosts_is_kept(read: Read, said: str, executor: str) -> None:
    cluster = read(meta(f"global: {{ssh_type: {said}}}\ntidb_servers: [{{host: 10.0.1.5}}]"))
    assert cluster.machines[0].login["executor"] == executor
    assert cluster.unknown == ()


def test_a_way_that_is_not_known_is_said(read: Read) -> None:
    cluster = read(meta("global: {ssh_type: quic}\ntidb_servers: [{host: 10.0.1.5}]"))
    assert "executor" not in cluster.machines[0].login
    assert cluster.unknown == (
        "meta.yaml has an ssh_type that is not known, 'quic'; the hosts are reached over SSH",
    )


def test_ipv6_hosts_are_hosts(read: Read) -> None:
    cluster = read(meta("pd_servers: [{host: 'fd00::0005'}]"))
    assert only(cluster, "pd").id == "fd00::5-2379"
    assert cluster.machines[0].login["address"] == "fd00::5"


def test_tls_is_that_of_the_clusters_own_servers(read: Read) -> None:
    lists = "".join(f"{kind.key}: [{{host: 10.0.0.{number}}}]\n" for number, kind in enumerate(TIDB_KINDS, 1))
    cluster = read(meta(f"global: {{enable_tls: true}}\n{lists}"))
    plain = {one.component for one in cluster.instances if not one.tls}
    assert plain == {
        "prometheus", "grafana", "alertmanager", "ng-monitoring", "node_exporter", "blackbox_exporter",
        "tidb-dashboard", "tici-meta", "tici-worker", "tispark-master", "tispark-worker",
    }  # fmt: skip


def test_versions_are_the_clusters_unless_a_component_has_its_own(read: Read) -> None:
    cluster = read(
        meta(
            "component_versions: {tikv: v8.5.4, tiproxy: v1.3.0}\npd_servers: [{host: a}]\ntikv_servers: [{host: b}]\n"
            "tiproxy_servers: [{host: c}]\nmonitoring_servers: [{host: d}]\nmonitored: {node_exporter_version: v1.8.0}"
        )
    )
    found = {one.component: one.version for one in cluster.instances}
    assert (cluster.version, found["pd"], found["tikv"], found["tiproxy"]) == (
        "v8.5.3",
        "v8.5.3",
        "v8.5.4",
        "v1.3.0",
    )
    assert (found["prometheus"], found["node_exporter"], found["blackbox_exporter"]) == ("", "v1.8.0", "")


def test_exporters_run_on_every_host_that_does_not_forbid_them(read: Read) -> None:
    text = (
        "monitored: {node_exporter_port: 9101, deploy_dir: mon, log_dir: mon/log}\n"
        "pd_servers: [{host: a}, {host: b, ignore_exporter: true}]\ntikv_servers: [{host: b}, {host: c}]"
    )
    cluster = read(meta(text))
    exporters = [one for one in cluster.instances if one.component == "node_exporter"]
    assert [(one.host, one.port) for one in exporters] == [("a", 9101), ("c", 9101)]
    assert exporters[0].log_files == ("/home/tidb/mon/log/node_exporter.log",)
    assert exporters[0].unit == "node_exporter-9101.service"


@pytest.mark.parametrize(
    ("version", "row", "port"),
    [
        ("v5.3.0", "", 0), ("v5.4.0", "", 12020), ("nightly", "", 12020), ("v5.3.0", ", ng_port: 12345", 12345),
        ("v8.5.3", ", ng_port: 12021", 12021),
    ],
)  # fmt: skip
def test_ng_monitoring_is_beside_prometheus_from_5_4_on(
    read: Read, version: str, row: str, port: int
) -> None:
    cluster = read(meta(f"monitoring_servers: [{{host: a{row}}}]", version))
    found = [one for one in cluster.instances if one.component == "ng-monitoring"]
    assert [one.port for one in found] == ([port] if port else [])
    for one in found:
        assert one.deploy_dir == only(cluster, "prometheus").deploy_dir
        assert one.config_files == (f"{one.deploy_dir}/conf/ngmonitoring.toml",)


def test_a_dm_cluster_has_exporters_only_where_monitored_is_given(read: Read) -> None:
    head = "user: dm\ndm_version: v8.5.0\ntopology:\n  master_servers: [{host: a}]\n  worker_servers: [{host: b}]\n"
    cluster = read(head)
    assert [(one.component, one.port, one.extra["name"]) for one in cluster.instances] == [
        ("dm-master", 8261, "dm-master-a-8261"), ("dm-worker", 8262, "dm-worker-b-8262"),
    ]  # fmt: skip
    assert only(cluster, "dm-master").extra["peer_port"] == "8291"
    assert cluster.version == "v8.5.0"
    assert len(read(head + "  monitored: {}\n").instances) == 6


def test_what_is_worth_knowing_of_an_instance_is_kept(read: Read) -> None:
    text = (
        "pd_servers: [{host: a, name: pd-1, advertise_client_addr: 'http://1.2.3.4:12379'}]\n"
        "tikv_servers:\n- host: b\n  offline: true\n  arch: arm64\n  config:\n    server.labels: {zone: z1, host: h1}\n"
        "- host: c\n  config: {server.labels.zone: z2}\n"
        "grafana_servers: [{host: d, username: admin, password: Xq7-tuna-Mast9}]"
    )
    cluster = read(meta(text))
    tikvs = [one for one in cluster.instances if one.component == "tikv"]
    assert only(cluster, "pd").extra == {"name": "pd-1", "peer_port": "2380", "advertise": "1.2.3.4:12379"}
    assert tikvs[0].extra == {"offline": "yes", "arch": "arm64", "labels": "host=h1,zone=z1"}
    assert tikvs[1].extra == {"labels": "zone=z2"}
    assert "Xq7-tuna-Mast9" not in repr(cluster)


def test_keys_of_a_later_tiup_are_passed_over(read: Read) -> None:
    cluster = read(
        meta("new_servers: [{host: x}]\npd_servers: [{host: a, new_key: {b: c}}]\nglobal: {new: 1}")
    )
    assert [one.component for one in cluster.instances] == ["pd", "node_exporter", "blackbox_exporter"]
    assert cluster.unknown == ()


def test_every_mistake_is_reported_at_once_with_its_line(read: Read) -> None:
    text = """\
user: tidb
tidb_version: v8.5.3
topology:
  global: {ssh_port: no, enable_tls: maybe}
  monitored: 3
  tidb_servers:
    - host: [10.0.1.5]
    - port: 4000
    - host: 10.0.1.5
      port: "4000"
    - host: 10.0.1.6
      deploy_dir: {a: b}
    - host: 10.0.1.6
      log_dir: "/a\\tb"
  tikv_servers: {host: x}
  pd_servers:
    - null
    - text
    - host: "../../etc"
"""
    with pytest.raises(UsageError) as caught:
        read(text)
    lines = caught.value.message.splitlines()
    assert lines[0].endswith("has 13 mistakes:")
    assert [int(line.split(":")[1]) for line in lines[1:]] == [4, 4, 5, 7, 8, 10, 12, 13, 14, 15, 17, 18, 19]


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "3", "topology: {}", "user: x\ntidb_version: v1", "topology: {pd_servers: [{host: a}]}",
        "name: x\ninstances: []",
    ],
)  # fmt: skip
def test_what_is_no_meta_yaml_is_said(read: Read, text: str) -> None:
    with pytest.raises(UsageError, match=r"is no meta\.yaml of TiUP|must be a mapping"):
        read(text)


def test_two_instances_at_one_port_are_a_mistake(read: Read) -> None:
    with pytest.raises(UsageError, match="port 9100 of a for node_exporter, which a tikv has already"):
        read(meta("tikv_servers: [{host: a, port: 9100}]"))


def test_what_can_not_be_relied_on_is_said(read: Read) -> None:
    later = read(meta("pd_servers: [{host: a}]", head='last_ops_ver: "v2.0.0 tiup\\nGo Version: x"\n'))
    assert later.unknown == ("meta.yaml was written by TiUP v2.0.0, later than what is understood (v1)",)
    assert read(meta("pd_servers: []")).unknown == ("meta.yaml names no instance",)
    two = read(meta("pd_servers: [{host: a, ssh_port: 22}]\ntikv_servers: [{host: a, ssh_port: 23}]"))
    assert two.unknown == (
        "meta.yaml gives a more than one port of sshd (22, 23); the first one named is used",
    )


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
_KEYS = st.sampled_from([kind.key for kind in TIDB_KINDS] + ["global", "monitored", "component_versions"])
_ROW = st.dictionaries(
    st.sampled_from(["host", "port", "config", "data_dir", "manage_host", "labels", "ssh_port"]), _VALUES
)


@settings(max_examples=60)
@given(st.dictionaries(_KEYS, _VALUES | st.lists(_ROW, max_size=3)) | _VALUES)
def test_anything_else_is_a_cluster_or_a_mistake(topology: object) -> None:
    document = Document(Path("meta.yaml"), {"tidb_version": "v8.5.3", "topology": topology}, {})
    try:
        cluster = read_meta(document, "prod")
    except UsageError:
        return
    ids = [one.id for one in cluster.instances]
    assert len(set(ids)) == len(ids)
    assert {one.host for one in cluster.instances} <= {machine.name for machine in cluster.machines}


def test_hundreds_of_instances_are_read(read: Read) -> None:
    rows = "".join(
        f"- {{host: 10.0.{n // 250}.{n % 250}, config: {{server.labels: {{zone: z}}}}}}\n" for n in range(400)
    )
    cluster = read(meta(f"tikv_servers:\n{rows}"))
    assert (len(cluster.machines), len(cluster.instances)) == (400, 1200)
