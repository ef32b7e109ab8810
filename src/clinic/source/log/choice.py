"""Which logs are meant, and how much of them: what a log source is declared with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass


@dataclass(frozen=True)
class LogChoice:
    """Logs of one host, and what is known of the instance that writes them."""

    host: str
    """Name of the machine that they are on."""

    logs: tuple[str, ...]
    """Absolute paths of the files that are written now. What they were rotated into is found beside them."""

    _: KW_ONLY
    """What follows is given by name."""

    patterns: tuple[str, ...] = ()
    """Absolute globs; each file that matches is a log of its own."""

    configs: tuple[str, ...] = ()
    """Absolute paths of TOML files that may tell where else the instance writes its logs."""

    settings: tuple[str, ...] = ()
    """Dotted names of the items in them that do."""

    home: str = ""
    """The directory that a relative path in them begins at."""

    meant: Callable[[bytes], bool] | None = None
    """Tells by the first plain bytes of a file whether it is one of those; all are where it is not given."""

    below: str = ""
    """A directory: files in it are named by their path below it, others by their absolute one."""

    silence: float = 0.0
    """Seconds that an instance is never silent while it runs: a longer silence is on record. 0 when it may be."""

    started: float = 0.0
    """When the instance started, seconds since 1970 by its host's clock; 0 when that is unknown."""

    running: bool = False
    """Whether it runs now."""

    ahead: float = 0.0
    """Seconds that the host's clock is ahead of this machine's."""

    limit: int = 1000
    """Most files to take of one log, those that changed last; more of them is on record."""

    room: int | None = None
    """Most plain bytes to take in all: the newest, and what is left out is on record."""

    @property
    def named(self) -> str:
        """Everything that was asked for, in a line."""
        return " ".join((*self.logs, *self.patterns))
