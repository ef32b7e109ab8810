"""Brings what was written to the disk, in groups and in the right order: files, their names, then the journal."""

from __future__ import annotations

import os
import threading

from clinic.bundle.folder import Folder
from clinic.errors import ClinicError
from clinic.newfile import disk_errors

SECONDS = 1.0
"""What is written reaches the disk at the latest after this."""

FILES = 64
"""Files that are brought to the disk together: from so many on it is begun at once."""

MOST_OPEN = 4 * FILES
"""Files that wait for it, at most: each holds a descriptor until then. Whoever brings one more waits for the disk."""


def _sync_all(files: list[int]) -> None:
    """Sync and close every one, whatever becomes of the others; then raise the first error."""
    failure: OSError | None = None
    for number in files:
        try:
            os.fsync(number)
        except OSError as error:
            failure = failure or error
        os.close(number)
    if failure is not None:
        raise failure


class Syncer:
    """Collects what has to reach the disk. A thread sees to it every second; `flush` does it now."""

    def __init__(self, folder: Folder, seconds: float = SECONDS) -> None:
        """Files and the journal lie in `folder`; `seconds` is the longest that they wait."""
        self._folder = folder
        self._seconds = seconds
        self._journal: int | None = None
        self._files: list[int] = []
        self._written = False
        self._failure: ClinicError | None = None
        self._guard = threading.Lock()
        self._flushing = threading.Lock()
        self._dirty = threading.Event()
        self._many = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="clinic-sync", daemon=True)
        self._thread.start()

    def journal(self, number: int | None) -> None:
        """The journal's descriptor from now on; None when there is none any more."""
        with self._flushing:
            self._journal = number

    def wrote(self) -> None:
        """The journal has a new line. Raises what went wrong in the background since the last call."""
        if self._failure is not None:
            raise self._failure
        self._written = True
        self._dirty.set()

    def file(self, number: int) -> None:
        """A file has got its name. The descriptor is this object's from here on: synced, then closed."""
        with self._guard:
            self._files.append(number)
            waiting = len(self._files)
        self._dirty.set()
        if waiting >= FILES:
            self._many.set()
        if waiting >= MOST_OPEN:
            self.flush()

    def flush(self) -> None:
        """Bring everything to the disk now. Raises `DiskFull` or `Refused` where it does not take it."""
        with self._flushing, disk_errors(self._folder.root):
            with self._guard:
                files, self._files = self._files, []
                written, self._written = self._written, False
            _sync_all(files)
            self._folder.sync()
            if written and self._journal is not None:
                os.fsync(self._journal)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._dirty.wait()
            self._many.wait(self._seconds)
            self._many.clear()
            self._dirty.clear()
            try:
                self.flush()
            except ClinicError as error:
                # Whoever writes next is told: nobody waits for this thread.
                self._failure = error

    def close(self) -> None:
        """End the thread, and let go of files without syncing them: `flush` comes first where they matter."""
        self._stop.set()
        self._many.set()
        self._dirty.set()
        self._thread.join()
        with self._guard:
            for number in self._files:
                os.close(number)
            self._files = []
