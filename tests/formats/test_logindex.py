"""The index of a log: what it counts is what a plain reading of the log counts, however the bytes come."""

from __future__ import annotations

import json
import re
from collections import Counter
from functools import lru_cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinic.formats import logindexer, seekable
from clinic.formats.entries import Entries
from clinic.formats.logformats import FORMATS, detect
from clinic.formats.logindex import MINUTE, LogIndex, Minute
from clinic.formats.logindexer import LogIndexer

LOGS = Path(__file__).parent.parent / "recorded" / "logs"
KNOWN = sorted(
    path for path in LOGS.glob("*.log") if path.name not in ("tidb-stderr-panic.log", "pd-stderr-panic.log")
)


def indexed(data: bytes, size: int = 1 << 18) -> LogIndex | None:
    """The index of a file whose bytes come `size` at a time."""
    watching = LogIndexer()
    for at in range(0, len(data), size):
        watching.feed(data[at : at + size])
    stored = watching.finish()
    return LogIndex.from_json(stored) if stored else None


@pytest.mark.parametrize("path", KNOWN, ids=lambda path: path.stem)
def test_it_counts_what_the_reader_of_entries_finds(path: Path) -> None:
    data = path.read_bytes()
    known = detect(data)
    assert known is not None
    found = indexed(data)
    assert found is not None
    marks = list(Entries((known,)).all(data, line_start=True, final=True))
    assert found.log == known.name
    assert found.entries == len(marks)
    assert found.size == len(data)
    assert sum(one.count for one in found.templates) <= found.entries
    assert {one.start for one in found.minutes} == {mark.time // MINUTE for mark in marks}
    levels = Counter(known.level_of(data[mark.at : mark.at + 512]) for mark in marks)
    assert found.levels == Counter({str(level or ""): count for level, count in levels.items()})


def test_an_offset_is_where_the_minute_begins() -> None:
    data = b"".join(
        b"[2026/11/24 10:%02d:%02d.000 +08:00] [INFO] [a.go:1] [said]\nmore of it [2026/11/24 10:59\n"
        % (at // 4, at % 4 * 15)
        for at in range(240)
    )
    found = indexed(data, 1000)
    assert found is not None and len(found.minutes) == 60
    for minute, one in enumerate(found.minutes):
        assert data[one.offset :].startswith(b"[2026/11/24 10:%02d:00.000 +08:00]" % minute)
        assert dict(one.levels) == {"info": 4}


@lru_cache(maxsize=1)
def at_once(data: bytes) -> LogIndex | None:
    """The index of a file whose bytes come all at once."""
    return indexed(data)


@settings(max_examples=20)
@given(st.integers(500, 200_000))
def test_how_the_bytes_come_changes_nothing(size: int) -> None:
    data = (LOGS / "pd-1-unified.log").read_bytes()
    assert indexed(data, size) == at_once(data)


SHAPES = (
    b"[%s.000 +08:00] [INFO] [a.go:1] [said]\n",
    b"[%s.123456 +08:00] [WARN] [a.go:2] [said]\n",
    b"[%s.000 +08:00][12] [ERROR] [db.cc:3] [said]\n[2026/11/24 10:00\n[2026/99/99 10:00:00.000 +08:00] [INFO]\n",
    b"[%s.000 +08:00] [FATAL] [a.go:4] [said]\n\0\0",
)


@given(
    st.lists(
        st.tuples(st.integers(0, 400), st.integers(0, 3), st.integers(0, 2000)), min_size=1, max_size=60
    ),
    st.integers(50, 20_000),
)
@settings(max_examples=60)
def test_an_entry_stands_in_its_row_or_in_the_two_after_it(
    written: list[tuple[int, int, int]], size: int
) -> None:
    """Whatever the order of times, the mix of shapes, and the length of entries; frames end rows too."""
    at, lines = 0, list[bytes]()
    for step, shape, length in written:
        at = max(0, at + step - 100)  # seconds; clocks go back now and then
        moment = b"2026/11/24 %02d:%02d:%02d" % (at // 3600 % 24, at // 60 % 60, at % 60)
        lines.append(SHAPES[shape] % moment + b"more of it\n" * (length // 11))
    data = b"".join(lines)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(seekable, "FRAME", 5000)
        patch.setattr(logindexer, "SAMPLE", 200)
        found = indexed(data, size)
    assert found is not None and found.log == "unified"
    known = next(one for one in FORMATS if one.name == "unified")
    marks = list(Entries((known,)).all(data, line_start=True, final=True))
    assert found.entries == len(marks) == len(written)
    rows, ends = found.minutes, [one.offset for one in found.minutes[3:]] + [len(data)] * 3
    assert [row.offset for row in rows] == sorted(row.offset for row in rows)
    for mark in marks:
        level = known.level_of(data[mark.at :])
        near = [
            row
            for row, end in zip(rows, ends, strict=False)
            if row.offset <= mark.at < end and row.start == mark.time // MINUTE and level in row.levels
        ]
        assert near, mark
    for row in rows:
        first = next(mark for mark in marks if mark.at == row.offset)
        assert (row.start, row.first) == (first.time // MINUTE, first.time % MINUTE // 10**6)
        assert any(mark.time // 10**6 == row.start * 60_000 + row.last for mark in marks)


def test_an_old_index_whose_rows_have_no_times_is_read() -> None:
    stored = (
        b'{"format": "clinic-logindex/1", "log": "slow", "size": 9, "local": false, '
        b'"minutes": [[7,0,{"":2}]], "templates": []}'
    )
    found = LogIndex.from_json(stored)
    assert found.minutes == (Minute(7, 0, {"": 2}, 0, 59_999),)


def test_what_varies_in_a_message_is_one_message() -> None:
    line = b'[2026/11/24 10:00:00.000 +08:00] [WARN] [pd.go:152] ["timestamp too slow"] ["cost time"=%dms] [conn=%d]\n'
    found = indexed(b"".join(line % (at, at * 7) for at in range(100)))
    assert found is not None
    assert [(one.count, one.level, one.text) for one in found.templates] == [
        (100, "warn", '[pd.go:152] ["timestamp too slow"]')
    ]
    slow = b"# Time: 2026-11-24T10:00:%02d.000000+08:00\n# Digest: %s\nselect %d;\n"
    found = indexed(b"".join(slow % (at, b"ab" * 32 if at % 2 else b"cd" * 32, at) for at in range(40)))
    assert found is not None
    assert [(one.count, one.text[:11]) for one in found.templates] == [
        (20, "digest abab"),
        (20, "digest cdcd"),
    ]


def test_memory_stays_small_whatever_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logindexer, "CANDIDATES", 50)
    words = ("".join(chr(97 + at // 26**k % 26) for k in range(4)) for at in range(20_000))
    data = b"".join(
        b"[2026/11/24 10:00:00.000 +08:00] [INFO] [a.go:1] [%s]\n" % (word.encode() if at % 3 else b"often")
        for at, word in enumerate(words)
    )
    watching = LogIndexer()
    for at in range(0, len(data), 4096):
        watching.feed(data[at : at + 4096])
        assert len(watching._said) < 50 + 4096 // 50  # pyright: ignore[reportPrivateUsage]  # what the bound is about
    found = LogIndex.from_json(watching.finish())
    assert found.templates[0].text == "[a.go:1] [often]"
    assert found.templates[0].count >= 20_000 // 3 - 2 * logindexer.STEP


SLOW = b"# Time: 2026-11-24T10:00:00.000000+08:00\n# Digest: " + b"ab" * 32 + b"\ninsert into t values\n"


@pytest.mark.parametrize("head", [SLOW, b"2026-11-24T10:00:00.000+0800\tINFO\tsaid\n"])
@pytest.mark.parametrize("rest", [b"(1, 2),\n" * 20_000 + b"(3, 4)", b"x" * 300_000])
@pytest.mark.parametrize("size", [1000, 70_000, 1 << 20])
def test_an_entry_may_be_longer_than_what_comes_at_once(head: bytes, rest: bytes, size: int) -> None:
    found = indexed(head * 10 + rest + b"\n" + head + rest, size)
    assert found is not None
    assert found.entries == 11


@given(st.integers(100, 5000), st.integers(1000, 100_000))
@settings(max_examples=10, deadline=None)
def test_of_many_entries_a_part_tells_what_is_said_most(share: int, size: int) -> None:
    line = b"[2026/11/24 10:00:00.000 +08:00] [%s] [a.go:1] [%s]\n"
    number = logindexer.EXACT + 5000
    words = (b"often" if at % 5000 < share else b"seldom" for at in range(number))
    found = indexed(b"".join(line % (b"INFO", word) for word in words) + line % (b"ERROR", b"once"), size)
    assert found is not None
    assert found.levels == {"info": number, "error": 1}
    said = {(one.level, one.text): one.count for one in found.templates}
    assert said["error", "[a.go:1] [once]"] == 1
    truth = sum(at % 5000 < share for at in range(number))
    # Each change of the message inside of a step may be off by a step.
    assert abs(said["info", "[a.go:1] [often]"] - truth) <= 4 * logindexer.STEP


def test_lines_with_other_things_in_the_usual_places_count_too() -> None:
    lines = (
        b"[2026/11/24 10:00:00.000 +08:00] [INFO] [a.go:1] [said]\n",
        b"[2026/11/24 10:00:00.123456 +08:00] [WARN] [a.go:2] [said]\n",
        b"[2026/11/24 02:00:00.000 Z] [ERROR] [a.go:3] [said]\n",
        b"[2026/11/24 10:00:00.000 +08:00] [warning] [a.go:4] [said]\n",
        b"[2026/11/24 10:00:00.000 +08:00] [FATAL] said without brackets\n",
        b"[2026/11/24 10:00:00.000 +08:00] [INFO] [a.go:5] said\nmore [1] of [2]\n",
    )
    found = indexed(b"".join(lines) * 3)
    assert found is not None
    assert found.levels == {"info": 6, "warn": 6, "error": 3, "fatal": 3}
    assert len(found.minutes) == 1
    assert {(one.level, one.text) for one in found.templates} == {
        ("info", "[a.go:1] [said]"), ("warn", "[a.go:2] [said]"), ("error", "[a.go:3] [said]"),
        ("warn", "[a.go:4] [said]"), ("fatal", ""), ("info", "[a.go:5]"),
    }  # fmt: skip


def test_a_line_without_an_end_is_not_held() -> None:
    head = b"[2026/11/24 10:00:00.000 +08:00] [INFO] [a.go:1] [said] "
    data = head + b"x" * 3_000_000 + b"\n" + head + b"\n"
    found = indexed(data, 65_536)
    assert found is not None
    assert (found.entries, found.size) == (2, len(data))


def test_a_file_in_no_known_format_has_no_index() -> None:
    assert indexed(b"") is None
    assert indexed(b"nothing here has a time\n" * 100) is None
    assert indexed((LOGS / "tidb-stderr-panic.log").read_bytes()) is None


def test_times_without_a_zone_are_said_to_be_the_nodes() -> None:
    local = indexed((LOGS / "tikv-old.log").read_bytes())
    assert local is not None and local.local
    zoned = indexed((LOGS / "tidb-unified.log").read_bytes())
    assert zoned is not None and not zoned.local


@given(st.binary(max_size=300))
def test_bytes_that_are_no_log_do_no_harm(data: bytes) -> None:
    indexed(b"[2026/11/24 10:00:00.000 +08:00] [INFO] [a.go:1] [said]\n" + data)


@pytest.mark.parametrize("stored", [b"", b"{}", b"[]", b'{"format": "clinic-logindex/9"}', b"[" * 100_000])
def test_what_is_no_index_is_refused(stored: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        LogIndex.from_json(stored)


def test_people_can_read_it() -> None:
    watching = LogIndexer()
    watching.feed((LOGS / "tidb-unified.log").read_bytes())
    stored = watching.finish()
    assert json.loads(stored)["format"] == "clinic-logindex/1"
    assert re.search(rb'^\[\d+,\d+,\{"\w+":\d+', stored, re.MULTILINE)
