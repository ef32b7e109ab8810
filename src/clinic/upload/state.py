"""How far an upload is, kept across Ctrl-C, kill and reboot: one file, 0600, locked while in use, wiped at the end."""

from __future__ import annotations

import dataclasses
import fcntl
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from clinic.bundle.codec import decode, dump, load
from clinic.errors import BadBundle, Refused
from clinic.home import state_dir
from clinic.newfile import put
from clinic.upload.outgoing import Agreed


@dataclass(frozen=True, slots=True)
class Done:
    """One part that the destination has."""

    number: int
    """From 1."""

    tag: str
    """What the destination calls its content; the end of an S3 upload needs it."""

    md5: str = ""
    """Of the part, hexadecimal: what S3 makes its mark of the whole from."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What is remembered of one upload."""

    package: str
    """SHA-256 of the package."""

    size: int
    """Its bytes."""

    destination: str
    """Address of the destination."""

    receipt: str
    """Receipt of the consent that it was begun with."""

    upload: str = ""
    """What the destination calls it; empty before it was begun."""

    name: str = ""
    """What the object is called there, for a store that has objects."""

    part: int = 0
    """Bytes of a part, where parts are of one size."""

    done: tuple[Done, ...] = ()
    """Parts that the destination has said it has."""

    confirmed: int = 0
    """Bytes from the beginning that the destination has said it has."""

    sent: int = 0
    """Bytes from the beginning that were handed over at some time; it can't have more."""

    session: str = ""
    """What the session is opened with, where that was given: presigned URLs. Secret."""


class Memory:
    """The file of one package on its way to one destination."""

    def __init__(self, package: str, size: int, address: str, receipt: str) -> None:
        """Open and lock it. Raises `Refused` while another process sends the same."""
        fresh = Kept(package, size, address, receipt)
        directory = state_dir() / "uploads"
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = directory / f"{name_of(package, address)}.json"
        self._lock = _locked(self.path.with_suffix(".lock"))
        try:
            self.kept = _read(self.path, fresh)
        except BaseException:
            os.close(self._lock)
            raise

    @classmethod
    def of(cls, agreed: Agreed) -> Memory:
        """That of a package that may be sent now."""
        outgoing = agreed.outgoing
        return cls(outgoing.sha256, outgoing.size, agreed.destination.address, agreed.consent.receipt)

    def __enter__(self) -> Memory:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._lock)

    def note(self, **changes: Any) -> None:
        """Put on the disk what has changed (fields of `Kept`), before the next step is taken."""
        kept = dataclasses.replace(self.kept, **changes)
        if kept != self.kept:
            self.kept = kept
            put(self.path, dump(kept))

    def forget(self) -> None:
        """Begin anew: the session is gone."""
        self.note(upload="", part=0, done=(), confirmed=0, sent=0)

    def wipe(self) -> None:
        """The upload is over: overwrite and remove what was remembered."""
        wipe(self.path)
        self.path.with_suffix(".lock").unlink(missing_ok=True)


def name_of(package: str, address: str) -> str:
    """The name of an upload, from what is in it and where it goes; in the shape that PingCAP's own has."""
    digest = hashlib.sha256(f"{package}\n{address}".encode()).hexdigest()
    return "-".join(digest[at : at + 16] for at in (0, 16, 32))


def wipe(path: Path) -> None:
    """Overwrite a file, then remove it; nothing where there is none."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return
    with os.fdopen(descriptor, "wb", closefd=True) as file:
        file.write(bytes(os.fstat(file.fileno()).st_size))
        file.flush()
        os.fsync(file.fileno())
    path.unlink()


def _locked(path: Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise Refused(
            "another clinic sends this package there already", hint="wait for it, or stop it"
        ) from error
    return descriptor


def _read(path: Path, fresh: Kept) -> Kept:
    """What is there of the same package; what can't be read is worth nothing, and begun anew."""
    try:
        kept = decode(Kept, load(path.read_bytes(), path.name), path.name)
    except (FileNotFoundError, BadBundle):
        return fresh
    same = (kept.package, kept.size, kept.destination) == (fresh.package, fresh.size, fresh.destination)
    return dataclasses.replace(kept, receipt=fresh.receipt) if same else fresh
