"""No link, swap or second name of another user leads a privileged reader astray."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from clinic.deadline import Deadline
from clinic.errors import Failed, ItemError, Skip
from clinic.host.local import LocalHost
from clinic.host.walk import shown, walk
from clinic.outcome import Reason

NOBODY, DAEMON = 65534, 1

pytestmark = pytest.mark.usefixtures("two_users")


@pytest.fixture
def logs(place: Path) -> Path:
    """A log directory that belongs to `nobody`, with a log in it, beside a file that only root may read."""
    secret = place / "secret"
    secret.write_text("root's secret")
    secret.chmod(0o600)
    directory = place / "log"
    directory.mkdir()
    (directory / "tidb.log").write_text("a log")
    for path in (directory, directory / "tidb.log"):
        os.chown(path, NOBODY, NOBODY)
    return directory


@pytest.fixture
def read(here: LocalHost) -> Callable[[Path], bytes]:
    """What is in the file that the door opens for this path."""

    def read(path: Path) -> bytes:
        with here.open(str(path), Deadline(5)) as reader:
            return b"".join(reader.stream(0, None, Deadline(5)))

    return read


@pytest.fixture
def reason(read: Callable[[Path], bytes]) -> Callable[[Path], Reason]:
    """Why the door does not open this path."""

    def reason(path: Path) -> Reason:
        with pytest.raises(ItemError) as caught:
            read(path)
        return caught.value.reason

    return reason


def link(path: Path, target: str | Path, owner: int = NOBODY) -> Path:
    """Make a link of that user."""
    path.symlink_to(target)
    os.lchown(path, owner, owner)
    return path


def test_a_foreign_link_to_a_file_of_root_is_refused(
    logs: Path, place: Path, here: LocalHost, reason: Callable[[Path], Reason]
) -> None:
    """`log/tidb.log -> /etc/shadow`: at the end of the path or in its middle, absolute or not, in one hop or two."""
    shadow = link(logs / "shadow.log", "/etc/shadow")
    with pytest.raises(Failed) as caught:
        here.open(str(shadow), Deadline(1))
    assert caught.value.reason is Reason.UNSAFE
    assert caught.value.message == (
        f"{shadow} leads to /etc/shadow, which belongs to user 0, through a link of user {NOBODY}"
    )
    assert reason(link(logs / "relative.log", "../secret")) is Reason.UNSAFE
    assert reason(link(logs / "up", place) / "secret") is Reason.UNSAFE
    assert reason(link(logs / "dots", "..") / "log/../secret") is Reason.UNSAFE
    two = link(place / "by-root", place / "secret", owner=0)
    assert reason(link(logs / "two-hops.log", two)) is Reason.UNSAFE
    assert reason(link(place / "by-root-too", logs / "relative.log", owner=0)) is Reason.UNSAFE


def test_a_foreign_link_to_a_third_user_is_refused(
    logs: Path, place: Path, reason: Callable[[Path], Reason]
) -> None:
    third = place / "third.log"
    third.write_text("not yours")
    os.chown(third, DAEMON, DAEMON)
    assert reason(link(logs / "x.log", third)) is Reason.UNSAFE


def test_a_foreign_link_to_its_owners_own_file_is_followed(
    logs: Path, place: Path, read: Callable[[Path], bytes]
) -> None:
    assert read(link(logs / "current.log", "tidb.log")) == b"a log"
    assert read(link(place / "deploy", logs) / "tidb.log") == b"a log"
    odd = link(place / "odd", f"{logs}/./../log//tidb.log")
    assert read(odd) == b"a log"
    with walk(f"{place}/../{place.name}/odd") as found:
        assert found.real == f"{logs}/tidb.log"


def test_a_link_of_root_is_followed(logs: Path, place: Path, read: Callable[[Path], bytes]) -> None:
    assert read(link(place / "a", logs / "tidb.log", owner=0)) == b"a log"
    assert read(link(logs / "b", "../secret", owner=0)) == b"root's secret"


def test_a_second_name_of_roots_link_is_the_word_of_who_gave_it(
    logs: Path, place: Path, reason: Callable[[Path], Reason]
) -> None:
    original = link(place / "original", "../secret", owner=0)
    os.link(original, logs / "stolen", follow_symlinks=False)
    assert reason(logs / "stolen") is Reason.UNSAFE


def test_loops_end(place: Path, reason: Callable[[Path], Reason], read: Callable[[Path], bytes]) -> None:
    link(place / "x", "y", owner=0)
    assert reason(link(place / "y", "x", owner=0)) is Reason.UNSAFE
    assert reason(link(place / "self", "self/deeper", owner=0)) is Reason.UNSAFE
    (place / "0").write_text("reached")
    for number in range(1, 42):
        link(place / str(number), str(number - 1), owner=0)
    assert read(place / "40") == b"reached"
    assert reason(place / "41") is Reason.UNSAFE


def test_a_swap_after_the_open_changes_nothing(logs: Path, here: LocalHost, place: Path) -> None:
    with here.open(f"{logs}/tidb.log", Deadline(1)) as reader:
        (logs / "tidb.log").unlink()
        link(logs / "tidb.log", place / "secret")
        assert list(reader.stream(0, None, Deadline(1))) == [b"a log"]


def test_a_swap_before_the_open_changes_nothing(logs: Path, place: Path) -> None:
    """The name means something else by the time that the file is opened; what was checked is what is read."""
    from clinic.host.walk import reopen

    with walk(f"{logs}/tidb.log") as found:
        (logs / "tidb.log").unlink()
        link(logs / "tidb.log", place / "secret")
        fd = reopen(found, "tidb.log", 0, "r")
    assert os.read(fd, 100) == b"a log"
    os.close(fd)


@pytest.fixture
def swapping(logs: Path, place: Path) -> Iterator[None]:
    """A second thread that keeps swapping the log for a link to the secret, and its directory for one, too."""
    stop = threading.Event()
    link(logs / "evil", place / "secret")
    os.rename(logs / "tidb.log", logs / "good")
    trap = place / "trap"
    trap.mkdir()
    shutil.copy(place / "secret", trap / "tidb.log")
    link(place / "evil-log", trap)

    def swap() -> None:
        while not stop.is_set():
            os.link(logs / "good", logs / "next")
            os.rename(logs / "next", logs / "tidb.log")
            os.link(logs / "evil", logs / "next", follow_symlinks=False)
            os.rename(logs / "next", logs / "tidb.log")
            os.rename(logs, place / "aside")
            os.rename(place / "evil-log", logs)
            os.rename(logs, place / "evil-log")
            os.rename(place / "aside", logs)

    thread = threading.Thread(target=swap)
    thread.start()
    yield
    stop.set()
    thread.join()


def test_swaps_during_the_open_never_show_the_secret(
    logs: Path, swapping: None, read: Callable[[Path], bytes]
) -> None:
    del swapping
    seen: set[object] = set()
    for _ in range(1500):
        try:
            seen.add(read(logs / "tidb.log"))
        except ItemError as error:
            seen.add(error.reason)
    assert {b"a log", Reason.UNSAFE} <= seen <= {b"a log", Reason.UNSAFE, Reason.NOT_FOUND}


def test_a_second_name_of_a_foreign_file_is_refused(
    logs: Path, place: Path, reason: Callable[[Path], Reason], read: Callable[[Path], bytes]
) -> None:
    """Where fs.protected_hardlinks is off, anybody can give another's file a name in a place of his own."""
    os.link(place / "secret", logs / "planted.log")
    assert reason(logs / "planted.log") is Reason.UNSAFE
    assert read(place / "secret") == b"root's secret", "in root's own directory nobody else could have"
    os.link(logs / "tidb.log", logs / "backup.log")
    assert read(logs / "backup.log") == b"a log", "his own file in his own directory"
    shared = place / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    os.link(place / "secret", shared / "planted.log")
    assert reason(shared / "planted.log") is Reason.UNSAFE


