"""MariaDB with TLS, and etcd."""

from __future__ import annotations

import json
import secrets
import socket
from pathlib import Path

import yaml
from tests.lab.monitoring import http_ok
from tests.lab.program import (
    CA_EXTENSION,
    LEAF_EXTENSIONS,
    LOOPBACK,
    Launch,
    NotReady,
    Place,
    Program,
    Tool,
    tool,
)
from tests.lab.state import Server

ERROR_PACKET = 0xFF
PROTOCOL_10 = 10
"""The first byte of the payload of MySQL's greeting (protocol "HandshakeV10")."""


class MariaDB(Program):
    """Root with a password, a user without privileges, certificates of a CA of its own."""

    name = "mariadb"
    tools = (
        Tool("mariadbd", ("mariadb-server-core", "mariadb-server")),
        Tool("mariadb-install-db", ("mariadb-server-core", "mariadb-server")),
        Tool("mariadb", ("mariadb-client-core", "mariadb-client")),
        Tool("openssl", ("openssl",)),
    )
    account = "mysql"

    def prepare(self, place: Place) -> Launch:
        ca = _certificates(place)
        config = place.write("mariadb.cnf", _configuration(place, ca))
        place.run(
            [
                tool("mariadb-install-db"),
                f"--defaults-file={config}",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
                "--skip-name-resolve",
            ]
        )
        credentials = {
            "root_password": secrets.token_hex(16),
            "plain_user": "plain",
            "plain_password": secrets.token_hex(16),
        }
        place.write("init.sql", _first_statements(credentials))
        argv = [self.binary(), f"--defaults-file={config}", f"--init-file={place.home / 'init.sql'}"]
        return Launch(
            argv,
            f"mysql://{place.address}",
            config=config,
            data=place.data,
            credentials=credentials,
            files={"ca": ca, "socket": place.data / "mariadb.sock"},
        )

    def check(self, server: Server) -> None:
        greeting(server.host, server.port)


def greeting(host: str, port: int) -> str:
    """The version in the greeting of a MySQL server; raises `NotReady` for anything that is no greeting."""
    with socket.create_connection((host, port), timeout=2) as connection:
        packet = connection.recv(512)
    payload = packet[4:]
    if not payload or payload[0] == ERROR_PACKET:
        raise NotReady(f"refused: {payload[3:].decode(errors='replace')}")
    if payload[0] != PROTOCOL_10:
        raise NotReady(f"no greeting of MySQL's protocol 10: {packet[:40]!r}")
    return payload[1:].split(b"\0", 1)[0].decode()


def _configuration(place: Place, ca: Path) -> str:
    # The socket is relative to the data directory: an absolute name is often too long for one.
    return f"""\
[mariadbd]
datadir = {place.data}
socket = mariadb.sock
pid-file = {place.home}/mariadb.pid
log-error = {place.home}/mariadb.log
bind-address = {LOOPBACK}
port = {place.port}
skip-name-resolve
ssl-ca = {ca}
ssl-cert = {place.home}/server.pem
ssl-key = {place.home}/server.key
# Quick to start, and nothing in it is worth keeping.
innodb-log-file-size = 8M
innodb-buffer-pool-size = 32M
innodb-flush-log-at-trx-commit = 0
"""


def _first_statements(credentials: dict[str, str]) -> str:
    root, plain = credentials["root_password"], credentials["plain_password"]
    return f"""\
DELETE FROM mysql.global_priv WHERE User = '' OR (User = 'root' AND Host <> 'localhost');
FLUSH PRIVILEGES;
ALTER USER root@localhost IDENTIFIED BY '{root}';
CREATE USER root@'%' IDENTIFIED BY '{root}';
GRANT ALL ON *.* TO root@'%' WITH GRANT OPTION;
CREATE USER {credentials["plain_user"]}@'%' IDENTIFIED BY '{plain}';
"""


def _certificates(place: Place) -> Path:
    """A CA, and a certificate for loopback signed by it; gives the CA's certificate."""
    place.write("san.cnf", f"{LEAF_EXTENSIONS}subjectAltName = IP:{LOOPBACK}, DNS:localhost\n")
    new_key = "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -batch"
    for command in (
        f"{new_key} -x509 -days 30 -subj /CN=clinic-lab-ca {CA_EXTENSION} -keyout ca.key -out ca.pem",
        f"{new_key} -subj /CN=localhost -keyout server.key -out server.csr",
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30"
        " -extfile san.cnf -out server.pem",
    ):
        place.run([tool("openssl"), *command.split()])
    return place.home / "ca.pem"


class Etcd(Program):
    """A cluster of one member."""

    name = "etcd"
    tools = (Tool("etcd", ("etcd-server", "etcd")),)
    account = "etcd"
    ports = ("client", "peer")

    def prepare(self, place: Place) -> Launch:
        client, peer = f"http://{place.address}", f"http://{LOOPBACK}:{place.ports['peer']}"
        config = {
            "name": "lab",
            "data-dir": str(place.data),
            "listen-client-urls": client,
            "advertise-client-urls": client,
            "listen-peer-urls": peer,
            "initial-advertise-peer-urls": peer,
            "initial-cluster": f"lab={peer}",
            "enable-grpc-gateway": True,  # on by default, but not with a configuration file (3.4)
            # It votes alone: no reason to wait a second for others.
            "heartbeat-interval": 20,
            "election-timeout": 200,
        }
        file = place.write("etcd.yml", yaml.safe_dump(config, sort_keys=False))
        return Launch([self.binary(), f"--config-file={file}"], client, config=file, data=place.data)

    def check(self, server: Server) -> None:
        health = json.loads(http_ok(f"{server.url}/health"))
        if health.get("health") != "true":
            raise NotReady(f"its health is {health}")
