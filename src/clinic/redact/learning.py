"""Learns the names that a bundle shows by its structure, before they are looked for everywhere."""

from __future__ import annotations

import ipaddress
import re

from clinic.kinds import Content
from clinic.redact.columns import NamesInTable
from clinic.redact.frames import FramesStage
from clinic.redact.pattern import Pattern
from clinic.redact.privacy import (
    COMPONENTS,
    KEEP,
    KINDS,
    PART,
    SURE,
    Level,
    is_public,
    kinds_of,
    parts_of,
    pieces_of,
)
from clinic.redact.pseudonyms import OURS
from clinic.redact.scanner import Stage, Tally


def learn_names(data: bytes, found: dict[str, str], level: Level) -> None:
    """Add to `found` the names that the structure of `data` shows: name, lower case, to its kind."""
    pattern = _learner(level)
    if pattern is None:
        return
    at = 0
    while (match := pattern.search(data, at)) is not None:
        at = max(match.end(), match.start() + 1)
        for group, number in pattern.names.items():
            start = match.start(number)
            if start < 0 or group in ("mail", "ip4", "ip6", "host3") or group.startswith("hex"):
                continue
            text = data[start : match.end(number)].decode("utf-8", "surrogateescape")
            note(found, group.rstrip("0123456789"), text)


def note(found: dict[str, str], kind: str, text: str) -> None:
    """Add one name; where it is known as another kind, the more telling of the two holds."""
    name = text.strip().lower()
    if name.encode("utf-8", "surrogateescape") in KEEP or not re.search(r"[^\W\d_]", name):
        return
    if OURS.fullmatch(name) or _is_address(name) or is_public(name):
        return
    if kind == "host" and name in COMPONENTS:
        return
    held = found.get(name, kind)
    found[name] = min(held, kind, key=KINDS.index)


def learner(content: Content, found: dict[str, str], level: Level) -> Stage | None:
    """A stage that adds to `found` the names in the columns or labels of this content; None where there are none."""
    kinds = kinds_of(level)

    def learn(kind: str, cell: bytes) -> bytes:
        for word in PART.findall(cell.decode("utf-8", "surrogateescape")) if kind in kinds else ():
            for one, part in parts_of(kind, word):
                note(found, one, part)
        return cell

    if content is Content.FRAMES:
        return FramesStage(bytes, Tally(), names=False, renamed=learn)
    return NamesInTable(Tally(), learn) if content is Content.CSV else None


def learn_file(path: str, data: bytes, found: dict[str, str]) -> None:
    """Add the names in one of the files of a machine that hold nothing else."""
    for line in data.decode("utf-8", "surrogateescape").splitlines():
        words = line.partition("#")[0].split()
        if path.endswith("etc/resolv.conf"):
            words = words[1:] if words[:1] in (["search"], ["domain"]) else []
        for word in words:
            note(found, "host", word)
            note(found, "host", word.partition(".")[0])


def is_of_names(path: str) -> bool:
    """Whether a bundle's file is one for `learn_file`."""
    return path.endswith(("etc/hostname", "etc/hosts", "etc/resolv.conf"))


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


_LEARNERS: dict[Level, Pattern] = {}


def _learner(level: Level) -> Pattern | None:
    kinds = kinds_of(level)
    if kinds and level not in _LEARNERS:
        _LEARNERS[level] = Pattern("|".join(pieces_of(kinds, SURE)))
    return _LEARNERS.get(level)
