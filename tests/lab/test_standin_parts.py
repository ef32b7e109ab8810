"""The parts of the stand-in cluster that need no process: rewriting, roles of PD, SQL, logs, names."""

from __future__ import annotations

import contextlib
import dataclasses
import gzip
import json
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from tests.lab.options import Options
from tests.lab.standin.answers import Request
from tests.lab.standin.components import api_of
from tests.lab.standin.configs import toml
from tests.lab.standin.deploy import arguments
from tests.lab.standin.faults import Fault, fault_file
from tests.lab.standin.logs import Growing, Log
from tests.lab.standin.members import KINDS, RECORDED_HOSTS, Member, component_of, host_in
from tests.lab.standin.recorded import RECORDINGS
from tests.lab.standin.rewrite import Rewriter
from tests.lab.standin.spec import Spec, load_spec
from tests.lab.standin.sql_errors import SqlError
from tests.lab.standin.sql_run import Runner
from tests.lab.standin.sql_tables import Tables, variables
from tests.lab.standin.tiup import ALPHABET, audit_id, metadata

MONITORING = {"prometheus": "127.0.0.1:39090", "alertmanager": "127.0.0.1:39093"}


def made(
    root: Path, network: str = "127.0", moved: Mapping[str, int] | None = None, **chosen: float | bool
) -> Spec:
    """A cluster whose processes are not there; `moved` gives some members another port for clients."""
    members = tuple(
        Member(
            name,
            component_of(name),
            host_in(network, host),
            {
                **KINDS[component_of(name)].usual,
                **({"client": moved[name]} if moved and name in moved else {}),
            },
            root,
        )
        for name, host in RECORDED_HOSTS.items()
    )
    credentials = {"user": "root", "password": "r", "plain_user": "plain", "plain_password": "p"}
    options = dataclasses.replace(Options(), **chosen)  # type: ignore[arg-type]  # names of its fields
    return Spec(root, "root", network, members, options, credentials, MONITORING, 22, time.time())


@pytest.fixture
def spec(tmp_path: Path) -> Spec:
    """A cluster with the recorded addresses."""
    return made(tmp_path)


def test_a_cluster_is_loaded_as_it_was_saved(spec: Spec) -> None:
    spec.save()
    assert load_spec(spec.root) == spec
    assert (spec.root / "cluster.json").stat().st_mode & 0o777 == 0o600


def test_addresses_of_another_network_and_other_ports_are_put_in(tmp_path: Path) -> None:
    spec = made(tmp_path, "127.7", {"pd-2": 41000, "tikv-1": 42000})
    rewriter = Rewriter(spec, spec.member("pd-1"))
    given = '"name": "pd-127.0.1.2-2379", "client_urls": ["http://127.0.1.2:2379"], "sink": "127.0.7.1:3306"'
    assert rewriter.text(given) == (
        '"name": "pd-127.7.1.2-41000", "client_urls": ["http://127.7.1.2:41000"], "sink": "127.7.7.1:3306"'
    )
    assert rewriter.text("127.0.2.1:20160 127.0.2.1:20180") == "127.7.2.1:42000 127.7.2.1:20180"
    assert rewriter.text('{"ip":"127.0.4.1","status_port":10080}') == '{"ip":"127.7.4.1","status_port":10080}'
    assert rewriter.text("127.0.0.1:4000") == "127.0.0.1:4000"


def test_a_path_is_that_of_the_host_named_before_it(spec: Spec) -> None:
    rewriter = Rewriter(spec, spec.member("pd-1"))
    given = '{"address":"127.0.2.3:20160","deploy_path":"/tidb-deploy/tikv-20160/bin","data":"/tidb-data/tikv-20160"}'
    tikv = spec.member("tikv-3")
    changed = json.loads(rewriter.text(given))
    assert changed["deploy_path"] == f"{tikv.deploy_dir}/bin"
    assert changed["data"] == str(tikv.data_dir)
    own = Rewriter(spec, spec.member("tidb-2")).text("127.0.4.1 /tidb-deploy/tidb-4000/log", mine=True)
    assert own == f"127.0.4.2 {spec.member('tidb-2').log_dir}"


