"""What an instance was asked, for tests that look at what a client does: one JSON object a line."""

from __future__ import annotations

import dataclasses
import json
import threading
import time
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class Access:
    """One request, login or statement."""

    at: float
    """When, in seconds since 1970."""

    port: str
    """The purpose of the port: `status`, `client`, ..."""

    what: str
    """`GET /status`, `login root`, `query SHOW CONFIG`."""

    agent: str
    """What the client calls itself."""

    ended: str
    """How it ended: a status, `ok`, `ERROR 1045`, `fault stalled`."""


class AccessLog:
    """The access log of one instance."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a", buffering=1)
        self._lock = threading.Lock()

    def add(self, port: str, what: str, agent: str, ended: str) -> None:
        """Adds one line."""
        line = json.dumps(dataclasses.asdict(Access(time.time(), port, what, agent, ended)))
        with self._lock:
            self._file.write(line + "\n")


def read(path: Path) -> list[Access]:
    """Every whole line of an access log."""
    try:
        text = path.read_text()
    except FileNotFoundError:
        return []
    return [Access(**json.loads(line)) for line in text.splitlines(keepends=True) if line.endswith("\n")]
