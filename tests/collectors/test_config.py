"""Configuration comes under the paths that it has on the host, in the format that it is, before everything else."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping

from clinic.cluster.model import Cluster, Instance, Machine
from clinic.collector import Content, Item, Stage, Target
from clinic_collectors.config import Config

Items = Callable[[str, str], list[Item]]
Files = Callable[[str, str], Mapping[str, tuple[Content, bytes]]]


def test_all_of_it_is_learned_from(target: Callable[[str], Target]) -> None:
    assert {item.stage for item in Config().items(target("tiup"))} == {Stage.LEARN}


def test_it_has_the_paths_of_pingcap_s_own_client(items: Items) -> None:
    folders = {
        item.instance: item.path for item in items("tiup", "config.files") if "tidb-deploy" in item.path
    }
    assert folders["db-1-4000"] == "db-1/tidb-deploy/tidb-4000/conf"
    running = {item.instance: item.path for item in items("tiup", "config.running")}
    assert running["db-1-20160"] == "db-1/tidb-deploy/tikv-20160/conf/config.json"
    assert running["db-1-3930"] == "db-1/tidb-deploy/tiflash-9000/conf/config.json"
    assert running["db-1-9090"] == "db-1/db-1-9090/config.json"


def test_each_file_is_redacted_as_what_it_is(files: Files) -> None:
    formats = {path: content for path, (content, _) in files("tiup", "config.files").items()}
    assert formats["db-1/tidb-deploy/tidb-4000/conf/tidb.toml"] is Content.TOML
    assert formats["db-1/tidb-deploy/tiflash-9000/conf/tiflash-learner.toml"] is Content.TOML
    assert formats["db-1/tidb-deploy/prometheus-9090/conf/prometheus.yml"] is Content.YAML
    assert formats["db-1/tidb-deploy/grafana-3000/conf/grafana.ini"] is Content.INI


def test_a_deploy_directory_that_two_share_is_read_once(items: Items) -> None:
    paths = Counter(item.path for item in items("tiup", "config.files"))
    assert paths["db-1/tidb-deploy/prometheus-9090/conf"] == 1
    assert paths["db-1/tidb-deploy/monitor-9100/conf"] == 1


def test_what_starts_it_comes_too(files: Files) -> None:
    content, script = files("tiup", "config.scripts")["db-1/tidb-deploy/tikv-20160/scripts/run_tikv.sh"]
    assert content is Content.TEXT
    assert b"exec bin/tikv-server" in script


def test_the_unit_that_starts_it_comes_as_a_file(files: Files) -> None:
    content, unit = files("tiup", "config.files")["db-1/db-1-4000/conf/etc/systemd/system/tidb-4000.service"]
    assert content is Content.INI
    assert b"Restart=always" in unit


def test_files_outside_of_a_deploy_directory_keep_their_whole_path(files: Files) -> None:
    found = files("debian-12-servers", "config.files")
    assert "db-1/db-1-3306/conf/etc/mysql/mariadb.conf.d/60-ssl.cnf" in found
    assert "db-1/db-1-9090/conf/etc/prometheus/prometheus.yml" in found
    assert not any("-key.pem" in path for path in found)


def test_what_runs_is_what_the_instance_says(play: Callable[..., bytes]) -> None:
    assert json.loads(play("tiup", "config.running", "db-1-20160"))["server"]["status-thread-pool-size"] == 1
    assert json.loads(play("tiup", "config.running", "db-1-2379"))["schedule"]["max-merge-region-size"] == 54


def test_show_config_has_items_and_values(play: Callable[..., bytes]) -> None:
    lines = play("tiup", "config.show").decode().splitlines()
    assert lines[0] == "Type,Instance,Name,Value"
    assert "tidb,127.0.4.1:4000,alter-primary-key,false" in lines


def test_paths_of_a_container_are_not_those_of_the_host(target: Callable[[str], Target]) -> None:
    held = Instance(
        "tidb", "a", 4000, 10080, deploy_dir="/d", config_files=("/d/conf/tidb.toml",), container="docker 123"
    )
    asked = Target(Cluster("x", "local", (Machine("a"),), (held,)), target("bare").window)
    assert {item.id for item in Config().items(asked)} == {"config.running", "config.show"}
