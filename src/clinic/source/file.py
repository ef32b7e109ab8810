"""Files as they are: one by its path, or all that match a few patterns."""

from __future__ import annotations

import posixpath
import time
from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, replace

from clinic.deadline import Deadline
from clinic.errors import Failed, ItemError, Partial, Skip
from clinic.host.base import FileInfo, FileKind, Host, Reader
from clinic.kinds import Content
from clinic.outcome import Reason
from clinic.source.base import Chunk, Doors, Estimate, Gap, HostFiles, Part, Ran, Source
from clinic.source.patterns import find_all, require_words
from clinic.units import KIB, MIB, human_size, plural

ENDLESS = 64 * MIB
"""Most bytes of a file that has no size: some of the kernel's go on for ever."""

_EDGE = 64 * KIB
"""How far from a cut a line's end is looked for."""

_PSEUDO = ("/proc/", "/sys/")

_FORMATS = {
    ".toml": Content.TOML, ".yml": Content.YAML, ".yaml": Content.YAML, ".json": Content.JSON, ".ini": Content.INI,
    ".cnf": Content.INI, ".conf": Content.INI, ".service": Content.INI, ".env": Content.ENV,
}  # fmt: skip


@dataclass(frozen=True)
class File(HostFiles):
    """The bytes of one regular file, up to its size when it was opened."""

    path: str
    """Its absolute path there."""

    _: KW_ONLY
    """What follows is given by name."""

    room: int | None = None
    """Most bytes to take: of a longer file the head and the tail."""

    @property
    def what(self) -> str:
        return self.path

    def plan(self, doors: Doors) -> Estimate:
        """Its size, without opening it; unknown for a link and for files of the kernel."""
        try:
            info = doors.host(self.host).stat(self.path, doors.deadline)
        except ItemError as error:
            return Estimate(None, impossible=_absent(error))
        if info.kind in (FileKind.DIRECTORY, FileKind.OTHER):
            return Estimate(None, impossible=Failed(Reason.UNSAFE, f"{self.path} is no regular file"))
        return _estimate([info], self.room)

    def open(self, doors: Doors) -> Iterator[Part]:
        yield Part(self._chunks(doors))

    def narrow(self, size: int) -> Source:
        """Its head and tail, half of `size` each."""
        return replace(self, room=size if self.room is None else min(size, self.room))

    def _chunks(self, doors: Doors) -> Iterator[Chunk]:
        host, started, taken, outcome = doors.host(self.host), time.monotonic(), 0, ""
        try:
            for chunk in _read(host, self.path, self.room, doors.deadline):
                taken += len(chunk) if isinstance(chunk, bytes) else 0
                yield chunk
        except ItemError as error:
            outcome = str(error.reason)
            raise _absent(error) from error
        finally:
            seconds = time.monotonic() - started
            doors.ran(Ran("file", self.path, self.host, host.user, outcome or f"{taken} bytes", seconds))


@dataclass(frozen=True)
class Files(HostFiles):
    """Every regular file that matches, each under its own path. What is not there is no loss."""

    patterns: tuple[str, ...]
    """Absolute paths and globs (`*`, `?`, `[...]`); a path that comes from elsewhere needs `glob.escape`."""

    _: KW_ONLY
    """What follows is given by name."""

    limit: int = 1000
    """Most files to take, those that changed last; more of them is on record."""

    newest: int | None = None
    """Take only so many of those that changed last, by choice."""

    room: int | None = None
    """Most bytes to take in all; those that changed last come first, and what gets none is on record."""

    head: int | None = None
    """Of each file take only its first so many bytes, by choice: what comes behind is not wanted."""

    below: str = ""
    """A directory: what is in it is named by its path from there."""

    telling: bool = False
    """Whether the ending of a file's name tells its format, where that is another than the item's."""

    def __post_init__(self) -> None:
        require_words(self.patterns, "patterns")

    @property
    def what(self) -> str:
        return " ".join(self.patterns)

    def plan(self, doors: Doors) -> Estimate:
        """The sizes that their directories tell."""
        try:
            found, _ = self._find(doors.host(self.host), doors.deadline)
        except ItemError as error:
            return Estimate(None, impossible=error)
        return _estimate(self._chosen(found), self.room)

    def open(self, doors: Doors) -> Iterator[Part]:
        host, started, taken = doors.host(self.host), time.monotonic(), 0
        outcome = "nothing"
        try:
            found, refusal = self._find(host, doors.deadline)
            chosen = self._chosen(found)
            rooms = _rooms(chosen, self.room)
            for info in sorted(chosen, key=lambda info: info.path):
                yield self._as_part(host, info.path, rooms[info.path], doors.deadline)
                taken += 1
            outcome = plural(taken, "file")
        except ItemError as error:
            outcome = str(error.reason)
            raise
        finally:
            doors.ran(Ran("files", self.what, self.host, host.user, outcome, time.monotonic() - started))
        if refusal is not None:
            raise Partial(refusal.reason, refusal.message, fix=refusal.fix)
        if self.newest is None and len(found) > len(chosen):
            raise Partial(
                Reason.SOME_FILES, f"{len(found)} files match; the {self.limit} that changed last are taken"
            )

    def _as_part(self, host: Host, path: str, room: int | None, deadline: Deadline) -> Part:
        name = path.removeprefix(self.below.rstrip("/") + "/") if self.below else path
        content = _FORMATS.get(posixpath.splitext(path)[1].lower()) if self.telling else None
        return Part(_part(host, path, room, deadline, self.head), name, content)

    def narrow(self, size: int) -> Source:
        """The files that changed last, as far as `size` goes; the last of them as head and tail."""
        return replace(self, room=size if self.room is None else min(size, self.room))

    def _find(self, host: Host, deadline: Deadline) -> tuple[list[FileInfo], ItemError | None]:
        found, refusal = find_all(host, self.patterns, deadline)
        files = [info for info in found if info.kind is not FileKind.DIRECTORY]
        if not files:
            raise Skip(Reason.NOT_FOUND, f"only directories match {self.what}")
        return files, refusal

    def _chosen(self, found: list[FileInfo]) -> list[FileInfo]:
        """Those to take, the one that changed last first."""
        most = self.limit if self.newest is None else min(self.limit, self.newest)
        return sorted(found, key=lambda info: (-info.mtime, info.path))[:most]


