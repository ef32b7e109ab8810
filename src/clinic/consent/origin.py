"""What a URL means as a destination: what a person allows a package to go to, and what is compared."""

from __future__ import annotations

import ipaddress
import urllib.parse

from clinic.client.address import Address, read_url

_PORTS = {True: 443, False: 80}


def origin(text: str) -> str:
    """`https://host[:port]` of the URL `text`, in one spelling. Raises `ValueError`, which never repeats the URL.

    Only HTTPS, but for loopback. What follows the host may hold a signature and is left out.
    """
    return place(text)[0]


def place(text: str) -> tuple[str, str]:
    """Origin and path of the URL `text`, each in one spelling; no path for the root. Raises as `origin` does."""
    address, path = read_url(_without_end(text))
    if not address.tls and not is_loopback(address.host):
        raise ValueError("only https is spoken with anything but this machine")
    host = address.host.lower().rstrip(".")
    url = Address(host, address.port, address.tls).url
    path = path.rstrip("/")
    if {".", ".."} & set(path.split("/")) or "//" in path:
        raise ValueError("its path leads to another one")
    return (url.rpartition(":")[0] if address.port == _PORTS[address.tls] else url), path


def is_within(address: str, outer: str) -> bool:
    """Whether `address` is `outer` or lies below it."""
    return address == outer or address.startswith(f"{outer}/")


def _without_end(text: str) -> str:
    """`text` without a query or fragment, which may hold a signature."""
    try:
        parts = urllib.parse.urlsplit(text.strip())
    except ValueError:
        raise ValueError("that is not a URL") from None
    return f"{parts.scheme}://{parts.netloc}{parts.path}"


def is_loopback(host: str) -> bool:
    """Whether `host` is this machine, by an address or by its usual name."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
