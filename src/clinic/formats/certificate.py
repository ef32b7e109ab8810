"""What an X.509 certificate says of itself that a person must know before encrypting to it. Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from datetime import datetime, timezone

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----\s+([A-Za-z0-9+/=\s]+?)-----END CERTIFICATE-----")
_SEQUENCE, _SET, _OID, _VERSION, _UTC_TIME, _TIME = 0x30, 0x31, 0x06, 0xA0, 0x17, 0x18
_COMMON_NAME = bytes.fromhex("550403")
"""The object identifier 2.5.4.3."""


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """One certificate."""

    sha256: str
    """Fingerprint: SHA-256 of its DER form, hexadecimal."""

    name: str
    """Common name of its subject; empty when it has none."""

    expires: datetime
    """Last moment of its validity; UTC."""


def read_certificate(pem: str) -> CertificateFacts:
    """The first certificate in a PEM text. Raises `ValueError` where there is none that can be read."""
    found = _PEM.search(pem)
    if found is None:
        raise ValueError("there is no certificate in it")
    try:
        der = base64.b64decode("".join(found[1].split()), validate=True)
        return CertificateFacts(hashlib.sha256(der).hexdigest(), *_facts(der))
    except (binascii.Error, IndexError, UnicodeDecodeError) as error:
        raise ValueError("its certificate can't be read") from error


def _facts(der: bytes) -> tuple[str, datetime]:
    """Common name and last moment of validity (RFC 5280, section 4.1)."""
    (_, certificate), *_ = _members(der)
    (_, signed), *_ = _members(certificate)
    fields = [field for field in _members(signed) if field[0] != _VERSION]
    _serial, _algorithm, _issuer, (_, validity), (_, subject) = fields[:5]
    _, (kind, until) = _members(validity)[:2]
    return _common_name(subject), _moment(kind, until.decode("ascii"))


def _members(data: bytes) -> list[tuple[int, bytes]]:
    """The values that stand one after the other in `data`: tag and content (X.690, definite lengths)."""
    found: list[tuple[int, bytes]] = []
    at = 0
    while at < len(data):
        tag, length, at = data[at], data[at + 1], at + 2
        if length & 0x80:
            size = length & 0x7F
            length, at = int.from_bytes(data[at : at + size], "big"), at + size
        if at + length > len(data):
            raise IndexError("it is cut short")
        found.append((tag, data[at : at + length]))
        at += length
    return found


def _common_name(subject: bytes) -> str:
    for tag, names in _members(subject):
        for _, pair in _members(names) if tag == _SET else ():
            (kind, oid), (_, value), *_ = _members(pair)
            if (kind, oid) == (_OID, _COMMON_NAME):
                return value.decode("utf-8", "replace")
    return ""


def _moment(kind: int, text: str) -> datetime:
    # UTCTime has two digits of the year, from 1950 to 2049 (RFC 5280, section 4.1.2.5.1).
    if kind == _UTC_TIME:
        text = ("19" if text >= "50" else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=timezone.utc)
