"""A component is recognised by its program or its name, and described by its options and its ports."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinic.cluster.discovery.component_table import COMPONENTS, TELLING_PORTS
from clinic.cluster.discovery.component_type import Component
from clinic.cluster.discovery.describe import Traits, deploy_dir, describe, identify, port_of
from clinic.cluster.discovery.sockets import Listener
from clinic.cluster.model import ROLES

DEPLOY = "/tidb-deploy/x-1"


def named(name: str) -> Component:
    return next(component for component in COMPONENTS if component.name == name)


def recognised(name: str, exe: str, *argv: str) -> str | None:
    component = identify(name, exe, argv)
    return component.name if component else None


def traits(name: str, *argv: str, ports: tuple[int, ...] = (), perhaps: tuple[int, ...] = ()) -> Traits:
    listening = [Listener(port, "127.0.0.1") for port in ports]
    return describe(named(name), [name, *argv], listening, cwd=DEPLOY, perhaps=perhaps)


@pytest.mark.parametrize(
    "component", COMPONENTS, ids=lambda component: f"{component.name}:{component.executables[0]}"
)
def test_every_component_is_recognised_by_each_of_its_programs(component: Component) -> None:
    for executable in component.executables:
        argv = (f"bin/{executable}", *component.command, "--config=x")
        assert identify("thread", f"/opt/{executable}", argv) is component
        assert identify("thread", "", argv) is component
        assert identify(executable[:15], "", ()) is not None


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda component: component.name)
def test_every_component_has_a_role_or_is_one_that_has_none(component: Component) -> None:
    assert component.name in ROLES or component.name == "tikv-worker"


def test_the_ports_that_tell_of_tidb_are_those_of_its_components() -> None:
    for port, name in TELLING_PORTS.items():
        component = named(name)
        assert component.family
        assert port in (*component.ports, component.status_port)


def test_a_program_whose_file_is_gone_is_recognised() -> None:
    assert recognised("tidb-server", "/tidb-deploy/bin/tidb-server (deleted)", "bin/tidb-server") == "tidb"


def test_a_thread_that_renames_the_process_hides_nothing() -> None:
    assert recognised("TiFlashMain", "/x/bin/tiflash/tiflash", "bin/tiflash/tiflash", "server") == "tiflash"
    assert recognised("TiFlashMain", "", "bin/tiflash/tiflash", "server") == "tiflash"


def test_a_program_that_was_called_by_another_name_is_what_its_file_says() -> None:
    assert recognised("mysqld", "/usr/sbin/mariadbd", "/usr/sbin/mysqld") == "mariadb"


def test_a_component_run_by_an_interpreter_under_its_name_is_recognised() -> None:
    assert recognised("python3", "/usr/bin/python3.11", "bin/tidb-server", "-P", "4000") == "tidb"


@pytest.mark.parametrize(
    "argv",
    [
        ("/bin/bash", "/tidb-deploy/tidb-4000/bin/tidb-server", "-P", "4000"),
        ("/bin/bash", "/tidb-deploy/tidb-4000/scripts/run_tidb.sh"),
        ("numactl", "--cpunodebind=0", "bin/tidb-server", "-P", "4000"),
        ("sudo", "-u", "tidb", "bin/tidb-server"),
        ("tail", "-f", "tidb-server"),
    ],
)
def test_what_starts_or_watches_a_component_is_not_taken_for_it(argv: tuple[str, ...]) -> None:
    """The script that is called like the program shows its own name to the kernel, and is a shell."""
    assert recognised("tidb-server", f"/usr/bin/{argv[0].rpartition('/')[2]}", *argv) is None


def test_other_commands_of_a_program_are_not_its_server() -> None:
    assert recognised("cdc", "/x/bin/cdc", "cdc", "cli", "changefeed", "list") is None
    assert recognised("grafana", "/usr/share/grafana/bin/grafana", "grafana", "cli", "plugins", "ls") is None
    assert recognised("grafana", "/usr/share/grafana/bin/grafana", "grafana", "server") == "grafana"


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ((), "pd"),
        (("services", "api"), "pd"),
        (("services", "tso"), "tso"),
        (("services", "scheduling"), "scheduling"),
        (("services", "resource-manager"), "resource-manager"),
        (("services", "router"), "router"),
    ],
)
def test_the_microservices_of_pd_are_told_apart(words: tuple[str, ...], name: str) -> None:
    assert recognised("pd-server", "/x/bin/pd-server", "bin/pd-server", *words, "--name=a") == name


def test_with_nothing_but_a_program_to_go_by_it_is_what_that_program_usually_is() -> None:
    assert recognised("pd-server", "/x/bin/pd-server") == "pd"
    assert recognised("cdc", "/x/bin/cdc") == "ticdc"


def test_a_name_that_the_kernel_cut_is_recognised() -> None:
    assert recognised("ng-monitoring-s", "") == "ng-monitoring"
    assert recognised("ng-monitoring", "") is None


TIUP = {
    "tidb": (
        "-P 4001 --status=10081 --host=0.0.0.0 --advertise-address=10.0.1.5 --store=tikv --path=10.0.1.1:2379"
        " --log-slow-query=/tidb-log/tidb_slow_query.log --config=conf/tidb.toml --log-file=/tidb-log/tidb.log",
        Traits(
            port=4001,
            status_port=10081,
            log_files=("/tidb-log/tidb.log", "/tidb-log/tidb_slow_query.log"),
            config_files=(f"{DEPLOY}/conf/tidb.toml",),
            extra={"advertise": "10.0.1.5", "path": "10.0.1.1:2379", "store": "tikv"},
        ),
    ),
    "pd": (
        "--name=pd-1 --client-urls=https://0.0.0.0:2379 --advertise-client-urls=https://10.0.1.5:2379"
        " --peer-urls=https://0.0.0.0:2380 --advertise-peer-urls=https://10.0.1.5:2380 --data-dir=/tidb-data/pd-2379"
        " --initial-cluster=pd-1=https://10.0.1.5:2380 --config=conf/pd.toml --log-file=/tidb-log/pd.log",
        Traits(
            port=2379,
            tls=True,
            data_dirs=("/tidb-data/pd-2379",),
            log_files=("/tidb-log/pd.log",),
            config_files=(f"{DEPLOY}/conf/pd.toml",),
            extra={
                "name": "pd-1",
                "advertise": "https://10.0.1.5:2379",
                "peer": "https://0.0.0.0:2380",
                "advertise_peer": "https://10.0.1.5:2380",
                "initial_cluster": "pd-1=https://10.0.1.5:2380",
            },
        ),
    ),
    "tikv": (
        "--addr 0.0.0.0:20160 --advertise-addr 10.0.1.5:20160 --status-addr 0.0.0.0:20180"
        " --advertise-status-addr 10.0.1.5:20180 --pd 10.0.1.1:2379,10.0.1.2:2379 --data-dir /tidb-data/tikv-20160"
        " --config conf/tikv.toml --log-file /tidb-log/tikv.log",
        Traits(
            port=20160,
            status_port=20180,
            data_dirs=("/tidb-data/tikv-20160",),
            log_files=("/tidb-log/tikv.log",),
            config_files=(f"{DEPLOY}/conf/tikv.toml",),
            extra={
                "advertise": "10.0.1.5:20160",
                "advertise_status": "10.0.1.5:20180",
                "pd": "10.0.1.1:2379,10.0.1.2:2379",
            },
        ),
    ),
    "tiflash": (
        "server --config-file conf/tiflash.toml",
        Traits(
            config_files=(f"{DEPLOY}/conf/tiflash.toml",),
            usual_configs=(f"{DEPLOY}/conf/tiflash-learner.toml",),
        ),
    ),
    "ticdc": (
        "server --addr 0.0.0.0:8300 --advertise-addr 10.0.1.5:8300 --pd http://10.0.1.1:2379 --data-dir=/tidb-data/cdc"
        " --ca tls/ca.crt --cert tls/cdc.crt --key tls/cdc.pem --cluster-id default --log-file /tidb-log/cdc.log",
        Traits(
            port=8300,
            tls=True,
            data_dirs=("/tidb-data/cdc",),
            log_files=("/tidb-log/cdc.log",),
            extra={"advertise": "10.0.1.5:8300", "pd": "http://10.0.1.1:2379", "cdc_cluster": "default"},
        ),
    ),
    "tso": (
        "services tso --name=tso-1 --backend-endpoints=http://10.0.1.1:2379 --listen-addr=http://0.0.0.0:3379"
        " --advertise-listen-addr=http://10.0.1.5:3379 --config=conf/tso.toml --log-file=/tidb-log/tso.log",
        Traits(
            port=3379,
            log_files=("/tidb-log/tso.log",),
            config_files=(f"{DEPLOY}/conf/tso.toml",),
            extra={"name": "tso-1", "advertise": "http://10.0.1.5:3379", "pd": "http://10.0.1.1:2379"},
        ),
    ),
    "dm-master": (
        "--name=m1 --master-addr=10.0.1.5:8261 --advertise-addr=10.0.1.5:8261 --peer-urls=10.0.1.5:8291"
        " --log-file=/dm-log/dm-master.log --data-dir=/dm-data/dm-master-8261 --config=conf/dm-master.toml",
        Traits(
            port=8261,
            data_dirs=("/dm-data/dm-master-8261",),
            log_files=("/dm-log/dm-master.log",),
            config_files=(f"{DEPLOY}/conf/dm-master.toml",),
            bound="10.0.1.5",
            extra={"name": "m1", "advertise": "10.0.1.5:8261", "peer": "10.0.1.5:8291"},
        ),
    ),
    "dm-worker": (
        "--name=w1 --worker-addr=0.0.0.0:8262 --advertise-addr=10.0.1.5:8262 --join=10.0.1.5:8261 --config=c.toml",
        Traits(
            port=8262,
            config_files=(f"{DEPLOY}/c.toml",),
            extra={"name": "w1", "advertise": "10.0.1.5:8262", "join": "10.0.1.5:8261"},
        ),
    ),
    "pump": (
        "--node-id=p1 --addr=0.0.0.0:8250 --advertise-addr=10.0.1.5:8250 --pd-urls=http://10.0.1.1:2379"
        " --data-dir=/tidb-data/pump-8250 --log-file=/tidb-log/pump.log",
        Traits(
            port=8250,
            data_dirs=("/tidb-data/pump-8250",),
            log_files=("/tidb-log/pump.log",),
            extra={"name": "p1", "advertise": "10.0.1.5:8250", "pd": "http://10.0.1.1:2379"},
        ),
    ),
    "prometheus": (
        "--config.file=/tidb-deploy/prometheus-9090/conf/prometheus.yml --web.listen-address=:9091"
        " --web.external-url=http://10.0.1.5:9091/ --storage.tsdb.path=/tidb-data/prometheus-9090",
        Traits(
            port=9091,
            data_dirs=("/tidb-data/prometheus-9090",),
            config_files=("/tidb-deploy/prometheus-9090/conf/prometheus.yml",),
            usual_data=(f"{DEPLOY}/data", "/var/lib/prometheus/metrics2"),
            extra={"url": "http://10.0.1.5:9091/"},
        ),
    ),
    "ng-monitoring": (
        "--address 0.0.0.0:12020 --advertise-address 10.0.1.5:12020 --log.path=/ng/log --storage.path=/ng/data"
        " --pd.endpoints 10.0.1.1:2379 --config conf/ngmonitoring.toml",
        Traits(
            port=12020,
            data_dirs=("/ng/data",),
            log_dir="/ng/log",
            config_files=(f"{DEPLOY}/conf/ngmonitoring.toml",),
            extra={"advertise": "10.0.1.5:12020", "pd": "10.0.1.1:2379"},
        ),
    ),
    "mysql": (
        "--defaults-file=/data/my.cnf --datadir=/data/mysql --log_error=/data/err.log --port=3307 --socket=/s.sock",
        Traits(
            port=3307,
            data_dirs=("/data/mysql",),
            log_files=("/data/err.log",),
            config_files=("/data/my.cnf",),
            extra={"socket": "/s.sock"},
        ),
    ),
    "grafana": (
        "--homepath=/usr/share/grafana --config=/etc/grafana/grafana.ini cfg:default.paths.logs=/var/log/grafana"
        " cfg:default.paths.data=/var/lib/grafana",
        Traits(
            data_dirs=("/var/lib/grafana",),
            log_dir="/var/log/grafana",
            config_files=("/etc/grafana/grafana.ini",),
            extra={"home": "/usr/share/grafana"},
        ),
    ),
}
"""How TiUP and packages start them, and what that says."""


@pytest.mark.parametrize("name", TIUP)
def test_the_options_of_a_start_script_are_understood(name: str) -> None:
    line, expected = TIUP[name]
    assert traits(name, *line.split()) == expected


@pytest.mark.parametrize(
    ("name", "line", "bound"),
    [
        ("tidb", "-P 4000 --host=127.0.4.1", "127.0.4.1"),
        ("tidb", "-P 4000 --host=0.0.0.0", ""),
        ("tidb", "-P 4000 --host=db1", ""),
        ("tidb", "-P 4000", ""),
        ("pd", "--client-urls=http://127.0.1.1:2379,http://127.0.0.1:2379", "127.0.1.1"),
        ("tikv", "--addr [fd00::0005]:20160", "fd00::5"),
        ("tikv", "--addr 127.0.2.1:20160", "127.0.2.1"),
        ("ticdc", "--addr=:8300", ""),
        ("mysql", "--port=3307 --bind_address=10.0.1.5", "10.0.1.5"),
        ("prometheus", "--web.listen-address=[::]:9090", ""),
    ],
)
def test_the_address_that_an_option_names_is_told(name: str, line: str, bound: str) -> None:
    assert traits(name, *line.split()).bound == bound


def test_without_an_option_the_usual_port_counts_where_it_is_listened_on() -> None:
    found = traits("tidb", ports=(10080, 4000))
    assert (found.port, found.status_port, found.guessed) == (4000, 10080, False)
    assert found.extra["ports"] == "10080 4000"
    assert traits("tidb").port == 0


def test_the_port_that_was_told_counts_even_before_it_is_listened_on() -> None:
    assert traits("tidb", "-P", "4001", ports=(4000,)).port == 4001


def test_ports_that_nothing_names_are_taken_in_the_order_in_which_they_were_opened() -> None:
    found = traits("tikv", ports=(31000, 30000))
    assert (found.port, found.status_port, found.guessed) == (31000, 30000, True)
    assert traits("etcd", ports=(30000, 31000)).port == 31000, "etcd opens its peers' port first"
    assert traits("etcd", ports=(30000,)).port == 30000
    assert not traits("etcd", ports=(30000,)).guessed


def test_the_status_port_is_not_taken_for_the_clients() -> None:
    assert traits("tikv", "--status-addr=0.0.0.0:30000", ports=(30000, 31000)).port == 31000


def test_among_ports_of_the_same_account_only_a_usual_one_counts() -> None:
    found = traits("tikv", perhaps=(20160, 20180, 3306))
    assert (found.port, found.status_port) == (20160, 20180)
    assert traits("tikv", perhaps=(3306,)).port == 0


def test_the_address_is_that_of_the_clients_socket() -> None:
    listening = [Listener(10080, "127.0.0.1"), Listener(4000, "10.0.1.5")]
    assert describe(named("tidb"), ["tidb-server"], listening).address == "10.0.1.5"


def test_relative_paths_need_to_know_where_the_process_works() -> None:
    assert describe(named("tidb"), ["x", "--config=conf/tidb.toml"], []).config_files == ()


def test_mysql_works_in_its_data_directory() -> None:
    assert traits("mariadb").data_dirs == (DEPLOY,)
    assert describe(named("mariadb"), ["x"], [], cwd="/").data_dirs == ()


def test_the_option_files_of_mysql_count_unless_it_was_told_others_or_none() -> None:
    assert traits("mysql").usual_configs == ("/etc/my.cnf", "/etc/mysql/my.cnf")
    assert traits("mysql", "--defaults-file=/a.cnf").usual_configs == ()
    assert traits("mysql", "--no-defaults").usual_configs == ()


def test_what_is_no_path_is_left_out() -> None:
    assert traits("tidb", "--log-file=", "--config").config_files == ()
    assert traits("tidb", "--log-file=/" + "a" * 5000).log_files == ()


def test_values_that_are_kept_are_bounded() -> None:
    assert len(traits("tikv", "--labels=" + "x" * 60_000).extra["labels"]) < 1100


@pytest.mark.parametrize(
    ("text", "port"),
    [
        ("4000", 4000),
        (":9090", 9090),
        ("10.0.1.5:4000", 4000),
        ("[::]:4000", 4000),
        ("[fe80::1%eth0]:4000", 4000),
        ("http://127.0.0.1:2379", 2379),
        ("https://[::1]:2379/path:80", 2379),
        ("unix:///run/etcd.sock", 0),
        ("::1", 0),
        ("localhost", 0),
        ("http://localhost", 0),
        ("", 0),
        ("0", 0),
        ("65536", 0),
        ("4000000000000", 0),
        ("٤٠٠٠", 0),
        ("-1", 0),
        ("4_000", 0),
    ],
)
def test_ports_are_found_in_addresses(text: str, port: int) -> None:
    assert port_of(text) == port


@pytest.mark.parametrize(
    ("exe", "cwd", "folder"),
    [
        ("/tidb-deploy/tidb-4000/bin/tidb-server", "/tidb-deploy/tidb-4000", "/tidb-deploy/tidb-4000"),
        (
            "/tidb-deploy/tiflash-9000/bin/tiflash/tiflash",
            "/tidb-deploy/tiflash-9000",
            "/tidb-deploy/tiflash-9000",
        ),
        (
            "/tidb-deploy/grafana-3000/bin/bin/grafana-server",
            "/tidb-deploy/grafana-3000",
            "/tidb-deploy/grafana-3000",
        ),
        ("/tidb-deploy/tiflash-9000/bin/tiflash/tiflash", "", "/tidb-deploy/tiflash-9000"),
        ("/usr/local/mysql/bin/mysqld", "/usr/local/mysql/data", "/usr/local/mysql"),
        ("/root/.tiup/components/tidb/v8.5.0/tidb-server", "/root", "/root/.tiup/components/tidb/v8.5.0"),
        ("/usr/sbin/mariadbd", "/var/lib/mysql", ""),
        ("/usr/bin/prometheus", "/", ""),
        ("", "/var/lib/mysql", ""),
    ],
)
def test_where_a_program_was_installed(exe: str, cwd: str, folder: str) -> None:
    assert deploy_dir(exe, cwd) == folder


@given(
    st.sampled_from(COMPONENTS),
    st.lists(st.one_of(st.text(), st.sampled_from(["-P", "--config", "--addr=:1", "--port=70000", "-h/x"]))),
    st.lists(st.integers(1, 65535)),
    st.text(),
)
def test_no_command_line_breaks_the_description(
    component: Component, argv: list[str], ports: list[int], cwd: str
) -> None:
    identify(cwd, cwd, argv)
    found = describe(component, argv, [Listener(port) for port in ports], cwd=cwd, perhaps=ports)
    assert 0 <= found.port <= 65535
    assert 0 <= found.status_port <= 65535
    assert all(path.startswith("/") for path in (*found.config_files, *found.log_files, *found.data_dirs))
