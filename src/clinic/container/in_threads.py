"""What is done with a stream a few steps behind the one who makes it, each in a thread of its own."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from clinic.units import MIB

Piece = bytes | memoryview

_AT_ONCE = MIB
"""Bytes that are handed over together: fewer cost more to hand over, more no longer fit the processor's cache."""

_STEPS = 8
"""Hand-overs that may wait."""

_MANY = 64
"""Pieces that are cheaper to put together than to handle one by one."""


class Follower:
    """One thread that does what it is told, in order, a few steps behind."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1)
        self._waiting = deque[Future[object]]()

    def __enter__(self) -> Follower:
        return self

    def __exit__(self, *error: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def do(self, work: Callable[..., object], *given: object) -> None:
        """Have `work` done with what is `given`. Raises what an earlier one has raised."""
        while self._waiting and (len(self._waiting) >= _STEPS or self._waiting[0].done()):
            self._waiting.popleft().result()
        self._waiting.append(self._pool.submit(work, *given))

    def finish(self) -> None:
        """Wait until all is done. Raises what it has raised."""
        while self._waiting:
            self._waiting.popleft().result()


class Behind:
    """Hashes the bytes that are written to it and passes them on, while the next ones are made."""

    def __init__(self, write: Callable[..., None]) -> None:
        """`write` gets all of them, in order, some pieces at a time, in another thread."""
        self._writing, self._hashing = Follower(), Follower()
        self._write = write
        self._digest = hashlib.sha256()
        self._held: list[Piece] = []
        self._count = 0
        self.size = 0
        """Bytes so far."""

    def __enter__(self) -> Behind:
        return self

    def __exit__(self, *error: object) -> None:
        self._writing.__exit__(*error)
        self._hashing.__exit__(*error)

    def write(self, data: Piece) -> None:
        """Take `data`. Raises what passing on earlier bytes has raised."""
        if not data:
            return
        self._held.append(data)
        self._count += len(data)
        self.size += len(data)
        if self._count >= _AT_ONCE:
            self._hand_over()

    def _hand_over(self) -> None:
        pieces = self._held if len(self._held) <= _MANY else [b"".join(self._held)]
        self._held, self._count = [], 0
        self._writing.do(self._write, *pieces)
        self._hashing.do(self._hash, *pieces)

    def _hash(self, *pieces: Piece) -> None:
        for piece in pieces:
            self._digest.update(piece)

    def finish(self) -> str:
        """Wait until all is done; SHA-256 of the bytes, hexadecimal. Raises what passing on has raised."""
        self._hand_over()
        self._writing.finish()
        self._hashing.finish()
        return self._digest.hexdigest()
