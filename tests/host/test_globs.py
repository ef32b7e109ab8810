"""Globs: what matches, in order, bounded, quick, and without entering what is another's."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from clinic.deadline import Deadline
from clinic.errors import Cancelled, Failed, TimedOut
from clinic.host.base import FileKind
from clinic.host.local import LocalHost
from clinic.outcome import Reason

Names = Callable[..., list[str]]


@pytest.fixture
def tree(place: Path) -> Path:
    """A few files in directories."""
    for name in ("a/x.log", "a/y.log", "a/.hidden.log", "b/x.log", "b/z.txt", "c", "a-b/x.log"):
        (place / name).parent.mkdir(exist_ok=True)
        (place / name).write_text(name)
    return place


@pytest.fixture
def names(here: LocalHost, tree: Path) -> Names:
    """What matches below the tree, without its path."""

    def names(pattern: str, limit: int = 100_000) -> list[str]:
        found = here.list(f"{tree}/{pattern}", Deadline(5), limit=limit)
        return [info.path.removeprefix(f"{tree}/") for info in found]

    return names


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("a/*.log", ["a/x.log", "a/y.log"]),
        ("*/x.log", ["a-b/x.log", "a/x.log", "b/x.log"]),
        ("?/[yz].*", ["a/y.log", "b/z.txt"]),
        ("?/[!x].*", ["a/y.log", "b/z.txt"]),
        ("a/.*", ["a/.hidden.log"]),
        ("a/x.log", ["a/x.log"]),
        ("a//./x.log", ["a/x.log"]),
        ("*", ["a", "a-b", "b", "c"]),
        ("*/*.txt", ["b/z.txt"]),
        ("**", ["a", "a-b", "b", "c"]),
        ("a/*.none", []),
        ("none/*", []),
        ("c/*", []),
        ("none", []),
    ],
)
def test_what_a_pattern_matches(names: Names, pattern: str, found: list[str]) -> None:
    assert names(pattern) == (found if pattern != "a//./x.log" else ["a/./x.log"])


def test_what_is_found_is_described(here: LocalHost, tree: Path) -> None:
    (tree / "a/link.log").symlink_to("x.log")
    os.mkfifo(tree / "a/fifo.log")
    found = here.list(f"{tree}/a/*.log", Deadline(5))
    assert [(info.kind, info.size) for info in found] == [
        (FileKind.OTHER, 0), (FileKind.LINK, 5), (FileKind.FILE, 7), (FileKind.FILE, 7)
    ]  # fmt: skip


def test_a_limit_keeps_what_sorts_first(names: Names, tree: Path) -> None:
    for number in range(50):
        (tree / f"a/{number:02d}.log").touch()
    assert names("a/*.log", limit=3) == ["a/00.log", "a/01.log", "a/02.log"]
    assert len(names("*/*.log", limit=10)) == 10


def test_names_with_pattern_characters_are_taken_as_they_are(names: Names, tree: Path) -> None:
    (tree / "[b]*").mkdir()
    (tree / "[b]*/x.log").touch()
    assert names("[[]b[]][*]/*.log") == ["[b]*/x.log"]


def test_bytes_that_are_no_text_come_back_as_they_went(here: LocalHost, tree: Path) -> None:
    (tree / os.fsdecode(b"a/\xff.log")).write_bytes(b"found")
    [info] = [info for info in here.list(f"{tree}/a/*.log", Deadline(5)) if info.size == 5]
    with here.open(info.path, Deadline(5)) as reader:
        assert list(reader.stream(0, None, Deadline(5))) == [b"found"]


@pytest.mark.usefixtures("two_users")
def test_links_to_directories_are_entered_only_where_nobody_gains_by_it(names: Names, tree: Path) -> None:
    """Root's own, or a user's to what is that user's; with a wildcard the others are passed over."""
    (tree / "roots").symlink_to("a")
    (tree / "theirs").symlink_to("a")
    (tree / "own").symlink_to("mine")
    (tree / "mine").mkdir()
    (tree / "mine/x.log").touch()
    for name in ("theirs", "own", "mine", "mine/x.log"):
        os.lchown(tree / name, 65534, 65534)
    assert names("*/x.log") == [
        "a-b/x.log", "a/x.log", "b/x.log", "mine/x.log", "own/x.log", "roots/x.log"
    ]  # fmt: skip
    with pytest.raises(Failed) as caught:
        names("theirs/*.log")
    assert caught.value.reason is Reason.UNSAFE


def test_a_closed_directory_never_looks_empty(tree: Path, as_nobody: Callable[..., Any]) -> None:
    (tree / "a").chmod(0o700)

    def found(pattern: str) -> Any:
        return as_nobody(lambda: [i.path for i in LocalHost("here").list(f"{tree}/{pattern}", Deadline(5))])

    assert found("a/*.log")[0] is Reason.NOT_PERMITTED
    assert found("a/x.log")[0] is Reason.NOT_PERMITTED
    assert found("[ac]/*.log")[0] is Reason.NOT_PERMITTED
    assert found("[ab]/*.log") == [f"{tree}/b/x.log"]
    (tree / "a").chmod(0o744)
    assert found("a/*.log")[0] is Reason.NOT_PERMITTED


def test_a_list_ends_at_the_deadline(here: LocalHost, tree: Path) -> None:
    with pytest.raises(TimedOut):
        here.list(f"{tree}/*/*", Deadline(0))
    deadline = Deadline(5)
    deadline.cancel()
    with pytest.raises(Cancelled):
        here.list(f"{tree}/*", deadline)


def test_processes_that_end_meanwhile_are_no_trouble(here: LocalHost) -> None:
    found = {info.path for info in here.list("/proc/[0-9]*/limits", Deadline(5))}
    assert f"/proc/{os.getpid()}/limits" in found


@pytest.fixture
def crowded() -> Iterator[Path]:
    """A directory in memory: it is the look at many files that is measured, not their making."""
    path = Path(tempfile.mkdtemp(prefix="clinic-test-", dir="/dev/shm"))
    yield path
    shutil.rmtree(path)


@pytest.mark.slow
def test_the_time_of_a_listing_grows_with_the_files_and_no_faster(here: LocalHost, crowded: Path) -> None:
    """A hundred thousand took 0.56 s on a quiet machine; what grows with the square would take a hundred times more."""
    taken = [_listed(here, crowded, start, count) for start, count in ((0, 10_000), (10_000, 100_000))]
    assert taken[1] < 40 * taken[0]


def _listed(here: LocalHost, crowded: Path, start: int, count: int) -> float:
    """CPU seconds that listing `count` files takes, after making those from `start` on."""
    for number in range(start, count):
        os.mknod(crowded / f"tidb-{number:06d}.log")
    began = time.process_time()
    found = here.list(f"{crowded}/*.log", Deadline(60))
    taken = time.process_time() - began
    last = f"{crowded}/tidb-{count - 1:06d}.log"
    assert (len(found), found[0].path, found[-1].path) == (count, f"{crowded}/tidb-000000.log", last)
    return taken
