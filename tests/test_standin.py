"""The stand-in cluster answers what was recorded, looks like a TiUP cluster, and can be broken in every way."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
import yaml
from tests.lab.control import CHECKOUT, down
from tests.lab.fixtures import LabOfTests
from tests.lab.standin.cluster import Cluster
from tests.lab.standin.members import KINDS, Member
from tests.lab.standin.recorded import Entry, entries
from tests.lab.state import LabError, load

pytestmark = pytest.mark.lab

ASKED = {"pd": "pd-1", "tidb": "tidb-1", "tikv": "tikv-1", "tiflash": "tiflash-1", "tiproxy": "tiproxy-1"}
"""Of whom it was recorded; TiCDC's is asked of the first too."""

PD_SCENARIOS = {
    "fresh": "not-bootstrapped",
    "noleader": "no-leader",
    "election": "election",
    "disconnected": "store-disconnected",
    "down": "store-down",
    "scaling": "store-offline",
    "tombstone": "store-tombstone",
}


def ask(member: Member, target: str, method: str = "GET", **options: Any) -> requests.Response:
    """An answer of an instance's HTTP API; no proxy comes between."""
    with requests.Session() as session:
        session.trust_env = False
        url = f"http://{member.status_address}{target}"
        options = {"timeout": 10, "allow_redirects": False, **options}
        return session.request(method, url, **options)


def as_recorded(cluster: Cluster, text: bytes) -> bytes:
    """An answer with the recorded addresses and paths in place of the cluster's own."""
    root = re.escape(os.fsencode(cluster.spec.root))
    text = re.sub(root + rb"(?:/127(?:\.\d+){3})?(?=/tidb-(?:deploy|data))", b"", text)
    for member in cluster.instances:
        for use, usual in KINDS[member.component].usual.items():
            own, recorded = f"{member.host}:{member.ports[use]}", f"{member.recorded_host}:{usual}"
            text = text.replace(own.encode(), recorded.encode())
    text = re.sub(rb"\b%s\.(?=[1-9]\.)" % re.escape(cluster.spec.network.encode()), b"127.0.", text)
    for (port, usual), address in zip(
        (("prometheus", 9090), ("alertmanager", 9093)), cluster.spec.monitoring.values(), strict=False
    ):
        assert cluster.spec.monitoring[port] == address
        text = text.replace(address.encode(), b"127.0.9.1:%d" % usual)
    return text


def pairs(body: bytes) -> bytes:
    """The keys and values in an answer of etcd's gateway; monitoring is the lab's own and left out."""
    try:
        found = json.loads(body).get("kvs", [])
    except ValueError:
        return body
    decoded = [b64decode(pair["key"]) + b" = " + b64decode(pair.get("value", "")) for pair in found]
    return b"\n".join(each for each in decoded if not re.search(rb"prometheus|alertmanager", each))


def differs(cluster: Cluster, entry: Entry, member: Member) -> str:
    """How the answer to a recorded request differs from the recorded one; empty when it does not."""
    answer = ask(
        member,
        entry.target,
        entry.method,
        headers=dict(entry.request_headers),
        data=entry.request_body or None,
    )
    got, wanted = as_recorded(cluster, answer.content), entry.body()
    about = (answer.status_code, answer.headers.get("Content-Type"), "chunked" in str(answer.headers))
    recorded = (entry.status, entry.content_type, entry.chunked)
    if about != recorded:
        return f"{entry.method} {entry.target}: {about}, recorded {recorded}"
    if entry.path.endswith("/kv/range"):
        got, wanted = as_recorded(cluster, pairs(answer.content)), pairs(wanted)
    if got != wanted:
        return f"{entry.method} {entry.target}: {got[:200]!r}, recorded {wanted[:200]!r}"
    return ""


@pytest.mark.parametrize("component", ["pd", "tidb", "tikv", "tiflash", "tiproxy", "ticdc"])
def test_every_recorded_request_is_answered_as_it_was(cluster: Cluster, component: str) -> None:
    member = cluster.instance(ASKED.get(component, "ticdc-1"))
    asked = [e for e in entries(component) if e.scenario in {"", "healthy"} and e.port == "status"]
    asked = [each for each in asked if "Accept-Encoding" not in each.request_headers]  # other order, no gzip
    assert len(asked) >= 3
    found = [difference for entry in asked if (difference := differs(cluster, entry, member))]
    assert not found, "\n".join(found)


def test_a_follower_of_pd_answers_as_it_was_recorded(cluster: Cluster) -> None:
    asked = [entry for entry in entries("pd") if entry.scenario == "follower"]
    found = [text for entry in asked if (text := differs(cluster, entry, cluster.instance("pd-2")))]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("scenario", PD_SCENARIOS)
