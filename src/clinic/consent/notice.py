"""The words of a question: the notices and what stands around them, from versioned files in each language."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import cast

import yaml

from clinic.consent.receipt import Notice

LANGUAGES = ("en", "zh")
"""English, Chinese."""


@dataclass(frozen=True, slots=True)
class NoticeText:
    """One notice as its file has it."""

    notice: Notice
    """Which one it is."""

    purpose: str
    """What for, in a line."""

    recipients: str
    """Who may see what is in the package, in a line."""

    words: str
    """What it says, with places in braces for what is known of the destination."""


def read_notice(name: str, language: str) -> NoticeText:
    """The notice `name` in `language`."""
    data = _shipped(f"{name}.{language}.txt")
    head, _, words = data.decode().partition("\n\n")
    facts = dict(line.split(": ", 1) for line in head.split("\n"))
    notice = Notice(name, facts["version"], language, hashlib.sha256(data).hexdigest())
    return NoticeText(notice, facts.get("purpose", ""), facts.get("recipients", ""), words.rstrip("\n"))


@functools.cache
def read_words(language: str) -> Mapping[str, str]:
    """What stands around the notice in `language`, by its keys; the heads of the table are one text."""
    found = cast("dict[str, object]", yaml.safe_load(_shipped(f"screen.{language}.yaml")))
    return {
        key: "\t".join(cast("list[str]", value)) if isinstance(value, list) else str(value)
        for key, value in found.items()
    }


def _shipped(name: str) -> bytes:
    return (resources.files("clinic") / "consent" / "notices" / name).read_bytes()
