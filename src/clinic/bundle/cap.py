"""Keeps a file within its cap: the head goes through, the tail is kept on disk until the end shows which it is."""

from __future__ import annotations

import itertools
import os
from collections import deque
from collections.abc import Callable, Iterator

import zstandard

from clinic.bundle.store import Store
from clinic.units import KIB, MIB

SEGMENT = MIB
"""Bytes of the tail that are kept in memory before they go to a file of their own."""

PACKED = 64 * MIB
"""Bytes of a tail above which it is compressed while it waits."""

MARGIN = 64 * KIB
"""How far back, or forward, a line's end is looked for at the edges of a cut."""

MARKER = b"[clinic: %s bytes left out here]\n"
"""Line that stands in a text where something was left out."""

MARKER_ROOM = 64
"""Bytes that the marker may need; where something is cut the tail is shorter by them."""


def marker(missing: int) -> bytes:
    """The line for `missing` plain bytes that are not there; -1 when their number is unknown."""
    return MARKER % (b"an unknown number of" if missing < 0 else str(missing).encode())


class Tail:
    """The last bytes of what is fed, at least `size` of them, in constant memory."""

    def __init__(self, store: Store, size: int) -> None:
        self._store = store
        self._size = size
        # Not worth its time for what is small; of a large tail the disk should hold no more than of its like.
        self._packed = size > PACKED
        self._files: deque[tuple[int, str, int]] = deque()
        self._last = bytearray()
        self._kept = 0
        self.dropped = 0
        """Bytes that are not kept any more."""

    def grow(self, size: int) -> None:
        """Keep `size` bytes more. Only before the first are fed."""
        self._size += size

    def feed(self, data: bytes) -> None:
        """The next bytes. Raises `DiskFull`."""
        self._last += data
        self._kept += len(data)
        while len(self._last) >= SEGMENT:
            self._spill()
        while self._files and self._kept - self._files[0][2] >= self._size:
            self._drop_first()

    def _spill(self) -> None:
        number, path = self._store.temporary()
        self._files.append((number, path, SEGMENT))
        data = bytes(self._last[:SEGMENT])
        del self._last[:SEGMENT]
        self._store.write(number, zstandard.compress(data, 1) if self._packed else data)

    def _drop_first(self) -> None:
        number, path, size = self._files.popleft()
        os.close(number)
        self._store.remove(path)
        self._kept -= size
        self.dropped += size

    def take(self) -> Iterator[bytes]:
        """Everything that is kept, in order; what was given is gone, so that little more than one copy is on disk."""
        while self._files:
            number, path, _ = self._files.popleft()
            try:
                data = os.pread(number, 2 * SEGMENT, 0)
                yield zstandard.decompress(data) if self._packed else data
            finally:
                os.close(number)
                self._store.remove(path)
        data, self._last = bytes(self._last), bytearray()
        yield data

    def excess(self, room: int) -> int:
        """How many of the first bytes that are kept have to go as well; 0 where everything fits.

        Where something has to go, `room` bytes are needed for the line that says so.
        """
        if not self.dropped and self._kept <= self._size:
            return 0
        return min(self._kept, max(0, self._kept - self._size + room))

    def discard(self) -> None:
        """Forget everything."""
        while self._files:
            self._drop_first()
        self._last.clear()


class Cap:
    """Passes at most `size` bytes on to `out`: the beginning and the end of what is fed."""

    def __init__(self, store: Store, size: int, out: Callable[[bytes], None], *, text: bool) -> None:
        """Of `text`, the tail is kept as well and cuts are made at the ends of lines; else only the head."""
        self._out = out
        self._text = text
        head = size // 2 if text else size
        self._through = max(0, head - MARGIN) if text else head
        self._hold = head - self._through
        self._held = bytearray()
        self._tail = Tail(store, size - head)
        self._cutting = False
        self._at_line_end = True
        self.dropped = 0
        """Bytes that were fed and not passed on."""

    def feed(self, data: bytes) -> None:
        """The next bytes. Raises what `out` raises, and `DiskFull`."""
        if self._through:
            through, data = data[: self._through], data[self._through :]
            self._through -= len(through)
            self._out(through)
        if not data:
            return
        if not self._text:
            self.dropped += len(data)
        elif self._cutting:
            self._tail.feed(data)
        else:
            self._held += data
            if len(self._held) > self._hold:
                self._end_head()

    def _end_head(self) -> None:
        """The head is full: what comes after its last whole line belongs to the tail."""
        self._cutting = True
        end = self._held.rfind(b"\n", 0, self._hold) + 1 or self._hold
        self._tail.grow(self._hold - end)
        self._at_line_end = self._held.endswith(b"\n", 0, end)
        self._out(bytes(self._held[:end]))
        self._tail.feed(bytes(self._held[end:]))
        self._held.clear()

    def finish(self) -> None:
        """Pass on what is held back, with a line that says what is missing where something is."""
        if not self._cutting:
            self._out(bytes(self._held))
            self._held.clear()
            return
        skip = self._tail.excess(MARKER_ROOM)
        cut = self._tail.dropped + skip
        chunks = self._tail.take()
        if cut:
            chunks, more = _from_line(chunks, skip)
            self.dropped = cut + more
            self._out((b"" if self._at_line_end else b"\n") + marker(self.dropped))
        for chunk in chunks:
            self._out(chunk)

    def discard(self) -> None:
        """Forget what is held back."""
        self._tail.discard()


def _from_line(chunks: Iterator[bytes], skip: int) -> tuple[Iterator[bytes], int]:
    """`chunks` without their first `skip` bytes and the rest of the line there; how much that rest was."""
    first = b""
    for chunk in chunks:
        first += chunk
        if len(first) >= skip + MARGIN:
            break
    more = first.find(b"\n", skip, skip + MARGIN) + 1 - skip
    start = skip + max(0, more)
    return itertools.chain((first[start:],), chunks), max(0, more)
