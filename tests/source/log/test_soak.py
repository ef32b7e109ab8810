"""Ten million lines: every one of the window is there, none outside, byte for byte."""

from __future__ import annotations

import hashlib
import os
import random
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Protocol

import pytest

from clinic.deadline import Deadline
from clinic.errors import Skip
from clinic.outcome import Reason
from clinic.source.base import Doors
from clinic.source.log.window import LogWindow
from clinic.window import Window

LINES = 10_000_000
FILES = 4
DAY = 86_400_000
START = datetime(2026, 11, 24, tzinfo=timezone.utc)
WINDOWS = [
    (0, DAY),
    (36_000_000, 600_000),
    (36_000_000, 7_200_000),
    (21_599_990, 20),
    (86_000_000, DAY),
    (DAY, DAY),
]
"""From when on and how long, milliseconds of the day: all of it, ten minutes, two hours, across two files, the end."""


def lines(number: int) -> Iterator[tuple[int, bytes]]:
    """The entries of one of the files: ordered but for up to thirty seconds, some of several lines, some strange."""
    pick = random.Random(number)
    count = LINES // FILES
    strange = (b"\n\tat main.go:1\n\n", b"\r", b"\0\0", b"\xff\xfe GBK \xd7\xa2", b"\n" + b"w" * 30_000, b"")
    second, prefix = -1, b""
    for place in range(count):
        at = (number * count + place) * DAY // LINES - (pick.randrange(30_000) if place % 97 == 0 else 0)
        at = max(at, 0)
        if at // 1000 != second:
            second = at // 1000
            prefix = f"[{START + timedelta(seconds=second):%Y/%m/%d %H:%M:%S}.".encode()
        text = strange[pick.randrange(6)] if place % 1000 == 0 else b""
        yield at, prefix + b"%03d +00:00] [INFO] [x.go:%d] [y]" % (at % 1000, place) + text + b"\n"


class SomeDoors(Doors, Protocol):
    """What the fixture `doors` gives."""

    window: Window  # pyright: ignore[reportIncompatibleMethodOverride] # the test sets it
    deadline: Deadline  # pyright: ignore[reportIncompatibleMethodOverride] # the test sets it


def digest_of(source: LogWindow, doors: SomeDoors) -> tuple[str, int]:
    """Of all the bytes that it gives, and how many they are."""
    found, size = hashlib.sha256(), 0
    try:
        for part in source.open(doors):
            for chunk in part.chunks:
                assert isinstance(chunk, bytes)
                found.update(chunk)
                size += len(chunk)
    except Skip as error:
        assert error.reason is Reason.EMPTY
    return found.hexdigest(), size


@pytest.mark.soak
def test_ten_million_lines(place: Path, doors: SomeDoors) -> None:
    """Every window is compared by its digest with what was written; what is estimated is what comes."""
    log = place / "tidb.log"
    wanted = [hashlib.sha256() for _ in WINDOWS]
    for number in range(FILES):
        path = log if number == FILES - 1 else place / f"tidb-2026-11-24T0{number * 6}-00-00.log"
        with path.open("wb", buffering=1 << 22) as file:
            for at, line in lines(number):
                file.write(line)
                for (low, length), digest in zip(WINDOWS, wanted, strict=True):
                    if low <= at <= low + length:
                        digest.update(line)
        changed = (START + timedelta(hours=6 * number + 6)).timestamp()
        os.utime(path, (changed, changed))
    doors.deadline = Deadline(None)
    source = LogWindow("here", (str(log),))
    for (low, length), digest in zip(WINDOWS, wanted, strict=True):
        begin = START + timedelta(milliseconds=low)
        doors.window = Window(begin, begin + timedelta(milliseconds=length))
        started = time.monotonic()
        found, size = digest_of(source, doors)
        assert time.monotonic() - started < 10 + size / 50_000_000
        assert found == digest.hexdigest(), (low, length)
        estimate = source.plan(doors)
        assert estimate.size is not None
        # Lines that are out of order at the very edge may be counted wrongly: it then does not call itself exact.
        assert abs(estimate.size - size) <= (0 if estimate.exact else size // 100 + 100_000)
