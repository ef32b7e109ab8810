"""How large a part is: smaller after trouble, larger while all is well."""

from __future__ import annotations

from clinic.units import KIB, MIB

FIRST = 8 * MIB
"""Bytes of the first part."""

LEAST = 256 * KIB
"""Bytes of the smallest part."""


class ChunkSize:
    """The size of the next part of an upload that takes parts of any size."""

    def __init__(self, most: int) -> None:
        """`most` is what the server takes at a time."""
        self._most = most
        self.now = min(FIRST, most)

    def clean(self) -> None:
        """A part went through: the next may be twice as large."""
        self.now = min(self.now * 2, self._most)

    def trouble(self) -> None:
        """A part did not: the next is half as large."""
        self.now = max(self.now // 2, min(LEAST, self._most))

    def limit(self, most: int) -> bool:
        """The server takes no more than this at a time; False where that changes nothing."""
        smaller = max(1, min(most, self.now // 2))
        changed = smaller < self.now
        self._most = self.now = smaller
        return changed
