"""A package in parts, for carrying by hand, and the parts as a package again."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from clinic.errors import BadBundle, Refused, UsageError
from clinic.home import calling_user
from clinic.newfile import NewFile, disk_errors
from clinic.scratch import held, sweep
from clinic.units import MIB

SUMS = "SHA256SUMS"
"""Digests of the parts and of what lies beside them, for `sha256sum -c`."""

SMALLEST = MIB
"""Bytes of the smallest part that is made: thousands of parts are no help to anybody."""

_PART = re.compile(r"(?P<name>.+)\.(?P<number>\d{3,})\Z")
_LINE = re.compile(r"([0-9a-f]{64})  ([^/\r\n]+)\Z")
_LARGEST_SUMS = 16 * MIB


class Parts:
    """A new directory of parts `NAME.001`, `NAME.002` ... that is there whole or not at all; 0700, files 0600."""

    def __init__(self, folder: Path, name: str, size: int) -> None:
        """`size` is that of a part. Raises `UsageError` where it is too small, `Refused` for a name that is taken."""
        if size < SMALLEST:
            raise UsageError(f"parts of {size:,} bytes are too small", hint="name 1M or more")
        if os.path.lexists(folder):
            raise Refused(f"{folder} is there already", hint="remove it, or name another with -o")
        self._final = folder
        # What a kill left of an earlier try goes first: it would be as large as the package.
        hidden = f".{folder.name}."
        sweep(folder.parent, hidden)
        self._here = folder.with_name(f"{hidden}{secrets.token_hex(4)}")
        self._name = name
        self._size = size
        self._sums: dict[str, str] = {}
        self._part: NewFile | None = None
        self._digest = hashlib.sha256()
        self._left = 0
        with disk_errors(folder.parent):
            self._here.mkdir(mode=0o700)
            self._lock = held(self._here)
            owner = calling_user()
            if owner is not None:
                os.chown(self._here, *owner)

    def __enter__(self) -> Parts:
        return self

    def __exit__(self, *error: object) -> None:
        if self._part is not None:
            self._part.__exit__(*error)
        shutil.rmtree(self._here, ignore_errors=True)
        if self._lock is not None and self._lock >= 0:
            os.close(self._lock)

    def write(self, *pieces: bytes | memoryview) -> None:
        """Append the pieces, in the next part where this one is full. Raises `DiskFull`."""
        for piece in pieces:
            self._append(memoryview(piece))

    def _append(self, rest: memoryview) -> None:
        while rest:
            if self._part is None:
                self._part = NewFile(self._here / f"{self._name}.{len(self._sums) + 1:03}")
                self._digest, self._left = hashlib.sha256(), self._size
            piece, rest = rest[: self._left], rest[self._left :]
            self._part.write(piece)
            self._digest.update(piece)
            self._left -= len(piece)
            if not self._left:
                self._finish()

    def _finish(self) -> None:
        part, self._part = self._part, None
        if part is not None:
            with part:
                part.keep()
            self._sums[part.path.name] = self._digest.hexdigest()

    def put(self, name: str, data: bytes) -> None:
        """Lay the small file `name` beside the parts."""
        with NewFile(self._here / name) as new:
            new.write(data)
            new.keep()
        self._sums[name] = hashlib.sha256(data).hexdigest()

    def keep(self) -> None:
        """Write the digests and give the directory its name. Nothing is written after it."""
        self._finish()
        lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(self._sums.items()))
        self.put(SUMS, lines.encode())
        with disk_errors(self._final):
            self._here.rename(self._final)


@dataclass(frozen=True, slots=True)
class Joinable:
    """Parts that are all there."""

    name: str
    """Of the package that they make."""

    parts: tuple[Path, ...]
    """In their order."""

    digests: tuple[str, ...]
    """SHA-256 of each, hexadecimal."""


def find(place: Path) -> Joinable:
    """The parts in the directory `place`, or beside the part `place`. Raises `BadBundle` naming those that lack."""
    folder = place if place.is_dir() else place.parent
    sums = _read_sums(folder)
    listed = {name: match for name in sums if (match := _PART.match(name)) is not None}
    if not listed:
        raise BadBundle(
            f"{folder / SUMS} lists no parts", hint="name the directory that clinic pack --split made"
        )
    missing = [name for name in sums if not (folder / name).is_file()]
    if missing:
        raise BadBundle(
            f"{folder}: {len(missing)} of {len(sums)} files are missing: {', '.join(sorted(missing))}",
            hint="copy them into the directory, then try again",
        )
    order = sorted(listed, key=lambda name: int(listed[name]["number"]))
    return Joinable(
        listed[order[0]]["name"], tuple(folder / name for name in order), tuple(sums[name] for name in order)
    )


def _read_sums(folder: Path) -> dict[str, str]:
    try:
        with (folder / SUMS).open("rb") as stream:
            text = stream.read(_LARGEST_SUMS).decode("utf-8", "replace")
    except OSError as error:
        raise BadBundle(
            f"{folder} has no {SUMS} that can be read: {error.strerror}", hint=f"copy {SUMS} beside the parts"
        ) from error
    found: dict[str, str] = {}
    for line in text.splitlines():
        match = _LINE.match(line)
        if match is None:
            raise BadBundle(f"{folder / SUMS} is damaged", hint="copy it again")
        found[match[2]] = match[1]
    return found


def join(found: Joinable, write: Callable[[bytes], None], moved: Callable[[str, int], None]) -> None:
    """Hand the parts' bytes to `write` in their order; `moved` hears how many of which part.

    Raises `BadBundle` that names every part that is damaged.
    """
    damaged: list[str] = []
    for part, digest in zip(found.parts, found.digests, strict=True):
        seen = hashlib.sha256()
        for data in _pieces(part):
            seen.update(data)
            if not damaged:
                write(data)
            moved(part.name, len(data))
        if seen.hexdigest() != digest:
            damaged.append(part.name)
    if damaged:
        raise BadBundle(f"damaged: {', '.join(damaged)}", hint="copy them again, then try again")


def _pieces(part: Path) -> Iterator[bytes]:
    with contextlib.ExitStack() as stack:
        try:
            stream = stack.enter_context(part.open("rb"))
        except OSError as error:
            raise BadBundle(f"{part} can't be read: {error.strerror}") from error
        while data := stream.read(MIB):
            yield data