def test_a_hard_link_in_a_group_directory_is_refused(place: Path, reason: Callable[[Path], Reason]) -> None:
    shared = place / "shared"
    shared.mkdir()
    os.chown(shared, 0, NOBODY)
    shared.chmod(0o775)
    (place / "secret").write_text("x")
    os.link(place / "secret", shared / "planted.log")
    assert reason(shared / "planted.log") is Reason.UNSAFE


def test_stat_and_list_are_not_led_astray_either(logs: Path, place: Path, here: LocalHost) -> None:
    link(logs / "up", place)
    with pytest.raises(Failed) as caught:
        here.stat(f"{logs}/up/secret", Deadline(1))
    assert caught.value.reason is Reason.UNSAFE
    for pattern in (f"{logs}/up/*", f"{logs}/*/secret"):
        with pytest.raises(Failed) as caught:
            here.list(pattern, Deadline(1))
        assert caught.value.reason is Reason.UNSAFE


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("tidb.log", "tidb.log is not an absolute path"),
        ("", " is not an absolute path"),
        ("/etc/pass\0wd", "'/etc/pass\\x00wd' has a NUL in it: no file can be called that"),
        ("/" + "a/" * 3000, "is longer than any path can be"),
        ("/etc/" + "a" * 300, "File name too long"),
        ("/etc/passwd/x", "/etc/passwd/x: Not a directory"),
        ("/no/such", "/no/such: No such file or directory"),
    ],
)
def test_a_path_that_leads_nowhere_is_not_found(here: LocalHost, path: str, said: str) -> None:
    for look in (here.open, here.stat):
        with pytest.raises(Failed) as caught:
            look(path, Deadline(1))
        assert caught.value.reason is Reason.NOT_FOUND
        assert said in caught.value.message
        assert len(caught.value.message) < 400


