"""Walk a path component by component, so that no link or swap of another user leads anywhere else.

Linux only. Each component is opened with O_PATH and O_NOFOLLOW below the descriptor of the one before it,
and links are resolved by hand: what is checked is what is held open, and a name is never used twice.
"""

from __future__ import annotations

import errno
import os
import shlex
import stat
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from clinic.errors import Failed, ItemError, Retryable, Skip
from clinic.outcome import Reason

MAX_LINKS = 40
"""As the kernel's own limit (path_resolution(7)); more of them is a loop."""

MAX_PATH = 4096
"""PATH_MAX of Linux."""

PSEUDO = ("/proc/", "/sys/")
"""Where a file's size and mode say nothing that lasts: the kernel makes its content as it is read."""


@dataclass(frozen=True, slots=True)
class Place:
    """What a path leads to, held open."""

    fd: int
    """An O_PATH descriptor of it, closed when the walk's context is left."""

    info: os.stat_result
    """Of that descriptor."""

    parent: os.stat_result
    """Of the directory that its last name was found in."""

    real: str
    """Its path without links."""

    strangers: frozenset[int]
    """Users, other than root and ourselves, whose links were followed on the way."""

    passed: tuple[os.stat_result, ...]
    """Every directory and link on the way, itself included."""


@contextmanager
def walk(path: str, *, follow: bool = True) -> Generator[Place, None, None]:
    """Where `path` leads; a link at its very end is followed only with `follow`.

    Raises `Failed` with NOT_FOUND, UNSAFE or READ_ERROR, and `Skip` with NOT_PERMITTED.
    """
    check_path(path)
    walker = _Walker(path)
    try:
        yield walker.arrive(follow)
    finally:
        walker.close()


def check_path(path: str) -> None:
    """Raise `Failed` when no file can have this path."""
    if not path.startswith("/"):
        raise Failed(Reason.NOT_FOUND, f"{shown(path)} is not an absolute path")
    if "\0" in path:
        raise Failed(Reason.NOT_FOUND, f"{shown(path)} has a NUL in it: no file can be called that")
    if len(os.fsencode(path)) >= MAX_PATH:
        raise Failed(Reason.NOT_FOUND, f"{shown(path)} is longer than any path can be")


def require_owner(place: Place, path: str) -> None:
    """Raise `Failed` with UNSAFE when another user's link led to what is not that user's own."""
    foreign = place.strangers - {place.info.st_uid}
    if foreign:
        raise Failed(
            Reason.UNSAFE,
            f"{shown(path)} leads to {shown(place.real)}, which belongs to user {place.info.st_uid},"
            f" through a link of user {min(foreign)}",
        )


def reopen(place: Place, path: str, flags: int, letters: str) -> int:
    """A descriptor to read `place` with: of the very thing that was walked to, whatever its name means by now.

    `letters` are the permissions that it takes. Raises as `walk` does.
    """
    try:
        return os.open(
            f"/proc/self/fd/{place.fd}", os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC | flags
        )
    except OSError as error:
        raise trouble(error, path, lacking=(place.real, place.info, letters)) from error


def others_can_write(info: os.stat_result) -> bool:
    """Whether users other than the owner and root may change it."""
    return bool(info.st_mode & stat.S_IWOTH or (info.st_mode & stat.S_IWGRP and info.st_gid != 0))


def only_root_can_change(place: Place) -> bool:
    """Whether root alone could have made what is there, or could swap it or anything on the way to it."""
    return all(
        info.st_uid == 0 and (stat.S_ISLNK(info.st_mode) or not others_can_write(info))
        for info in place.passed
    )


def shown(path: str) -> str:
    """`path` for a message: names come from others and may hold escape sequences or bytes that are no text."""
    text = path if path.isprintable() else ascii(path)
    return text if len(text) <= 300 else f"{text[:200]}...{text[-80:]}"