def test_pd_in_trouble_answers_as_it_was_recorded(cluster: Cluster, scenario: str) -> None:
    asked = [entry for entry in entries("pd") if entry.scenario == scenario]
    assert len(asked) >= 8
    with cluster.fault("pd", PD_SCENARIOS[scenario]):
        member = cluster.instance("pd-2" if scenario == "election" else "pd-1")
        found = [text for entry in asked if entry.seconds < 5 and (text := differs(cluster, entry, member))]
    assert not found, "\n".join(found)
    assert ask(cluster.instance("pd-1"), "/pd/api/v1/stores").json()["count"] == 4


def test_pd_without_a_leader_takes_the_recorded_time(cluster: Cluster) -> None:
    """A session's own cluster is twenty times faster than the recorded one: 3 s are 0.15 s."""
    pd, seconds = cluster.instance("pd-3"), 3 * cluster.spec.options.delay_scale
    with cluster.fault("pd", "no-leader"):
        began = time.monotonic()
        answer = ask(pd, "/pd/api/v1/stores")
        assert answer.status_code == 503
        assert seconds <= time.monotonic() - began < seconds + 2
        assert ask(pd, "/pd/api/v1/ping").status_code == 200
        wanted = {"key": "L3RvcG9sb2d5Lw==", "range_end": "L3RvcG9sb2d5MA=="}
        assert ask(pd, "/v3/kv/range", "POST", json=wanted).status_code == 503
        assert ask(pd, "/v3/kv/range", "POST", json={**wanted, "serializable": True}).json()["count"] == "12"


def test_etcd_gives_ranges_that_nobody_recorded(cluster: Cluster) -> None:
    key = {"key": "L3RvcG9sb2d5L3RpZGIv", "range_end": "L3RvcG9sb2d5L3RpZGIw"}  # /topology/tidb/
    found = ask(cluster.instance("pd-1"), "/v3/kv/range", "POST", json={**key, "limit": 1}).json()
    assert (found["count"], found["more"], len(found["kvs"])) == ("5", True, 1)


def test_two_dead_pds_leave_the_third_without_a_leader(cluster: Cluster) -> None:
    with cluster.fault("pd-1", "down"):
        members = ask(cluster.instance("pd-2"), "/pd/api/v1/members").json()
        assert members["leader"]["client_urls"] != [f"http://{cluster.instance('pd-1').address}"]
        healthy = {each["health"] for each in ask(cluster.instance("pd-2"), "/pd/api/v1/health").json()}
        assert healthy == {True, False}
        with cluster.fault("pd-2", "down"):
            assert ask(cluster.instance("pd-3"), "/pd/api/v1/members").status_code == 503


def test_every_instance_speaks_of_itself(cluster: Cluster) -> None:
    for member in cluster.of("tidb"):
        info = ask(member, "/info").json()
        assert (info["ip"], info["listening_port"], info["status_port"]) == (
            member.host,
            member.port,
            member.status_port,
        )
        assert ask(member, "/config").json()["log"]["file"]["filename"] == str(member.log)
    for member in cluster.of("tikv"):
        assert ask(member, "/config").json()["server"]["advertise-addr"] == member.address
    ids = {ask(member, "/api/v2/status").json()["id"] for member in cluster.of("ticdc")}
    assert len(ids) == 2


def test_go_programs_give_profiles(cluster: Cluster) -> None:
    places = {
        "pd-1": "/pd/api/v1/debug/pprof/",
        "tidb-1": "/debug/pprof/",
        "ticdc-1": "/debug/pprof/",
        "tiproxy-1": "/api/debug/pprof/",
    }
    for name, prefix in places.items():
        text = ask(cluster.instance(name), f"{prefix}goroutine?debug=1").text
        assert text.startswith("goroutine profile: total"), name
        packed = ask(cluster.instance(name), f"{prefix}heap").content
        assert packed.startswith(b"\x1f\x8b"), name


def test_an_instance_looks_like_the_program_that_tiup_starts(cluster: Cluster) -> None:
    wanted = {
        "pd-1": ["bin/pd-server", f"--name=pd-{cluster.instance('pd-1').host}-"],
        "tidb-2": ["bin/tidb-server", "-P"],
        "tikv-3": ["bin/tikv-server", "--addr"],
        "tiflash-1": ["bin/tiflash/tiflash", "server"],
        "tiproxy-1": ["bin/tiproxy", "--config"],
        "ticdc-2": ["bin/cdc", "server"],
    }
    for name, (program, argument) in wanted.items():
        member, process = cluster.instance(name), psutil.Process(cluster.pid(name))
        words = process.cmdline()
        assert words[0] == program
        assert words[1].startswith(argument)
        assert process.name() == Path(program).name
        assert Path(process.cwd()) == member.deploy_dir
        assert "python" in Path(process.exe()).name, "the only thing that tells"
        listening = {
            (each.laddr.ip, each.laddr.port)
            for each in process.net_connections("tcp")
            if each.status == "LISTEN"
        }
        assert listening == {(member.host, port) for port in member.ports.values()}


