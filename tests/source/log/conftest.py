"""Logs as a test writes them, around a window from one o'clock to two."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import pytest

from clinic.deadline import Deadline
from clinic.outcome import Reason
from clinic.source.base import Doors, Ran, Source
from clinic.source.log.window import LogWindow
from clinic.window import Window

NOON = datetime(2026, 11, 24, 12, tzinfo=timezone.utc)
HOUR = 3600


class SomeDoors(Doors, Protocol):
    """What the fixture `doors` gives."""

    window: Window  # pyright: ignore[reportIncompatibleMethodOverride] # the test sets it
    deadline: Deadline  # pyright: ignore[reportIncompatibleMethodOverride] # the test sets it
    done: list[Ran]


ReadParts = Callable[[Source], dict[str, bytes | Reason]]


@lru_cache(maxsize=1 << 16)
def entry(second: float, text: str = "x", zone: timezone = timezone.utc) -> bytes:
    """An entry written so many seconds after noon."""
    moment = (NOON + timedelta(seconds=second)).astimezone(zone)
    offset = moment.strftime("%z")
    return (
        f"[{moment:%Y/%m/%d %H:%M:%S}.{moment.microsecond // 1000:03} {offset[:3]}:{offset[3:]}]"
        f" [INFO] [x.go:1] [{text}]\n"
    ).encode()


def entries(start: int, end: int, step: int = 10) -> bytes:
    """One every `step` seconds, from `start` to before `end`."""
    return b"".join(entry(second) for second in range(start, end, step))


def touched(path: Path, second: float) -> Path:
    """The file as if it had changed last so many seconds after noon."""
    moment = (NOON + timedelta(seconds=second)).timestamp()
    os.utime(path, (moment, moment))
    return path


def written(path: Path, data: bytes, second: float) -> Path:
    """A file that changed last so many seconds after noon."""
    path.write_bytes(data)
    return touched(path, second)


def of(*logs: Path, **more: object) -> LogWindow:
    """The source that is tried."""
    return LogWindow("here", tuple(map(str, logs)), **more)  # type: ignore[arg-type] # fields by name


@pytest.fixture
def log(place: Path) -> Path:
    """Where a log is written."""
    return place / "tidb.log"


@pytest.fixture(autouse=True)
def window(request: pytest.FixtureRequest) -> None:
    """From one o'clock to two, where the test has doors."""
    if "doors" in request.fixturenames:
        request.getfixturevalue("doors").window = Window(NOON + timedelta(hours=1), NOON + timedelta(hours=2))