def test_monitoring_is_the_labs_own(spec: Spec) -> None:
    rewriter = Rewriter(spec, spec.member("pd-1"))
    assert rewriter.text('{"ip":"127.0.9.1","port":9090}') == '{"ip":"127.0.0.1","port":39090}'
    assert rewriter.text("http://127.0.9.1:9093") == "http://127.0.0.1:39093"
    assert rewriter.text('{"ip":"127.0.9.1","port":3000}') == '{"ip":"127.0.9.1","port":3000}'


def test_with_tls_recorded_urls_are_https(tmp_path: Path) -> None:
    spec = made(tmp_path, tls=True)
    text = Rewriter(spec, spec.member("pd-1")).text("http://127.0.1.1:2379 http://127.0.7.2:9092")
    assert text == "https://127.0.1.1:2379 http://127.0.7.2:9092"
    assert "--ca" in arguments(spec, spec.member("ticdc-1"))
    assert metadata(spec)["topology"]["global"]["enable_tls"] is True


@pytest.mark.parametrize(("dead", "leader"), [([], "pd-1"), (["pd-1"], "pd-2"), (["pd-3"], "pd-1")])
def test_the_leader_of_pd_is_one_that_lives(spec: Spec, dead: list[str], leader: str) -> None:
    for name in dead:
        fault_file(spec.faults_dir, name).write(Fault("down"))
    api = api_of(spec, spec.member("pd-2"), "status")
    for path in ("/pd/api/v1/leader", "/pd/api/v1/members"):
        answer = json.loads(api.answer(Request("GET", path, {}, b"")).body)
        urls = (answer if path.endswith("leader") else answer["leader"])["client_urls"]
        assert urls == [f"http://{spec.member(leader).address}"]


def test_a_store_that_nobody_recorded_is_one_of_the_list(spec: Spec) -> None:
    api = api_of(spec, spec.member("pd-1"), "status")
    found = api.answer(Request("GET", "/pd/api/v1/store/2", {}, b""))
    assert json.loads(found.body)["store"]["address"] == spec.member("tikv-2").address
    missing = api.answer(Request("GET", "/pd/api/v1/store/77", {}, b""))
    assert (missing.status, b"77" in missing.body) == (404, True)


def test_recorded_delays_are_scaled(tmp_path: Path) -> None:
    spec = made(tmp_path, delay_scale=0.5)
    fault_file(spec.faults_dir, "pd-1").write(Fault("no-leader"))
    api = api_of(spec, spec.member("pd-1"), "status")
    assert 1.5 <= api.answer(Request("GET", "/pd/api/v1/stores", {}, b"")).seconds < 1.6
    assert api.answer(Request("GET", "/pd/api/v1/something/new", {}, b"")).seconds == 1.5


def test_a_fault_is_over_when_its_time_has_passed(tmp_path: Path) -> None:
    file = fault_file(tmp_path / "faults", "tikv-1")
    file.write(Fault("slow", until=time.time() + 60))
    assert file.kind() == "slow"
    file.write(Fault("slow", until=time.time() - 1))
    assert file.kind() == ""
    file.clear()
    file.clear()


@pytest.fixture
def session(spec: Spec) -> Iterator[Runner]:
    """A session of TiDB without its protocol."""
    member = spec.member("tidb-1")

    def tables() -> Tables:
        return Tables(spec, member, "root", privileged=True)

    with contextlib.closing(Runner(tables, variables(spec, member), "root", 4711, privileged=True)) as opened:
        yield opened


