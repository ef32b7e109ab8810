"""One part on its way to the disk: written where it belongs, remembered once it is there."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Sequence

from clinic.newfile import start_writing
from clinic.receive.problem import Problem
from clinic.receive.state import State
from clinic.receive.store import Store, room


class Part:
    """The bytes of one request, as they come."""

    def __init__(self, store: Store, state: State, start: int, sha256: bytes = b"") -> None:
        """`start` is where they belong in the payload; `sha256` is what the sender says that they have."""
        self._store = store
        self._state = state
        self._start = self._at = start
        self._most = min(start + state.block, state.wanted.length)
        self._promised = sha256
        self._digest = hashlib.sha256()
        # What is here already is not written again: nothing that was counted changes.
        self._known = state.holds(start, self._most) or bool(state.ended)
        self._file = -1 if self._known else os.open(store.path(state), os.O_WRONLY | os.O_NOFOLLOW)

    def write(self, *pieces: bytes) -> None:
        """Take more. Raises `Problem` for more than a part may have, and when the disk is full."""
        size = sum(map(len, pieces))
        if self._at + size > self._most:
            raise Problem(
                413, "size", f"a part has at most {self._state.block} bytes", block=self._state.block
            )
        if self._promised:
            for data in pieces:
                self._digest.update(data)
        if not self._known:
            if shutil.disk_usage(self._store.root).free < self._store.limits.keep_free + size:
                raise Problem(507, "full", "the disk is full here", offset=self._at)
            with room():
                self._put(pieces)
        self._at += size

    def _put(self, pieces: Sequence[bytes]) -> None:
        at = begun = self._state.head + self._at
        for data in pieces:
            _write_all(self._file, data, at)
            at += len(data)
        # So that little is left to wait for at the end of the part.
        start_writing(self._file, begun, at)

    def keep(self) -> State:
        """Put on record what came: also what came before a connection broke."""
        if self._known or self._at == self._start:
            return self._state
        with room():
            os.fdatasync(self._file)
        start, end = self._start, self._at
        return self._store.change(self._state.wanted.uuid, lambda state: state.holding(start, end))

    def end(self) -> State:
        """The sender has sent all of it. Raises `Problem` when its digest is another than was promised."""
        if self._promised and self._digest.digest() != self._promised:
            raise Problem(400, "digest", "this part arrived with another SHA-256 than was announced")
        return self.keep()

    def close(self) -> None:
        """Close the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def _write_all(file: int, data: bytes, at: int) -> None:
    view = memoryview(data)
    while view:
        done = os.pwrite(file, view, at)
        view, at = view[done:], at + done
