"""What a log covers of a window: the facts as text in a record and back, and what they mean.

The text has a fixed form, so that programs read it too:

    first=2026-11-24T10:00:00.012Z last=2026-11-24T11:59:59.998Z
    first=... last=... silent=2026-11-24T10:40:00.000Z/2026-11-24T11:20:00.000Z

Times are those of the node's own clock, in UTC; `silent` is there where something is silent for long. ` zone=+08:00` at
the end says that the log's times name no zone, and by which they were told.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from clinic.formats.timestamp import nanoseconds
from clinic.formats.window_cut import SILENCE, Seen
from clinic.outcome import Reason

_TIME = r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3})Z"
_FACTS = re.compile(rf"\bfirst={_TIME} last={_TIME}(?: silent={_TIME}/{_TIME})?")
_ZONE = re.compile(r" zone=([+-])(\d\d):(\d\d)\Z")
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def told(seen: Seen) -> str:
    """The facts as text."""
    text = f"first={shown(seen.first)} last={shown(seen.last)}"
    return text + (
        f" silent={shown(seen.silence[0])}/{shown(seen.silence[1])}" if seen.silence is not None else ""
    )


def read_told(text: str) -> Seen | None:
    """The facts in a record's text, to the millisecond; None when it has none."""
    found = _FACTS.search(text)
    if found is None:
        return None
    first, last, *silent = (_read(time) for time in found.groups() if time is not None)
    return Seen(first, last, (silent[0], silent[1]) if silent else None)


def read_zone(text: str) -> timezone | None:
    """The zone by which a log's times were told that name none; None when they name their own."""
    found = _ZONE.search(text)
    if found is None:
        return None
    offset = timedelta(hours=int(found[2]), minutes=int(found[3]))
    return timezone(-offset if found[1] == "-" else offset)


def shown(moment: int) -> str:
    """Nanoseconds since 1970 as `2026-11-24T10:00:00.012Z`."""
    time = _EPOCH + timedelta(microseconds=moment // 1000)
    return f"{time:%Y-%m-%dT%H:%M:%S}.{time.microsecond // 1000:03}Z"


def _read(text: str) -> int:
    whole, _, fraction = text.partition(".")
    return nanoseconds(datetime.fromisoformat(whole).replace(tzinfo=timezone.utc)) + int(fraction) * 1_000_000


def together(earlier: Seen | None, later: Seen | None) -> Seen | None:
    """Of two files of a log that follow each other."""
    if earlier is None or later is None:
        return earlier or later
    silences = [silence for silence in (earlier.silence, later.silence) if silence is not None]
    if later.first - earlier.last >= SILENCE:
        silences.append((earlier.last, later.first))
    longest = max(silences, key=lambda one: one[1] - one[0], default=None)
    return Seen(min(earlier.first, later.first), max(earlier.last, later.last), longest)


@dataclass(frozen=True, slots=True)
class Case:
    """What is known of one log of one instance; times in nanoseconds since 1970 by the node's clock."""

    low: int
    """From when on entries are wanted."""

    high: int
    """Up to when they are wanted, or could have been written by now."""

    seen: Seen | None
    """Of the entries that were found in the window; None when there are none."""

    oldest: int | None
    """The first entry of the oldest file that there is; None when there is no entry at all."""

    rotated: bool = False
    """Whether there are rotated files."""

    started: int = 0
    """When the instance started; 0 when that is unknown."""

    running: bool = False
    """Whether it runs now."""

    silence: int = 0
    """How long it is never silent while it runs; 0 for a log that may be."""


def judge(case: Case) -> tuple[Reason, str] | None:
    """What of the window a log does not cover although it should, and why; None when that is nothing."""
    facts = told(case.seen) if case.seen is not None else "nothing in it"
    wanted = f"wanted from={shown(case.low)} to={shown(case.high)}"
    if (begins := _rotated_out(case)) is not None:
        return Reason.ROTATED_OUT, f"the oldest entry is of {shown(begins)}, {wanted}: {facts}"
    silence = _gap(case)
    if silence is not None:
        return (
            Reason.GAP,
            f"silent from {shown(silence[0])} to {shown(silence[1])} while it ran, {wanted}: {facts}",
        )
    return None


def _rotated_out(case: Case) -> int | None:
    """When the oldest entry was written, where older ones were thrown away that the window wants."""
    slack = max(case.silence, SILENCE)
    if case.oldest is None or case.oldest <= case.low:
        return None
    began_before = case.started < case.oldest - slack if case.started else case.oldest > case.low + slack
    # A log that is seldom written may simply have begun late, unless something was rotated away.
    return case.oldest if began_before and (case.rotated or case.silence) else None


def _gap(case: Case) -> tuple[int, int] | None:
    """The longest silence in the window while the instance ran, where it is too long."""
    if not case.silence or not case.running or not case.started:
        return None
    begin = max(case.low, case.started)
    if case.seen is None:
        silences = [(begin, case.high)]
    else:
        silences = [(begin, case.seen.first), (case.seen.last, case.high)]
        silences += [case.seen.silence] if case.seen.silence is not None else []
    longest = max(((max(start, begin), end) for start, end in silences), key=lambda one: one[1] - one[0])
    return longest if longest[1] - longest[0] >= case.silence else None
