"""Certificates that anything names are told; keys never are."""

from __future__ import annotations

import csv
from collections.abc import Callable

import pytest

from clinic.cluster.model import Instance
from clinic.collector import Item
from clinic_collectors._certificates import endpoint, named, of_command_line, rows

Play = Callable[..., bytes]

CONFIGURATIONS = {
    "tidb.toml": b'[security]\nssl-ca = "/a/ca.pem"\nssl-cert = "/a/tidb.pem"\nssl-key = "/a/tidb-key.pem"\n'
    b'cluster-ssl-ca = "/b/ca.crt"\n',
    "tikv.toml": b'[security]\nca-path = "/c/ca.crt"\ncert-path = "/c/tikv.crt"\nkey-path = "/c/tikv.pem"\n',
    "pd.toml": b'cacert-path = "/d/ca.crt" # the CA\n',
    "prometheus.yml": b"tls_config:\n  ca_file: /e/ca.crt\n  cert_file: /e/client.crt\n  key_file: /e/client.pem\n",
    "my.cnf": b"[mysqld]\nssl_ca=/f/ca.pem\nssl-cert = /f/server.pem\nssl_key=/f/key.pem\nssl-capath = /f/many\n",
    "tiproxy.toml": b'[security.cluster-tls]\nca = "/g/ca.crt"\ncert = "/g/x.crt"\nkey = "/g/x.pem"\n',
    "flow.yml": b"tls: {ca_file: /h/ca.crt, cert_file: /h/x.crt}\n",
    "grafana.ini": b"cert_file = relative.crt\ncert_key = /i/grafana.key\nlocal = /not/one\nreplica = /not/one\n",
}  # fmt: skip


def test_what_configurations_name_is_found_and_keys_are_not() -> None:
    found = named(CONFIGURATIONS)
    assert sorted(found) == [
        "/a/ca.pem", "/a/tidb.pem", "/b/ca.crt", "/c/ca.crt", "/c/tikv.crt", "/d/ca.crt", "/e/ca.crt", "/e/client.crt",
        "/f/ca.pem", "/f/server.pem", "/g/ca.crt", "/g/x.crt", "/h/ca.crt", "/h/x.crt",
    ]  # fmt: skip
    assert found["/d/ca.crt"] == "pd.toml"


def test_what_command_lines_name_is_found() -> None:
    words = (
        "pd-server",
        "--cacert=/a/ca.crt",
        "--cert",
        "/a/pd.crt",
        "--key=/a/pd.pem",
        "--config",
        "/a/pd.toml",
    )
    assert list(of_command_line(Instance("pd", "a", 2379, argv=words))) == ["/a/ca.crt", "/a/pd.crt"]


def test_what_is_no_certificate_is_told_as_such() -> None:
    pem = b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
    [row] = rows("/a/x.pem", "tidb.toml", pem)
    assert row[:3] == ("/a/x.pem", "tidb.toml", "1")
    assert row[3].startswith("can't be read")
    assert endpoint("a:1")({"shown": b"no peer certificate available"}) == b""


def table(data: bytes) -> list[dict[str, str]]:
    """The rows by their headings."""
    return list(csv.DictReader(data.decode().splitlines()))


def test_of_a_machine_every_certificate_is_in_the_table(play: Play) -> None:
    ca, server = table(play("debian-12-servers", "certificates.files"))
    assert (ca["where"], ca["authority"]) == ("/etc/mysql/ssl/ca.pem", "yes")
    assert server["named_by"] == "/etc/mysql/mariadb.conf.d/60-ssl.cnf"
    assert (server["subject"], server["issuer"]) == ("O=Example, CN=db-1", "O=Example, CN=Example CA")
    assert (server["names"], server["algorithm"], server["authority"]) == ("db-1 127.0.0.1", "EC P-256", "no")
    assert server["not_before"] < server["not_after"]


def test_what_lies_beside_an_instance_is_told_and_its_key_is_left_alone(play: Play) -> None:
    found = table(play("tiup", "certificates.files"))
    assert [row["where"] for row in found] == [
        "/tidb-deploy/tikv-20160/tls/ca.crt", "/tidb-deploy/tikv-20160/tls/tikv.crt"
    ]  # fmt: skip
    assert found[1]["issuer"] == "O=PingCAP, OU=TiUP, CN=lab"
    assert found[1]["named_by"] == "/tidb-deploy/tikv-20160/conf/tikv.toml"


def test_an_endpoint_is_asked_in_its_own_protocol(
    items: Callable[[str, str], list[Item]], play: Play
) -> None:
    [item] = items("debian-12-servers", "certificates.endpoint")
    assert item.source.what == "openssl s_client -connect db-1:3306 -starttls mysql -showcerts"
    assert [row["subject"] for row in table(play("debian-12-servers", "certificates.endpoint"))] == [
        "O=Example, CN=db-1", "O=Example, CN=Example CA"
    ]  # fmt: skip


@pytest.mark.parametrize("machine", ["bare", "busybox"])
def test_where_nothing_names_any_there_is_nothing_to_do(
    machine: str, items: Callable[[str, str], list[Item]]
) -> None:
    assert items(machine, "certificates.files") == []
