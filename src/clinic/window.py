"""The stretch of time that is collected: read from what people type, always with a zone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from clinic.errors import UsageError
from clinic.units import human_duration, parse_duration

DEFAULT_LENGTH = timedelta(hours=2)
_FORMS = "write RFC 3339 (2026-11-25T10:00:00+08:00), a date, 'now', -4h or '2 hours ago'"
_FIRST, _LAST = (datetime(year, 1, 1, tzinfo=timezone.utc) for year in (1970, 9000))
_DATE = re.compile(r"^\d{4}-\d{2}-\d{2}$")
_EPOCH = re.compile(r"^@(\d+(?:\.\d+)?)$")
_ZONE_GAP = re.compile(r"\s+([+-]\d{2}:?\d{2}|Z)$")
_SHORT_ZONE = re.compile(r"([+-]\d{2})(\d{2})$")
_FRACTION = re.compile(r"\.(\d{1,9})")


@dataclass(frozen=True, slots=True)
class Window:
    """From when to when, both ends included, in the control machine's time."""

    start: datetime
    """The first moment that is wanted; aware."""

    end: datetime
    """The last moment that is wanted; aware."""

    @property
    def seconds(self) -> float:
        """Its length."""
        return (self.end - self.start).total_seconds()

    def shifted(self, offset: float) -> Window:
        """The same stretch as a clock shows it that is `offset` seconds ahead of this machine's."""
        delta = timedelta(seconds=offset)
        return Window(self.start + delta, self.end + delta)

    def __str__(self) -> str:
        utc = f"{_show(self.start.astimezone(timezone.utc))} to {_show(self.end.astimezone(timezone.utc))}"
        first, last = self.start.astimezone(), self.end.astimezone()
        if not first.utcoffset() and not last.utcoffset():
            return f"{utc}, {human_duration(self.seconds)}"
        return f"{_show(first)} to {_show(last)} ({utc}), {human_duration(self.seconds)}"


def _show(moment: datetime) -> str:
    name = "UTC" if moment.tzinfo is timezone.utc else moment.strftime("%z")
    return f"{moment:%Y-%m-%d %H:%M:%S} {name}"


def parse_moment(text: str, now: datetime, *, day_end: bool = False) -> datetime:
    """The moment meant by `text`, seen at `now`; without a zone it is local time.

    A bare date is its first moment, or its last when `day_end`. Raises `UsageError`.
    """
    try:
        moment = _moment(text, now, day_end).astimezone(timezone.utc)
        # Everything that is done with it later has to stay inside the calendar.
        if not _FIRST < moment < _LAST:
            raise OverflowError
        return moment
    except (OverflowError, OSError) as error:
        raise UsageError(f"{text!r} is outside the calendar", hint=_FORMS) from error


def _moment(text: str, now: datetime, day_end: bool) -> datetime:
    word = text.strip()
    lowered = word.lower()
    if lowered == "now":
        return now
    if lowered in ("today", "yesterday"):
        day = now.astimezone() - timedelta(days=lowered == "yesterday")
        return _of_day(f"{day:%Y-%m-%d}", day_end)
    if match := _EPOCH.match(word):
        return datetime.fromtimestamp(float(match[1]), timezone.utc)
    if lowered.endswith(" ago") or lowered.startswith("-"):
        length = lowered.removesuffix(" ago").removeprefix("-")
        return now - timedelta(seconds=parse_duration(length))
    return _of_day(word, day_end) if _DATE.match(word) else _absolute(word)


def _of_day(date: str, day_end: bool) -> datetime:
    start = _absolute(f"{date}T00:00:00")
    # Built from the next date and not by adding 24 h: a day with a clock change has 23 or 25.
    following = _absolute(f"{(start + timedelta(hours=36)).date()}T00:00:00") if day_end else start
    return following - timedelta(microseconds=1) if day_end else start


def _absolute(word: str) -> datetime:
    text = _ZONE_GAP.sub(r"\1", word).replace("/", "-").replace("Z", "+00:00").replace("z", "+00:00")
    text = _SHORT_ZONE.sub(r"\1:\2", text) if ":" in text[:16] else text
    # Python 3.10 reads three or six digits of a second, nothing between.
    text = _FRACTION.sub(lambda found: "." + found[1][:6].ljust(6, "0"), text)
    try:
        moment = datetime.fromisoformat(text)
        return moment if moment.tzinfo is not None else moment.astimezone()
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{word!r} is not a time", hint=_FORMS) from error


def resolve(
    start: str | None, end: str | None, *, around: str | None = None, now: datetime | None = None
) -> Window:
    """The window meant by `--from`, `--to` and `--around`; the last two hours when nothing is said.

    A relative `start` counts back from now, not from `end`. Raises `UsageError` on contradictions, and
    on a window that has not begun yet.
    """
    present = now if now is not None else datetime.now(timezone.utc)
    if around is not None:
        if start is not None or end is not None:
            raise UsageError("--around can't be used with --from or --to", hint="give one or the other")
        middle = parse_moment(around, present)
        return _checked(middle - DEFAULT_LENGTH / 2, min(middle + DEFAULT_LENGTH / 2, present), present)
    last = parse_moment(end, present, day_end=True) if end is not None else present
    first = parse_moment(start, present) if start is not None else last - DEFAULT_LENGTH
    return _checked(first, last, present)


def _checked(first: datetime, last: datetime, present: datetime) -> Window:
    if first > present + timedelta(minutes=5):
        raise UsageError(f"the window starts in the future, at {_show(first)}", hint=_FORMS)
    if first >= last:
        raise UsageError(
            f"the window is empty: from {_show(first)} to {_show(last)}",
            hint="--from must be earlier than --to",
        )
    return Window(first, last)
