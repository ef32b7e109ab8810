"""The contract of a host: run a command, look at files, read ranges of bytes. Same for here and over SSH."""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING

from clinic.deadline import Deadline
from clinic.host.sudo import sudoers_line

if TYPE_CHECKING:
    from typing_extensions import Self  # in typing itself only from 3.11


class FileKind(str, enum.Enum):
    """What a name in a directory stands for."""

    FILE = "file"
    DIRECTORY = "directory"
    LINK = "link"
    OTHER = "other"
    """A FIFO, a socket or a device: never opened."""


@dataclass(frozen=True, slots=True)
class FileInfo:
    """What `stat` knows of a file, without opening it."""

    path: str
    """Absolute, as it was asked for."""

    kind: FileKind
    """What it is; a link is followed only when it is opened."""

    size: int
    """Bytes; what the file system says, 0 for files of /proc."""

    mtime: float
    """Last change, seconds since 1970 by the host's clock."""

    mode: int
    """Permission bits."""

    uid: int
    """Numeric owner."""

    gid: int
    """Numeric group."""


class Process(ABC):
    """A command that runs on a host. Use it as a context manager: leaving it kills the process group."""

    @abstractmethod
    def chunks(self) -> Iterator[bytes]:
        """Standard output as it comes, in pieces of bounded size.

        Raises `TimedOut` or `Cancelled` after the whole process group is dead.
        """

    @property
    @abstractmethod
    def status(self) -> int:
        """Exit status once `chunks()` is exhausted; minus the signal number for a killed process."""

    @property
    @abstractmethod
    def stderr(self) -> str:
        """The last 16 KiB of standard error, decoded with replacement characters."""

    @abstractmethod
    def close(self) -> None:
        """Kill what still runs, reap it, release pipes. Safe to call twice."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Reader(ABC):
    """An open file, checked after it was opened; what is read is what was checked."""

    info: FileInfo
    """Of the open file itself; `size` is its size when it was opened."""

    @abstractmethod
    def ranges(self, wanted: Sequence[tuple[int, int]], deadline: Deadline) -> list[bytes]:
        """The bytes at each (offset, length), in order; short at the end of the file. One round trip."""

    @abstractmethod
    def stream(self, start: int, end: int | None, deadline: Deadline) -> Iterator[bytes]:
        """The bytes from `start` up to `end` (to the end of file when None), in pieces of bounded size."""

    @abstractmethod
    def close(self) -> None:
        """Release it. Safe to call twice."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Host(ABC):
    """The one door to a machine.

    Errors of all methods are `ItemError`s: `Skip` with TOOL_ABSENT or NOT_PERMITTED and the fix,
    `Failed` with NOT_FOUND, UNSAFE, SECRET_FILE or READ_ERROR, `Retryable` with UNREACHABLE,
    `TimedOut`, `Cancelled`.
    """

    name: str
    """As the cluster's model and the bundle's paths call it."""

    user: str
    """Who commands run as, for the record."""

    is_root: bool
    """Whether commands that need root can run, some at least: as root, or through sudo without a password."""

    become_root: str = "run Clinic as root"
    """What a person does to have root's rights there."""

    def sudo_fix(self, argv: Sequence[str]) -> str:
        """What lets the user run exactly `argv` as root, whose first word is an absolute path."""
        line = sudoers_line(self.user, argv)
        return f"{self.become_root}, or add to a file in /etc/sudoers.d, with visudo: {line}"

    def may_run_as_root(self, argv: Sequence[str]) -> bool:
        """Whether exactly `argv`, whose first word is an absolute path, can run with root's rights."""
        del argv
        return self.is_root

    @property
    def ahead(self) -> float:
        """Seconds that its clock is ahead of this machine's."""
        return 0.0

    @property
    def waiting(self) -> str:
        """What it is short of, while work on it waits for that; empty while none does."""
        return ""

    def cost(self) -> dict[str, float]:
        """What reaching it has cost so far, by what is counted: for the footprint."""
        return {}

    @abstractmethod
    def which(self, tool: str) -> str | None:
        """Absolute path of `tool` on the host's fixed system PATH, or None. Costs no fork for a known answer."""

    @abstractmethod
    def run(
        self,
        argv: Sequence[str],
        deadline: Deadline,
        *,
        stdin: bytes = b"",
        root: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> Process:
        """Start `argv` (never a shell string) in its own process group and session, `LC_ALL=C`, umask 077.

        The first word is looked up by `which`. `root` asks for root's rights where the user has others.
        """

    @abstractmethod
    def stat(self, path: str, deadline: Deadline) -> FileInfo:
        """What is known of `path` itself (a link is not followed)."""

    @abstractmethod
    def list(self, pattern: str, deadline: Deadline, *, limit: int = 100_000) -> list[FileInfo]:
        """What matches an absolute glob (`*`, `?`, `[...]`, `**` is not special), sorted by path.

        Links to directories are not entered unless they are root's, or lead to a directory of the same owner.
        An empty list when nothing matches.
        """

    @abstractmethod
    def open(self, path: str, deadline: Deadline) -> Reader:
        """Open a regular file for reading, without being led astray by links, swaps, FIFOs or devices."""

    @abstractmethod
    def close(self) -> None:
        """End everything that still runs there and drop the connection. Safe to call twice."""
