"""What to write into sudoers so that one command, and nothing else, may run as root."""

from __future__ import annotations

import re
from collections.abc import Sequence

_SEPARATORS = re.compile(r"([,:= \t#])")
"""What ends a word in sudoers(5) unless it is escaped; sudo takes that backslash away as it reads."""

_WILDCARDS = re.compile(r"([*?\[\]!^])")
"""What arguments are matched with (fnmatch(3)); here the backslash stays for the matching."""


def sudoers_line(user: str, argv: Sequence[str]) -> str:
    """The line that allows `user` to run exactly `argv`, whose first word is an absolute path.

    Every wildcard is escaped, and a command without arguments is allowed without arguments only.
    """
    words = [_word(word) for word in argv] if len(argv) > 1 else [_word(argv[0]), '""']
    who = _SEPARATORS.sub(r"\\\1", user.replace("\\", r"\\"))
    return f"{who} ALL=(root) NOPASSWD: {' '.join(words)}"


def _word(text: str) -> str:
    """A backslash takes four: it is taken for an escape by the reading and by the matching."""
    return _WILDCARDS.sub(r"\\\1", _SEPARATORS.sub(r"\\\1", text.replace("\\", "\\\\\\\\")))
