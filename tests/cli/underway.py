"""Waits until a collection is in the middle of its one large item."""

from __future__ import annotations

import time
from pathlib import Path

PATIENCE = 120.0
"""Seconds after which the test goes on, and fails at what it says next."""

WITHIN = 6.0
"""Seconds after its begin at which an item that takes twenty is in its middle."""

LARGE, RATE = 8_000_000, "400K"
"""Bytes of a file, and a rate at which it takes that long however fast everything is."""


def await_middle(bundle: Path) -> None:
    """Wait until an item of the bundle was begun, and then until it must have come some way."""
    journal, until = bundle / "journal.jsonl", time.monotonic() + PATIENCE
    while time.monotonic() < until and not (journal.exists() and b'{"attempt":' in journal.read_bytes()):
        time.sleep(0.02)
    time.sleep(WITHIN)
