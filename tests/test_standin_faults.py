"""Each fault of the stand-in cluster does what its description says, and is gone when it is cleared."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import os
import re
import socket
import ssl
import subprocess
import time
import zlib
from collections.abc import Generator
from typing import Any

import psutil
import pymysql
import pytest
import requests
from tests.lab.standin.cluster import Cluster
from tests.lab.standin.faults import KINDS
from tests.lab.standin.members import Member

pytestmark = pytest.mark.lab

EVERYBODY = ["pd-2", "tidb-1", "tikv-1", "tiflash-1", "tiproxy-1", "ticdc-1"]
PATHS = {
    "pd": "/pd/api/v1/version",
    "tidb": "/status",
    "tikv": "/config",
    "tiflash": "/config",
    "tiproxy": "/api/debug/health",
    "ticdc": "/api/v2/status",
}


def ask(member: Member, timeout: float = 5) -> requests.Response:
    """The answer to the request that is right for a component."""
    with requests.Session() as session:
        session.trust_env = False
        url = f"http://{member.status_address}{PATHS[member.component]}"
        return session.get(url, timeout=timeout, allow_redirects=False)


def sql(cluster: Cluster, timeout: float = 5, name: str = "tidb-1", **options: Any) -> pymysql.Connection:
    """A connection of the user who may do everything; over TLS unless `ssl_disabled` is said."""
    member, given = cluster.instance(name), cluster.credentials
    return pymysql.connect(
        host=member.host,
        port=member.port,
        user=given["user"],
        password=given["password"],
        connect_timeout=int(timeout),
        read_timeout=timeout,
        **options,
    )


def number_of(error: pymysql.err.MySQLError) -> int:
    """The number of an error."""
    return int(error.args[0])


def test_an_instance_that_is_down_has_no_process_and_comes_back(cluster: Cluster) -> None:
    before = cluster.pid("tikv-2")
    with cluster.fault("tikv-2", "down"):
        assert not psutil.pid_exists(before)
        with pytest.raises(requests.exceptions.ConnectionError):
            ask(cluster.instance("tikv-2"))
        assert ask(cluster.instance("tikv-1")).status_code == 200
    assert ask(cluster.instance("tikv-2")).status_code == 200
    assert cluster.pid("tikv-2") != before


@pytest.mark.parametrize("name", EVERYBODY)
def test_a_stalled_instance_accepts_and_never_answers(cluster: Cluster, name: str) -> None:
    member = cluster.instance(name)
    with cluster.fault(name, "stalled"):
        for port in member.ports.values():
            with socket.create_connection((member.host, port), timeout=5) as connection:
                connection.settimeout(0.3)
                connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                with pytest.raises(TimeoutError):
                    connection.recv(1)
    assert ask(member).status_code == 200


def test_a_slow_instance_takes_its_time(cluster: Cluster) -> None:
    with cluster.fault("tidb-1", "slow", seconds=0.5):
        began = time.monotonic()
        assert ask(cluster.instance("tidb-1")).status_code == 200
        assert time.monotonic() - began >= 0.5
        with sql(cluster) as connection, connection.cursor() as cursor:
            began = time.monotonic()
            cursor.execute("SELECT 1")
            assert time.monotonic() - began >= 0.5
            cursor.execute("SET SESSION max_execution_time = 100")
            with pytest.raises(pymysql.err.MySQLError) as caught:
                cursor.execute("SELECT 1")
            assert number_of(caught.value) == 3024


@pytest.mark.parametrize("name", EVERYBODY)
def test_an_instance_in_error_says_500(cluster: Cluster, name: str) -> None:
    with cluster.fault(name, "http-500"):
        assert ask(cluster.instance(name)).status_code == 500
    assert ask(cluster.instance(name)).status_code == 200


def test_an_error_page_has_status_200_and_is_html(cluster: Cluster) -> None:
    with cluster.fault("tikv-1", "error-page"):
        answer = ask(cluster.instance("tikv-1"))
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert answer.text.startswith("<!DOCTYPE html>")


def test_another_cluster_has_another_id(cluster: Cluster) -> None:
    pd = cluster.instance("pd-3")
    url = f"http://{pd.address}/pd/api/v1/cluster"
    with requests.Session() as session:
        session.trust_env = False
        assert session.get(url, timeout=5).json()["id"] == int(cluster.id)
        with cluster.fault("pd-3", "other-cluster"):
            assert session.get(url, timeout=5).json()["id"] not in {0, int(cluster.id)}


def test_a_client_certificate_is_demanded(cluster: Cluster) -> None:
    member = cluster.instance("tikv-1")
    url = f"https://{member.status_address}/status"
    with cluster.fault("tikv-1", "client-certificate"), requests.Session() as session:
        session.trust_env = False
        with pytest.raises(requests.exceptions.ConnectionError):
            ask(member)
        with pytest.raises(requests.exceptions.ConnectionError):
            session.get(url, verify=str(cluster.ca), timeout=5)
        certificate = tuple(str(path) for path in cluster.client_certificate)
        answer = session.get(url, verify=str(cluster.ca), cert=certificate, timeout=5)  # type: ignore[arg-type]  # two paths
        assert answer.status_code == 200
        with pytest.raises(requests.exceptions.SSLError):
            session.get(url, cert=certificate, timeout=5)  # type: ignore[arg-type]  # two paths
    assert ask(member).status_code == 200


def test_sql_without_tls_is_refused_where_tls_is_demanded(cluster: Cluster) -> None:
    member, given = cluster.instance("tidb-1"), cluster.credentials
    with cluster.fault("tidb-1", "client-certificate"):
        with pytest.raises(pymysql.err.MySQLError) as caught:
            sql(cluster, ssl_disabled=True)
        assert number_of(caught.value) == 3159
        with pymysql.connect(
            host=member.host,
            port=member.port,
            user=given["user"],
            password=given["password"],
            ssl=ssl.create_default_context(cafile=str(cluster.ca)),
        ) as connection:
            assert connection.open


@contextlib.contextmanager
def raw(member: Member, timeout: float = 5) -> Generator[http.client.HTTPResponse, None, None]:
    """An answer of which nothing but the head is read yet."""
    connection = http.client.HTTPConnection(member.host, member.status_port, timeout=timeout)
    with contextlib.closing(connection):
        connection.request("GET", PATHS[member.component])
        with connection.getresponse() as answer:
            yield answer


def test_an_endless_body_does_not_end(cluster: Cluster) -> None:
    with cluster.fault("tikv-3", "endless-body"), raw(cluster.instance("tikv-3")) as answer:
        assert answer.status == 200
        for _ in range(30):
            assert len(answer.read(1024 * 1024)) == 1024 * 1024


def test_a_gzip_bomb_is_small_until_it_is_unpacked(cluster: Cluster) -> None:
    with cluster.fault("tikv-3", "gzip-bomb"), raw(cluster.instance("tikv-3")) as answer:
        packed = answer.read()
    assert answer.headers["Content-Encoding"] == "gzip"
    assert len(packed) < 2 * 1024 * 1024
    one = zlib.decompressobj(31)
    size = len(one.decompress(packed))
    members = len(packed) // (len(packed) - len(one.unused_data))
    assert 0.99 < size * members / 1024**3 < 1.02
    assert gzip.decompress(packed[: len(packed) // members]).strip() == b""


def test_a_redirect_leads_to_another_host(cluster: Cluster) -> None:
    with cluster.fault("tidb-2", "redirect"):
        answer = ask(cluster.instance("tidb-2"))
    assert answer.status_code == 302
    assert answer.headers["Location"] == f"http://{cluster.instance('tikv-1').status_address}/status"


def test_a_short_body_lies_about_its_length(cluster: Cluster) -> None:
    with (
        cluster.fault("tikv-3", "short-body"),
        raw(cluster.instance("tikv-3")) as answer,
        pytest.raises(http.client.IncompleteRead),
    ):
        answer.read()


def test_a_stalled_body_stops_in_its_middle(cluster: Cluster) -> None:
    member = cluster.instance("tikv-3")
    with cluster.fault("tikv-3", "stalled-body"), raw(member, timeout=0.5) as answer:
        half = int(answer.headers["Content-Length"]) // 2
        assert len(answer.read(half)) == half
        with pytest.raises(TimeoutError):
            answer.read(1)


def test_a_trickle_is_a_byte_at_a_time(cluster: Cluster) -> None:
    """A byte a second, twenty in a session's own cluster."""
    with cluster.fault("tiproxy-1", "trickle"), raw(cluster.instance("tiproxy-1")) as answer:
        began = time.monotonic()
        assert len(answer.read(9)) == 9
        assert time.monotonic() - began >= 7 * cluster.spec.options.delay_scale