@pytest.mark.parametrize(
    ("name", "words", "version"),
    [
        ("pd-1", ["-V"], "v9.0.0-beta.2.pre-483-ga186e0cc61"),
        ("tidb-1", ["-V"], "v8.5.3"),
        ("tikv-1", ["-V"], "8.5.3"),
        ("tiflash-1", ["version"], "v8.5.3"),
        ("tiproxy-1", ["--version"], "v1.3.0"),
        ("ticdc-1", ["version"], "v8.5.3"),
    ],
)
def test_a_program_tells_its_version(cluster: Cluster, name: str, words: list[str], version: str) -> None:
    member = cluster.instance(name)
    argv = [str(member.deploy_dir / member.kind.program), *words]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=10, env={})
    assert version in done.stdout


def test_meta_yaml_names_what_is_there(cluster: Cluster) -> None:
    meta = yaml.safe_load(cluster.meta_yaml.read_text())
    assert meta["tidb_version"] == cluster.version
    topology = meta["topology"]
    lists = {"pd": 3, "tidb": 2, "tikv": 3, "tiflash": 1, "tiproxy": 1, "cdc": 2}
    for role, count in lists.items():
        servers = topology[f"{role}_servers"]
        assert len(servers) == count
        for server in servers:
            assert (Path(server["deploy_dir"]) / "conf").is_dir()
            port = next(server[key] for key in ("client_port", "port", "flash_service_port") if key in server)
            with socket.create_connection((server["host"], port), timeout=5):
                pass
    monitor = topology["monitoring_servers"][0]
    with requests.Session() as session:
        session.trust_env = False
        answer = session.get(f"http://{monitor['host']}:{monitor['port']}/-/ready", timeout=5)
    assert answer.status_code == 200
    key = cluster.meta_yaml.parent / "ssh/id_rsa"
    assert key.stat().st_mode & 0o777 == 0o600
    assert key.read_text().startswith("-----BEGIN RSA PRIVATE KEY-----")


def test_tiup_has_noted_what_was_done(cluster: Cluster) -> None:
    texts = [path.read_text() for path in (cluster.tiup_home / "storage/cluster/audit").iterdir()]
    commands = {text.splitlines()[0].split()[1] for text in texts}
    assert commands == {"deploy", "start", "edit-config", "reload"}


def eventually(holds: Callable[[], bool], seconds: float = 15) -> bool:
    """Whether it holds before the time is over."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def test_logs_grow(cluster: Cluster) -> None:
    sizes = {path: path.stat().st_size for member in cluster.instances for path in member.logs}
    main = {member.log for member in cluster.instances}
    assert eventually(lambda: all(path.stat().st_size > sizes[path] for path in main))


def test_logs_have_a_past_in_rotated_files(cluster: Cluster) -> None:
    """A session's own cluster has one of thirteen hours, a file for each six."""
    hours = cluster.spec.options.history
    if hours != 13:
        pytest.skip("not run: the lab that CLINIC_LAB_DIR names has logs of another length")
    tikv = cluster.instance("tikv-1")
    files = sorted(path for path in tikv.log_dir.iterdir() if path.name.startswith("tikv-"))
    assert len(files) == 2
    times = [re.findall(r"(?m)^\[([\d/]+ [\d:.]+) ", path.read_text()) for path in (*files, tikv.log)]
    joined = [each for file in times for each in file]
    assert joined == sorted(joined)
    first = time.mktime(time.strptime(joined[0][:19], "%Y/%m/%d %H:%M:%S"))
    assert abs(cluster.spec.started - first - hours * 3600) < 60
    assert list(cluster.instance("tidb-1").log_dir.glob("tidb-*.log.gz"))


def test_a_slow_log_entry_has_several_lines(cluster: Cluster) -> None:
    text = (cluster.instance("tidb-1").log_dir / "tidb_slow_query.log").read_text()
    begins = re.findall(r"(?m)^# Time: (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}[+-]\d\d:\d\d)$", text)
    assert len(begins) > 5
    assert re.search(r"(?m)^  FROM orders o\n\n WHERE", text)


