"""A process may point only at what its account could read by itself."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from clinic.cluster.discovery.reach import Account, could_read

ME = Account(os.geteuid(), frozenset({os.getegid()}))
OTHER = Account(54321, frozenset({54321}))


@pytest.fixture
def file(open_folder: Path) -> Path:
    path = open_folder / "etc" / "my.cnf"
    path.parent.mkdir(mode=0o755)
    path.write_text("x")
    path.chmod(0o644)
    return path


def test_what_everybody_may_read_is_reached(file: Path) -> None:
    assert could_read(OTHER, str(file))


def test_what_is_closed_to_the_account_is_not(file: Path) -> None:
    file.chmod(0o640)
    assert not could_read(OTHER, str(file))


def test_a_group_of_the_account_opens_it(file: Path) -> None:
    file.chmod(0o640)
    assert could_read(Account(54321, frozenset({54321, file.stat().st_gid})), str(file))


def test_a_directory_on_the_way_closes_it(file: Path) -> None:
    file.parent.chmod(0o700)
    assert not could_read(OTHER, str(file))


def test_the_owners_own_bits_count_for_the_owner(file: Path) -> None:
    file.chmod(0o044)
    assert could_read(OTHER, str(file))
    assert not Account(file.stat().st_uid, frozenset()).may(4, file.stat())


def test_a_link_is_followed_to_what_it_stands_for(file: Path) -> None:
    file.chmod(0o600)
    link = file.with_name("link")
    link.symlink_to(file)
    assert not could_read(OTHER, str(link))


def test_what_is_not_there_can_be_named(file: Path) -> None:
    """A log that will be written is no danger; whoever opens it looks again."""
    assert could_read(OTHER, str(file.with_name("gone.log")))


def test_root_reaches_everything(file: Path) -> None:
    file.chmod(0)
    assert could_read(Account(0, frozenset()), str(file))


def test_no_secret_of_the_system_is_reached_by_an_account_without_rights() -> None:
    assert not could_read(OTHER, "/etc/shadow")
    assert could_read(OTHER, "/etc/passwd")
