"""What an ordinary account may do on a node, and the exact words that would let it do the rest."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.lab.own_sshd import Serve

from clinic.deadline import Deadline
from clinic.errors import Failed, ItemError, Skip
from clinic.host.ssh.host import SSHHost
from clinic.outcome import Reason

pytestmark = pytest.mark.lab
NOBODY = pwd.getpwnam("nobody")


@pytest.fixture(scope="module")
def door(serve: Serve) -> Iterator[SSHHost]:
    """The door to a node at which `nobody` logs in."""
    host = serve(user="nobody", shell="/bin/sh").door()
    yield host
    host.close()


def refusal(call: Callable[[], object]) -> ItemError:
    """Why it is refused."""
    with pytest.raises(ItemError) as caught:
        call()
    return caught.value


def opened(door: SSHHost, path: Path | str) -> bytes:
    """All of a file."""
    with door.open(str(path), Deadline(10)) as reader:
        return b"".join(reader.stream(0, None, Deadline(10)))


def test_it_is_who_logged_in(door: SSHHost) -> None:
    assert door.user == "nobody"
    assert not door.is_root


def test_a_closed_file_says_which_grant_opens_it(door: SSHHost, place: Path) -> None:
    (place / "log").write_text("x")
    (place / "log").chmod(0o600)
    error = refusal(lambda: opened(door, place / "log"))
    assert isinstance(error, Skip)
    assert error.reason is Reason.NOT_PERMITTED
    assert error.fix == f"on node: sudo setfacl -m u:nobody:r {place}/log"


def test_a_closed_directory_says_which_grant_opens_it(door: SSHHost, place: Path) -> None:
    (place / "in").mkdir(mode=0o700)
    (place / "in" / "log").write_text("x")
    for call in (
        lambda: opened(door, place / "in" / "log"),
        lambda: door.stat(f"{place}/in/log", Deadline(10)),
    ):
        error = refusal(call)
        assert error.reason is Reason.NOT_PERMITTED
        assert error.fix == f"on node: sudo setfacl -m u:nobody:x {place}/in"
    error = refusal(lambda: door.list(f"{place}/in/*.log", Deadline(10)))
    assert error.fix == f"on node: sudo setfacl -m u:nobody:x {place}/in"


def test_a_group_that_may_is_named(door: SSHHost, place: Path) -> None:
    (place / "log").write_text("x")
    os.chown(place / "log", 0, 4)
    (place / "log").chmod(0o640)
    assert refusal(lambda: opened(door, place / "log")).fix == "on node: sudo usermod -aG adm nobody"


def test_what_needs_root_names_the_line_of_sudoers(door: SSHHost) -> None:
    error = refusal(lambda: door.run(("dmesg", "--ctime=*"), Deadline(10), root=True))
    assert isinstance(error, Skip)
    assert error.reason is Reason.NOT_PERMITTED
    assert error.fix.startswith("log in at node as root, or add to a file in /etc/sudoers.d, with visudo: ")
    assert error.fix.endswith("nobody ALL=(root) NOPASSWD: /usr/bin/dmesg --ctime\\=\\*")


def test_another_users_link_is_not_followed_to_a_third_ones_file(door: SSHHost, place: Path) -> None:
    (place / "data").write_text("of root")
    (place / "link").symlink_to(place / "data")
    os.lchown(place / "link", 1, 1)
    error = refusal(lambda: opened(door, place / "link"))
    assert isinstance(error, Failed)
    assert error.reason is Reason.UNSAFE
    assert "through a link of user 1" in error.message
    os.lchown(place / "link", 0, 0)
    assert opened(door, place / "link") == b"of root"


def test_a_second_name_in_a_directory_of_others_is_not_read(door: SSHHost, place: Path) -> None:
    (place / "data").write_text("of root")
    (place / "open").mkdir()
    (place / "open").chmod(0o777)
    os.link(place / "data", place / "open" / "log")
    error = refusal(lambda: opened(door, place / "open" / "log"))
    assert error.reason is Reason.UNSAFE
    assert "second name" in error.message


def test_a_process_of_another_is_not_looked_into(door: SSHHost) -> None:
    error = refusal(lambda: opened(door, "/proc/1/environ"))
    assert error.reason is Reason.NOT_PERMITTED
    assert "--ssh-user" in error.fix
