"""Under sudo the receipts are the caller's: no link of theirs makes root write or give away anything."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from clinic.consent.receipt import Event, Happened
from clinic.consent.receipts import Receipts
from clinic.errors import Refused

NOBODY = 65534
EVENT = Event(Happened.REFUSED, "one", "2026-11-25T12:00:00Z")


@pytest.fixture
def theirs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory of the account that called sudo, which everybody can reach."""
    if os.geteuid() != 0:
        pytest.skip("only root can play several users")
    monkeypatch.setenv("SUDO_UID", str(NOBODY))
    monkeypatch.setenv("SUDO_GID", str(NOBODY))
    place = Path(tempfile.mkdtemp())
    place.chmod(0o755)
    home = place / "home"
    home.mkdir()
    os.chown(home, NOBODY, NOBODY)
    yield home
    shutil.rmtree(place)


def test_what_is_written_is_theirs_and_root_is_root_again(theirs: Path) -> None:
    receipts = Receipts(theirs / "state" / "receipts")
    receipts.append(EVENT)
    assert {path.stat().st_uid for path in receipts.directory.iterdir()} == {NOBODY}
    assert (os.geteuid(), os.getegid()) == (0, 0)
    assert len(receipts.entries()) == 1


def test_a_link_of_theirs_leads_root_nowhere(theirs: Path) -> None:
    roots = theirs.parent / "roots"
    roots.mkdir(mode=0o755)
    (theirs / "state").symlink_to(roots)
    with pytest.raises(Refused):
        Receipts(theirs / "state" / "receipts").append(EVENT)
    assert list(roots.iterdir()) == []
    assert os.geteuid() == 0
