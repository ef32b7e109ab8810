"""The `.diag` file of PingCAP's client: what its Clinic Server takes, header, encrypted metadata, encrypted payload.

`D1ag`, a byte for the kind, three for the length of the metadata, the metadata, the payload. Each of the two is an
AES-256 key, wrapped with RSA-OAEP-SHA256, and what it encrypts in CFB mode; the wrapped key's first 16 bytes are the
initialisation vector. The payload is a tar in zstd. Nothing in the format notices a change: zstd's checksum does.
(pingcap/diag `pkg/packager`, `pkg/crypto`.)
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from clinic.errors import BadBundle, UsageError
from clinic.smallfile import read_small
from clinic.units import KIB, MIB

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.padding import OAEP
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
    from cryptography.hazmat.primitives.ciphers import CipherContext

MAGIC = b"D1ag"
"""How such a file begins."""

KIND = 0o30
"""Version 0, encrypted, compression not told: what diag writes, though its document has another bit for zstd."""

_HEAD = len(MAGIC) + 4
_KEY = 32
_VECTOR = 16
_LARGEST_FILE = 64 * KIB
_NO_LIBRARY = "install it: pip install 'clinic-diag[diag]'"


@dataclass(frozen=True, slots=True)
class Head:
    """What stands in clear at the beginning."""

    kind: int
    """Version, kind of the data, compression."""

    metadata: int
    """Bytes of the encrypted metadata."""

    size: int
    """Bytes of the whole file."""

    @property
    def encrypted(self) -> bool:
        """Whether metadata and payload are."""
        return self.kind & 0o70 == KIND


def encrypt(
    metadata: bytes, pieces: Iterable[bytes | memoryview], certificate: str, write: Callable[[bytes], None]
) -> None:
    """Hand the file to `write` that only the owner of the PEM `certificate` can open.

    Raises `UsageError` for a certificate that can't be encrypted to, and whatever the two raise.
    """
    key = public_key(certificate)
    block = b"".join(_encrypted(key, [metadata]))
    write(MAGIC + bytes((KIND,)) + len(block).to_bytes(3, "big") + block)
    for piece in _encrypted(key, pieces):
        write(piece)


def public_key(certificate: str) -> RSAPublicKey:
    """The key in a PEM certificate. Raises `UsageError` for one that is no RSA key of 2048 bits or more."""
    try:
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
        from cryptography.x509 import load_pem_x509_certificate
    except ImportError as error:
        raise UsageError("a .diag needs the library cryptography", hint=_NO_LIBRARY) from error
    try:
        key = load_pem_x509_certificate(certificate.encode()).public_key()
    except ValueError as error:
        raise UsageError(f"the certificate can't be read: {error}", hint="give it as PEM") from error
    if not isinstance(key, RSAPublicKey) or key.key_size < 2048:
        raise UsageError("the certificate has no RSA key of 2048 bits or more", hint="ask for another one")
    return key


def _encrypted(key: RSAPublicKey, pieces: Iterable[bytes | memoryview]) -> Generator[bytes]:
    from cryptography.hazmat.decrepit.ciphers.modes import CFB
    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.algorithms import AES

    secret = os.urandom(_KEY)
    wrapped = key.encrypt(secret, _padding())
    yield wrapped
    cipher = Cipher(AES(secret), CFB(wrapped[:_VECTOR])).encryptor()
    for piece in pieces:
        yield cipher.update(bytes(piece))
    yield cipher.finalize()


def private_key(path: Path) -> RSAPrivateKey:
    """The RSA key in the PEM file `path`. Raises `UsageError`."""
    try:
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    except ImportError as error:
        raise UsageError("a .diag needs the library cryptography", hint=_NO_LIBRARY) from error
    data = read_small(path, _LARGEST_FILE)
    try:
        key = load_pem_private_key(data, password=None)
    except (ValueError, TypeError) as error:
        # The library's own text may quote what it read.
        raise UsageError(
            f"{path} holds no key that can be read", hint="give an RSA key as PEM, decrypted"
        ) from error
    if not isinstance(key, RSAPrivateKey):
        raise UsageError(f"{path} holds no RSA key", hint="give the one that belongs to the certificate")
    return key


def read_head(stream: BinaryIO, name: str) -> Head:
    """What stands in clear in the file `name`. Raises `BadBundle` where it is no `.diag`."""
    head = stream.read(_HEAD)
    length = int.from_bytes(head[5:8], "big")
    size = stream.seek(0, os.SEEK_END)
    if head[:4] != MAGIC or len(head) < _HEAD or _HEAD + length > size:
        raise BadBundle(f"{name} is no .diag, or cut short")
    return Head(head[4], length, size)


@contextlib.contextmanager
def decrypting(stream: BinaryIO, name: str, key: RSAPrivateKey) -> Generator[tuple[bytes, BinaryIO]]:
    """The plain metadata and the payload, a tar in zstd, of the file that is open in `stream` and called `name`.

    Raises `BadBundle` where it is none, `UsageError` where `key` does not fit.
    """
    head = read_head(stream, name)
    if not head.encrypted:
        raise BadBundle(f"{name} is of the kind {head.kind:#04x}, and only encrypted ones are read")
    stream.seek(_HEAD)
    block = io.BytesIO(stream.read(head.metadata))
    metadata = _Decrypted(block, name, key).read()
    yield metadata, cast("BinaryIO", io.BufferedReader(_Decrypted(stream, name, key), MIB))


class _Decrypted(io.RawIOBase):
    """What follows a wrapped key."""

    def __init__(self, stream: BinaryIO, name: str, key: RSAPrivateKey) -> None:
        self._stream = stream
        self._cipher = _cipher(stream.read(key.key_size // 8), name, key)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # a buffer is all that comes
        data = self._cipher.update(self._stream.read(len(buffer)))
        buffer[: len(data)] = data
        return len(data)


def _cipher(wrapped: bytes, name: str, key: RSAPrivateKey) -> CipherContext:
    from cryptography.hazmat.decrepit.ciphers.modes import CFB
    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.algorithms import AES

    try:
        secret = key.decrypt(wrapped, _padding())
        return Cipher(AES(secret), CFB(wrapped[:_VECTOR])).decryptor()
    except ValueError as error:
        raise UsageError(
            f"the key does not open {name}", hint="name the one of its certificate: --key FILE"
        ) from error


def _padding() -> OAEP:
    from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
    from cryptography.hazmat.primitives.hashes import SHA256

    return OAEP(MGF1(SHA256()), SHA256(), None)
