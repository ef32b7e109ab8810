"""What was found in which bundle when somebody looked last for what should not be in it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from clinic.bundle.codec import decode, dump, load
from clinic.bundle.names import MANIFEST
from clinic.bundle.package import ENDING, LeakResult
from clinic.bundle.packagefile import read_facts
from clinic.home import state_dir
from clinic.newfile import private_folder, put
from clinic.progress import Progress
from clinic.read.open import Opened

_RESULTS = "leaks"
"""Folder of what was found, by bundle, below the state directory."""


def looked(opened: Opened, paths: Collection[str], progress: Progress | None = None) -> LeakResult:
    """What looks like a credential in the files `paths` of a sealed bundle: what was found last, else what is now.

    Raises as `find_leaks` does.
    """
    known, wanted = last_result(opened.id), {*paths, MANIFEST}
    if known.checked and wanted.issuperset(known.files):
        return known
    from clinic.read.leaks import find_leaks, result_of  # the rules take long to load

    result, leaks = find_leaks(opened, progress=progress)
    if not known.checked:  # what somebody looked for with values of their own says more
        keep_result(opened.id, result)
    return result_of(result.rules, tuple(leak for leak in leaks if leak.file in wanted))


def keep_result(bundle: str, result: LeakResult) -> None:
    """Remember what was found in the bundle with this id: its packages say so."""
    place = state_dir() / _RESULTS / f"{bundle}.json"
    private_folder(place.parent)
    put(place, dump(result))


def keep_beside(package: Path, bundle: str, result: LeakResult) -> bool:
    """Write it into the facts beside `package`, if they are those of the bundle with this id; whether they are."""
    beside = package.with_name(package.name + ENDING)
    if not beside.is_file():
        return False
    facts = read_facts(package)
    if facts.bundle != bundle:
        return False
    put(beside, replace(facts, leaks=result).to_json())
    return True


def last_result(bundle: str) -> LeakResult:
    """What was found in the bundle with this id when somebody looked last, on this machine."""
    place = state_dir() / _RESULTS / f"{bundle}.json"
    try:
        data = place.read_bytes()
    except FileNotFoundError:
        return LeakResult("")
    return decode(LeakResult, load(data, place.name), place.name)
