"""Where Clinic keeps what is not in a bundle, whose files those are, and which files it may believe."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Generator
from pathlib import Path

import platformdirs

from clinic.errors import Refused

_LARGEST_ID = 2**32 - 1
"""Users and groups of Linux are smaller numbers."""


def calling_user() -> tuple[int, int] | None:
    """Numeric user and group that called sudo, when this process is root through sudo; else None."""
    if not _is_root():
        return None
    uid, gid = os.environ.get("SUDO_UID", ""), os.environ.get("SUDO_GID", "")
    if not (uid.isdecimal() and gid.isdecimal()) or not 0 < int(uid) < _LARGEST_ID > int(gid):
        return None
    return int(uid), int(gid)


def home() -> Path:
    """Home of the person at the keyboard: under sudo that of the calling user."""
    caller = calling_user()
    if caller is None:
        return Path.home()
    import pwd  # only where there is sudo

    try:
        return Path(pwd.getpwuid(caller[0]).pw_dir)
    except KeyError:
        return Path.home()


def config_dir() -> Path:
    """Directory of the user's configuration: `CLINIC_HOME`, else what the system's convention says."""
    return _override() or _under_home(platformdirs.user_config_path("clinic", appauthor=False))


def state_dir() -> Path:
    """Directory of state that outlives a run: receipts, keys, known hosts. Made on first use by its owner."""
    return _override() or _under_home(platformdirs.user_state_path("clinic", appauthor=False))


def _override() -> Path | None:
    named = os.environ.get("CLINIC_HOME", "")
    return Path(named) if named else None


def _under_home(path: Path) -> Path:
    """`path` moved to the calling user's home under sudo, where platformdirs answers for root."""
    own = Path.home()
    return home() / path.relative_to(own) if path.is_relative_to(own) else path


def _is_root() -> bool:
    return getattr(os, "geteuid", lambda: -1)() == 0


@contextlib.contextmanager
def as_caller() -> Generator[None]:
    """Under sudo, touch files with the rights of who called it: no link of theirs leads root anywhere.

    For code that runs alone: the rights are those of the whole process.
    """
    caller = calling_user()
    if caller is None:
        yield
        return
    groups, group = os.getgroups(), os.getegid()
    os.setgroups([caller[1]])
    os.setegid(caller[1])
    os.seteuid(caller[0])
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
        os.setgroups(groups)


def require_trusted(path: Path, *, runs_code: bool = False, only_root: bool = False) -> None:
    """Make sure that nobody but this user and root could have written `path`, or swapped it.

    For configuration that steers a run, and with `runs_code` for plug-ins: run by root they have to be
    root's own, since the caller of sudo may be allowed this command and nothing else. With `only_root` not
    even this user may have written it: an organisation's rules bind him. Raises `Refused`.
    """
    if os.name != "posix":
        return
    owners = {0} if only_root else {0, os.geteuid()}
    caller = calling_user()
    if caller is not None and not runs_code and not only_root:
        owners.add(caller[0])
    real = path.resolve()
    for part in (real, *real.parents):
        _require_owner(part, owners, named=path)


def _require_owner(part: Path, owners: set[int], *, named: Path) -> None:
    info = part.stat()
    sticky_directory = stat.S_ISDIR(info.st_mode) and bool(info.st_mode & stat.S_ISVTX)
    if info.st_uid not in owners:
        raise Refused(
            f"{named} is not trusted: {part} belongs to user {info.st_uid}",
            hint=f"make it root's: chown 0 {part}"
            if owners == {0}
            else f"make it yours, or root's: chown {os.geteuid()} {part}",
        )
    if info.st_mode & 0o022 and not sticky_directory:
        raise Refused(
            f"{named} is not trusted: others can write {part}", hint=f"take that away: chmod go-w {part}"
        )