@pytest.mark.parametrize("name", EVERYBODY)
def test_garbage_is_neither_http_nor_a_greeting(cluster: Cluster, name: str) -> None:
    member = cluster.instance(name)
    with cluster.fault(name, "garbage"):
        for port in member.ports.values():
            with socket.create_connection((member.host, port), timeout=5) as connection:
                first = connection.recv(16)
            assert first
            assert not first.startswith(b"HTTP/")
        if name == "tidb-1":
            with pytest.raises((pymysql.err.MySQLError, AssertionError, IndexError, ValueError)):
                sql(cluster)
    assert ask(member).status_code == 200


@pytest.mark.parametrize(("kind", "number"), [("wrong-password", 1045), ("too-many-connections", 1040)])
def test_a_login_is_refused(cluster: Cluster, kind: str, number: int) -> None:
    with cluster.fault("tidb-1", kind):
        with pytest.raises(pymysql.err.MySQLError) as caught:
            sql(cluster)
        assert number_of(caught.value) == number
        with sql(cluster, name="tidb-2") as connection:
            assert connection.open
    with sql(cluster) as connection:
        assert connection.open


def test_a_user_loses_his_privileges(cluster: Cluster) -> None:
    with cluster.fault("tidb-1", "no-process"), sql(cluster) as connection, connection.cursor() as cursor:
        with pytest.raises(pymysql.err.MySQLError, match="PROCESS privilege") as caught:
            cursor.execute("SELECT * FROM information_schema.cluster_info")
        assert number_of(caught.value) == 1227


