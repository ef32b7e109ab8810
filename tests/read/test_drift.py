"""What differs is told, what differs by its nature is told apart, and what can't be read costs only itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from clinic.bundle.journal import Header
from clinic.bundle.manifest import InstanceFacts, Run
from clinic.bundle.record import Entry, Record
from clinic.bundle.writer import BundleWriter
from clinic.outcome import Status
from clinic.read.drift import Drift, Pending, Uneven, find_drift
from clinic.read.open import open_bundle
from clinic.redact import Redactor
from clinic.secret import SecretRegister

FACTS = (
    InstanceFacts("a-4000", "tidb", "a", 4000, "v8.5.3"),
    InstanceFacts("b-4000", "tidb", "b", 4000, "v8.5.3"),
    InstanceFacts("c-4000", "tidb", "c", 4000, "v8.5.2"),
    InstanceFacts("a-20160", "tikv", "a", 20160),
    InstanceFacts("a-3930", "tiflash", "a", 3930),
    InstanceFacts("b-3930", "tiflash", "b", 3930),
    InstanceFacts("a-3306", "mariadb", "a", 3306),
)
Files = dict[tuple[str, str, str], str]
"""Contents by id, instance and path."""


@pytest.fixture
def drift(tmp_path: Path, run: Callable[..., Run]) -> Callable[[Files], Drift]:
    """Compare what is in a bundle of these files."""

    def found(files: Files) -> Drift:
        records = {path: _record(identity, instance, path) for identity, instance, path in files}
        cluster = replace(run().cluster, instances=FACTS)
        header = Header(run(cluster=cluster), tuple(record.entry for record in records.values()))
        root = tmp_path / "bundle"
        with BundleWriter.create(root, header, Redactor(SecretRegister()), reserve=0) as writer:
            for (_, _, path), content in files.items():
                item = writer.item(records[path].entry, cap=1 << 20, learn=False)
                part = item.part()
                part.write(content.encode())
                part.finish()
                writer.record(replace(records[path], files=item.commit()))
            writer.seal()
        return find_drift(open_bundle(root))

    return found


def _record(identity: str, instance: str, path: str) -> Record:
    entry = Entry(identity, path, identity.partition(".")[0], "config", "internal", "text", instance=instance)
    return Record(entry, Status.OK)


def told(one: Pending) -> tuple[str, str, str | None]:
    """The setting, what is written, what runs."""
    return one.name, one.written, one.running


def test_a_file_that_was_changed_and_not_loaded_is_told(drift: Callable[[Files], Drift]) -> None:
    found = drift({
        ("config.files", "a-4000", "a/tidb-deploy/tidb-4000/conf/tidb.toml"):
        '[log]\nlevel = "debug"\n[performance]\nmax-procs = 8\n',
        ("config.running", "a-4000", "a/tidb-deploy/tidb-4000/conf/config.json"):
        '{"log":{"level":"info"},"performance":{"max-procs":8}}',
    })  # fmt: skip
    [one] = found.pending
    assert (one.instance, one.component, one.file) == (
        "a-4000",
        "tidb",
        "a/tidb-deploy/tidb-4000/conf/tidb.toml",
    )
    assert told(one) == ("log.level", "debug", "info")
    assert found.compared == {"tidb": 1}


def test_a_setting_that_nothing_knows_is_told(drift: Callable[[Files], Drift]) -> None:
    found = drift({
        ("config.files", "a-20160", "a/c/tikv.toml"): "[raftstore]\napply-pol-size = 2\n",
        ("config.running", "a-20160", "a/c/config.json"): '{"raftstore":{"apply-pool-size":2}}',
    })  # fmt: skip
    assert [told(one) for one in found.pending] == [("raftstore.apply-pol-size", "2", None)]


def test_the_same_value_written_otherwise_is_no_difference(drift: Callable[[Files], Drift]) -> None:
    found = drift({
        ("config.files", "a-20160", "a/c/tikv.toml"): '[storage.block-cache]\ncapacity = "16GB"\n[x]\ny = "1m"\n',
        ("config.running", "a-20160", "a/c/config.json"):
        '{"storage":{"block-cache":{"capacity":"16GiB"}},"x":{"y":"60s"}}',
    })  # fmt: skip
    assert found.pending == ()


def test_addresses_and_paths_are_told_apart(drift: Callable[[Files], Drift]) -> None:
    found = drift({
        ("config.files", "a-20160", "a/c/tikv.toml"): '[server]\naddr = "0.0.0.0:20160"\n',
        ("config.running", "a-20160", "a/c/config.json"): '{"server":{"addr":"10.0.1.1:20160"}}',
    })  # fmt: skip
    assert [one.place for one in found.pending] == [True]


def test_masked_credentials_are_not_compared(drift: Callable[[Files], Drift]) -> None:
    found = drift({
        ("config.files", "a-20160", "a/c/tikv.toml"): '[x]\npassword = "S3cr3t@pw"\n',
        ("config.running", "a-20160", "a/c/config.json"): '{"x":{"password":"another-0ne"}}',
    })  # fmt: skip
    assert found.pending == ()


def test_instances_of_one_component_are_compared_with_each_other(drift: Callable[[Files], Drift]) -> None:
    found = drift({
        ("config.running", f"{host}-4000", f"{host}/config.json"): f'{{"token-limit":{limit},"host":"{host}","a":1}}'
        for host, limit in (("a", 1000), ("b", 1000), ("c", 500))
    })  # fmt: skip
    running = [one for one in found.uneven if one.source == "running"]
    assert running == [
        Uneven(
            "tidb",
            "running",
            "host",
            (("a", ("a-4000",)), ("b", ("b-4000",)), ("c", ("c-4000",))),
            place=True,
        ),
        Uneven(
            "tidb",
            "running",
            "token-limit",
            (("1000", ("a-4000", "b-4000")), ("500", ("c-4000",))),
            place=False,
        ),
    ]


def test_a_setting_that_one_of_them_lacks_is_told(drift: Callable[[Files], Drift]) -> None:
    found = drift({
        ("config.running", "a-4000", "a/config.json"): '{"new":1}',
        ("config.running", "b-4000", "b/config.json"): '{}',
    })  # fmt: skip
    [one] = [one for one in found.uneven if one.source == "running"]
    assert one.values == (("1", ("a-4000",)), (None, ("b-4000",)))


def test_a_mixed_cluster_is_told(drift: Callable[[Files], Drift]) -> None:
    """By what the instances say of themselves; where they say nothing, by what discovery learned."""
    found = drift({
        ("versions.instance", "a-4000", "a/version.txt"): '{"version":"8.0.11-TiDB-v8.5.3","git_hash":"aaa"}',
        ("versions.instance", "b-4000", "b/version.txt"): '{"version":"8.0.11-TiDB-v8.5.3","git_hash":"bbb"}',
    })  # fmt: skip
    versions = {one.name: one.values for one in found.uneven if one.source == "version"}
    assert versions["version"] == (("v8.5.3", ("a-4000", "b-4000")), ("v8.5.2", ("c-4000",)))
    assert versions["commit"] == (("aaa", ("a-4000",)), ("bbb", ("b-4000",)))


def test_variables_differ_between_servers_and_moments_do_not_count(drift: Callable[[Files], Drift]) -> None:
    found = drift({
        ("variables.global", f"{host}-4000", f"db_vars/{host}-4000/global_variables.csv"):
        f"Variable_name,Value\ntidb_mem_quota_query,{quota}\ntimestamp,{quota}\n"
        for host, quota in (("a", 1), ("b", 2))
    })  # fmt: skip
    assert [(one.source, one.name) for one in found.uneven if one.source == "variables"] == [
        ("variables", "tidb_mem_quota_query")
    ]


def test_tiflash_s_own_file_is_compared_among_its_instances(drift: Callable[[Files], Drift]) -> None:
    """What it answers over HTTP is its proxy's: only the learner's file can be held against that."""
    files: Files = {}
    for host, level in (("a", "debug"), ("b", "info")):
        folder = f"{host}/tidb-deploy/tiflash-9000/conf"
        files["config.files", f"{host}-3930", f"{folder}/tiflash.toml"] = f'[logger]\nlevel = "{level}"\n'
        files["config.running", f"{host}-3930", f"{folder}/config.json"] = (
            '{"raftstore":{"store-pool-size":4}}'
        )
    files["config.files", "a-3930", "a/tidb-deploy/tiflash-9000/conf/tiflash-learner.toml"] = (
        "[raftstore]\nstore-pool-size = 2\n"
    )
    found = drift(files)
    assert [told(one) for one in found.pending] == [("raftstore.store-pool-size", "2", "4")]
    assert [(one.source, one.name) for one in found.uneven if one.component == "tiflash"] == [
        ("tiflash.toml", "logger.level")
    ]


def test_show_config_stands_in_for_a_port_that_was_dead(drift: Callable[[Files], Drift]) -> None:
    found = drift({
        ("config.files", "a-20160", "a/c/tikv.toml"): '[log]\nlevel = "warn"\n',
        ("config.show", "", "config/show_config.csv"): "Type,Instance,Name,Value\ntikv,a:20160,log.level,info\n",
    })  # fmt: skip
    assert [told(one) for one in found.pending] == [("log.level", "warn", "info")]


def test_an_option_file_is_held_against_the_variables(drift: Callable[[Files], Drift]) -> None:
    found = drift({
        ("config.files", "a-3306", "a/a-3306/conf/etc/mysql/my.cnf"):
        "[mysqld]\nmax-connections = 500\nquery_cache_size = 1M\n",
        ("variables.global", "a-3306", "db_vars/a-3306/global_variables.csv"):
        "Variable_name,Value\nmax_connections,151\nquery_cache_size,1048576\n",
    })  # fmt: skip
    assert [told(one) for one in found.pending] == [("max_connections", "500", "151")]


def test_a_file_that_can_not_be_read_costs_only_itself(drift: Callable[[Files], Drift]) -> None:
    found = drift({
        ("config.files", "a-20160", "a/c/tikv.toml"): "this is no TOML",
        ("config.running", "a-20160", "a/c/config.json"): "[" * 100_000,
        ("config.files", "a-4000", "a/d/tidb.toml"): "a = 1\n",
        ("config.running", "a-4000", "a/d/config.json"): '{"a":2}',
    })  # fmt: skip
    assert [told(one) for one in found.pending] == [("a", "1", "2")]
    assert len(found.unread) == 2
    assert found.unread[0].startswith("a/c/config.json: ")


def test_a_bundle_without_configuration_has_nothing_to_compare(drift: Callable[[Files], Drift]) -> None:
    found = drift({("system.os", "", "a/os.txt"): "x"})
    assert (found.compared, found.pending) == ({}, ())
