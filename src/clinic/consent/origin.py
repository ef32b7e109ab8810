"""The origin of a URL: what a person allows a package to go to, and what is compared."""

from __future__ import annotations

import ipaddress
import urllib.parse

from clinic.client.address import Address, read_url

_PORTS = {True: 443, False: 80}


def origin(text: str) -> str:
    """`https://host[:port]` of the URL `text`, in one spelling. Raises `ValueError`, which never repeats the URL.

    Only HTTPS, but for loopback. What follows the host may hold a signature and is left out.
    """
    address, _ = read_url(_without_end(text))
    if not address.tls and not is_loopback(address.host):
        raise ValueError("only https is spoken with anything but this machine")
    host = address.host.lower().rstrip(".")
    plain = Address(host, address.port, address.tls)
    if address.port == _PORTS[address.tls]:
        return plain.url.rpartition(":")[0]
    return plain.url


def _without_end(text: str) -> str:
    """`text` without a path, query or fragment."""
    try:
        parts = urllib.parse.urlsplit(text.strip())
    except ValueError:
        raise ValueError("that is not a URL") from None
    return f"{parts.scheme}://{parts.netloc}"


def is_loopback(host: str) -> bool:
    """Whether `host` is this machine, by an address or by its usual name."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
