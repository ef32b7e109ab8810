"""Globs over directories held open, walked as `walk` walks paths: no other user's link is entered unchecked."""

from __future__ import annotations

import fnmatch
import os
import re
import stat
from collections.abc import Callable
from contextlib import suppress
from itertools import takewhile

from clinic.deadline import Deadline
from clinic.errors import ItemError
from clinic.host.base import FileInfo, FileKind
from clinic.host.walk import check_path, reopen, require_owner, trouble, walk
from clinic.outcome import Reason

_MAGIC = re.compile(r"[*?\[]")
_CHECK_EVERY = 1000
_KINDS = {stat.S_IFREG: FileKind.FILE, stat.S_IFDIR: FileKind.DIRECTORY, stat.S_IFLNK: FileKind.LINK}


def file_info(path: str, info: os.stat_result) -> FileInfo:
    """`info` as the contract of a host tells it."""
    mode = stat.S_IMODE(info.st_mode)
    kind = kind_of(info.st_mode)
    return FileInfo(path, kind, info.st_size, info.st_mtime, mode, info.st_uid, info.st_gid)


def kind_of(mode: int) -> FileKind:
    """What a file of this mode is."""
    return _KINDS.get(stat.S_IFMT(mode), FileKind.OTHER)


def expand(pattern: str, deadline: Deadline, limit: int) -> list[FileInfo]:
    """What matches, sorted by path; where there is more than `limit`, what sorts first.

    Raises the first refusal met when nothing else was found, so that a closed directory never looks empty.
    """
    check_path(pattern)
    search = _Search(deadline, limit)
    search.below("", [name for name in pattern.split("/") if name])
    if not search.found and search.refusal is not None:
        raise search.refusal
    return sorted(search.found, key=lambda info: info.path)


class _Search:
    """One expansion: what it found and what it was refused."""

    def __init__(self, deadline: Deadline, limit: int) -> None:
        self._deadline = deadline
        self._limit = limit
        self.found: list[FileInfo] = []
        self.refusal: ItemError | None = None

    def below(self, directory: str, parts: list[str]) -> None:
        """Find what `parts` match in `directory`, whose own name is taken as it is."""
        self._deadline.check()
        plain = list(takewhile(lambda part: not _MAGIC.search(part), parts))
        directory = "/".join([directory, *plain])
        try:
            if len(plain) == len(parts):
                self._one(directory or "/")
            else:
                self._many(directory, parts[len(plain)], parts[len(plain) + 1 :])
        except ItemError as error:
            self._note(error)

    def _note(self, error: ItemError) -> None:
        refused = error.reason in (Reason.NOT_PERMITTED, Reason.UNSAFE, Reason.READ_ERROR)
        if error.transient or not (refused or error.reason is Reason.NOT_FOUND):
            raise error
        if refused and self.refusal is None:
            self.refusal = error

    def _one(self, path: str) -> None:
        with walk(path, follow=False) as place:
            require_owner(place, path)
            self.found.append(file_info(path, place.info))

    def _many(self, directory: str, pattern: str, rest: list[str]) -> None:
        with walk(directory or "/") as place:
            require_owner(place, directory)
            fd = reopen(place, directory, os.O_DIRECTORY, "rx")
            try:
                names = self._names(fd, _matcher(pattern))
                if not rest:
                    self._stat(fd, directory, names)
            except OSError as error:
                raise trouble(error, directory, lacking=(place.real, place.info, "rx")) from error
            finally:
                os.close(fd)
        for name in names if rest else ():
            if len(self.found) < self._limit:
                self.below(f"{directory}/{name}", rest)

    def _names(self, fd: int, matches: Callable[[str], object]) -> list[str]:
        """The matching names that sort first, of a directory that may hold any number."""
        names: list[str] = []
        with os.scandir(fd) as entries:
            for count, entry in enumerate(entries):
                if count % _CHECK_EVERY == 0:
                    self._deadline.check()
                if matches(entry.name):
                    names.append(entry.name)
                if len(names) > 2 * self._limit:
                    names = sorted(names)[: self._limit]
        return sorted(names)[: self._limit]

    def _stat(self, fd: int, directory: str, names: list[str]) -> None:
        for count, name in enumerate(names[: self._limit - len(self.found)]):
            if count % _CHECK_EVERY == 0:
                self._deadline.check()
            with suppress(FileNotFoundError):  # Rotated away since its name was read.
                info = os.stat(name, dir_fd=fd, follow_symlinks=False)
                self.found.append(file_info(f"{directory}/{name}", info))


def _matcher(pattern: str) -> Callable[[str], object]:
    """As a shell's glob: a name that begins with a dot is matched only by a pattern that does."""
    matches = re.compile(fnmatch.translate(pattern)).match
    if pattern.startswith("."):
        return matches
    return lambda name: not name.startswith(".") and matches(name)
