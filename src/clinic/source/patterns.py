"""What the sources that take several words or patterns have in common."""

from __future__ import annotations

from clinic.deadline import Deadline
from clinic.errors import Failed, ItemError, Skip
from clinic.host.base import FileInfo, Host
from clinic.outcome import Reason


def require_words(words: object, what: str) -> None:
    """Raise `ValueError` for a plain string, which would be taken for a tuple of its letters, and for nothing."""
    if isinstance(words, str) or not words:
        raise ValueError(f"{what} must be a tuple of strings, not {words!r}")


def find_all(
    host: Host, patterns: tuple[str, ...], deadline: Deadline
) -> tuple[list[FileInfo], ItemError | None]:
    """What matches any of `patterns`, each once, and the first refusal that was met on the way.

    Raises that refusal when nothing else was found, and `Skip` with NOT_FOUND when there is nothing.
    """
    found: dict[str, FileInfo] = {}
    refusal: ItemError | None = None
    for pattern in patterns:
        try:
            found.update((info.path, info) for info in host.list(pattern, deadline))
        except (Skip, Failed) as error:
            refusal = refusal if refusal is not None else error
    if not found:
        raise (
            refusal
            if refusal is not None
            else Skip(Reason.NOT_FOUND, f"nothing matches {' '.join(patterns)}")
        )
    return list(found.values()), refusal
