"""Profiles and configuration: the shipped ones are valid, a user's mistakes are all named."""

from pathlib import Path

import pytest

from clinic import profile
from clinic.errors import Refused, UsageError
from clinic.kinds import Volatility


@pytest.mark.parametrize("name", profile.SHIPPED)
def test_shipped_profiles_are_valid_and_named_as_their_file(name: str) -> None:
    found = profile.find_profile(name)
    assert found.name == name
    assert found.summary


def test_quick_takes_only_what_a_restart_would_destroy_and_is_bounded() -> None:
    quick = profile.find_profile("quick")
    assert quick.volatility is Volatility.RESTART
    assert quick.deadline == 90


def test_a_users_profile_is_found_by_name_and_by_path(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CLINIC_HOME", str(tmp_path))
    directory = tmp_path / "profiles"
    directory.mkdir()
    path = directory / "ours.yaml"
    path.write_text("include: [storage, network]\nexclude: storage.smart\nmax_size: 200M\n")
    found = profile.find_profile("ours")
    assert found == profile.find_profile(str(path))
    assert found.include == ("storage", "network")
    assert found.exclude == ("storage.smart",)
    assert found.max_size == 200 * 1024**2


def test_all_mistakes_of_a_profile_are_named(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("include: [1]\nvolatility: sometimes\ndeadline: soon\ncolour: red\n")
    with pytest.raises(UsageError, match="has 4 mistakes") as caught:
        profile.read_profile(path)
    assert all(f"bad.yaml:{line}:" in caught.value.message for line in (1, 2, 3, 4))


def test_an_unknown_profile_names_the_shipped_ones() -> None:
    with pytest.raises(UsageError) as caught:
        profile.find_profile("nosuch")
    assert "quick, default, full" in caught.value.hint


def test_configuration_is_optional_and_checked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CLINIC_HOME", str(tmp_path))
    assert profile.read_config() == profile.Config()
    path = tmp_path / "config.yaml"
    path.write_text("profile: quick\ncollectors: [uptime, /etc/clinic/collectors]\n")
    assert profile.read_config() == profile.Config("quick", ("uptime", "/etc/clinic/collectors"))
    path.write_text("profil: quick\n")
    with pytest.raises(UsageError, match="unknown key 'profil'"):
        profile.read_config()
    path.chmod(0o666)
    with pytest.raises(Refused, match="others can write"):
        profile.read_config()
