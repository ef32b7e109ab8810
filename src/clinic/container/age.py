"""age files (age-encryption.org/v1), to recipients and by identities, as streams."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Callable, Collection, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from clinic.container.ageheader import MAGIC, header_defect
from clinic.errors import BadBundle, ClinicError, Refused, UsageError
from clinic.smallfile import read_small
from clinic.units import KIB

if TYPE_CHECKING:
    from pyrage import x25519
    from typing_extensions import Buffer

_NO_PYRAGE = "install it: pip install 'clinic-diag[age]'"
_AGAIN = "fetch it again; its sender's NAME.json has the SHA-256 that it should have"
_LARGEST_FILE = 64 * KIB
_PUBLIC, _PRIVATE = "age1", "AGE-SECRET-KEY-1"


def encrypt(
    pieces: Iterable[bytes | memoryview], recipients: Sequence[str], write: Callable[[bytes], None]
) -> None:
    """Hand the age file of `pieces`, which each of `recipients` (`age1...`) alone can open, to `write`.

    Raises `UsageError` for what is no recipient, and whatever the two raise.
    """
    import pyrage

    keys = parse_recipients(recipients)
    source, sink = _Pieces(pieces), _Sink(write)
    try:
        pyrage.encrypt_io(source, sink, keys)
    except (pyrage.EncryptError, OSError) as error:
        cause = source.error or sink.error
        if cause is not None:
            raise cause from None
        raise Refused(f"it could not be encrypted: {error}", hint="check the recipients") from error


def parse_recipients(recipients: Sequence[str]) -> list[x25519.Recipient]:
    """The keys in `recipients`. Raises `UsageError` naming the first that is none."""
    try:
        import pyrage
    except ImportError as error:
        raise UsageError("encrypting needs the library pyrage", hint=_NO_PYRAGE) from error
    keys: list[x25519.Recipient] = []
    for text in recipients:
        if text.upper().startswith(_PRIVATE):
            raise UsageError(
                "an identity was given as a recipient", hint="give its public key: age-keygen -y FILE"
            )
        try:
            keys.append(pyrage.x25519.Recipient.from_str(text))
        except pyrage.RecipientError as error:
            raise UsageError(f"{text!r} is no age recipient: {error}", hint="it begins with age1") from error
    return keys


def identities_in(path: Path) -> list[x25519.Identity]:
    """The identities in the file `path`, one a line, as `age-keygen` writes them. Raises `UsageError`."""
    try:
        import pyrage
    except ImportError as error:
        raise UsageError("decrypting needs the library pyrage", hint=_NO_PYRAGE) from error
    lines = [line.strip() for line in _text(path).splitlines()]
    keys: list[x25519.Identity] = []
    for number, line in enumerate(lines, 1):
        if line and not line.startswith("#"):
            try:
                keys.append(pyrage.x25519.Identity.from_str(line))
            except pyrage.IdentityError as error:
                raise UsageError(
                    f"line {number} of {path} is no age identity", hint="it begins with AGE-SECRET-KEY-1"
                ) from error
    if not keys:
        raise UsageError(f"there is no age identity in {path}", hint="age-keygen makes one")
    return keys


def _text(path: Path) -> str:
    data = read_small(path, _LARGEST_FILE)
    if data.startswith((MAGIC, b"-----BEGIN AGE ENCRYPTED FILE")):
        raise UsageError(f"{path} is encrypted itself", hint=f"decrypt it first: age -d {path} > FILE")
    return data.decode("utf-8", "replace")


@contextlib.contextmanager
def decrypting(
    stream: BinaryIO, name: str, identities: Sequence[x25519.Identity], recipients: Collection[str] = ()
) -> Generator[BinaryIO]:
    """The plain bytes of the age file that is open in `stream` and called `name`.

    Raises `BadBundle` where its header is none. Its last read raises `BadBundle` where it was changed or cut short,
    `UsageError` where none of `identities` fits; it was changed where one is of `recipients`, whom it is for.
    """
    defect = header_defect(stream)
    if defect:
        raise BadBundle(f"{name} is damaged: {defect}", hint=_AGAIN)
    stream.seek(0)
    meant = any(str(one.to_public()) in recipients for one in identities)
    reading, writing = os.pipe()
    with ThreadPoolExecutor(1, "age") as pool:
        done = pool.submit(_decrypt, stream, writing, identities)
        with os.fdopen(reading, "rb", buffering=0) as pipe:
            yield cast("BinaryIO", _Checked(pipe, done, name, meant))


def _decrypt(stream: BinaryIO, writing: int, identities: Sequence[x25519.Identity]) -> None:
    import pyrage

    with os.fdopen(writing, "wb", buffering=64 * KIB) as out:
        pyrage.decrypt_io(cast("io.BufferedIOBase", stream), cast("io.BufferedIOBase", out), identities)


class _Checked(io.RawIOBase):
    """The plain bytes from a pipe, whose end is one only where decrypting came to its own."""

    def __init__(self, pipe: io.FileIO, done: Future[None], name: str, meant: bool) -> None:
        self._pipe = pipe
        self._done = done
        self._named = name
        self._meant = meant

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # a buffer is all that comes
        count = self._pipe.readinto(buffer)
        if not count and (error := self._done.exception()) is not None:
            raise _told(error, self._named, self._meant)
        return count or 0


def _told(error: BaseException, name: str, meant: bool) -> BaseException:
    """What went wrong while decrypting, for people; `meant` is whether an identity was one that should do."""
    text = str(error)
    if "No matching keys" not in text:
        return BadBundle(f"{name} is damaged: {text}", hint=_AGAIN)
    if meant:
        return BadBundle(f"{name} is damaged: its header is not the one that was made", hint=_AGAIN)
    return UsageError(
        f"no identity that was given opens {name}",
        hint="name the right one with --identity FILE; if it is, the package was changed on the way",
    )


class _Pieces(io.BufferedIOBase):
    """Pieces as a file to read; what they raise is kept, since the library tells its text alone."""

    def __init__(self, pieces: Iterable[bytes | memoryview]) -> None:
        self._pieces = iter(pieces)
        self._piece = memoryview(b"")
        self.error: BaseException | None = None

    def read(self, size: int | None = -1, /) -> bytes:
        try:
            while not self._piece and (piece := next(self._pieces, None)) is not None:
                self._piece = memoryview(piece)
        except (ClinicError, OSError, KeyboardInterrupt) as error:
            self.error = error
            raise
        # More than was asked for would be written past the end of the library's buffer.
        wanted = len(self._piece) if size is None or size < 0 else size
        data, self._piece = bytes(self._piece[:wanted]), self._piece[wanted:]
        return data


class _Sink(io.BufferedIOBase):
    """A function as a file to write."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write = write
        self.error: BaseException | None = None

    def write(self, data: Buffer, /) -> int:
        held = bytes(data)
        try:
            self._write(held)
        except (ClinicError, OSError, KeyboardInterrupt) as error:
            self.error = error
            raise
        return len(held)
