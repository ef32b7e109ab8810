"""What is searched for in the bytes of many entries at once is what a plain reading of each finds."""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from clinic.bundle.journal import Header
from clinic.bundle.manifest import Run
from clinic.bundle.member import Stretches
from clinic.bundle.names import INDEX
from clinic.bundle.record import Entry, Record
from clinic.bundle.writer import BundleWriter
from clinic.formats import seekable
from clinic.formats.entries import Entries
from clinic.formats.logformats import FORMATS
from clinic.formats.logindexer import LogIndexer
from clinic.kinds import Content
from clinic.outcome import Status
from clinic.read import logentries, logfiles
from clinic.read.logfiles import log_files, with_index
from clinic.read.logs import GRAVE, Choice, merged
from clinic.read.open import Opened, open_bundle
from clinic.read.pseudonymise import pseudonymise
from clinic.redact import Redactor
from clinic.redact.privacy import Level
from clinic.secret import SecretRegister
from clinic.units import KIB

START = datetime(2026, 11, 24, 2, 0, tzinfo=timezone.utc)
NS = int(START.timestamp()) * 10**9
UNIFIED = next(known for known in FORMATS if known.name == "unified")
FRAME = 24 * KIB

Line = tuple[int, str, str]
"""When it was written, its level, its text."""


def written(seed: int) -> Iterator[bytes]:
    """Entries of all levels and of one or many lines, not strictly in order, with a stack now and then."""
    pick = random.Random(seed)
    for at in range(800):
        moment = START + timedelta(seconds=at * 4 - (pick.randrange(90) if at % 50 == 0 else 0))
        level = pick.choice(["DEBUG", "INFO", "INFO", "WARN"]) if at % 701 else "ERROR"
        more = (
            b"\n\ngoroutine %d [running]:\n\tmain.go:%d" % (at, at) * pick.randrange(40)
            if at % 37 == 0
            else b""
        )
        rest = b"x" * pick.randrange(100) + (b"\0" if seed == 2 and at % 999 == 5 else b"")
        end = b"\r\n" if seed == 3 else b"\n"
        yield b"[%s.%03d +00:00] [%s] [a.go:%d] [said] [conn=%d] [%s]" % (
            f"{moment:%Y/%m/%d %H:%M:%S}".encode(), at % 1000, level.encode(), at % 90, at % 400, rest,
        ) + more + end  # fmt: skip


@pytest.fixture(scope="module", params=[1, 2, 3], ids=["plain", "with NUL", "with CR"])
def log(request: pytest.FixtureRequest) -> bytes:
    """A log of several frames."""
    return b"".join(written(request.param))


