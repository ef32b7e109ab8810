"""What a process may point at: only what its own account could read by itself.

A command line is the word of whoever typed it. A program called `tidb-server` in somebody's home may say that its
log is /etc/shadow; root, who reads logs, must not be the one who opens it. Nothing is opened here, only looked at.
Whether the way to a file can be trusted at the moment it is opened is for the door of the host to find out.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass

from clinic.errors import ItemError
from clinic.host.walk import walk


@dataclass(frozen=True, slots=True)
class Account:
    """What the kernel knows a process by."""

    uid: int
    """Its effective user, as this machine numbers them."""

    gids: frozenset[int]
    """Its effective group and its supplementary ones."""

    def may(self, wanted: int, info: os.stat_result) -> bool:
        """Whether the permission bits grant `wanted` (4 to read, 1 to search), as in path_resolution(7)."""
        if info.st_uid == self.uid:
            return bool(info.st_mode >> 6 & wanted)
        if info.st_gid in self.gids:
            return bool(info.st_mode >> 3 & wanted)
        return bool(info.st_mode & wanted)


def could_read(account: Account, path: str) -> bool:
    """Whether `account` could read what is at `path` by itself; true where nothing is there or we can't tell.

    Access lists and capabilities are not looked at: what only they grant counts as not granted.
    """
    if account.uid == 0:
        return True
    try:
        with walk(path) as place:
            way = [info for info in place.passed if stat.S_ISDIR(info.st_mode)]
            return all(account.may(1, info) for info in way) and account.may(4, place.info)
    except ItemError:
        return True  # What we can't reach can't lead us astray; whoever opens it later asks again.
