"""The members of the stand-in cluster as programs of the lab."""

from __future__ import annotations

import dataclasses
import importlib.util
import secrets
import socket
import threading
import time
from collections.abc import Mapping

from tests.lab.machines.clock import clock
from tests.lab.machines.kinds import ACCOUNT
from tests.lab.program import CA_EXTENSION, LEAF_EXTENSIONS, Launch, Place, Program, Tool, tool
from tests.lab.standin.deploy import arguments, deploy, run_script
from tests.lab.standin.members import KINDS, RECORDED_HOSTS, Member, component_of, host_in
from tests.lab.standin.spec import Spec
from tests.lab.standin.tiup import write_home
from tests.lab.state import Server

FOLDER = "cluster"
"""The cluster's directory in the lab."""

MONITORING = ("prometheus", "alertmanager")


class SharedCluster:
    """What the members share: it is made by the first that is prepared."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spec: Spec | None = None

    def spec(self, place: Place) -> Spec:
        """The cluster that is being started."""
        with self._lock:
            if self._spec is None:
                self._spec = _make(_at_home(place))
            return self._spec


def _at_home(place: Place) -> Place:
    """The place of the cluster, whichever of its programs is prepared first."""
    home = place.home.parent / FOLDER
    home.mkdir(mode=0o700, exist_ok=True)
    if place.options.machines:
        home.chmod(0o755)  # the account of the machines has to pass
    return dataclasses.replace(place, home=home)


def _make(place: Place) -> Spec:
    members = tuple(
        Member(name, component_of(name), place.seats[name].host, place.seats[name].ports, place.home)
        for name in RECORDED_HOSTS
    )
    watching = {name: place.addresses[name] for name in MONITORING if name in place.addresses}
    spec = Spec(
        root=place.home,
        account=ACCOUNT if place.options.machines else place.user,
        network=place.network,
        members=members,
        options=place.options,
        credentials={
            "user": "root",
            "password": secrets.token_hex(16),
            "plain_user": "plain",
            "plain_password": secrets.token_hex(16),
        },
        monitoring=watching,
        ssh_port=_ssh_port(place),
        started=time.time(),
    )
    for directory in (spec.tls_dir, spec.faults_dir):
        directory.mkdir()
    _certificates(place, spec)
    write_home(spec)
    spec.save()
    return spec


def _ssh_port(place: Place) -> int:
    own = place.seats.get("sshd")
    return own.ports["client"] if own is not None and not place.options.machines else 22


def _certificates(place: Place, spec: Spec) -> None:
    """A CA, a certificate for all members and one for a client, named as TiUP names them: .pem is a key."""
    hosts = sorted({member.host for member in spec.members})
    names = ", ".join([*(f"IP:{host}" for host in (*hosts, "127.0.0.1")), "DNS:localhost"])
    server = f"subjectAltName = {names}\nextendedKeyUsage = serverAuth, clientAuth\n"
    place.write("tls/server.cnf", LEAF_EXTENSIONS + server)
    place.write("tls/client.cnf", LEAF_EXTENSIONS + "extendedKeyUsage = clientAuth\n")
    new_key = "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -batch"
    commands = [
        f"{new_key} -x509 -days 30 -subj /CN=PingCAP {CA_EXTENSION} -keyout tls/ca.pem -out tls/ca.crt"
    ]
    for name, subject in (("server", "tidb-stand-in"), ("client", "tiup-cluster-client")):
        commands += [
            f"{new_key} -subj /CN={subject} -keyout tls/{name}.pem -out tls/{name}.csr",
            f"x509 -req -in tls/{name}.csr -CA tls/ca.crt -CAkey tls/ca.pem -CAcreateserial -days 30"
            f" -extfile tls/{name}.cnf -out tls/{name}.crt",
        ]
    for command in commands:
        place.run([tool("openssl"), *command.split()])


class MemberProgram(Program):
    """One instance of the cluster: a process of its own that looks like the real one."""

    tools = (
        Tool("bash", ("bash",)),
        Tool("openssl", ("openssl",)),
        Tool("ssh-keygen", ("openssh-client",)),
    )
    folder = FOLDER

    def __init__(self, name: str, cluster: SharedCluster) -> None:
        self.name = name
        self._cluster = cluster
        self._kind = KINDS[component_of(name)]
        self.ports = tuple(self._kind.usual)

    def host(self, network: str) -> str:
        """The address of its own."""
        return host_in(network, RECORDED_HOSTS[self.name])

    def usual_ports(self) -> Mapping[str, int]:
        """The ports of the real one."""
        return self._kind.usual

    def prepare(self, place: Place) -> Launch:
        spec = self._cluster.spec(place)
        member = spec.member(self.name)
        deploy(spec, member)
        environment = [
            f"{name}={value}" for name, value in (clock(self.name) if place.holder else {}).items()
        ]
        return Launch(
            [*(["/usr/bin/env", *environment] if environment else []), str(run_script(member))],
            f"{spec.scheme}://{member.status_address}",
            config=member.deploy_dir / "conf" / member.kind.configs[0],
            data=member.data_dir,
            credentials=spec.credentials if member.component == "tidb" else {},
            files={"ca": spec.tls_dir / "ca.crt"},
            shown=arguments(spec, member),
            log=member.log_dir / f"{member.kind.role}_stderr.log",
        )

    def obstacle(self) -> str | None:
        """TiDB's protocol is spoken by a library; without it there is no cluster at all."""
        if importlib.util.find_spec("mysql_mimic") is None:
            return "mysql-mimic is not installed for this Python (the `test` group in pyproject.toml)"
        return None

    def check(self, server: Server) -> None:
        """All its ports are open; the servers behind them listen only when they can answer."""
        for port in server.ports.values():
            with socket.create_connection((server.host, port), timeout=2):
                pass


def members(cluster: SharedCluster) -> tuple[MemberProgram, ...]:
    """The programs of one cluster."""
    return tuple(MemberProgram(name, cluster) for name in RECORDED_HOSTS)
