"""Which files and directories of an instance there are, as far as its own account could read them.

Nothing is opened. A file system that does not answer makes it hang: see `time_limits`.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from clinic.cluster.discovery import reach
from clinic.cluster.discovery.describe import Traits


@dataclass(frozen=True, slots=True)
class Files:
    """Where an instance keeps things."""

    data_dirs: tuple[str, ...]
    """Directories of its data."""

    config_files: tuple[str, ...]
    """Files that it reads its settings from."""

    log_files: tuple[str, ...]
    """Log files that it was told to write, then those that it has open."""

    log_dir: str
    """The directory of its logs; empty when nothing tells."""

    refused: tuple[str, ...]
    """What it names and its account can't read."""


def files(traits: Traits, open_logs: Sequence[str], deploy_dir: str, account: reach.Account) -> Files:
    """The files of an instance with these `traits` that runs as `account` and has `open_logs` open."""
    asked: dict[str, bool] = {}

    def kept(paths: Iterable[str]) -> tuple[str, ...]:
        for path in paths:
            asked.setdefault(path, reach.could_read(account, path))
        return tuple(path for path in dict.fromkeys(paths) if asked[path])

    usual_data = [path for path in traits.usual_data if Path(path).is_dir()][:1]
    usual_configs = [path for path in traits.usual_configs if Path(path).is_file()]
    data_dirs = kept(traits.data_dirs or usual_data)
    config_files = kept([*traits.config_files, *usual_configs])
    log_files = kept([*traits.log_files, *open_logs])
    log_dir = next(iter(kept(_log_dirs(traits, log_files, deploy_dir))), "")
    refused = tuple(path for path, fine in asked.items() if not fine)
    return Files(data_dirs, config_files, log_files, log_dir, refused)


def _log_dirs(traits: Traits, log_files: Sequence[str], deploy_dir: str) -> list[str]:
    """Where its logs are: as it was told, else where its log files are, else where TiUP has them."""
    if traits.log_dir:
        return [traits.log_dir]
    if log_files:
        return [posixpath.dirname(log_files[0])]
    usual = posixpath.join(deploy_dir, "log") if deploy_dir else ""
    return [usual] if usual and Path(usual).is_dir() else []
