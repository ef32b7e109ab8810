"""From an instance to the door of its server: its address, and what opens it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TypeVar

from clinic.client.access import Access
from clinic.client.address import Address, is_path, read_url
from clinic.client.http import Web
from clinic.errors import Failed, Skip
from clinic.kinds import Role
from clinic.outcome import Reason
from clinic.source.base import Doors

D = TypeVar("D")

_OTHER_PROTOCOLS = frozenset({Role.SQL, Role.STORAGE, Role.PROXY})
"""Whose port for clients speaks no HTTP: MySQL's protocol, or gRPC."""


_PREFIXED = frozenset({"prometheus", "victoria-metrics", "alertmanager"})
"""Whose API moves with the path of the URL under which they are known to others (`--web.external-url`)."""


class Server(Protocol):
    """What a source has to know of an instance; `Instance` of the cluster's model has it."""

    @property
    def component(self) -> str:
        """`pd`, `tidb`, ..."""
        ...

    @property
    def host(self) -> str:
        """Name or address of its machine."""
        ...

    @property
    def port(self) -> int:
        """The port for clients; 0 when unknown."""
        ...

    @property
    def status_port(self) -> int:
        """The port of its HTTP API where that is another; 0 when there is none or it is unknown."""
        ...

    @property
    def tls(self) -> bool:
        """Whether it speaks TLS."""
        ...

    @property
    def roles(self) -> frozenset[Role]:
        """What it is good for."""
        ...

    @property
    def extra(self) -> Mapping[str, str]:
        """`address`: where to connect, when that is not its machine's name."""
        ...


def web_address(server: Server | Address) -> Address:
    """Where it answers HTTP. Raises `Skip` where it does not or that is unknown, `Failed` for no address at all."""
    if isinstance(server, Address):
        return server
    port = server.status_port or (0 if server.roles & _OTHER_PROTOCOLS else server.port)
    return _address(server, port, "HTTP")


def sql_address(server: Server | Address) -> Address:
    """Where it speaks MySQL's protocol. Raises as `web_address` does."""
    return server if isinstance(server, Address) else _address(server, server.port, "SQL")


def _address(server: Server, port: int, what: str) -> Address:
    if not port:
        text = f"the port on which the {server.component} on {server.host} answers {what} is not known"
        raise Skip(Reason.NOT_APPLICABLE, text)
    try:
        return Address(server.extra.get("address", "") or server.host, port, server.tls)
    except ValueError as error:
        text = f"the {server.component} on {server.host[:100]!r} can't be asked: {error}"
        raise Failed(Reason.UNSAFE, text) from error


def web(server: Server | Address, doors: Doors) -> Web:
    """The one door of this run to its HTTP. Raises as `web_address` does."""
    address, given = web_address(server), access(doors)
    component = "" if isinstance(server, Address) else server.component
    account, headers = given.web.get(component), given.headers.get(component)
    return doors.shared(
        ("web", address),
        lambda: Web(address, given.tls, account=account, headers=headers, proxy=given.proxy),
    )


def prefix(server: Server | Address) -> str:
    """What comes before every path of its HTTP API: empty, or as in `/prometheus`."""
    if isinstance(server, Address) or server.component not in _PREFIXED:
        return ""
    routes = server.extra.get("prefix", "")
    try:
        path = routes or read_url(server.extra["url"])[1] if server.extra.get("url") else routes
    except ValueError:
        return ""
    path = "/" + path.split("?")[0].strip("/")
    return path if path != "/" and is_path(path) else ""


def called(server: Server | Address, port: int) -> str:
    """Address or name with the port, for lanes and messages, whatever it is."""
    host = server.host if isinstance(server, Address) else server.extra.get("address", "") or server.host
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def access(doors: Doors) -> Access:
    """What this run was given to open servers with. Its secrets are masked from now on."""
    given = doors.shared(Access, Access)
    for secret in given.secrets():
        doors.secrets.learn(secret, source="an account for servers")
    return given
