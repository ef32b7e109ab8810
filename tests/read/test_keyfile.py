"""A key carried to a second machine gives the same pseudonyms there, and none is overwritten."""

from __future__ import annotations

from pathlib import Path

import pytest

from clinic.errors import Refused, UsageError
from clinic.read.keyfile import exported, take_in
from clinic.read.privatemap import PrivateMap
from clinic.redact.pseudonyms import Pseudonyms


@pytest.fixture
def carried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[bytes, str]:
    """An exported key, and the pseudonym of db1 where it was made; the state directory is another by now."""
    monkeypatch.setenv("CLINIC_HOME", str(tmp_path / "first"))
    private = PrivateMap("prod")
    pseudonyms = Pseudonyms(private.key())
    made = pseudonyms.name("host", "db1")
    private.keep(pseudonyms.names, {"db1": "host"})
    data = exported(private)
    monkeypatch.setenv("CLINIC_HOME", str(tmp_path / "second"))
    return data, made


def test_the_second_machine_makes_the_same_pseudonyms(carried: tuple[bytes, str]) -> None:
    data, made = carried
    private, count = take_in(data)
    assert count == 1
    assert Pseudonyms(private.key()).name("host", "db1") == made
    assert PrivateMap.all_names() == {made: "db1"}
    assert private.searched() == {"db1": "host"}
    assert private.directory.stat().st_mode & 0o777 == 0o700
    assert (private.directory / "key").stat().st_mode & 0o777 == 0o600


def test_what_is_known_there_stays(carried: tuple[bytes, str]) -> None:
    data, made = carried
    private, _ = take_in(data)
    private.keep({"host-aaaaaaaaaa": "db2"}, {})
    assert take_in(data)[1] == 2
    assert PrivateMap.all_names() == {made: "db1", "host-aaaaaaaaaa": "db2"}


def test_another_key_is_never_overwritten(carried: tuple[bytes, str]) -> None:
    own = PrivateMap("prod").key().reveal()
    with pytest.raises(Refused, match="another key"):
        take_in(carried[0])
    assert PrivateMap("prod").key().reveal() == own


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b'{"format": "clinic-key/1", "cluster": "x", "key": "short"}']
)
def test_anything_else_is_refused(carried: tuple[bytes, str], data: bytes) -> None:
    with pytest.raises(UsageError, match="no exported key"):
        take_in(data)
    assert list(PrivateMap.every()) == []


def test_a_name_cannot_lead_out_of_the_state_directory(carried: tuple[bytes, str], tmp_path: Path) -> None:
    private, _ = take_in(carried[0].replace(b'"prod"', b'"../../prod"'))
    assert private.directory.parent == tmp_path / "second" / "privacy"


def test_a_cluster_without_a_key_has_nothing_to_export(carried: tuple[bytes, str]) -> None:
    with pytest.raises(UsageError, match="no key"):
        exported(PrivateMap("unknown"))
