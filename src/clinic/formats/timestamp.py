"""The time in the first line of a log entry: from the groups of a match to nanoseconds since 1970.

Groups: `Y` year (four digits, or two), `M` month or `B` its English name, `D` day, `h` `m` `s`, `f` fraction, `z`
zone; or `e` seconds or milliseconds since 1970, with `f`. Without `z` it is the node's own time, without `Y` the year
that fits.
"""

from __future__ import annotations

import io
import re
import struct
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

NANOSECONDS = 1_000_000_000
"""In a second."""

FOREVER = 1 << 62
"""Later than any entry."""

_GROUPS = frozenset("YBMDhmsze")
_EPOCH = date(1970, 1, 1).toordinal()
_NAIVE_EPOCH = datetime(1970, 1, 1)
_DAY = 86400
_MONTHS = {
    name: number for number, name in enumerate(b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1)
}
_QUARTER = 900
"""Seconds: clocks have been put forward and back at multiples of a quarter of an hour only, since 1972."""


@dataclass(frozen=True, slots=True)
class Clock:
    """What the text of a time leaves open."""

    zone: tzinfo = timezone.utc
    """The node's zone, for times that name none."""

    latest: int = FOREVER
    """No entry is more than a day later, nanoseconds since 1970: it gives times their year that have none."""


Moment = tuple[int, int]
"""Nanoseconds since 1970; twice, for the hour that a node's clock shows twice when it is put back."""


def moment_of(match: re.Match[bytes], clock: Clock) -> Moment | None:
    """When the entry was written whose first line `match` recognised; None when there is no such day."""
    names = _names(match.re)
    # A log has many entries in one second: what differs between them is left out of what is looked up.
    found = _whole(names, match.group(*names), clock)
    if found is None:
        return None
    fraction = _fraction(match["f"]) if "f" in match.re.groupindex else 0
    return found[0] + fraction, found[1] + fraction


@lru_cache(maxsize=256)
def _names(pattern: re.Pattern[bytes]) -> tuple[str, ...]:
    """The groups of a time but for its fraction; at least two, so that their values are always a tuple."""
    names = tuple(name for name in pattern.groupindex if name in _GROUPS)
    return names if len(names) > 1 else names * 2


@lru_cache(maxsize=2048)
def _whole(names: tuple[str, ...], values: tuple[bytes | None, ...], clock: Clock) -> Moment | None:
    groups = dict(zip(names, values, strict=True))
    epoch = groups.get("e")
    if epoch:
        whole = int(epoch) * NANOSECONDS if len(epoch) <= 10 else int(epoch) * (NANOSECONDS // 1000)
        return whole, whole
    day = _day_of(groups, clock)
    if day is None:
        return None
    hour, minute, second = (int(groups[name] or b"0") for name in "hms")
    local = day + hour * 3600 + minute * 60 + second
    zone = groups.get("z")
    if zone:
        exact = (local - offset_of(zone)) * NANOSECONDS
        return exact, exact
    earlier, later = _offsets(local // _QUARTER, clock.zone)
    return (local - earlier) * NANOSECONDS, (local - later) * NANOSECONDS


@lru_cache(maxsize=4096)
def _fraction(digits: bytes | None) -> int:
    return int(digits[:9].ljust(9, b"0")) if digits else 0


@lru_cache(maxsize=64)
def offset_of(zone: bytes) -> int:
    """Seconds that `Z`, `UTC`, `+08:00` or `+0800` is ahead of UTC."""
    if zone in (b"Z", b"UTC"):
        return 0
    digits = zone[1:].replace(b":", b"")
    seconds = int(digits[:2]) * 3600 + int(digits[2:]) * 60
    return -seconds if zone[:1] == b"-" else seconds


def _day_of(groups: dict[str, bytes | None], clock: Clock) -> int | None:
    """Seconds from 1970 to the beginning of the day, as if it were UTC's."""
    name, month, day = groups.get("B"), groups.get("M"), int(groups["D"] or b"0")
    number = _MONTHS[name] if name else int(month or b"0")
    year = groups.get("Y")
    if year:
        return _day(int(year) + (2000 if len(year) == 2 else 0), number, day)
    return _yearless(number, day, clock)


@lru_cache(maxsize=1024)
def _day(year: int, month: int, day: int) -> int | None:
    try:
        return (date(year, month, day).toordinal() - _EPOCH) * _DAY
    except ValueError:
        return None


@lru_cache(maxsize=1024)
def _yearless(month: int, day: int, clock: Clock) -> int | None:
    """In the last year in which it is no more than a day after `latest`."""
    bound = min(clock.latest // NANOSECONDS, _day(9998, 1, 1) or 0) + _DAY
    # Times are local and the bound is not: half a day is the most that matters, and the bound has a day of room.
    last = (_NAIVE_EPOCH + timedelta(seconds=bound)).year
    # Nine years: there may be eight between two 29ths of February.
    candidates = (_day(year, month, day) for year in range(last, last - 9, -1))
    return next((found for found in candidates if found is not None and found <= bound), None)


@lru_cache(maxsize=65536)
def _offsets(quarter: int, zone: tzinfo) -> tuple[int, int]:
    """Seconds that `zone` is ahead of UTC at a local time, for its first and its second occurrence."""
    local = _NAIVE_EPOCH + timedelta(seconds=quarter * _QUARTER)
    first, second = (
        int((zone.utcoffset(local.replace(fold=fold)) or timedelta()).total_seconds()) for fold in (0, 1)
    )
    # In the hour that is left out when a clock is put forward, the second is before the first: no time is shown twice.
    return (first, second) if first > second else (first, first)


def nanoseconds(moment: datetime) -> int:
    """From 1970 to a moment that knows its zone, to the microsecond."""
    since = moment - datetime(1970, 1, 1, tzinfo=timezone.utc)
    return (since.days * _DAY + since.seconds) * NANOSECONDS + since.microseconds * 1000


def goes_back(zone: tzinfo, start: int, end: int) -> bool:
    """Whether clocks in `zone` are put back anywhere between two moments (nanoseconds since 1970)."""
    step = 3600 * NANOSECONDS
    before = None
    for moment in range(start, end + step, step):
        if not 0 <= moment < FOREVER // 2:
            continue
        offset = zone.utcoffset(datetime.fromtimestamp(moment // NANOSECONDS, zone)) or timedelta()
        if before is not None and offset < before:
            return True
        before = offset
    return False


def zone_from(data: bytes) -> tzinfo:
    """The zone that a node's /etc/localtime describes (tzfile(5)); UTC where it describes none, as libc has it."""
    try:
        return ZoneInfo.from_file(io.BytesIO(data), key="localtime")
    except (ValueError, IndexError, OverflowError, EOFError, struct.error):
        return timezone.utc
