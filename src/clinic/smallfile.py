"""A small file that a person named, whatever is at that name."""

from __future__ import annotations

from pathlib import Path

from clinic.errors import UsageError

PERMISSIONS = "check the name and its permissions"
"""What to do about a file that can't be read."""


def read_small(path: Path, most: int, hint: str = PERMISSIONS) -> bytes:
    """The bytes of the file at `path`, which may be a pipe, as a shell's `<(command)` is.

    Raises `UsageError` with `hint` where it can't be read, and where it has more than `most` bytes: /dev/zero has.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(most + 1)
    except (OSError, ValueError) as error:
        what = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"can't read {path}: {what}", hint=hint) from error
    if len(data) > most:
        raise UsageError(f"{path} is longer than {most} bytes", hint="that is no file of this kind")
    return data