@pytest.mark.parametrize(
    ("statement", "rows"),
    [
        ("SELECT 1", [(1,)]),
        ("select CONNECTION_ID(), DATABASE(), CURRENT_USER()", [(4711, None, "root@%")]),
        ("SELECT COUNT(*) FROM information_schema.cluster_info WHERE type = 'tikv'", [(3,)]),
        (
            "SELECT DISTINCT TYPE FROM information_schema.cluster_info ORDER BY type LIMIT 2",
            [("pd",), ("ticdc",)],
        ),
        (
            "SELECT /*+ MAX_EXECUTION_TIME(1000) */ USER AS u FROM information_schema.processlist LIMIT 1",
            [("app",)],
        ),
        ("SHOW VARIABLES LIKE 'port'", [("port", "4000")]),
        ("SHOW TABLES FROM performance_schema", [["session_connect_attrs"]]),
        ("SET NAMES utf8mb4", ()),
        ("START TRANSACTION READ ONLY", ()),
    ],
)
def test_a_statement_gives(session: Runner, statement: str, rows: object) -> None:
    assert session.run(statement)[1] == rows


def test_a_database_may_be_chosen(session: Runner) -> None:
    session.run("USE information_schema")
    assert len(session.run("select * from DEADLOCKS")[1]) == 2
    assert session.run("SELECT DATABASE()")[1] == [("information_schema",)]


def test_what_the_stand_in_can_not_do_it_says(session: Runner) -> None:
    with pytest.raises(SqlError, match="the stand-in of TiDB can't run this"):
        session.run("SELECT TIDB_DECODE_PLAN('x')")
    with pytest.raises(SqlError, match="the stand-in of TiDB can't run this"):
        session.run("SHOW CREATE TABLE mysql.user")


def test_a_limit_of_time_is_the_sessions_or_the_hints(session: Runner) -> None:
    assert session.time_limit("SELECT 1") == 0
    session.run("SET @@session.max_execution_time = 2500")
    assert session.time_limit("SELECT 1") == 2.5
    assert session.time_limit("SELECT /*+ MAX_EXECUTION_TIME(700) */ 1") == 0.7


def test_a_past_is_cut_into_files_of_six_hours(tmp_path: Path) -> None:
    spec = made(tmp_path)
    member = spec.member("tidb-1")
    member.log_dir.mkdir(parents=True)
    log = Log(member.log, Rewriter(spec, member), "tidb")
    log.write_past(hours=13, step=600)
    packed, plain = sorted(path for path in member.log_dir.iterdir() if path != member.log)
    assert (packed.suffix, plain.suffix) == (".gz", ".log")
    texts = [gzip.decompress(packed.read_bytes()).decode(), plain.read_text(), member.log.read_text()]
    counts = [len(re.findall(r"(?m)^\[\d{4}/", text)) for text in texts]
    assert counts == [36, 36, 6]
    assert abs(packed.stat().st_mtime - (time.time() - 7 * 3600)) < 60


def test_an_instance_that_starts_again_keeps_its_log(tmp_path: Path) -> None:
    spec = made(tmp_path, history=1)
    member = spec.member("pd-1")
    member.log_dir.mkdir(parents=True)
    for path in member.logs:
        path.touch()
    Growing(spec, member).end("it ends")
    before = member.log.read_text()
    Growing(spec, member).end("it ends again")
    assert member.log.read_text().startswith(before)
    assert member.log.read_text().count("Welcome to Placement Driver") == 2


def test_the_name_of_an_audit_log_is_its_time() -> None:
    at = 1_795_650_417_357_000_000
    number = 0
    for digit in audit_id(at):
        number = number * len(ALPHABET) + ALPHABET.index(digit)
    assert number == at


def test_dotted_items_are_toml_tables() -> None:
    text = toml({"b.c.d": 1, "a": "x", "b.e": ["y"]})
    assert text == 'a = "x"\n\n[b]\ne = ["y"]\n[b.c]\nd = 1\n'


def test_every_recording_says_where_it_is_from() -> None:
    for index in RECORDINGS.glob("*/index.json"):
        listed = json.loads(index.read_text())
        for entry in listed["entries"]:
            recorded = entry.get("recorded", listed["recorded"])
            assert recorded or entry["source"], (index, entry)
            assert not entry.get("file") or (index.parent / entry["file"]).exists(), (index, entry)


def test_the_recordings_are_small() -> None:
    assert sum(path.stat().st_size for path in RECORDINGS.rglob("*")) < 6 * 1024 * 1024