def test_a_walk_leaves_no_descriptor_open(logs: Path, reason: Callable[[Path], Reason]) -> None:
    before = os.listdir("/proc/self/fd")
    link(logs / "up", "..")
    for path in (logs / "tidb.log/x", logs / "up/secret", logs / "no", logs):
        reason(path)
    assert os.listdir("/proc/self/fd") == before


def test_names_in_messages_are_harmless() -> None:
    assert shown("/var/log/x.log") == "/var/log/x.log"
    assert shown("/var/log/\x1b[2J\n.log") == r"'/var/log/\x1b[2J\n.log'"
    assert shown("/var/log/\udcff") == r"'/var/log/\udcff'"
    assert len(shown("/" + "x" * 4000)) < 300


def test_without_rights_the_fix_is_a_group_or_an_access_list(
    logs: Path, here: LocalHost, as_nobody: Callable[..., Any]
) -> None:
    def refused(path: Path) -> object:
        return as_nobody(lambda: LocalHost("here").open(str(path), Deadline(1)))

    log = logs / "tidb.log"
    os.chown(log, 0, 4)
    log.chmod(0o640)
    assert refused(log) == (
        Reason.NOT_PERMITTED, f"{log}: Permission denied", "sudo usermod -aG adm nobody (then log in again)"
    )  # fmt: skip
    log.chmod(0o600)
    assert refused(log) == (
        Reason.NOT_PERMITTED, f"{log}: Permission denied", f"sudo setfacl -m u:nobody:r {log}"
    )  # fmt: skip
    os.chown(logs, 0, 0)
    logs.chmod(0o700)
    assert refused(log) == (
        Reason.NOT_PERMITTED, f"{log}: Permission denied", f"sudo setfacl -m u:nobody:x {logs}"
    )  # fmt: skip
    assert as_nobody(lambda: LocalHost("here").list(f"{logs}/*.log", Deadline(1))) == (
        Reason.NOT_PERMITTED, f"{logs}: Permission denied", f"sudo setfacl -m u:nobody:rx {logs}"
    )  # fmt: skip
    with here.open(str(log), Deadline(1)) as reader:
        assert reader.info.size == 5
    assert refused(Path("/proc/1/environ")) == (
        Reason.NOT_PERMITTED, "/proc/1/environ: Permission denied", "run Clinic as root"
    )  # fmt: skip


def test_a_user_is_not_led_astray_by_another(place: Path, as_nobody: Callable[..., Any]) -> None:
    """Nobody's own file, through a link of a third user: it is nobody who would disclose it."""
    own = place / "own"
    own.write_text("mine")
    os.chown(own, NOBODY, NOBODY)
    trap = link(place / "trap", own, owner=DAEMON)
    mine = link(place / "mine", own)
    assert as_nobody(lambda: LocalHost("here").open(str(trap), Deadline(1)))[0] is Reason.UNSAFE
    assert as_nobody(lambda: LocalHost("here").open(str(mine), Deadline(1)).info.size) == 4


def test_links_of_proc_are_followed_like_any(here: LocalHost) -> None:
    with here.open("/proc/self/status", Deadline(1)) as reader:
        assert f"Pid:\t{os.getpid()}".encode() in b"".join(reader.stream(0, None, Deadline(1)))
    with pytest.raises(ItemError):
        here.open("/proc/self/fd/0/x", Deadline(1))


def test_skip_is_not_raised_for_what_is_only_absent(here: LocalHost) -> None:
    try:
        here.open("/etc/no-such-file", Deadline(1))
    except Skip:
        pytest.fail("an absent file is for the source to judge")
    except Failed as error:
        assert error.reason is Reason.NOT_FOUND
