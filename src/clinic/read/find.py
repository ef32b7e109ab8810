"""The file of a bundle that a person means: by its path or the end of it, with or without `.zst`, or by its item."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Iterator

from clinic.bundle.record import FileEntry
from clinic.errors import UsageError
from clinic.read.open import Opened

NEAR = 5
"""How many likely names are told when there is none of that name."""

_COMPARED = 20_000
"""Names that are compared letter by letter; more would take seconds."""


def find_file(opened: Opened, name: str) -> FileEntry:
    """The file called `name`. Raises `UsageError` naming near ones, or the ones that it could mean."""
    wanted = name.removeprefix("./").rstrip("/")
    files = opened.files()
    for file in files:
        if wanted in (file.path, file.name):
            return file
    meant = [file for record in opened.records if record.entry.id == wanted for file in record.files]
    meant = meant or [file for file in files if file.path.startswith(wanted + "/")]
    meant = meant or [file for file in files if wanted and _ends(file, wanted)]
    meant = meant or [file for file in files if wanted and f"/{wanted}/" in file.path]
    if len(meant) == 1:
        return meant[0]
    if meant:
        raise UsageError(
            f"{name!r} stands for {len(meant)} files",
            hint=f"name one of them: {_listed(file.name for file in meant)}",
        )
    raise UsageError(f"there is no file {name!r} in the bundle", hint=_advice(opened, wanted))


def _ends(file: FileEntry, wanted: str) -> bool:
    """Whether `wanted` are the last components of its path."""
    return any(name.endswith(f"/{wanted}") for name in (file.path, file.name))


def _advice(opened: Opened, wanted: str) -> str:
    for record in opened.records:
        if wanted in (record.entry.id, record.entry.path):
            return f"its item is {record.status}: {record.message or record.reason}"
    near = list(_near(opened, wanted))
    return f"did you mean {_listed(near)}?" if near else "clinic inspect BUNDLE --files lists what is there"


def _near(opened: Opened, wanted: str) -> Iterator[str]:
    names = [*(file.name for file in opened.files()), *dict.fromkeys(one.entry.id for one in opened.records)]
    lowered = wanted.lower()
    inside = [name for name in names if lowered and lowered in name.lower()]
    if inside:
        yield from sorted(inside, key=len)[:NEAR]
        return
    # The last part is what people remember; the whole path is mostly folders.
    by_name = {name.rpartition("/")[2]: name for name in names[:_COMPARED]}
    for close in difflib.get_close_matches(wanted.rpartition("/")[2], by_name, NEAR):
        yield by_name[close]


def _listed(names: Iterator[str] | list[str]) -> str:
    shown = list(itertools.islice(names, NEAR + 1))
    return ", ".join(shown[:NEAR]) + (" ..." if len(shown) > NEAR else "")
