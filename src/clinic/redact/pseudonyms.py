"""Pseudonyms: keyed, so that only the customer can make them, and the same for the same name everywhere.

A name becomes its kind and ten hex digits. An IPv4 address becomes one of 240.0.0.0/4, an IPv6 address one of
2001:db8::/32 (RFC 3849): neither is in use anywhere, so nobody takes one for an address that he could try.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
import threading
from collections.abc import Mapping
from types import MappingProxyType

from clinic.errors import Refused
from clinic.secret import Secret, to_bytes

DIGITS = 10
"""Hex digits of a pseudonym: a million names collide with a chance of one in two."""

OURS = re.compile(r"(?:host|user|mail|db|table|column|index|name|key)-(?:[0-9a-f]{10})?")
"""What a pseudonym of a name looks like; without digits in a template of log messages, which leaves numbers out."""

# Crypto-PAn keeps prefixes by permuting bit after bit. 28 bits can't hold 32: so each private range keeps what differs
# in it, and only public networks share 19 bits. (range, first bits of the 20 that stand for a /24, how many of them)
_RANGES = (
    (ipaddress.IPv4Network("10.0.0.0/8"), 0b0000, 4),
    (ipaddress.IPv4Network("192.168.0.0/16"), 0b0001_0000_0000, 12),
    (ipaddress.IPv4Network("169.254.0.0/16"), 0b0001_0000_0001, 12),
    (ipaddress.IPv4Network("172.16.0.0/12"), 0b0010_0000, 8),
    (ipaddress.IPv4Network("100.64.0.0/10"), 0b0011_00, 6),
)
_RESERVED = ipaddress.IPv4Network("240.0.0.0/4")
_DOCUMENTED = ipaddress.IPv6Network("2001:db8::/32")


class Pseudonyms:
    """Makes pseudonyms with one key, and remembers what each stands for. Thread-safe."""

    def __init__(self, key: Secret, known: Mapping[str, str] | None = None) -> None:
        """`known` are those made before with this key: pseudonym to name."""
        self._key = bytes.fromhex(key.reveal())
        self._names = dict(known or {})
        self._lock = threading.Lock()

    @property
    def names(self) -> Mapping[str, str]:
        """Pseudonym -> what it stands for."""
        return MappingProxyType(self._names)

    def name(self, kind: str, name: str) -> str:
        """The pseudonym of a name; the digits don't depend on the kind. Raises `Refused` for a collision."""
        if OURS.fullmatch(name):
            return name
        digits = self._digest("name", name.lower())[:5].hex()
        return self._keep(f"{kind}-{digits}", name)

    def address(self, text: str) -> str:
        """The pseudonym of an IP address; loopback, any, multicast and what is a pseudonym stay.

        Raises `ValueError` for what is no address, `Refused` for a collision.
        """
        address = ipaddress.ip_address(text)
        if address.is_loopback or address.is_unspecified or address.is_multicast:
            return text
        if isinstance(address, ipaddress.IPv4Address):
            return text if address in _RESERVED else self._keep(self._ip4(address), text)
        if address.ipv4_mapped is not None:
            return f"::ffff:{self.address(str(address.ipv4_mapped))}"
        return text if address in _DOCUMENTED else self._keep(self._ip6(address), str(address))

    def _ip4(self, address: ipaddress.IPv4Address) -> str:
        whole = int(address)
        for network, head, bits in _RANGES:
            if address in network:
                length = 20 - bits
                inside = (whole >> 8) & ((1 << length) - 1)
                upper = head << length | self._permute(f"4{network}", inside, length)
                break
        else:
            public = int.from_bytes(self._digest("net4", str(whole >> 8))[:4], "big")
            upper = 1 << 19 | public >> 13
        lower = self._permute(f"4/{whole >> 8}", whole & 0xFF, 8)
        return str(ipaddress.IPv4Address(0xF << 28 | upper << 8 | lower))

    def _ip6(self, address: ipaddress.IPv6Address) -> str:
        whole = int(address)
        site = int.from_bytes(self._digest("net6", str(whole >> 80))[:2], "big")
        subnet = int.from_bytes(self._digest("sub6", str(whole >> 64))[:2], "big")
        interface = int.from_bytes(self._digest("host6", str(whole))[:8], "big")
        upper = int(_DOCUMENTED.network_address) >> 96
        return str(ipaddress.IPv6Address(upper << 96 | site << 80 | subnet << 64 | interface))

    def _permute(self, what: str, value: int, bits: int) -> int:
        """A permutation of numbers of that many bits under which equal beginnings stay equal.

        Eight bits are a tree of 255 forks, and a digest has 256 bits: each says whether its fork is turned.
        """
        out = 0
        for left in range(bits, 0, -8):
            size, rest = min(8, left), max(0, left - 8)
            turns = int.from_bytes(self._digest("bits", f"{what}/{left}/{value >> left}"), "big")
            node = 1
            for at in range(size - 1, -1, -1):
                bit = value >> (rest + at) & 1
                out = out << 1 | bit ^ (turns >> node & 1)
                node = node << 1 | bit
        return out

    def _digest(self, what: str, text: str) -> bytes:
        return hmac.digest(self._key, to_bytes(f"{what}\0{text}"), "sha256")

    def _keep(self, pseudonym: str, name: str) -> str:
        with self._lock:
            held = self._names.setdefault(pseudonym, name)
        if held.lower() != name.lower():
            raise Refused(
                "two names have the same pseudonym, so nothing was written",
                hint="remove the key of this cluster from the state directory; the next run makes another",
            )
        return pseudonym
