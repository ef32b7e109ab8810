"""What lies there, as a table."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clinic.kinds import Content
from clinic.outcome import Reason
from clinic.source.base import Source
from clinic.source.listing import HEADER, Listing

Read = Callable[[Source], tuple[bytes, Reason | None, str]]


@pytest.fixture
def tree(place: Path) -> Path:
    """One of each kind."""
    (place / "file").write_bytes(bytes(1234))
    (place / "dir").mkdir()
    (place / "link").symlink_to("/etc/shadow")
    os.mkfifo(place / "fifo")
    for name, mode in (("file", 0o640), ("dir", 0o750), ("fifo", 0o600)):
        (place / name).chmod(mode)
        os.utime(place / name, (0, 0))
    return place


def test_everything_is_named_and_nothing_opened(read: Read, tree: Path, doors: Any) -> None:
    data, reason, _ = read(Listing("here", (f"{tree}/*",)))
    assert reason is None
    rows = list(csv.reader(data.decode().splitlines()))
    us = [str(os.geteuid()), str(os.getegid())]
    assert rows[0] == list(HEADER)
    assert [row for row in rows[1:] if row[1] != "link"] == [
        [f"{tree}/dir", "directory", "0750", *us, str((tree / "dir").stat().st_size), "1970-01-01T00:00:00Z"],
        [f"{tree}/fifo", "other", "0600", *us, "0", "1970-01-01T00:00:00Z"],
        [f"{tree}/file", "file", "0640", *us, "1234", "1970-01-01T00:00:00Z"],
    ]
    assert [row[5] for row in rows if row[1] == "link"] == [str(len("/etc/shadow"))]
    [ran] = doors.done
    assert (ran.kind, ran.what, ran.outcome) == ("list", f"list {tree}/*", "4 entries")


def test_it_says_that_it_is_a_table(doors: Any, tree: Path) -> None:
    [part] = Listing("here", (f"{tree}/*",)).open(doors)
    assert part.content is Content.CSV
    list(part.chunks)


def test_an_estimate_goes_by_the_number_of_entries(doors: Any, tree: Path) -> None:
    estimate = Listing("here", (f"{tree}/*", f"{tree}/file")).plan(doors)
    assert estimate.size is not None and 300 < estimate.size < 600
    assert not estimate.exact


def test_names_of_any_bytes_are_listed(read: Read, place: Path) -> None:
    for name in (b"a,b", b'q"', b"two\nlines", b"\xff"):
        (place / os.fsdecode(name)).touch()
    data, _, _ = read(Listing("here", (f"{place}/*",)))
    rows = list(csv.reader(data.decode(errors="surrogateescape").splitlines(keepends=True)))
    assert [os.fsencode(row[0]).rsplit(b"/")[-1] for row in rows[1:]] == [
        b"a,b",
        b'q"',
        b"two\nlines",
        b"\xff",
    ]


def test_nothing_there_is_no_failure(read: Read, doors: Any) -> None:
    source = Listing("here", ("/no/such/*", "/nor/this"))
    assert read(source) == (b"", Reason.NOT_FOUND, "nothing matches /no/such/* /nor/this")
    assert source.plan(doors).impossible is not None


def test_a_refused_directory_is_on_record_beside_the_rest(
    read: Read, place: Path, foreign_link: Path
) -> None:
    (place / "up").symlink_to("/etc")
    os.lchown(place / "up", 65534, 65534)
    data, reason, _ = read(Listing("here", (f"{place}/*", f"{place}/up/*")))
    assert reason is Reason.UNSAFE
    assert data.count(b"\n") == 3
    del foreign_link


def test_a_pattern_instead_of_a_tuple_is_refused() -> None:
    patterns: Any = "/etc/*"
    with pytest.raises(ValueError, match="patterns must be a tuple"):
        Listing("here", patterns)
