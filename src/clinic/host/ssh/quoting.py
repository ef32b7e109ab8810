"""What is said to the shell on a node: paths, globs and commands, quoted so that nothing in them is taken for more."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping, Sequence

from clinic.host.descendants import MARK
from clinic.host.ssh.script import SYSTEM_PATH

_GLOB = re.compile(r"\*|\?|\[!?\]?[^\]/]*\]|[^*?\[]+|\[")
_BRACKETS = re.compile(r"\[(!?)(.+)\]\Z", re.DOTALL)
_MAGIC = re.compile(r"[*?\[]")


def word(value: str) -> bytes:
    """One word of the shell that is exactly `value`."""
    return os.fsencode(shlex.quote(value))


def words(values: Sequence[str]) -> bytes:
    """Several."""
    return b" ".join(map(word, values))


def glob_word(pattern: str) -> bytes:
    """`pattern` as a word in which only `*`, `?` and `[...]` mean something."""
    return b"".join(_glob_part(part) for part in _GLOB.findall(pattern))


def _glob_part(part: str) -> bytes:
    if part in ("*", "?"):
        return part.encode()
    brackets = _BRACKETS.match(part)
    if brackets is None:
        return word(part)
    if not brackets[1] and len(brackets[2]) == 1:
        return word(brackets[2])
    inner = "".join(char if char.isalnum() or char == "-" else f"\\{char}" for char in brackets[2])
    return os.fsencode(f"[{brackets[1]}{inner}]")


def is_glob(pattern: str) -> bool:
    """Whether there is something to expand in it."""
    return _MAGIC.search(pattern) is not None


def plain_prefixes(pattern: str) -> list[str]:
    """The directories on the way to the first part of `pattern` that has something to expand, from the root on."""
    prefixes, path = ["/"], ""
    for part in [part for part in pattern.split("/") if part][:-1]:
        if is_glob(part):
            break
        path += f"/{part}"
        prefixes.append(path)
    return prefixes


def command(argv: Sequence[str], environment: Mapping[str, str], stdin: bytes) -> bytes:
    """A command with nothing but the environment that it is given."""
    variables = {"PATH": SYSTEM_PATH, "LC_ALL": "C", "HOME": "/", **environment}
    mark = f'{MARK}="${MARK}"'.encode()
    line = b"env -i %b %b %b" % (words([f"{k}={v}" for k, v in variables.items()]), mark, words(argv))
    if stdin:
        return b"feed_ '%b' %b" % (b"".join(b"\\0%03o" % byte for byte in stdin), line)
    return b"cmd_ " + line


def script(body: bytes) -> bytes:
    """Some shell of our own."""
    return b"(\n%b\n) </dev/null & C=$!" % body
