"""What is done with a stream a few steps behind the one who makes it, each in a thread of its own."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from clinic.units import MIB

_AT_ONCE = MIB
"""Bytes that are handed over together: fewer cost more to hand over, more no longer fit the processor's cache."""

_STEPS = 8
"""Hand-overs that may wait."""


class Behind:
    """Hashes the bytes that are written to it and passes them on, while the next ones are made."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        """`write` gets all of them, in order, in another thread."""
        self._pools = [(ThreadPoolExecutor(1), deque[Future[None]]()) for _ in range(2)]
        self._digest = hashlib.sha256()
        self._work = (write, self._digest.update)
        self._held: list[bytes | memoryview] = []
        self._count = 0
        self.size = 0
        """Bytes so far."""

    def __enter__(self) -> Behind:
        return self

    def __exit__(self, *error: object) -> None:
        for pool, _ in self._pools:
            pool.shutdown(cancel_futures=True)

    def write(self, data: bytes | memoryview) -> None:
        """Take `data`. Raises what passing on earlier bytes has raised."""
        self._held.append(data)
        self._count += len(data)
        self.size += len(data)
        if self._count >= _AT_ONCE:
            self._hand_over()

    def _hand_over(self) -> None:
        whole = b"".join(self._held)
        self._held, self._count = [], 0
        for (pool, waiting), work in zip(self._pools, self._work, strict=True):
            if len(waiting) >= _STEPS:
                waiting.popleft().result()
            waiting.append(pool.submit(work, whole))

    def finish(self) -> str:
        """Wait until all is done; SHA-256 of the bytes, hexadecimal. Raises what passing on has raised."""
        self._hand_over()
        for _, waiting in self._pools:
            while waiting:
                waiting.popleft().result()
        return self._digest.hexdigest()
