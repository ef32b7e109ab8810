"""What is opened: regular files that are no keys, read by offset while they change."""

from __future__ import annotations

import os
import socket
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from clinic.deadline import Deadline
from clinic.errors import Cancelled, ItemError, Skip, TimedOut
from clinic.host.base import Reader
from clinic.host.local import LocalHost
from clinic.host.reader import PIECE
from clinic.outcome import Reason
from clinic.units import GIB, KIB, MIB

Open = Callable[[Path | str], Reader]


@pytest.fixture
def opened(here: LocalHost) -> Open:
    """Opens a file; the deadline is far."""
    return lambda path: here.open(str(path), Deadline(5))


def refusal(opened: Open, path: Path | str) -> tuple[Reason, str]:
    """Why it is not opened."""
    with pytest.raises(ItemError) as caught:
        opened(path)
    return caught.value.reason, caught.value.message


def whole(reader: Reader, start: int = 0, end: int | None = None) -> bytes:
    """The bytes of a range; the file is closed."""
    with reader:
        return b"".join(reader.stream(start, end, Deadline(5)))


def test_a_file_is_read_in_pieces(opened: Open, tmp_path: Path) -> None:
    data = os.urandom(MIB + 7)
    (tmp_path / "log").write_bytes(data)
    with opened(tmp_path / "log") as reader:
        pieces = list(reader.stream(0, None, Deadline(5)))
        assert b"".join(pieces) == data
        assert max(map(len, pieces)) == PIECE
        assert b"".join(reader.stream(5, MIB, Deadline(5))) == data[5:MIB]
        assert reader.info.size == len(data)
        assert reader.info.path == f"{tmp_path}/log"


def test_ranges_come_in_order_and_short_at_the_end(opened: Open, tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"0123456789")
    with opened(tmp_path / "log") as reader:
        wanted = [(8, 5), (0, 3), (20, 4), (4, 0)]
        assert reader.ranges(wanted, Deadline(5)) == [b"89", b"012", b"", b""]


def device(path: str) -> None:
    """Make another /dev/null."""
    if os.geteuid() != 0:
        pytest.skip("only root can make a device")
    os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 3))


def bound(path: str) -> None:
    """Make a socket, which stays when it is closed."""
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(path)


@pytest.mark.parametrize(("make", "what"), [(os.mkfifo, "a FIFO"), (device, "a device"), (bound, "a socket")])
def test_what_is_named_like_a_log_and_is_none_is_refused_at_once(
    opened: Open, place: Path, make: Callable[[str], None], what: str
) -> None:
    path = place / "tidb.log"
    make(str(path))
    started = time.monotonic()
    assert refusal(opened, path) == (Reason.UNSAFE, f"{path} is {what}, and only regular files are read")
    assert time.monotonic() - started < 10


def test_a_directory_is_no_file(opened: Open) -> None:
    assert refusal(opened, "/etc") == (
        Reason.READ_ERROR, "/etc is a directory, and only regular files are read"
    )  # fmt: skip


def test_a_file_may_grow_shrink_or_vanish_while_it_is_open(opened: Open, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"0123456789")
    with opened(log) as reader:
        with log.open("ab") as file:
            file.write(b"later")
        assert b"".join(reader.stream(0, reader.info.size, Deadline(5))) == b"0123456789"
        assert b"".join(reader.stream(0, None, Deadline(5))) == b"0123456789later"
        os.truncate(log, 4)
        assert b"".join(reader.stream(0, 10, Deadline(5))) == b"0123"
        log.unlink()
        assert b"".join(reader.stream(0, 10, Deadline(5))) == b"0123"


def test_a_read_ends_at_the_deadline_or_when_called_off(opened: Open, tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(bytes(3 * PIECE))
    deadline = Deadline(60)
    with opened(tmp_path / "log") as reader:
        pieces = reader.stream(0, None, deadline)
        next(pieces)
        deadline.cancel()
        with pytest.raises(Cancelled):
            next(pieces)
        with pytest.raises(TimedOut):
            reader.ranges([(0, 1)], Deadline(0))


def test_holes_are_read_as_zeros_without_room(opened: Open, tmp_path: Path) -> None:
    (tmp_path / "log").touch()
    os.truncate(tmp_path / "log", GIB)
    with opened(tmp_path / "log") as reader:
        assert reader.ranges([(GIB - 4, 10), (GIB // 2, 2)], Deadline(5)) == [bytes(4), bytes(2)]


def test_files_of_the_kernel_are_read_whatever_their_size(opened: Open) -> None:
    reader = opened("/proc/meminfo")
    assert reader.info.size == 0
    assert whole(reader).startswith(b"MemTotal:")
    assert whole(opened("/sys/kernel/mm/transparent_hugepage/enabled")).count(b"[") == 1
    assert b" / " in whole(opened("/etc/mtab"))


def test_the_kernel_having_nothing_to_say_is_no_failure(opened: Open) -> None:
    """The loopback has no speed, and sysfs says so with EINVAL."""
    with opened("/sys/class/net/lo/speed") as reader, pytest.raises(Skip) as caught:
        list(reader.stream(0, None, Deadline(5)))
    assert caught.value.reason is Reason.NOT_APPLICABLE


def test_a_key_is_never_opened_whatever_it_is_called(opened: Open, tmp_path: Path) -> None:
    key = tmp_path / "tidb.log"
    key.write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1r\n")
    assert refusal(opened, key) == (
        Reason.SECRET_FILE, f"{key} is a private key or key store, which are never read"
    )  # fmt: skip
    (tmp_path / "server.key").write_text("anything")
    assert refusal(opened, tmp_path / "server.key")[0] is Reason.SECRET_FILE
    (tmp_path / "innocent").symlink_to("server.key")
    assert refusal(opened, tmp_path / "innocent")[0] is Reason.SECRET_FILE
    assert refusal(opened, "/etc/shadow")[0] is Reason.SECRET_FILE
    before = os.listdir("/proc/self/fd")
    refusal(opened, key)
    assert os.listdir("/proc/self/fd") == before


def test_closing_twice_is_fine_and_leaves_nothing(opened: Open, tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(bytes(KIB))
    before = os.listdir("/proc/self/fd")
    reader = opened(tmp_path / "log")
    reader.close()
    reader.close()
    assert os.listdir("/proc/self/fd") == before
