"""A package on its way: the very bytes that were agreed to, and who agreed."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType

from clinic.consent.consent import Consent
from clinic.consent.destination import Destination
from clinic.errors import BadBundle, Refused
from clinic.progress import Progress
from clinic.units import MIB


@dataclass(frozen=True, slots=True)
class _Seen:
    """What tells that a file was written to."""

    device: int
    """Its file system."""

    inode: int
    """Its number there."""

    size: int
    """Its bytes."""

    modified: int
    """When its content changed, in nanoseconds."""

    changed: int
    """When anything about it changed, in nanoseconds."""


class Outgoing:
    """One package's file, opened once and read through once: its digest is that of what will be sent."""

    def __init__(self, path: Path, progress: Progress | None = None) -> None:
        """Open it and take its digest. Raises `OSError`."""
        self.path = path
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._seen = self._look()
        self.size = self._seen.size
        try:
            self.sha256 = self._digest(progress or Progress())
        except BaseException:
            os.close(self._file)
            raise

    def __enter__(self) -> Outgoing:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)

    def read(self, start: int, size: int) -> bytes:
        """At most `size` bytes from `start` on. Raises `BadBundle` when the file was written to meanwhile."""
        data = os.pread(self._file, size, start)
        if not data:
            raise BadBundle(f"{self.path} has become shorter while it was sent", hint=_CHANGED)
        return data

    def require_unchanged(self) -> None:
        """Raise `BadBundle` when the file is not what its digest was taken of."""
        if self._look() != self._seen:
            raise BadBundle(f"{self.path} was changed after its digest was taken", hint=_CHANGED)

    def sha256_of(self, start: int, end: int) -> bytes:
        """SHA-256 of a stretch, of an unchanged file."""
        self.require_unchanged()
        digest = hashlib.sha256()
        while start < end:
            data = self.read(start, min(MIB, end - start))
            digest.update(data)
            start += len(data)
        return digest.digest()

    def _look(self) -> _Seen:
        info = os.fstat(self._file)
        return _Seen(info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns)

    def _digest(self, progress: Progress) -> str:
        digest = hashlib.sha256()
        at = 0
        progress.begin("checking", 1, self.size)
        while at < self.size:
            data = self.read(at, min(MIB, self.size - at))
            digest.update(data)
            at += len(data)
            progress.moved("digest", len(data))
        progress.end()
        self.require_unchanged()
        return digest.hexdigest()


_CHANGED = "make the package anew, and answer for that one: clinic upload"


@dataclass(frozen=True, slots=True)
class Agreed:
    """A package, and the yes to send just it to just one destination. An uploader takes nothing else."""

    outgoing: Outgoing
    """The package."""

    consent: Consent
    """The yes."""

    destination: Destination
    """Where it may go."""

    now: datetime
    """When it begins to be sent."""

    case: str = ""
    """The case that it is for."""

    def __post_init__(self) -> None:
        """Raise `Refused` unless the consent is for these bytes and this place, and the place takes that much."""
        self.consent.require(self.outgoing.sha256, self.destination.address, self.now)
        self.outgoing.require_unchanged()
        largest = self.destination.largest
        if largest is not None and self.outgoing.size > largest:
            raise Refused(
                f"the package has {self.outgoing.size} bytes; {self.destination.name} takes {largest}",
                hint="leave things out with --without",
            )


@dataclass(frozen=True, slots=True)
class Sent:
    """How an upload ended that ended well."""

    link: str
    """The server's own, for the ticket; empty from one that gives none."""

    upload: str
    """What the destination calls it: a withdrawal needs that."""

    confirmed: bool
    """Whether the server said our digest: otherwise only that it has all of it."""
