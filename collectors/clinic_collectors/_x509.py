"""Who a certificate is for, who says so, and for how long: X.509 (RFC 5280) read without any tool. Pure."""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import re
from binascii import Error as Base64Error
from collections.abc import Iterator
from dataclasses import dataclass

from clinic_collectors._der import BOOLEAN, OID, SEQUENCE, SET, Value, inside, oid, text_of, values

_PEM = re.compile(rb"-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----\s*([A-Za-z0-9+/=\s]+?)-----END")
_ATTRIBUTES = {
    "2.5.4.3": "CN", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST", "2.5.4.10": "O", "2.5.4.11": "OU",
    "1.2.840.113549.1.9.1": "emailAddress", "0.9.2342.19200300.100.1.25": "DC",
}  # fmt: skip
_RSA = "1.2.840.113549.1.1.1"
_KEYS = {
    "1.2.840.10045.3.1.7": "EC P-256", "1.3.132.0.34": "EC P-384", "1.3.132.0.35": "EC P-521", "1.3.101.112": "Ed25519",
}  # fmt: skip
_NAMES, _CONSTRAINTS = "2.5.29.17", "2.5.29.19"
_EXTENSIONS, _VERSION = 0xA3, 0xA0


@dataclass(frozen=True, slots=True)
class Certificate:
    """What is told of one certificate. Everything in it is public."""

    subject: str
    """As `O=PingCAP, CN=tidb`."""

    issuer: str
    """Who signed it, the same way."""

    begins: str
    """`2026-01-31T00:00:00Z`."""

    ends: str
    """The same way."""

    names: tuple[str, ...]
    """Host names and addresses that it is for."""

    algorithm: str
    """`RSA 2048`, `EC P-256`."""

    authority: bool
    """Whether it may sign others."""

    serial: str
    """Hexadecimal."""

    sha256: str
    """Its fingerprint."""


def certificates(data: bytes) -> Iterator[Certificate | str]:
    """Each certificate in PEM or DER bytes; a text in the place of one that can't be read."""
    blocks = _PEM.findall(data)
    for block in blocks or ([data] if data[:1] == b"\x30" else []):
        try:
            yield _certificate(base64.b64decode(block) if blocks else block)
        except (ValueError, IndexError, OverflowError, Base64Error) as error:
            yield f"can't be read: {error}"


def _certificate(der: bytes) -> Certificate:
    outer = list(values(der))
    signed = inside(inside(outer[0], SEQUENCE)[0], SEQUENCE)
    fields = signed[1:] if signed[0][0] == _VERSION else signed
    begins, ends = (_time(moment) for moment in inside(fields[3], SEQUENCE))
    extensions = dict(_extensions(fields))
    return Certificate(
        _name(fields[4]), _name(fields[2]), begins, ends, tuple(_alternatives(extensions.get(_NAMES, b""))),
        _key(fields[5]), _is_authority(extensions.get(_CONSTRAINTS, b"")), fields[0][1].hex(),
        hashlib.sha256(der).hexdigest(),
    )  # fmt: skip


def _name(value: Value) -> str:
    pairs = (inside(one, SEQUENCE) for group in inside(value, SEQUENCE) for one in inside(group, SET))
    return ", ".join(f"{_ATTRIBUTES.get(oid(kind[1]), oid(kind[1]))}={text_of(said)}" for kind, said in pairs)


def _time(value: Value) -> str:
    text = value[1].decode("ascii", "replace").rstrip("Z")
    if value[0] == 0x17:  # of two digits up to 49 mean 20xx (RFC 5280, 4.1.2.5.1)
        text = ("20" if text[:2] < "50" else "19") + text
    if not re.fullmatch(r"\d{14}", text):
        raise ValueError("its validity is no time")
    return f"{text[:4]}-{text[4:6]}-{text[6:8]}T{text[8:10]}:{text[10:12]}:{text[12:]}Z"


def _key(value: Value) -> str:
    kind, bits = inside(value, SEQUENCE)
    named = [oid(part[1]) for part in inside(kind, SEQUENCE) if part[0] == OID]
    if named[0] == _RSA:
        modulus = inside(next(values(bits[1][1:])), SEQUENCE)[0][1]
        return f"RSA {int.from_bytes(modulus, 'big').bit_length()}"
    return _KEYS.get(named[-1], named[-1])


def _extensions(fields: list[Value]) -> Iterator[tuple[str, bytes]]:
    for value in fields[6:]:
        for listed in values(value[1]) if value[0] == _EXTENSIONS else ():
            for extension in inside(listed, SEQUENCE):
                parts = inside(extension, SEQUENCE)
                yield oid(parts[0][1]), parts[-1][1]


def _alternatives(data: bytes) -> Iterator[str]:
    for tag, value in inside(next(values(data)), SEQUENCE) if data else ():
        if tag == 0x87:
            yield str(ipaddress.ip_address(value))
        elif tag in (0x81, 0x82, 0x86):
            yield text_of((0x0C, value))


def _is_authority(data: bytes) -> bool:
    return bool(data) and any(one == (BOOLEAN, b"\xff") for one in inside(next(values(data)), SEQUENCE))
