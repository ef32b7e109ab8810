"""A temporary directory goes whatever happens."""

from __future__ import annotations

import signal
import tempfile
from pathlib import Path

import pytest

from clinic.scratch import scratch


@pytest.fixture
def told_while_it_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGINT comes when the directory is there, and nobody has heard of it yet."""
    make = tempfile.mkdtemp

    def slowly(*, prefix: str, dir: Path) -> str:  # as the library calls it
        made = make(prefix=prefix, dir=str(dir))
        signal.raise_signal(signal.SIGINT)
        return made

    monkeypatch.setattr(tempfile, "mkdtemp", slowly)


@pytest.mark.usefixtures("told_while_it_is_made")
def test_a_signal_while_it_is_made_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), scratch("clinic-", tmp_path):
        pytest.fail("it was begun although it had been told to end")
    assert list(tmp_path.iterdir()) == []


def test_what_is_in_it_goes_after_an_error_too(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), scratch("clinic-", tmp_path) as place:
        (place / "inner").mkdir()
        (place / "inner" / "file").write_text("plain")
        assert place.stat().st_mode & 0o777 == 0o700
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