def _absent(error: ItemError) -> ItemError:
    """A file that is not there is something that this machine does not have, and no failure."""
    return Skip(Reason.NOT_FOUND, error.message) if error.reason is Reason.NOT_FOUND else error


def _estimate(infos: Sequence[FileInfo], room: int | None) -> Estimate:
    sized = [info for info in infos if info.kind is FileKind.FILE and not info.path.startswith(_PSEUDO)]
    if not sized:
        return Estimate(None, parts=len(infos))
    size = sum(info.size for info in sized)
    size = size if room is None else min(size, room)
    return Estimate(size, exact=len(sized) == len(infos), parts=len(infos))


def _rooms(infos: Sequence[FileInfo], room: int | None) -> dict[str, int | None]:
    """How many bytes each may take, the first first."""
    rooms: dict[str, int | None] = {}
    left = room
    for info in infos:
        rooms[info.path] = left
        left = left if left is None else max(0, left - info.size)
    return rooms


def _part(
    host: Host, path: str, room: int | None, deadline: Deadline, head: int | None = None
) -> Iterator[Chunk]:
    """One of many. A process that ended, or a value that this kernel does not tell, is no loss among them."""
    try:
        yield from _read(host, path, room, deadline) if head is None else _begin(host, path, head, deadline)
    except (Skip, Failed) as error:
        gone = error.reason in (Reason.NOT_FOUND, Reason.NOT_APPLICABLE)
        if not (gone and path.startswith(_PSEUDO)):
            raise


def _read(host: Host, path: str, room: int | None, deadline: Deadline) -> Iterator[Chunk]:
    with host.open(path, deadline) as reader:
        size = 0 if path.startswith(_PSEUDO) else reader.info.size
        if size == 0:
            yield from _to_the_end(reader, deadline)
        elif room is None or size <= room:
            yield from _range(reader, 0, size, deadline)
        elif room <= 0:
            raise Skip(Reason.OVER_BUDGET, f"{path} has {human_size(size)}, and no room is left for it")
        else:
            head, tail = _cuts(reader, room, deadline)
            yield from _range(reader, 0, head, deadline)
            yield Gap(tail - head)
            yield from _range(reader, tail, size, deadline)


def _begin(host: Host, path: str, head: int, deadline: Deadline) -> Iterator[Chunk]:
    with host.open(path, deadline) as reader:
        yield from reader.stream(0, head, deadline)


def _range(reader: Reader, start: int, end: int, deadline: Deadline) -> Iterator[bytes]:
    """The bytes of the range; `Partial` when the file has become shorter meanwhile."""
    at = start
    for data in reader.stream(start, end, deadline):
        yield data
        at += len(data)
    if at < end:
        raise Partial(
            Reason.READ_ERROR,
            f"{reader.info.path} became shorter: byte {at} is the last of {end}, it was cut or replaced",
        )


def _to_the_end(reader: Reader, deadline: Deadline) -> Iterator[bytes]:
    taken = 0
    for data in reader.stream(0, None, deadline):
        yield data
        taken += len(data)
        if taken >= ENDLESS:
            raise Partial(Reason.TRUNCATED, f"{reader.info.path} has no end within {human_size(ENDLESS)}")


def _cuts(reader: Reader, room: int, deadline: Deadline) -> tuple[int, int]:
    """Where the head ends and the tail begins: at ends of lines, where there are any near."""
    head, tail = room // 2, reader.info.size - (room - room // 2)
    before = min(_EDGE, head)
    # The tail is looked at from a byte earlier: it may begin with a line as it is.
    left, right = reader.ranges([(head - before, before), (tail - 1, _EDGE)], deadline)
    return head - before + (left.rfind(b"\n") + 1 or before), tail + max(0, right.find(b"\n"))
