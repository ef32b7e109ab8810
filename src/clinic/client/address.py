"""Where a server listens, and the one way to read it from a text."""

from __future__ import annotations

import ipaddress
import re
import urllib.parse
from dataclasses import dataclass

# Labels may begin with `_` and names may be a container's: laxer than DNS, and nothing that could leave the host part.
_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,252})\Z")
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Address:
    """Host and port of one server, and whether it speaks TLS."""

    host: str
    """A name or an IP address, without brackets."""

    port: int
    """Its TCP port."""

    tls: bool = False
    """Whether to speak TLS with it."""

    def __post_init__(self) -> None:
        """Raise `ValueError` for what can't be the address of a server: much of it came over the wire."""
        if not _is_host(self.host):
            raise ValueError("the host is neither a name nor an IP address")
        if not 0 < self.port < 65536:
            raise ValueError(f"{self.port} is no TCP port")

    def __str__(self) -> str:
        """`host:port`, an IPv6 address in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """The beginning of every URL of this server, without a slash at its end."""
        return f"{'https' if self.tls else 'http'}://{self}"


def read_url(text: str) -> tuple[Address, str]:
    """The server and the path (with its query) that an http or https URL names.

    Raises `ValueError`. A URL with a user or password in it is refused and never repeated: it would be in lists
    of processes, histories and records.
    """
    if "@" in text.split("?", 1)[0]:
        raise ValueError("a URL must not hold a user or password; give them on their own")
    try:
        parts = urllib.parse.urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError("that is not a URL") from None
    if parts.scheme not in _PORTS:
        raise ValueError("a URL begins with http:// or https://")
    address = Address(parts.hostname or "", port or _PORTS[parts.scheme], parts.scheme == "https")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not is_path(path):
        raise ValueError("that is not a URL: spaces and the like are written as %20")
    return address, path


def is_path(text: str) -> bool:
    """Whether `text` is a path of a URL, with or without a query: nothing else could become of it on the wire."""
    return (
        text.startswith("/") and text.isascii() and not any(char <= " " or char in "#\x7f" for char in text)
    )


def read_address(text: str, *, port: int, tls: bool = False) -> Address:
    """The server that `HOST`, `HOST:PORT`, `[IPV6]:PORT` or a bare IPv6 address names; `port` where none is given.

    Raises `ValueError`.
    """
    host, colon, given = text.rpartition(":")
    if not colon or (text.count(":") > 1 and not host.endswith("]")):
        host, given = text, ""
    host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if given and not (given.isascii() and given.isdigit()):
        raise ValueError("the port must be a number, as in HOST:PORT or [IPV6]:PORT")
    return Address(host, int(given) if given else port, tls)


def _is_host(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return _NAME.match(text) is not None
    return True
