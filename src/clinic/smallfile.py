"""A small file that a person named, whatever is at that name."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from clinic.errors import UsageError

PERMISSIONS = "check the name and its permissions"
"""What to do about a file that can't be read."""


def read_small(path: Path, most: int, hint: str = PERMISSIONS, *, regular: bool = False) -> bytes:
    """The bytes of the file at `path`, which may be a pipe, as a shell's `<(command)` is, unless it must be `regular`.

    Raises `UsageError` with `hint` where it can't be read, and where it has more than `most` bytes: /dev/zero has.
    """
    try:
        with open(path, "rb", opener=_at_once if regular else None) as stream:  # no Path has an opener
            if regular and not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                raise UsageError(f"{path} is not a regular file", hint=hint)
            data = stream.read(most + 1)
    except (OSError, ValueError) as error:
        what = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"can't read {path}: {what}", hint=hint) from error
    if len(data) > most:
        raise UsageError(f"{path} is longer than {most} bytes", hint="that is no file of this kind")
    return data


def _at_once(path: str, flags: int) -> int:
    """Open it without waiting for whoever writes into a pipe: that may be nobody."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
