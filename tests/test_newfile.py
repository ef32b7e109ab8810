"""A new file is there whole or not at all, on file systems with nameless files and on others."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

import clinic.newfile
from clinic.errors import Refused
from clinic.newfile import NewFile, private_folder, put


@pytest.fixture(params=[True, False], ids=["nameless", "hidden"], autouse=True)
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With nameless files, and as on a file system that has none."""
    if not request.param:
        monkeypatch.setattr(clinic.newfile, "_NAMELESS", 0)


def test_it_appears_with_its_bytes_and_is_private(tmp_path: Path) -> None:
    with NewFile(tmp_path / "f") as new:
        new.write(b"hello ")
        new.write(b"world")
        assert not (tmp_path / "f").exists()
        new.keep()
    assert (tmp_path / "f").read_bytes() == b"hello world"
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["f"]


def test_without_keep_nothing_stays(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), NewFile(tmp_path / "f") as new:
        new.write(b"hello")
        raise KeyboardInterrupt
    assert os.listdir(tmp_path) == []


def test_a_taken_name_is_refused_and_keeps_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"mine")
    with pytest.raises(Refused), NewFile(tmp_path / "f") as new:
        new.keep()
    assert (tmp_path / "f").read_bytes() == b"mine"
    assert os.listdir(tmp_path) == ["f"]


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"mine")
    (tmp_path / "f").symlink_to(tmp_path / "target")
    put(tmp_path / "f", b"new")
    assert (tmp_path / "target").read_bytes() == b"mine"
    assert (tmp_path / "f").read_bytes() == b"new"
    assert not (tmp_path / "f").is_symlink()


def test_put_replaces_whole(tmp_path: Path) -> None:
    for data in (b"first", b"second"):
        put(tmp_path / "f", data)
        assert (tmp_path / "f").read_bytes() == data
    assert os.listdir(tmp_path) == ["f"]


def test_no_directory_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="No such file"):
        put(tmp_path / "none" / "f", b"x")


def test_folders_are_made_private(tmp_path: Path) -> None:
    private_folder(tmp_path / "a" / "b")
    private_folder(tmp_path / "a" / "b")
    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a", "a/b")] == [0o700, 0o700]
