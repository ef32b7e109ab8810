"""Which files a log was rotated into, by their names, and which of them reach into a window, by few of their times."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Sequence

_YEAR = r"[-._](?:19|20)\d\d"
_DIGITS = re.compile(r"\d+")
_PACKED = re.compile(r"\.(?:gz|zst|bz2|xz|lz4)\Z")
_NEIGHBOURS = 16


def stem(path: str) -> str:
    """The beginning that the names of a log and of all its rotated files have in common, with its directory."""
    return posixpath.splitext(path)[0]


def is_of(path: str, log: str) -> bool:
    """Whether `path` is the log file `log` or one that it was rotated into.

    `tidb-2026-11-24T10-41-07.123.log.gz` (lumberjack, TiKV), `tikv.log.2026-11-24-10:41:07`, `tiflash.log.0`,
    `pd.log.1.zst`, `grafana.log-20261124` (logrotate), `LOG.old.1764000000000000` (RocksDB).
    """
    base, ending = posixpath.splitext(log)
    if not path.startswith(base):
        return False
    rest, ending = path[len(base) :], re.escape(ending)
    return re.fullmatch(rf"{ending}(?:[-.][^/]*)?|{_YEAR}[^/]*{ending}(?:[-.][^/]*)?", rest) is not None


def unpacked(path: str) -> str:
    """The name of what is in a compressed file."""
    return _PACKED.sub("", path)


def family(path: str) -> str:
    """The same for all files that one way of rotating makes of one log."""
    return _DIGITS.sub("0", path)


def overlapping(firsts: Sequence[Callable[[], int | None]], low: int, high: int) -> range:
    """Which of some files, in the order in which they were written, may have entries from `low` to `high`.

    Each of `firsts` tells when the first entry of a file was written, or None when it has none with a time; few are
    asked for. All files are given where the times that were seen are not in order.
    """
    search = _Search(firsts)
    begin, end = search.after(low), search.after(high)
    if begin is None or end is None or not search.in_order:
        return range(len(firsts))
    while end < len(firsts) and search.first(end) is None:
        end += 1
    # The last file that begins before the window may reach into it.
    return range(max(0, begin - 1), end)


class _Search:
    """What is known of the files so far."""

    def __init__(self, firsts: Sequence[Callable[[], int | None]]) -> None:
        self._firsts = firsts
        self._known: dict[int, int | None] = {}

    def first(self, number: int) -> int | None:
        """When the first entry of a file was written."""
        if number not in self._known:
            self._known[number] = self._firsts[number]()
        return self._known[number]

    @property
    def in_order(self) -> bool:
        """Whether the times that were seen are."""
        seen = [time for _, time in sorted(self._known.items()) if time is not None]
        return seen == sorted(seen)

    def after(self, bound: int) -> int | None:
        """The number after the last file that begins at `bound` or earlier; None where that can't be told."""
        start, end = 0, len(self._firsts)
        while start < end:
            middle = (start + end) // 2
            near = range(middle, min(end, middle + _NEIGHBOURS))
            place = next((number for number in near if self.first(number) is not None), None)
            if place is None and near.stop < end:
                return None
            if place is None or (self.first(place) or 0) > bound:
                end = middle
            else:
                start = place + 1
        return start
