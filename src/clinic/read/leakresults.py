"""What was found in which bundle when somebody looked last for what should not be in it."""

from __future__ import annotations

from clinic.bundle.codec import decode, dump, load
from clinic.bundle.package import LeakResult
from clinic.home import state_dir
from clinic.newfile import private_folder, put

_RESULTS = "leaks"
"""Folder of what was found, by bundle, below the state directory."""


def keep_result(bundle: str, result: LeakResult) -> None:
    """Remember what was found in the bundle with this id: its packages say so."""
    place = state_dir() / _RESULTS / f"{bundle}.json"
    private_folder(place.parent)
    put(place, dump(result))


def last_result(bundle: str) -> LeakResult:
    """What was found in the bundle with this id when somebody looked last, on this machine."""
    place = state_dir() / _RESULTS / f"{bundle}.json"
    try:
        data = place.read_bytes()
    except FileNotFoundError:
        return LeakResult("")
    return decode(LeakResult, load(data, place.name), place.name)
