"""Command lines as they are found in /proc: bounded, made printable, and asked for the value of an option.

Pure. Whoever started a process chose every byte of its command line, so nothing here trusts one.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from clinic.units import KIB

MOST_BYTES = 64 * KIB
"""How much of a command line is looked at; Linux allows megabytes, no component here needs a tenth of this."""

LONGEST_SHOWN = 1 * KIB
"""Characters of one argument that are kept."""

MOST_SHOWN = 256
"""Arguments that are kept."""


def split(raw: bytes) -> tuple[str, ...]:
    """The arguments in the bytes of /proc/PID/cmdline, at most `MOST_BYTES` of them.

    An argument that is cut is left out whole: half a URL would hide from the redactor that it holds a password.
    """
    if len(raw) > MOST_BYTES:
        raw = raw[: raw.rfind(b"\0", 0, MOST_BYTES) + 1]
    if not raw:
        return ()
    return tuple(word.decode("utf-8", "backslashreplace") for word in raw.removesuffix(b"\0").split(b"\0"))


def printable(text: str) -> str:
    """`text` with everything that could move a terminal's cursor, reorder or hide text written as an escape."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def shorten(text: str, longest: int = LONGEST_SHOWN) -> str:
    """The beginning of `text`, and how much there was, where it is longer than `longest`."""
    return text if len(text) <= longest else f"{text[:longest]}... ({len(text)} characters)"


def shown(words: Sequence[str]) -> tuple[str, ...]:
    """`words` as they are kept: each one shortened, and not more than `MOST_SHOWN`."""
    kept = tuple(shorten(word) for word in words[:MOST_SHOWN])
    return kept if len(words) <= MOST_SHOWN else (*kept, f"... ({len(words)} arguments)")


def options(
    words: Sequence[str], names: Collection[str], *, glued: bool = False, underscores: bool = False
) -> dict[str, str]:
    """The values of the options in `words` that are called one of `names`; the last one given counts.

    Written `-name value`, `--name value`, `-name=value`, `--name=value`; with `glued` also `-Nvalue` for a name of
    one letter; and as it stands for a name that holds a colon, as Grafana's `cfg:section.key=value`.
    An option without a value has the empty one.
    """
    found: dict[str, str] = {}
    for index, word in enumerate(words):
        if word == "--":
            break
        following = words[index + 1] if index + 1 < len(words) else ""
        name, value = _option(word, following, names, glued, underscores)
        if name:
            found[name] = value
    return found


def _option(
    word: str, following: str, names: Collection[str], glued: bool, underscores: bool
) -> tuple[str, str]:
    """The name and value that `word` gives; no name when it is no option that is asked for."""
    head, equals, value = word.partition("=")
    if not head.startswith("-"):
        return (head, value) if equals and ":" in head and head in names else ("", "")
    name = head.removeprefix("-").removeprefix("-")
    if underscores:
        name = name.replace("_", "-")
    if name in names:
        return name, value if equals else _value(following)
    if glued and not head.startswith("--") and len(word) > 2 and word[1] in names:
        return word[1], word[2:]
    return "", ""


def _value(following: str) -> str:
    """The next word, unless it is an option itself."""
    return "" if following.startswith("-") and len(following) > 1 else following


def leading_words(words: Sequence[str], count: int) -> tuple[str, ...]:
    """The first `count` arguments after the program's own name, fewer where an option comes before."""
    leading: list[str] = []
    for word in words[1 : count + 1]:
        if word.startswith("-"):
            break
        leading.append(word)
    return tuple(leading)
