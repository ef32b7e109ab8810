"""What passes is counted, and no more passes than may."""

from __future__ import annotations

import threading
import time

from clinic.deadline import Deadline
from clinic.host.ssh.traffic import Bucket, HostMeter


def test_two_hosts_share_one_bucket() -> None:
    bucket = Bucket(1_000_000)
    meters = [HostMeter(bucket), HostMeter(bucket)]
    started = time.monotonic()

    def read(meter: HostMeter) -> None:
        for _ in range(25):
            meter.came(10_000, Deadline(None))

    threads = [threading.Thread(target=read, args=(meter,)) for meter in meters]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # 500 000 bytes, of which a quarter of a second's worth may come at once.
    assert time.monotonic() - started >= 0.2
    assert [meter.received for meter in meters] == [250_000, 250_000]
    assert bucket.waited > 0


def test_without_a_limit_nothing_waits() -> None:
    meter = HostMeter(Bucket(None))
    meter.came(10**12, Deadline(0.0))
    meter.went(5)
    assert (meter.received, meter.sent, meter.requests) == (10**12, 5, 1)


def test_a_deadline_ends_the_wait_and_waiting_is_no_stall() -> None:
    bucket = Bucket(10)
    started = time.monotonic()
    HostMeter(bucket).came(10_000, Deadline(0.1))
    assert time.monotonic() - started < 100
    deadline = Deadline(None, stall=0.05)
    Bucket(100_000).take(40_000, deadline)
    deadline.check()
