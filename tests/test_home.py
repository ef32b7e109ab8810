"""Whose files count, and where state goes: nobody else may steer a run."""

import os
from pathlib import Path

import pytest

from clinic import home
from clinic.errors import Refused

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give files to another user")


def test_the_override_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CLINIC_HOME", str(tmp_path))
    assert home.config_dir() == home.state_dir() == tmp_path


def test_without_it_the_systems_convention_holds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CLINIC_HOME", raising=False)
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert home.config_dir() == tmp_path / ".config" / "clinic"
    assert home.state_dir() == tmp_path / ".local" / "state" / "clinic"


@as_root
def test_under_sudo_it_is_the_calling_users(monkeypatch: pytest.MonkeyPatch) -> None:
    import pwd

    entry = pwd.getpwnam("nobody")
    monkeypatch.delenv("CLINIC_HOME", raising=False)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("SUDO_UID", str(entry.pw_uid))
    monkeypatch.setenv("SUDO_GID", str(entry.pw_gid))
    assert home.calling_user() == (entry.pw_uid, entry.pw_gid)
    assert home.config_dir() == Path(entry.pw_dir) / ".config" / "clinic"


def test_ones_own_file_is_trusted(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("")
    home.require_trusted(path)


def test_a_file_or_directory_that_others_can_write_is_refused(tmp_path: Path) -> None:
    directory = tmp_path / "open"
    directory.mkdir()
    path = directory / "x.yaml"
    path.write_text("")
    path.chmod(0o666)
    with pytest.raises(Refused, match=r"others can write .*x\.yaml"):
        home.require_trusted(path)
    path.chmod(0o600)
    directory.chmod(0o777)
    with pytest.raises(Refused, match=r"others can write .*open"):
        home.require_trusted(path)


@as_root
def test_root_believes_the_caller_of_sudo_in_configuration_but_runs_only_roots_code(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "theirs.yaml"
    path.write_text("")
    os.chown(path, 65534, 65534)
    with pytest.raises(Refused, match="belongs to user 65534"):
        home.require_trusted(path)
    monkeypatch.setenv("SUDO_UID", "65534")
    monkeypatch.setenv("SUDO_GID", "65534")
    home.require_trusted(path)
    with pytest.raises(Refused, match="belongs to user 65534"):
        home.require_trusted(path, runs_code=True)
