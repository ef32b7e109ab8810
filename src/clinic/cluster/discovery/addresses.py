"""Addresses as people, files and servers write them: checked, IPv6 included, and whether they are this machine's own.

Everything here is pure but `own_addresses` and `resolve`. What a server or a file says ends in paths, URLs and
command lines, so a host is an IP address or a host name and nothing else.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Collection
from dataclasses import replace

import psutil

from clinic.client.address import Address, read_address, read_url

_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_NAME = re.compile(rf"(?=.{{1,253}}\Z)(?:{_LABEL}\.)*{_LABEL}\Z")
"""A host name of RFC 1123, and the underscores that many networks have in theirs."""


def check_host(text: str) -> str:
    """`text` as the host of a server, an IP address in its usual form. Raises `ValueError` where it is none."""
    address = _ip(text)
    if address is not None:
        if address.is_unspecified or address.is_multicast:
            raise ValueError(f"nothing can be reached at {text}")
        if isinstance(address, ipaddress.IPv6Address) and address.scope_id:
            raise ValueError(f"{text!r} names an interface, which means another one on another machine")
        return str(address)
    if not _NAME.match(text) or text.rpartition(".")[2].isdecimal():
        raise ValueError(f"{text!r} is neither an IP address nor a host name")
    return text


def parse_address(text: str, port: int = 0) -> Address:
    """`HOST:PORT`, `[IPV6]:PORT` or an http or https URL without a path; `port` counts where none is given.

    Raises `ValueError` with the reason.
    """
    text = text.strip()
    if "://" in text:
        address, path = read_url(text)
        if path != "/":
            raise ValueError("a path is too much: HOST:PORT is meant")
    elif "@" in text:
        raise ValueError("an address must not hold a user or password; give them on their own")
    else:
        if not port and not re.search(r"[^:]:\d+\Z", text):
            raise ValueError(f"{text!r} has no port")
        address = read_address(text, port=port or 1)
    return replace(address, host=check_host(address.host))


def is_ip(text: str) -> bool:
    """Whether `text` is an IP address."""
    return _ip(text) is not None


def _ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def own_addresses() -> frozenset[str]:
    """The IP addresses of this machine's interfaces."""
    found = {
        address.address.partition("%")[0]
        for addresses in psutil.net_if_addrs().values()
        for address in addresses
        if address.family in (socket.AF_INET, socket.AF_INET6)
    }
    return frozenset(str(ipaddress.ip_address(text)) for text in found)


def is_own(addresses: Collection[str], own: Collection[str]) -> bool:
    """Whether one of `addresses` is this machine's: loopback, or among its `own` ones."""
    found = [address for address in map(_ip, addresses) if address is not None]
    return any(address.is_loopback or str(address) in own for address in found)


def resolve(host: str) -> tuple[str, ...]:
    """The IP addresses of `host`; nothing where nobody knows it. May take as long as the resolver does."""
    if _ip(host) is not None:
        return (host,)
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return ()
    return tuple(dict.fromkeys(str(entry[4][0]).partition("%")[0] for entry in found))
