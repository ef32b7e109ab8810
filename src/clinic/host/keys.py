"""Private keys and key stores: which files are never opened, by name or by how they begin."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

HEAD = 64 * 1024
"""How many first bytes `is_key` wants to see."""

_NAMES = (
    "*.key", "*.p12", "*.pfx", "*.jks", "*.jceks", "*.keystore", "*.keytab", "*.kdbx", "*.ppk", "*.jwk",
    "id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*", "ssh_host_*_key",
)  # fmt: skip
_PUBLIC = ("*.pub", "*-cert.pub")
_PASSWORDS = frozenset(
    {"/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/etc/gshadow-", "/etc/security/opasswd"}
)
_CERTIFICATE_NAMES = ("*.pem", "*.crt", "*.cer", "*.cert", "*.chain", "*.bundle")

_PEM = re.compile(rb"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----")
_BEGINS = (
    b"\xfe\xed\xfe\xed",  # Java key store, JKS (sun.security.provider.JavaKeyStore)
    b"\xce\xce\xce\xce",  # Java key store, JCEKS
    b"\x05\x02\x00\x00",  # Kerberos keytab, version 2, big-endian
    b"PuTTY-User-Key-File-",
    b"AGE-SECRET-KEY-1",
    b"openssh-key-v1\x00",
    b"(11:private-key", b"(21:protected-private-key",  # GnuPG, a key of its agent
)  # fmt: skip
_DER_KEYS = re.compile(
    rb"\x30(?:[\x00-\x80]|[\x81-\x84][\x00-\xff]{1,4}?)"  # a SEQUENCE, its length or \x80 for none (X.690)
    rb"(?:\x02\x01\x03\x30"  # PKCS#12: version 3, then the contents (RFC 7292)
    rb"|\x02\x01[\x00\x01]\x30[\x00-\xff]\x06"  # PKCS#8: version, then an algorithm's identifier (RFC 5958)
    rb"|\x30[\x00-\xff]{1,3}?\x06[\x09-\x0b]\x2a\x86\x48\x86\xf7\x0d\x01[\x05\x0c]"  # PKCS#8, encrypted (RFC 5958)
    rb"|\x02\x01\x00\x02[\x40-\x7f\x81\x82]"  # RSA and DSA keys: version 0, then a long number (RFC 8017)
    rb"|\x02\x01\x01\x04[\x00-\xff])",  # elliptic curve key: version 1, then octets (RFC 5915)
)

# Secret-Key Packet, tag 5: its length, version, time, and algorithm (RFC 9580, sections 4.2 and 5.5.3).
_OPENPGP_KEY = re.compile(
    rb"(?s:\x94.|\x95..|\x96.{4}|\xc5(?:[\x00-\xbf]|[\xc0-\xdf].|\xff.{4})|\x97)"
    rb"(?s:\x03.{6}|[\x04-\x06].{4})[\x01-\x03\x10-\x13\x16\x19-\x1c]"
)
_AGENT_KEY = re.compile(rb"(?:[A-Z][\w-]{0,32}:[^\n]{0,256}\n){0,16}Key: \((?:\w{1,16}-)?private-key")
# A JSON Web Key, or a set of them, is known by its type, and private by one of these members (RFC 7518, section 6).
_JWK = re.compile(rb'\s*\{(?:\s*"keys"\s*:\s*\[\s*\{)?([^{}]*)')
_JWK_PRIVATE = re.compile(rb'"[dk]"\s*:\s*"[\w-]{16,}')


def is_key_name(path: str) -> bool:
    """Whether a file of this path is a private key, a key store or the system's passwords by its name."""
    name = PurePosixPath(path).name.lower()
    if path in _PASSWORDS:
        return True
    return any(fnmatchcase(name, key) for key in _NAMES) and not any(
        fnmatchcase(name, one) for one in _PUBLIC
    )


def is_key(path: str, head: bytes) -> bool:
    """Whether a file that begins with `head` is one by its content.

    A file of certificates is searched for a key anywhere in `head`; another text may quote one (a log does),
    so there only the very beginning counts.
    """
    if head.startswith(_BEGINS) or any(one.match(head) for one in (_DER_KEYS, _OPENPGP_KEY, _AGENT_KEY)):
        return True
    jwk = _JWK.match(head)
    if jwk and b'"kty"' in jwk[1] and _JWK_PRIVATE.search(jwk[1]):
        return True
    name = PurePosixPath(path).name.lower()
    if any(fnmatchcase(name, pattern) for pattern in _CERTIFICATE_NAMES):
        return _PEM.search(head) is not None
    return _PEM.match(head.lstrip(b"\xef\xbb\xbf \t\r\n")) is not None
