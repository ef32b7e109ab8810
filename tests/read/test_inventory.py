"""What Clinic made and is still there: found by what it says of itself, removed by the same."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest

from clinic.bundle.package import Package
from clinic.errors import UsageError
from clinic.read.inventory import Left, What, keys, remove, things
from clinic.read.privatemap import PrivateMap
from clinic.scratch import scratch

NOW = datetime(2026, 11, 26, tzinfo=timezone.utc)


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The state directory is the test's own."""
    monkeypatch.setenv("CLINIC_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with a package, with another in parts, and with things that look like ours."""
    place = tmp_path / "place"
    place.mkdir()
    data = b"packed"
    package = Package(
        "b" * 64,
        "p.tar.zst",
        hashlib.sha256(data).hexdigest(),
        len(data),
        "tar.zst",
        "2026-11-25T00:00:00Z",
        True,
        "prod",
    )
    (place / "p.tar.zst").write_bytes(data)
    (place / "q.tar.zst.parts").mkdir()
    (place / "q.tar.zst.parts" / "q.tar.zst.001").write_bytes(data[:3])
    (place / "q.tar.zst.parts" / "SHA256SUMS").write_bytes(b"")
    (place / "q.tar.zst.parts" / "q.tar.zst.json").write_bytes(replace(package, name="q.tar.zst").to_json())
    (place / "p.tar.zst.md").write_bytes(b"somebody's notes")
    (place / "p.tar.zst.json").write_bytes(package.to_json())
    (place / "other.json").write_bytes(b"{}")
    (place / "other").write_bytes(b"a file with a JSON file beside it")
    (place / "web").mkdir()
    (place / "web" / "manifest.json").write_bytes(b'{"name": "an extension"}')
    return place


def test_packages_are_found_and_strangers_are_not(place: Path) -> None:
    found, parts = things([place])
    assert (found.what, found.path.name, found.cluster) == (What.PACKAGE, "p.tar.zst", "prod")
    assert (parts.what, parts.path.name, parts.cluster) == (What.PACKAGE, "q.tar.zst.parts", "prod")
    assert found.age(NOW) == 86400
    assert next(iter(things([found.path]))) == found


def test_a_package_goes_with_its_facts_and_parts(place: Path) -> None:
    (place / "q.tar.zst.parts" / "mine").write_bytes(b"x")
    found, parts = things([place])
    assert remove(found) == ()
    assert remove(parts) == ("mine",)
    assert {path.name for path in place.iterdir()} == {
        "p.tar.zst.md", "other", "other.json", "web", "q.tar.zst.parts",
    }  # fmt: skip


def test_a_package_that_became_another_file_stays(place: Path) -> None:
    (place / "p.tar.zst").write_bytes(b"something else by now")
    assert [one.path.name for one in things([place])] == ["q.tar.zst.parts"]


def test_a_link_to_a_package_is_not_followed(place: Path, tmp_path: Path) -> None:
    other = tmp_path / "links"
    other.mkdir()
    for name in ("p.tar.zst", "p.tar.zst.json"):
        (other / name).symlink_to(place / name)
    assert list(things([other])) == []


def test_a_place_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing at"):
        list(things([tmp_path / "no"]))


def test_keys_are_listed_and_removed_with_their_names(state: Path) -> None:
    private = PrivateMap("prod")
    private.key()
    private.keep({"host-0123456789": "db1"}, {"db1": "host"})
    (found,) = keys()
    assert (found.what, found.cluster, found.names) == (What.KEY, "prod", 1)
    (private.directory / "mine").write_bytes(b"x")
    assert remove(found) == ("mine",)
    assert list(keys()) == []
    assert not (state / "privacy" / "prod" / "key").exists()


def test_an_age_nobody_can_say_is_none() -> None:
    assert Left(What.BUNDLE, Path(), "prod", "soon").age(NOW) is None


def test_what_a_killed_command_left_is_found_and_goes_and_what_is_in_use_stays(tmp_path: Path) -> None:
    names = (".clinic-ab1", ".q.tar.zst.parts.0123abcd", "clinic-promql-x_1")
    for name in (*names, ".clinic", ".other-ab1"):
        (tmp_path / name).mkdir(mode=0o700)
        (tmp_path / name / "clear").write_text("text")
    with scratch(".clinic-used", tmp_path) as used:
        found = list(things([tmp_path]))
        assert {(one.what, one.path.name, one.size) for one in found} == {
            (What.SCRATCH, name, 4) for name in names
        }
        assert [remove(one) for one in found] == [(), (), ()]
        assert {path.name for path in tmp_path.iterdir()} == {".clinic", ".other-ab1", used.name}
