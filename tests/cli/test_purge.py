"""`clinic bundles` lists what is there; `clinic purge` removes it after a yes that was typed, and only then."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.conftest import Ended
from tests.cli.test_terminal import at_terminal

pytestmark = pytest.mark.slow

YES = b"Type yes"


@pytest.fixture
def bundle(clinic: Callable[..., Ended], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bundle in which names were replaced, so that there is a key too."""
    monkeypatch.setenv("CLINIC_HOME", str(tmp_path / "state"))
    new = tmp_path / "place" / "new"
    new.parent.mkdir()
    words = ("collect", "local", "-y", "-o", new, "--include", "clock", "--privacy", "identifiers")
    assert clinic(*words).code in (0, 3)
    return new


def _asked(tmp_path: Path, answer: bytes, *words: str) -> tuple[int, str]:
    return at_terminal(tmp_path, ["purge", *words], b"", before=((YES, answer),))


def test_only_a_typed_yes_removes(bundle: Path, tmp_path: Path) -> None:
    for answer in (b"\n", b"y\n", b"no\n", b"\x04"):
        code, shown = _asked(tmp_path, answer, "place")
        assert code == 0
        assert "Nothing was removed." in shown
        assert (bundle / "manifest.json").is_file()
    code, shown = _asked(tmp_path, b"yes\n", "place")
    assert code == 0
    assert "Removed 1 thing" in shown
    assert not bundle.exists()
    assert list((tmp_path / "state" / "privacy").glob("*/key"))


def test_a_key_goes_only_when_it_is_named(bundle: Path, tmp_path: Path, clinic: Callable[..., Ended]) -> None:
    found = clinic("bundles", "place", "--json").json
    assert [one["what"] for one in found] == ["bundle", "key"]
    assert found[0]["privacy"] == "identifiers"
    assert found[0]["age_seconds"] is not None
    code, shown = _asked(tmp_path, b"yes\n", "--key", found[1]["cluster"])
    assert code == 0
    assert "nobody can turn" in shown
    assert bundle.exists()
    assert not list((tmp_path / "state" / "privacy").glob("*/key"))


def test_nobody_can_say_yes_without_a_terminal(bundle: Path, clinic: Callable[..., Ended]) -> None:
    assert clinic("purge", "place").code == 5
    assert clinic("purge", "place", "--dry-run").code == 0
    assert "nothing to remove" in clinic("purge", "place", "--older-than", "1h").out
    assert bundle.exists()


def test_a_key_is_carried_to_another_machine(
    bundle: Path, tmp_path: Path, clinic: Callable[..., Ended]
) -> None:
    cluster = clinic("bundles", bundle, "--json").json[1]["cluster"]
    assert clinic("keys", "export", cluster, tmp_path / "carried").code == 0
    assert (tmp_path / "carried").stat().st_mode & 0o777 == 0o600
    assert clinic("keys", "export", cluster, tmp_path / "carried").code == 2
    other = {"CLINIC_HOME": str(tmp_path / "other")}
    page = next(bundle.glob("SUMMARY.txt"))
    assert clinic("keys", "import", tmp_path / "carried", env=other).code == 0
    assert clinic("unmask", page, env=other).out == clinic("unmask", page).out
    assert clinic("unmask", page).out != page.read_text()
