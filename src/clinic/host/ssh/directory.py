"""The directory of a run's control sockets: 0700, gone with the run, and swept by the next one where it was killed."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from clinic.host.descendants import look

_PREFIX = "clinic-ssh-"
_ROOM = 40
"""Characters that the parent's path may have: a socket's path holds 107 and ssh needs some of them."""


def make() -> Path:
    """A new directory for this process; those of our runs that are dead are removed. Raises OSError."""
    parent = _parent()
    for entry in parent.glob(f"{_PREFIX}*"):
        if _is_left_over(entry):
            shutil.rmtree(entry, ignore_errors=True)
    me = look(os.getpid())
    name = f"{_PREFIX}{os.getpid()}-{me.started if me is not None else 0}-"
    return Path(tempfile.mkdtemp(prefix=name, dir=parent))


def _parent() -> Path:
    """Where sockets may be: the user's runtime directory, else the one for temporary files."""
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR") or "/nonexistent")
    with suppress(OSError):
        info = runtime.stat()
        own = stat.S_ISDIR(info.st_mode) and info.st_uid == os.geteuid() and not info.st_mode & 0o077
        if own and len(str(runtime)) <= _ROOM:
            return runtime
    temporary = Path(tempfile.gettempdir())
    return temporary if len(str(temporary)) <= _ROOM else Path("/tmp")


def _is_left_over(entry: Path) -> bool:
    """Whether it is ours and its process is gone: its number is nobody's, or another's by now."""
    number, _, rest = entry.name.removeprefix(_PREFIX).partition("-")
    try:
        info = entry.lstat()
        kin = look(int(number))
    except (OSError, ValueError):
        return False
    ours = stat.S_ISDIR(info.st_mode) and info.st_uid == os.geteuid()
    return ours and (kin is None or not rest.startswith(f"{kin.started}-"))
