"""The parts of a package as the package again."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from clinic.bundle.package import ENDING, Package
from clinic.container import split
from clinic.errors import BadBundle, Refused
from clinic.newfile import NewFile, put
from clinic.progress import Progress

_LARGEST_FACTS = 16 << 20


def join(place: Path, out: Path, *, progress: Progress | None = None) -> tuple[Path, int]:
    """Make one file of the parts in the directory `place`, or beside the part `place`: the file and its bytes.

    `out` is the file, or a directory for it. What lies beside the parts to say what is inside goes along. Raises
    `BadBundle` that names what is missing or damaged, and where the whole is not the one that was packed.
    """
    found, told = split.find(place), progress or Progress()
    if out.is_dir():
        out /= found.name
    if os.path.lexists(out):
        raise Refused(f"there is something at {out} already", hint="remove it, or name another file with -o")
    told.begin("joining", len(found.parts), None)
    digest, size = hashlib.sha256(), 0
    with NewFile(out) as new:

        def write(data: bytes) -> None:
            nonlocal size
            new.write(data)
            digest.update(data)
            size += len(data)

        split.join(found, write, told.moved)
        facts = _facts(found)
        if facts is not None:
            if Package.from_json(facts, found.name + ENDING).sha256 != digest.hexdigest():
                raise BadBundle(f"{out.name} is not the package that was split", hint="split it again")
            put(out.with_name(out.name + ENDING), facts)
        new.keep()
    told.end()
    return out, size


def _facts(found: split.Joinable) -> bytes | None:
    beside = found.parts[0].with_name(found.name + ENDING)
    if not beside.is_file():
        return None
    with beside.open("rb") as stream:
        return stream.read(_LARGEST_FACTS)
