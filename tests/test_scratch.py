"""A temporary directory goes whatever happens."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from clinic.scratch import left, scratch, sweep


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


HOLDER = """
import sys, time
from pathlib import Path
from clinic.scratch import scratch
with scratch("clinic-", Path(sys.argv[1])) as place:
    (place / "clear").write_text("text")
    print(flush=True)
    time.sleep(600)
"""


def _holder(place: Path) -> subprocess.Popen[bytes]:
    """A process that has one."""
    return subprocess.Popen([sys.executable, "-c", HOLDER, place], stdout=subprocess.PIPE)


def _kill(process: subprocess.Popen[bytes]) -> None:
    with process:
        process.kill()


def test_what_a_killed_process_left_goes_with_the_next_and_what_is_held_stays(tmp_path: Path) -> None:
    killed, living = _holder(tmp_path), _holder(tmp_path)
    for process in (killed, living):
        assert process.stdout is not None
        assert process.stdout.readline() == b"\n"
    theirs = set(tmp_path.iterdir())
    (tmp_path / "other-1").mkdir(mode=0o700)
    (tmp_path / "clinic-open").mkdir(mode=0o755)
    (tmp_path / "clinic-file").write_text("")
    (tmp_path / "clinic-link").symlink_to(tmp_path / "other-1")
    _kill(killed)
    (dead,) = left(tmp_path, "clinic-")
    assert dead in theirs
    with scratch("clinic-", tmp_path):
        assert not dead.exists()
        assert left(tmp_path, "clinic-") == []
    assert {path.name for path in tmp_path.iterdir()} == {
        "other-1", "clinic-open", "clinic-file", "clinic-link", *(path.name for path in theirs - {dead})
    }  # fmt: skip
    _kill(living)
    sweep(tmp_path, "clinic-")
    assert not any(path.exists() for path in theirs)


@pytest.mark.slow
def test_killed_at_any_instant_nothing_outlives_the_next(tmp_path: Path) -> None:
    pick = random.Random(7)
    for _ in range(12):
        process = _holder(tmp_path)
        time.sleep(pick.random() * 0.3)
        _kill(process)
        with scratch("clinic-", tmp_path) as ours:
            assert os.listdir(tmp_path) == [ours.name]
