"""How many bytes a bundle may still grow by: `--max-size`, shared by all items that are being written."""

from __future__ import annotations

import threading


class Budget:
    """Counts stored bytes of all threads against one limit."""

    def __init__(self, limit: int | None, used: int = 0) -> None:
        """At most `limit` bytes, `used` of which are there already; no limit when it is None."""
        self._limit = limit
        self._used = used
        self._lock = threading.Lock()

    @property
    def used(self) -> int:
        """Bytes that are stored, or set aside by an item that is being written."""
        return self._used

    def take(self, size: int) -> bool:
        """Set `size` bytes aside; False, and nothing is taken, where that many are not left."""
        with self._lock:
            if self._limit is not None and self._used + size > self._limit:
                return False
            self._used += size
            return True

    def take_rest(self, wanted: int) -> int:
        """Set aside as many of `wanted` bytes as are left, and say how many."""
        with self._lock:
            left = wanted if self._limit is None else min(wanted, max(0, self._limit - self._used))
            self._used += left
            return left

    def give_back(self, size: int) -> None:
        """Return bytes that were taken and are not stored after all."""
        with self._lock:
            self._used -= size
