"""The process of one instance: the launcher in its deploy tree runs it under the name of the real program."""

from __future__ import annotations

import os
import sys

sys.path.pop(0)  # this directory: a script's own comes first, and it is no place to import from

import asyncio
import logging
import signal
import socketserver
import ssl
import threading
from pathlib import Path
from types import FrameType

from tests.lab.standin.access import AccessLog
from tests.lab.standin.components import api_of
from tests.lab.standin.disguise import SEPARATOR, look_like
from tests.lab.standin.faults import FaultFile, fault_file
from tests.lab.standin.logs import Growing
from tests.lab.standin.members import Member
from tests.lab.standin.ports import Grpc, Proxy
from tests.lab.standin.spec import Spec, load_spec
from tests.lab.standin.web import Server, Site

HTTP_PORTS = frozenset({"status", "metrics"})
HTTP_CLIENTS = frozenset({"pd", "ticdc"})
"""Components whose port for clients speaks HTTP."""


def client_tls(spec: Spec) -> ssl.SSLContext:
    """What an HTTP port speaks with TLS: a certificate of the cluster's CA is demanded of the client."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(spec.tls_dir / "server.crt", spec.tls_dir / "server.pem")
    context.load_verify_locations(spec.tls_dir / "ca.crt")
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def site(spec: Spec, member: Member, port: str, faults: FaultFile, access: AccessLog) -> Site:
    """One port that speaks HTTP."""
    other = spec.member("tikv-1" if member.name != "tikv-1" else "tikv-2")
    return Site(
        api=api_of(spec, member, port),
        port=port,
        faults=faults,
        access=access,
        tls=client_tls(spec),
        always_tls=spec.options.tls,
        elsewhere=f"{spec.scheme}://{other.status_address}",
    )


def servers(spec: Spec, member: Member, access: AccessLog) -> list[socketserver.TCPServer]:
    """A server, listening already, for each port but TiDB's for clients."""
    faults = fault_file(spec.faults_dir, member.name)
    listening: list[socketserver.TCPServer] = []
    for use, port in member.ports.items():
        address = (member.host, port)
        if use in HTTP_PORTS or (use == "client" and member.component in HTTP_CLIENTS):
            listening.append(Server(address, site(spec, member, use, faults, access)))
        elif use == "client" and member.component == "tiproxy":
            listening.append(Proxy(address, faults, spec))
        elif use != "client" or member.component != "tidb":
            listening.append(Grpc(address, faults))
    return listening


def speak_sql(spec: Spec, member: Member, access: AccessLog) -> None:
    """Serves TiDB's port for clients, in a thread of its own."""
    from tests.lab.standin.sql_server import make_door, serve  # only TiDB pays for it

    logging.disable(logging.CRITICAL)  # the library tells of every refused login with a traceback
    door = make_door(spec, member, fault_file(spec.faults_dir, member.name), access)
    threading.Thread(target=lambda: asyncio.run(serve(door)), daemon=True).start()


def main() -> None:
    """Runs the instance that the launcher names until it is told to end."""
    os.close(3)  # this script, through which the launcher ran it
    look_like(os.environ.pop("STANDIN_ARGV").split(SEPARATOR))
    spec = load_spec(Path(os.environ["STANDIN_ROOT"]))
    member = spec.member(os.environ["STANDIN_NAME"])
    growing = Growing(spec, member)

    def end(_number: int, _frame: FrameType | None) -> None:
        growing.end('[main.go:275] ["got signal to exit"] [signal=terminated]')
        os._exit(0)

    signal.signal(signal.SIGTERM, end)
    access = AccessLog(spec.access_log(member))
    for server in servers(spec, member, access):
        threading.Thread(target=server.serve_forever, args=(3600,), daemon=True).start()
    if member.component == "tidb":
        speak_sql(spec, member, access)
    growing.grow()


if __name__ == "__main__":
    main()
