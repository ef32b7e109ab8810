"""Packages, destinations and people for the tests of consent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from clinic.bundle.manifest import Redaction
from clinic.bundle.package import Kept, LeakResult, Package
from clinic.consent.decide import Desk
from clinic.consent.destination import Destination, Protocol
from clinic.consent.policy import Policy
from clinic.consent.receipts import Receipts

BUNDLE = "abcdef0123456789" * 4
NOON = datetime(2026, 11, 25, 12, tzinfo=timezone.utc)


@dataclass(frozen=True)
class Typist:
    """Somebody at a terminal who types this, or presses Ctrl-C."""

    types: str | None
    """What is typed; None for Ctrl-C."""

    shown: list[str] = field(default_factory=list[str])
    """What was shown, in order."""

    def show(self, text: str) -> None:
        """Keep it."""
        self.shown.append(text)

    def answer(self, prompt: str) -> str:
        """Type it."""
        del prompt
        if self.types is None:
            raise KeyboardInterrupt
        return self.types


@pytest.fixture
def package() -> Package:
    """A package with something of every sensitivity."""
    return Package(
        bundle=BUNDLE, name="db1.tar.zst", sha256="c" * 64, size=1_000_000, container="tar.zst",
        created="2026-11-25T11:00:00Z", complete=False, cluster="db1", cluster_id="7300", version="v8.5.1",
        start="2026-11-25T10:00:00+08:00", end="2026-11-25T12:00:00+08:00", case="T-17",
        kept=(
            Kept("system", "public", 3, 100, 100), Kept("config", "internal", 8, 30_000, 10_000),
            Kept("logs", "user-data", 12, 3 << 30, 900_000),
        ),
        missing=("tikv-2: logs: the host did not answer",), redaction=Redaction("5", {"password": 12, "url": 3}),
        leaks=LeakResult("2026-11-25T11:00:00Z", "5"),
    )  # fmt: skip


@pytest.fixture
def destination() -> Destination:
    """Somebody's own server."""
    return Destination(
        "support",
        Protocol.CLINIC,
        "https://in.example.com",
        operator="Example Ltd",
        region="Frankfurt",
        contact="a@b",
    )


@pytest.fixture
def receipts(tmp_path: Path) -> Receipts:
    """An empty store."""
    return Receipts(tmp_path / "state" / "receipts")


@pytest.fixture
def desk(receipts: Receipts) -> Callable[..., Desk]:
    """A desk with somebody who types these words, so many days after noon; nobody for `...`."""

    def made(types: object, *, days: float = 0, policy: Policy | None = None, **more: Any) -> Desk:
        person = None if types is ... else Typist(types if isinstance(types, str) else None)
        ticks = _ticks(NOON + timedelta(days=days))
        return Desk(receipts, policy or Policy(), person, clock=lambda: next(ticks), **more)

    return made


def _ticks(start: datetime) -> Iterator[datetime]:
    while True:
        yield start
        start += timedelta(milliseconds=1)