@pytest.fixture(scope="module", autouse=True)
def _small() -> Iterator[None]:
    """Frames of which a small file has several."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(seekable, "FRAME", FRAME)
        yield


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory, run: Callable[..., Run]) -> Callable[..., Opened]:
    """Writes a bundle with logs of these bytes, of as many instances."""

    def make(*contents: bytes) -> Opened:
        root = tmp_path_factory.mktemp("logs") / "bundle"
        names = [f"db1-{4000 + number}" for number in range(len(contents))]
        entries = tuple(
            Entry("log.std", f"db1/{name}/std", "log", "logs", "user-data", "log", True, "db1", name)
            for name in names
        )
        with BundleWriter.create(
            root, Header(run(), entries), Redactor(SecretRegister()), reserve=0
        ) as writer:
            for entry, content in zip(entries, contents, strict=True):
                item = writer.item(entry, cap=1 << 30, learn=False, observer=LogIndexer)
                part = item.part("x.log", Content.OPAQUE)
                part.write(content)
                part.finish()
                writer.record(Record(entry, Status.OK, files=item.commit()))
            writer.seal()
        return open_bundle(root)

    return make


@pytest.fixture(scope="module")
def opened(logs: Callable[..., Opened], log: bytes) -> Opened:
    """A bundle with the log twice: of two instances."""
    return logs(log, log)


@pytest.fixture(scope="module")
def plainly(log: bytes) -> list[Line]:
    """Its entries as a plain reading finds them."""
    marks = list(Entries((UNIFIED,)).all(log, line_start=True, final=True))
    ends = [mark.at for mark in marks[1:]] + [len(log)]
    found = [
        (mark.time, log[mark.at : end].strip(b"\0").rstrip(b"\r\n"))
        for mark, end in zip(marks, ends, strict=True)
    ]
    return [(time, str(UNIFIED.level_of(text)), text.decode()) for time, text in found]


def chosen(opened: Opened, choice: Choice) -> list[Line]:
    """What is found, of each instance as often."""
    found = [
        (line.file.instance, (line.time, str(line.level), line.text.decode()))
        for line in merged(opened, choice)
    ]
    one, other = ([line for name, line in found if name == wanted] for wanted in ("db1-4000", "db1-4001"))
    assert one == other
    return one


PATTERNS = [
    "nowhere to be found", "conn=77\\]", "(?i)ERROR", "^\\[2026/11/24 02:0[0-3]", "\\]$", "main.go:37$",
    "\\A\\[2026.*conn=7\\]", "goroutine 37 ", "[^a]goroutine", "conn=39.(?s:.)*conn", "running\\]:\\s+main.go:74\\b",
    "(?-m:^\\[2026/11/24 02:00:0)", "x*", "", "said\\] \\[conn=3\\].*\\z", "\\n\\n", "conn=1$",
]  # fmt: skip


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_finds_what_it_finds_in_each_entry(
    opened: Opened, plainly: list[Line], pattern: str
) -> None:
    plain = re.compile(pattern.replace("(?-m:", "(?:").replace("\\z", "\\Z"))
    assert chosen(opened, Choice(pattern=pattern)) == [line for line in plainly if plain.search(line[2])]


@pytest.mark.parametrize(("level", "pattern"), list(itertools.product(GRAVE, ["", "conn=3"])))
def test_a_level_is_found_whatever_else_is_asked(
    opened: Opened, plainly: list[Line], level: str, pattern: str
) -> None:
    wanted = GRAVE[GRAVE.index(level) :]
    low, high = NS + 1800 * 10**9, NS + 5000 * 10**9
    expected = [line for line in plainly if line[1] in wanted and pattern in line[2]]
    assert chosen(opened, Choice(level=level, pattern=pattern)) == expected
    inside = [line for line in expected if low <= line[0] <= high]
    assert chosen(opened, Choice(low, high, level, pattern)) == inside


@pytest.mark.parametrize("pattern", ["conn=77\\]", "main.go:37$", "(?-m:^\\[2026/11/24 02:00:0)", ""])
def test_without_an_index_the_same_is_found(
    opened: Opened, plainly: list[Line], monkeypatch: pytest.MonkeyPatch, pattern: str
) -> None:
    monkeypatch.setattr(logfiles, "LARGEST_INDEX", 0)
    monkeypatch.setattr(logentries, "PIECE", 7 * KIB)
    plain = re.compile(pattern.replace("(?-m:", "(?:"))
    for level in ("", "warn"):
        wanted = [
            line for line in plainly if plain.search(line[2]) and (not level or line[1] in ("warn", "error"))
        ]
        assert chosen(opened, Choice(level=level, pattern=pattern)) == wanted


def test_what_is_followed_is_what_names_the_same(opened: Opened, plainly: list[Line]) -> None:
    found = [line for line in plainly if re.search(r"a.go:5\].*conn=(?:365|55)\]", line[2])]
    connections = {line[2].partition("[conn=")[2].partition("]")[0] for line in found}
    assert connections == {"365", "55"}
    same = [line for line in plainly if line[2].partition("[conn=")[2].partition("]")[0] in connections]
    assert len(same) > len(found)
    assert chosen(opened, Choice(pattern=r"a.go:5\].*conn=(?:365|55)\]", follow=True)) == same


def test_little_is_read_for_a_short_window(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    stretches: list[tuple[int, int]] = []
    read = Stretches.read

    def counted(self: Stretches, start: int, end: int) -> bytes:
        stretches.append((start, end))
        return read(self, start, end)

    monkeypatch.setattr(Stretches, "read", counted)
    low = NS + 3000 * 10**9
    assert chosen(opened, Choice(low, low + 10 * 10**9))
    size = max(file.plain for file in opened.files())
    assert 0 < sum(end - start for start, end in stretches) < 2 * size / 10


def test_a_stretch_that_is_too_long_comes_in_pieces(
    opened: Opened, plainly: list[Line], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logentries, "LARGEST_SPAN", 10 * KIB)
    monkeypatch.setattr(logentries, "PIECE", 7 * KIB)
    assert chosen(opened, Choice(pattern="conn=77")) == [line for line in plainly if "conn=77" in line[2]]


def test_after_names_are_replaced_the_index_is_of_the_new_bytes(
    logs: Callable[..., Opened], tmp_path: Path
) -> None:
    data = b"".join(
        b"[2026/11/24 02:%02d:%02d.000 +00:00] [INFO] [a.go:1] [dial] [addr=10.0.%d.7:20160]\n"
        % (at // 60, at % 60, at % 250)
        for at in range(1800)
    )
    pseudonymise(logs(data), tmp_path / "child", Level.IDENTIFIERS, observers={INDEX: LogIndexer})
    child = open_bundle(tmp_path / "child")
    (file,) = (with_index(child, one) for one in log_files(child))
    with child.member(file.path) as stream:
        after = stream.read()
    assert file.index is not None and file.index.size == len(after) != len(data)
    assert len(file.index.minutes) > 30  # frames end rows too
    assert all(
        after[row.offset :].startswith(b"[2026/11/24 02:%02d:" % (row.start % 60))
        for row in file.index.minutes
    )
    found = [line.text for line in merged(child, Choice(NS + 600 * 10**9, NS + 659 * 10**9))]
    assert found == after.splitlines()[600:660]
