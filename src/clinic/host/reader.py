"""An open file of this machine: checked after it was opened, read by offset in pieces."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence

from clinic.deadline import Deadline
from clinic.errors import Failed, ItemError, Skip
from clinic.host.base import Reader
from clinic.host.globs import file_info
from clinic.host.keys import HEAD, is_key, is_key_name
from clinic.host.walk import PSEUDO, Place, others_can_write, reopen, require_owner, shown, trouble, walk
from clinic.outcome import Reason
from clinic.units import KIB

PIECE = 256 * KIB
"""Most bytes that are read between two looks at the deadline."""

NO_ANSWER = (
    errno.EINVAL,
    errno.EOPNOTSUPP,
    errno.ENODEV,
    errno.ENODATA,
    errno.ENXIO,
    errno.EIO,
    errno.EAGAIN,
)
"""What a file of /proc or /sys says when there is nothing to tell: the speed of a link that is down (sysfs)."""

SPECIAL = {
    stat.S_IFDIR: "a directory", stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device", stat.S_IFBLK: "a device", stat.S_IFLNK: "a link",
}  # fmt: skip
"""How the kinds of files are called that are not read."""


class LocalReader(Reader):
    """Reads one regular file that `open_file` found safe."""

    def __init__(self, fd: int, path: str, *, pseudo: bool) -> None:
        self.info = file_info(path, os.fstat(fd))
        self._fd = fd
        self._path = path
        self._pseudo = pseudo

    def ranges(self, wanted: Sequence[tuple[int, int]], deadline: Deadline) -> list[bytes]:
        return [b"".join(self.stream(offset, offset + length, deadline)) for offset, length in wanted]

    def stream(self, start: int, end: int | None, deadline: Deadline) -> Iterator[bytes]:
        while end is None or start < end:
            deadline.check()
            data = self._read(PIECE if end is None else min(PIECE, end - start), start)
            if not data:
                return
            start += len(data)
            yield data
            deadline.moved()

    def close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def begins_as_key(self) -> bool:
        """Whether its first bytes are those of a private key or a key store."""
        return not self._pseudo and self.info.size > 0 and is_key(self._path, self._read(HEAD, 0))

    def _read(self, size: int, offset: int) -> bytes:
        try:
            return os.pread(self._fd, size, offset)
        except OSError as error:
            raise self._trouble(error) from error

    def _trouble(self, error: OSError) -> ItemError:
        if self._pseudo and error.errno in NO_ANSWER:
            said = f"{shown(self._path)} has nothing to tell here: {error.strerror}"
            return Skip(Reason.NOT_APPLICABLE, said)
        return trouble(error, self._path)


def open_file(path: str) -> LocalReader:
    """Open the regular file that `path` leads to, or say why it must not be read.

    Raises `Failed` with NOT_FOUND, UNSAFE or READ_ERROR, and `Skip` with NOT_PERMITTED or SECRET_FILE.
    """
    with walk(path) as place:
        _require_safe(place, path)
        if is_key_name(path) or is_key_name(place.real):
            raise _secret(path)
        fd = reopen(place, path, 0, "r")
        pseudo = place.real.startswith(PSEUDO)
    reader = LocalReader(fd, path, pseudo=pseudo)
    try:
        if reader.begins_as_key():
            raise _secret(path)
    except BaseException:
        reader.close()
        raise
    return reader


def _require_safe(place: Place, path: str) -> None:
    kind = stat.S_IFMT(place.info.st_mode)
    if kind != stat.S_IFREG:
        what = SPECIAL.get(kind, "no regular file")
        reason = Reason.READ_ERROR if kind == stat.S_IFDIR else Reason.UNSAFE
        raise Failed(reason, f"{shown(path)} is {what}, and only regular files are read")
    require_owner(place, path)
    if place.info.st_nlink > 1 and _could_be_planted(place):
        raise Failed(
            Reason.UNSAFE,
            f"{shown(path)} is a second name of a file of user {place.info.st_uid}, in a directory"
            f" that others can write: anybody could have put it there",
        )


def _could_be_planted(place: Place) -> bool:
    """Whether another than the file's owner, root and ourselves could have made this name for it.

    A hard link needs no right to the file where fs.protected_hardlinks is 0 (proc_sys_fs(5)). What a user has
    in a directory of the same user is that user's affair.
    """
    directory = place.parent
    if directory.st_uid in (0, os.geteuid()):
        return others_can_write(directory)
    return place.info.st_uid != directory.st_uid


def _secret(path: str) -> Skip:
    return Skip(Reason.SECRET_FILE, f"{shown(path)} is a private key or key store, which are never read")
