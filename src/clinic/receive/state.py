"""What the receiver remembers of one upload, and the file that it is kept in."""

from __future__ import annotations

import dataclasses
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clinic.receive.problem import Problem

FORMAT = "clinic-receive/1"
"""Name and major version of the file."""

FILE = "upload.json"
"""Its name in the directory of the upload."""

DIAG = {"diag": 0o30, "unknown": 0o20}
"""How the API calls the two kinds of `.diag`, and the bits that its header has for each."""

COMPRESSION = {"none": 0, "gzip": 1, "zstd": 2}
"""The same for what is inside."""

_UUID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,127}\Z")
_SHA256 = re.compile(r"[0-9a-f]{64}\Z|\Z")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST_TEXT = 500

Held = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a sender announces before the first byte."""

    uuid: str
    """The sender's name for this upload; a directory here, so it is confined to a few characters."""

    length: int
    """Bytes that will come, without the header of a `.diag`."""

    filename: str = ""
    """What the sender calls the file."""

    alias: str = ""
    """What the sender calls the cluster."""

    encryption: str = "none"
    """`diag` and `unknown` for `.diag` packages, which come without their header; anything else as it is."""

    compression: str = "none"
    """How the content of a `.diag` is compressed, as its header says."""

    sha256: str = ""
    """Of the whole file, hexadecimal; empty from a sender that does not say."""

    def __post_init__(self) -> None:
        """Raise `Problem` for what can't be meant: all of it came over the wire."""
        if not _UUID.match(self.uuid):
            raise Problem(400, "uuid", "the uuid is 8 to 128 letters, digits, '.', '_' and '-'")
        if self.length < 1:
            raise Problem(400, "length", "the length is a number of bytes above zero")
        if not _SHA256.match(self.sha256):
            raise Problem(400, "digest", "the digest is no SHA-256")
        if max(len(self.filename), len(self.alias), len(self.encryption)) > _LONGEST_TEXT:
            raise Problem(400, "text", f"a name is longer than {_LONGEST_TEXT} characters")
        if self.encryption in DIAG and self.compression not in COMPRESSION:
            raise Problem(400, "compression", "the compression is none, gzip or zstd")

    @property
    def local_name(self) -> str:
        """What the file is called here: nothing that came over the wire decides where it is."""
        name = _UNSAFE.sub("_", self.filename).lstrip("._-")[-120:]
        return f"package-{name}" if name else "package"

    def header(self, metadata: bytes) -> bytes:
        """What stands before the payload in the file: the header of a `.diag`, which is not sent with the rest."""
        if self.encryption not in DIAG:
            return b""
        kind = DIAG[self.encryption] | COMPRESSION[self.compression]
        return b"D1ag" + bytes([kind]) + len(metadata).to_bytes(3, "big") + metadata


@dataclass(frozen=True, slots=True)
class State:
    """How far one upload is."""

    wanted: Wanted
    """What was announced."""

    owner: str
    """Name of the token that began it; no other may touch it."""

    block: int
    """Bytes of a part that is addressed by its number."""

    head: int
    """Bytes of the file before the payload."""

    begun: str
    """When; RFC 3339, UTC."""

    held: Held = ()
    """Stretches of the payload that are on the disk, in order, none touching the next."""

    issue: str = ""
    """The case that it is for."""

    sha256: str = ""
    """Of the whole file as it was read back here; empty until it is complete."""

    ended: str = ""
    """When it was complete; empty until then."""

    @property
    def offset(self) -> int:
        """Bytes of the payload that are here without a hole."""
        return self.held[0][1] if self.held and self.held[0][0] == 0 else 0

    @property
    def whole(self) -> bool:
        """Whether every byte is here."""
        return self.offset == self.wanted.length

    @property
    def sequence(self) -> int:
        """Parts that are here without a hole; all of them once it is complete."""
        return -(-self.wanted.length // self.block) if self.whole else self.offset // self.block

    def holding(self, start: int, end: int) -> State:
        """The same with the stretch `[start, end)` added."""
        merged: list[tuple[int, int]] = []
        for one in sorted((*self.held, (start, end))):
            if merged and one[0] <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(merged[-1][1], one[1]))
            elif one[0] < one[1]:
                merged.append(one)
        return dataclasses.replace(self, held=tuple(merged))

    def holds(self, start: int, end: int) -> bool:
        """Whether that stretch is here already."""
        return any(first <= start and end <= last for first, last in self.held)


def save(state: State, directory: Path) -> None:
    """Write it so that a crash leaves the old one or the new one."""
    data = json.dumps({"format": FORMAT, **dataclasses.asdict(state)}, indent=1).encode()
    write_whole(directory / FILE, data)


def load(directory: Path) -> State:
    """Read it back. Raises `FileNotFoundError`, or `Problem` for a file that is none of ours."""
    found: dict[str, Any] = json.loads((directory / FILE).read_bytes())
    if found.pop("format", None) != FORMAT:
        raise Problem(500, "state", "the state of this upload can't be read here")
    wanted = Wanted(**found.pop("wanted"))
    held = tuple((int(start), int(end)) for start, end in found.pop("held"))
    return State(wanted=wanted, held=held, **found)


def write_whole(path: Path, data: bytes) -> None:
    """Put `data` in the place of `path`, mode 0600, on the disk when this returns."""
    waiting = path.with_name(f".{path.name}.new")
    descriptor = os.open(waiting, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    waiting.replace(path)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Put the names in a directory on the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
