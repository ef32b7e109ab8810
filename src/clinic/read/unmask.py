"""Pseudonyms in a text back to what they stand for."""

from __future__ import annotations

import re
from collections.abc import Mapping

# Whatever a pseudonym can look like: a kind with ten digits, an address.
_CANDIDATE = re.compile(
    r"\b[a-z]+-[0-9a-f]{10}\b|\b2(?:4\d|5[0-5])(?:\.\d{1,3}){3}\b|\b2001:db8:[0-9a-f:]+", re.IGNORECASE
)


def unmask(text: str, names: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """`text` with every pseudonym in `names` replaced by its name, and those that were."""
    used: dict[str, str] = {}

    def real(match: re.Match[str]) -> str:
        found = names.get(match[0].lower())
        if found is None:
            return match[0]
        used[match[0].lower()] = found
        return found

    return _CANDIDATE.sub(real, text), used