def trouble(
    error: OSError, path: str, *, lacking: tuple[str, os.stat_result, str] | None = None
) -> ItemError:
    """The `ItemError` that says what `error` means for `path`.

    `lacking` names what refused us: its path, what it is, and the permission that is missing (`r`, `x`).
    """
    said = f"{shown(path)}: {error.strerror or error}"
    if error.errno in (errno.EACCES, errno.EPERM):
        return Skip(Reason.NOT_PERMITTED, said, fix=_permission_fix(*lacking) if lacking is not None else "")
    if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ESRCH):
        return Failed(Reason.NOT_FOUND, said)
    if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EINTR, errno.EAGAIN):
        return Retryable(Reason.READ_ERROR, said)
    return Failed(Reason.READ_ERROR, said)


def user_name() -> str:
    """Who we are; the number where it has no name."""
    import pwd  # Linux only; readers of bundles import this package elsewhere too

    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def _permission_fix(path: str, info: os.stat_result, letters: str) -> str:
    """The command that would let us in: a group where it has the right already, else an access list."""
    import grp  # as above

    if os.geteuid() == 0:
        return ""  # Root is refused by a security module or a network file system: no grant of ours helps.
    if path.startswith(PSEUDO):
        return "run Clinic as root"
    user = user_name()
    bits = sum({"r": stat.S_IRGRP, "x": stat.S_IXGRP}[letter] for letter in letters)
    if info.st_gid != 0 and info.st_mode & bits == bits:
        try:
            return f"sudo usermod -aG {grp.getgrgid(info.st_gid).gr_name} {user} (then log in again)"
        except KeyError:
            pass  # A group without a name can't be joined by name.
    return f"sudo setfacl -m u:{user}:{letters} {shlex.quote(path)}"


class _Walker:
    """The walk itself: the open directories from the root down to where it stands."""

    def __init__(self, path: str) -> None:
        self._asked = path
        self._links = 0
        self._strangers: set[int] = set()
        self._passed: list[os.stat_result] = []
        self._todo = _components(path)
        self._trail: list[tuple[str, int, os.stat_result]] = []
        self._enter("", os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))

    def arrive(self, follow: bool) -> Place:
        while self._todo:
            self._step(self._todo.pop(), follow)
        _, fd, info = self._trail[-1]
        parent = self._trail[-2][2] if len(self._trail) > 1 else info
        return Place(fd, info, parent, self._real(), frozenset(self._strangers), tuple(self._passed))

    def close(self) -> None:
        while self._trail:
            os.close(self._trail.pop()[1])

    def _step(self, name: str, follow: bool) -> None:
        if name == "..":
            self._leave()
            return
        above, info = self._trail[-1][1:]
        try:
            self._enter(name, os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=above))
            if stat.S_ISLNK(self._trail[-1][2].st_mode) and (self._todo or follow):
                self._resolve()
        except OSError as error:
            raise trouble(error, self._asked, lacking=(self._real(), info, "x")) from error

    def _enter(self, name: str, fd: int) -> None:
        self._trail.append((name, fd, os.fstat(fd)))
        self._passed.append(self._trail[-1][2])

    def _leave(self) -> None:
        if len(self._trail) > 1:
            os.close(self._trail.pop()[1])

    def _resolve(self) -> None:
        """Take the link that we stand on out of the trail and put what it names on the list."""
        self._links += 1
        if self._links > MAX_LINKS:
            raise Failed(
                Reason.UNSAFE, f"{shown(self._asked)} passes through more than {MAX_LINKS} links: a loop"
            )
        _, fd, info = self._trail[-1]
        target = os.readlink("", dir_fd=fd)
        self._leave()
        self._note(info, self._trail[-1][2])
        if target.startswith("/"):
            while len(self._trail) > 1:
                self._leave()
        self._todo.extend(_components(target))

    def _note(self, link: os.stat_result, directory: os.stat_result) -> None:
        """Remember whose word we took. A second name of root's link is the word of who could give it that name."""
        trusted = (0, os.geteuid())
        if link.st_uid not in trusted:
            self._strangers.add(link.st_uid)
        elif link.st_nlink > 1 and directory.st_uid not in trusted:
            self._strangers.add(directory.st_uid)

    def _real(self) -> str:
        return "/".join(name for name, _, _ in self._trail) or "/"


def _components(path: str) -> list[str]:
    """The names in `path`, the first one last."""
    return [name for name in reversed(path.split("/")) if name not in ("", ".")]