def test_an_endless_result_does_not_end(cluster: Cluster) -> None:
    """The client of MariaDB prints rows as they come."""
    member, given = cluster.instance("tidb-1"), cluster.credentials
    argv = ["mariadb", "--no-defaults", "-h", member.host, "-P", str(member.port), "-u", given["user"]]
    argv += ["--quick", "-e", "SHOW CONFIG"]
    environment = {**os.environ, "MYSQL_PWD": given["password"]}
    with (
        cluster.fault("tidb-1", "endless-body"),
        subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE) as client,
    ):
        assert client.stdout is not None
        assert len(client.stdout.read(4 * 1024 * 1024)) == 4 * 1024 * 1024
        client.kill()


def test_a_result_breaks_off(cluster: Cluster) -> None:
    with (
        cluster.fault("tidb-1", "short-body"),
        sql(cluster) as connection,
        connection.cursor() as cursor,
        pytest.raises(pymysql.err.MySQLError),
    ):
        cursor.execute("SHOW CONFIG")


def test_every_fault_is_described(root_text: str) -> None:
    listed = set(re.findall(r"(?m)^\| `([a-z0-9-]+)` \|", root_text))
    assert set(KINDS) <= listed


@pytest.fixture
def root_text(request: pytest.FixtureRequest) -> str:
    """The document about testing."""
    return (request.config.rootpath / "docs/testing.md").read_text()
