"""What passes over SSH: counted for each host, and held up where all of it together would be too much."""

from __future__ import annotations

import threading
import time

from clinic.deadline import Deadline
from clinic.errors import ItemError

_SLICE = 0.05


class Bucket:
    """Holds the bytes that may come a second, for all hosts together. A stream waits until its own have run out."""

    BURST = 0.25
    """Seconds' worth that may come at once."""

    def __init__(self, rate: float | None) -> None:
        """`rate` is in bytes a second; None for as fast as it goes."""
        self._rate = rate
        self._lock = threading.Lock()
        self._free_at = time.monotonic()
        self.waited = 0.0
        """Seconds that streams were held up, together."""

    def take(self, size: int, deadline: Deadline) -> None:
        """Account for bytes that came, and wait until the next may. A stop of the run is noticed by who reads."""
        if self._rate is None:
            return
        with self._lock:
            now = time.monotonic()
            self._free_at = max(self._free_at, now - self.BURST) + size / self._rate
            wait = self._free_at - now
        if wait <= 0:
            return
        until = time.monotonic() + wait
        try:
            while (left := until - time.monotonic()) > 0:
                time.sleep(min(left, _SLICE))
                deadline.moved()  # It is us who wait: nothing has stalled.
                deadline.check()
        except ItemError:
            return  # Its deadline, or the run's end: the next look at the clock says so.
        finally:
            with self._lock:
                self.waited += time.monotonic() - now


class HostMeter:
    """Counts for one host; its bytes run through the bucket of all."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._lock = threading.Lock()
        self.received = 0
        """Bytes that came, as they came: compressed."""
        self.sent = 0
        """Bytes that were sent."""
        self.requests = 0
        """Commands, lists and reads."""

    def came(self, size: int, deadline: Deadline) -> None:
        """So many bytes came over the connection."""
        with self._lock:
            self.received += size
        self._bucket.take(size, deadline)

    def went(self, size: int) -> None:
        """One request of so many bytes was sent."""
        with self._lock:
            self.sent += size
            self.requests += 1
