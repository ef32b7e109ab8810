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
    count = len(firsts)
    times: dict[int, int] = {}

    def known(number: int, end: int) -> int | None:
        for place in range(number, min(end, number + _NEIGHBOURS)):
            time = times[place] if place in times else firsts[place]()
            if time is not None:
                times[place] = time
                return place
        return None

    def below(bound: int) -> int | None:
        """How many files begin at `bound` or earlier."""
        start, end = 0, count
        while start < end:
            middle = (start + end) // 2
            place = known(middle, end)
            if place is None:
                return None
            start, end = (place + 1, end) if times[place] <= bound else (start, middle)
        return start

    begin, end = below(low), below(high)
    seen = [times[place] for place in sorted(times)]
    if begin is None or end is None or seen != sorted(seen):
        return range(count)
    # The last file that begins before the window may reach into it.
    return range(max(0, begin - 1), end)
