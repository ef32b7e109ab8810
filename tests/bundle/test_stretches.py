"""Files that are read from the middle: what zstd itself says is there, at any place, from any thread."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import zstandard

from clinic.bundle.member import Stretches, open_plain, open_stretches
from clinic.bundle.reader import Bundle
from clinic.bundle.record import FileEntry
from clinic.bundle.writer import Sealed
from clinic.errors import BadBundle
from clinic.formats import seekable
from clinic.units import KIB

Seal = Callable[[Mapping[str, bytes]], Sealed]
FRAME = 96 * KIB
LOG = b"".join(b"[%d] line\n" % (number * 7919) for number in range(32_000))
assert 4 * FRAME < len(LOG) < 6 * FRAME


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames of which a small file has several."""
    monkeypatch.setattr(seekable, "FRAME", FRAME)


@pytest.fixture
def bundle(sealed: Seal) -> Bundle:
    """One with a log of five frames."""
    return Bundle.open(sealed({"h1/tidb.log": LOG, "h1/os.txt": b"Debian\n"}).path)


def opened(bundle: Bundle, path: str = "h1/tidb.log") -> Stretches:
    """A file of it, to be read from anywhere."""
    found = bundle.stretches(path)
    assert found is not None
    return found


def directory(bundle: Bundle) -> Path:
    """Where it is."""
    assert isinstance(bundle.root, Path)
    return bundle.root


def test_a_large_file_is_frames_and_a_table_that_zstd_reads(bundle: Bundle, zstd: str) -> None:
    stored = directory(bundle) / "h1/tidb.log.zst"
    listed = subprocess.run([zstd, "-l", stored], capture_output=True, check=True, text=True).stdout
    assert listed.splitlines()[1].split()[:2] == [
        str(-(-len(LOG) // FRAME) + 1),
        "1",
    ]  # all, and those skipped
    plain = subprocess.run([zstd, "-dc", stored], capture_output=True, check=True).stdout
    assert plain == LOG
    with bundle.member("h1/tidb.log") as stream:
        assert stream.read() == LOG


def test_any_stretch_is_there(bundle: Bundle) -> None:
    pick = random.Random(1)
    places = [sorted(pick.randrange(len(LOG) + 1) for _ in range(2)) for _ in range(50)]
    places += [[0, len(LOG)], [FRAME, 2 * FRAME], [FRAME - 1, FRAME + 1], [7, 7]]
    with opened(bundle) as file, ThreadPoolExecutor(4) as pool:
        found = pool.map(file.read, *zip(*places, strict=True))
        assert list(found) == [LOG[start:end] for start, end in places]
    with opened(bundle, "h1/os.txt") as file:
        assert file.read(2, 5) == b"bia"


def test_only_the_frames_of_a_stretch_are_read(bundle: Bundle) -> None:
    stored = directory(bundle) / "h1/tidb.log.zst"
    data = bytearray(stored.read_bytes())
    data[40:80] = bytes(40)
    stored.write_bytes(data)
    with opened(bundle) as file:
        assert file.read(FRAME, len(LOG)) == LOG[FRAME:]
        with pytest.raises(BadBundle, match=r"tidb\.log\.zst"):
            file.read(0, FRAME)


def test_a_file_of_one_frame_is_read_from_its_beginning(tmp_path: Path) -> None:
    packed = zstandard.compress(LOG)
    (tmp_path / "old.log.zst").write_bytes(packed)
    file = FileEntry("old.log.zst", len(LOG), len(packed), "0" * 64)
    assert open_stretches(tmp_path, file) is None
    with open_plain(tmp_path, file) as stream:
        assert stream.read() == LOG


def test_a_frame_that_holds_less_than_its_table_says_is_refused(tmp_path: Path) -> None:
    packed = zstandard.compress(b"x" * 10)
    stored = packed * 2 + seekable.table([(len(packed), FRAME), (len(packed), 10)])
    (tmp_path / "x.log.zst").write_bytes(stored)
    file = open_stretches(tmp_path, FileEntry("x.log.zst", FRAME + 10, len(stored), "0" * 64))
    assert file is not None
    with file, pytest.raises(BadBundle, match="shorter than its table says"):
        file.read(0, FRAME + 10)


def test_a_file_of_another_size_is_refused(bundle: Bundle) -> None:
    with (directory(bundle) / "h1/os.txt").open("ab") as file:
        file.write(b"x")
    with pytest.raises(BadBundle, match="has 8 bytes and not 7"):
        bundle.stretches("h1/os.txt")