def test_what_an_instance_was_asked_is_kept(cluster: Cluster) -> None:
    before = len(cluster.requests("tikv-2"))
    ask(cluster.instance("tikv-2"), "/status", headers={"User-Agent": "a test"})
    mine = [each for each in cluster.requests("tikv-2")[before:] if each.agent == "a test"]
    assert [(each.what, each.ended) for each in mine] == [("GET /status", "200")]


def test_the_cluster_costs_little_while_nobody_asks(cluster: Cluster) -> None:
    """Some hundredths of a processor (bounded for a slow machine), and 100 MiB for each process."""
    processes = [psutil.Process(cluster.pid(member.name)) for member in cluster.instances]

    def spent() -> float:
        return sum(sum(each.cpu_times()[:2]) for each in processes)

    began, before = time.monotonic(), spent()
    time.sleep(3)
    assert (
        spent() - before < 0.15 * (time.monotonic() - began) + 0.05
    )  # the clock ticks a hundred times a second
    assert all(process.memory_info().rss < 100 * 1024 * 1024 for process in processes)


def command(*words: str, directory: Path) -> subprocess.CompletedProcess[str]:
    """What the lab's command line does."""
    argv = [sys.executable, str(CHECKOUT / "tests/lab/lab.py"), *words, "--dir", str(directory)]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=120)


def test_faults_come_and_go_by_command(cluster: Cluster, lab: LabOfTests) -> None:
    done = command("fault", "tiproxy-1", "http-500", "--for", "2", directory=lab.directory)
    assert "tiproxy-1             http-500" in done.stdout
    assert ask(cluster.instance("tiproxy-1"), "/api/debug/health").status_code == 500
    assert eventually(lambda: not cluster.faults(), 5), "it is over by itself"
    assert ask(cluster.instance("tiproxy-1"), "/api/debug/health").status_code == 200
    assert command("fault", "tikv-1", "slow", directory=lab.directory).returncode == 0
    assert list(cluster.faults()) == ["tikv-1"]
    assert command("fault", "--clear", directory=lab.directory).returncode == 0
    assert not cluster.faults()


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("tikv-9", "slow", "the cluster has no tikv-9; it has pd-1, "),
        ("tikv-1", "hiccups", "there is no fault hiccups; there are down, stalled"),
        ("tikv-1", "no-leader", "tikv-1 can't have the fault no-leader; it is for pd"),
    ],
)
def test_a_fault_that_can_not_be_is_refused(cluster: Cluster, name: str, kind: str, message: str) -> None:
    with pytest.raises(LabError, match=re.escape(message)):
        cluster.set_fault(name, kind)


@pytest.fixture
def own_directory(tmp_path: Path) -> Iterator[Path]:
    """A directory for one more lab, which is stopped whatever happens."""
    yield tmp_path / "lab"
    down(tmp_path / "lab")


def test_a_second_cluster_with_tls_has_addresses_of_its_own_and_leaves_nothing(
    cluster: Cluster, own_directory: Path
) -> None:
    done = command("up", "--tls", "--json", directory=own_directory)
    assert done.returncode in {0, 3}, done.stdout
    lab = load(own_directory)
    assert lab is not None
    second = Cluster(lab)
    assert not {each.host for each in second.instances} & {each.host for each in cluster.instances}
    check_tls(second)
    processes = [psutil.Process(second.pid(member.name)) for member in second.instances]
    assert command("down", directory=own_directory).returncode == 0
    assert not any(process.is_running() for process in processes)
    for member in second.instances:
        for port in member.ports.values():
            with socket.socket() as client:
                assert client.connect_ex((member.host, port)) != 0
    assert load(own_directory) is None


def check_tls(cluster: Cluster) -> None:
    """All of its HTTP APIs want a client certificate, and TiUP's files say where there is one."""
    directory = cluster.meta_yaml.parent / "tls"
    assert yaml.safe_load(cluster.meta_yaml.read_text())["topology"]["global"]["enable_tls"] is True
    certificate = (str(directory / "client.crt"), str(directory / "client.pem"))
    paths: Mapping[str, str] = {"pd": "/pd/api/v1/members", "tidb": "/status", "tikv": "/config"}
    with requests.Session() as session:
        session.trust_env = False
        for component, path in paths.items():
            url = f"https://{cluster.of(component)[0].status_address}{path}"
            verify = str(directory / "ca.crt")
            answer = session.get(url, verify=verify, cert=certificate, timeout=5)
            assert answer.status_code == 200
            assert "http://" not in answer.text
            with pytest.raises(requests.exceptions.ConnectionError):
                requests.get(url, verify=verify, timeout=5)
    assert json.loads(cluster.spec.root.joinpath("cluster.json").read_text())["options"]["tls"] is True
