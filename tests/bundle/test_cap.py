"""A file keeps within its cap: head and tail, whole lines, an exact count of what is not there."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clinic.bundle.budget import Budget
from clinic.bundle.cap import MARKER_ROOM, PACKED, SEGMENT, Cap, Tail, marker
from clinic.bundle.disk_space import Space
from clinic.bundle.folder import Folder
from clinic.bundle.names import PARTIAL
from clinic.bundle.store import Store
from clinic.bundle.sync import Syncer
from clinic.units import KIB, MIB

Run = Callable[..., tuple[bytes, int]]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store in an empty directory."""
    folder = Folder.make(tmp_path_factory.mktemp("store") / "b", None)
    syncer = Syncer(folder)
    yield Store(folder, Budget(None), Space(folder, 0), syncer)
    syncer.close()
    folder.close()


@pytest.fixture(scope="module")
def through(store: Store) -> Run:
    """What comes out of a cap, and how many bytes it says it dropped."""

    def run(chunks: list[bytes], size: int, *, text: bool = True) -> tuple[bytes, int]:
        out: list[bytes] = []
        cap = Cap(store, size, out.append, text=text)
        for chunk in chunks:
            cap.feed(chunk)
        cap.finish()
        assert store.folder.names(PARTIAL) == []
        return b"".join(out), cap.dropped

    return run


def cut(data: bytes, at: list[int]) -> list[bytes]:
    """`data` in pieces that end at these places."""
    ends = [0, *sorted(place % (len(data) + 1) for place in at), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(ends)]


LINES = st.lists(st.binary(max_size=40).map(lambda line: line.replace(b"\n", b"") + b"\n"), max_size=60).map(
    b"".join
)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=LINES | st.binary(max_size=2000),
    at=st.lists(st.integers(0, 4000), max_size=6),
    size=st.integers(0, 1500),
)
def test_any_cutting_of_the_input_gives_the_same_output(
    through: Run, data: bytes, at: list[int], size: int
) -> None:
    assert through(cut(data, at), size) == through([data], size)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=LINES | st.binary(max_size=2000), size=st.integers(200, 1500))
def test_what_is_cut_is_the_middle_and_is_counted_exactly(through: Run, data: bytes, size: int) -> None:
    out, dropped = through([data], size)
    assert len(out) <= size
    if len(data) <= size:
        assert (out, dropped) == (data, 0)
    else:
        assert dropped
        line = marker(dropped)
        head, _, tail = out.partition(line)
        assert data.startswith(head) or data.startswith(head[:-1])
        assert data.endswith(tail)
        kept = (
            len(out) - len(line) - (not data.startswith(head) or len(head) + len(tail) + dropped > len(data))
        )
        assert kept + dropped == len(data)


def numbered(count: int) -> bytes:
    """Lines that say which they are."""
    return b"".join(b"line %09d of a long log\n" % number for number in range(count))


def test_a_long_text_keeps_whole_lines_from_both_ends(through: Run) -> None:
    data = numbered(300_000)
    out, dropped = through(cut(data, list(range(0, len(data), 70_001))), 4 * MIB)
    assert 4 * MIB - 2 * 128 * KIB < len(out) <= 4 * MIB
    lines = out.splitlines()
    gap = lines.index(marker(dropped).strip())
    assert all(re.fullmatch(rb"line \d{9} of a long log", line) for at, line in enumerate(lines) if at != gap)
    numbers = [int(line[5:14]) for at, line in enumerate(lines) if at != gap]
    assert numbers[:gap] == list(range(gap))
    assert numbers[gap:] == list(range(numbers[gap], 300_000))
    assert dropped == len(data) - (len(out) - len(marker(dropped)))


def test_a_text_that_just_fits_is_whole_although_its_end_went_over_the_disk(through: Run) -> None:
    data = numbered(200_000)
    assert len(data) > 4 * SEGMENT
    assert through([data], len(data)) == (data, 0)


def test_one_endless_line_is_cut_in_its_middle(through: Run) -> None:
    out, dropped = through([b"x" * MIB] * 8, 2 * MIB)
    assert dropped > 5 * MIB
    assert b"\n" + marker(dropped) in out
    assert len(out) <= 2 * MIB


def test_of_binary_data_the_head_alone_is_kept(through: Run) -> None:
    data = bytes(range(256)) * 100
    assert through(cut(data, [1000, 2000]), 1500, text=False) == (data[:1500], len(data) - 1500)


def test_the_tail_needs_no_more_disk_than_it_is_long(store: Store) -> None:
    cap = Cap(store, 4 * MIB, lambda data: None, text=True)
    most = 0
    for _ in range(40):
        cap.feed(b"a line of the log\n" * 30_000)
        most = max(most, len(store.folder.names(PARTIAL)))
    cap.discard()
    assert most * SEGMENT <= 2 * MIB + 2 * SEGMENT
    assert store.folder.names(PARTIAL) == []


def test_a_large_tail_waits_compressed(store: Store) -> None:
    tail = Tail(store, PACKED + 1)
    data = numbered(150_000)
    for chunk in cut(data, list(range(0, len(data), 300_000))):
        tail.feed(chunk)
    waiting = [store.folder.read(f"{PARTIAL}/{name}") for name in store.folder.names(PARTIAL)]
    assert len(waiting) == len(data) // SEGMENT
    assert sum(len(file.read()) for file in waiting) < len(data) // 4
    for file in waiting:
        file.close()
    assert b"".join(tail.take()) == data


def test_an_empty_file_stays_empty(through: Run) -> None:
    assert through([], 100) == (b"", 0)


@pytest.mark.parametrize("missing", [-1, 17])
def test_the_marker_says_how_much_is_missing(missing: int) -> None:
    expected = (
        b"[clinic: an unknown number of bytes left out here]\n"
        if missing < 0
        else b"[clinic: 17 bytes left out here]\n"
    )
    assert marker(missing) == expected
    assert len(marker(2**40)) <= MARKER_ROOM


def test_a_store_leaves_nothing_behind(store: Store) -> None:
    assert isinstance(store.folder.root, Path)
    assert [path for path in store.folder.root.rglob("*") if path.is_file()] == []
