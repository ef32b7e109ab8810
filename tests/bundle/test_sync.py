"""What is written reaches the disk soon, in groups, and what goes wrong there is told to who writes next."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clinic.bundle.folder import Folder
from clinic.bundle.sync import FILES, MOST_OPEN, SECONDS, Syncer
from clinic.errors import Refused


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    """An empty directory."""
    folder = Folder.make(tmp_path / "b", None)
    yield folder
    folder.close()


def is_open(number: int) -> bool:
    """Whether the descriptor still is one."""
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def soon(reached: Callable[[], bool]) -> bool:
    """Whether it happens within five seconds."""
    until = time.monotonic() + 5
    while not reached() and time.monotonic() < until:
        time.sleep(0.005)
    return reached()


def test_nothing_waits_longer_than_a_second() -> None:
    assert SECONDS <= 1


def test_a_file_is_synced_and_let_go_of_in_the_background(folder: Folder) -> None:
    syncer = Syncer(folder, seconds=0.01)
    number = folder.create("a")
    syncer.file(number)
    assert soon(lambda: not is_open(number))
    syncer.close()


def test_files_are_synced_together_as_soon_as_they_are_many(folder: Folder) -> None:
    syncer = Syncer(folder, seconds=60)
    numbers = [folder.create(f"{number}") for number in range(FILES)]
    for number in numbers[:-1]:
        syncer.file(number)
    assert all(map(is_open, numbers))
    syncer.file(numbers[-1])
    assert soon(lambda: not any(map(is_open, numbers)))
    syncer.close()


def test_nobody_waits_for_the_disk_until_too_many_files_are_open(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, synced = threading.Event(), os.fsync

    def slow(number: int) -> None:
        go_on.wait(10)
        synced(number)

    monkeypatch.setattr(os, "fsync", slow)
    syncer = Syncer(folder, seconds=60)
    numbers = [folder.create(f"{number}") for number in range(MOST_OPEN - 1)]
    for number in numbers:
        syncer.file(number)

    def bring_more() -> None:
        for number in range(MOST_OPEN):
            syncer.file(folder.create(f"more-{number}"))

    last = threading.Thread(target=bring_more)
    last.start()
    last.join(0.2)
    assert last.is_alive()
    go_on.set()
    last.join(10)
    assert not last.is_alive()
    syncer.close()


def test_what_went_wrong_in_the_background_is_told_to_who_writes_next(folder: Folder) -> None:
    """A pipe can't be synced, as a broken disk can't."""
    syncer = Syncer(folder, seconds=0.01)
    reading, writing = os.pipe()
    syncer.file(writing)
    assert soon(lambda: not is_open(writing))

    def told() -> bool:
        try:
            syncer.wrote()
        except Refused:
            return True
        return False

    assert soon(told)
    with pytest.raises(Refused, match="can't write in"):
        syncer.wrote()
    os.close(reading)
    syncer.close()


def test_closing_lets_go_of_everything(folder: Folder) -> None:
    syncer = Syncer(folder, seconds=60)
    number = folder.create("a")
    syncer.file(number)
    syncer.close()
    assert not is_open(number)
