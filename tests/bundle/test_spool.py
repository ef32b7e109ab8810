"""What is in a spool is read from anywhere by anybody who has it, and stands under no name."""

from __future__ import annotations

import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinic.bundle.spool import Spool
from clinic.errors import BadBundle


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where it is put."""
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    return tmp_path / "scratch"


def in_pieces(stream: BinaryIO) -> bytes:
    """All that is left in it."""
    found = b""
    while data := stream.read(997):
        found += data
    return found


def test_files_are_what_was_put(scratch: Path) -> None:
    with Spool(Path("some/p.tar.zst")) as spool:
        assert spool.put("a/b", (b"one ", b"two")) == sha256(b"one two").hexdigest()
        assert spool.put("empty", ()) == sha256(b"").hexdigest()
        assert dict(spool.sizes()) == {"a/b": 7, "empty": 0}
        assert (spool.open("a/b").read(), spool.open("empty").read()) == (b"one two", b"")
        with pytest.raises(BadBundle, match=r"'c' can't be read: it is not in some/p\.tar\.zst"):
            spool.open("c")
        assert (str(spool), spool.name) == ("some/p.tar.zst", "p")
        assert os.listdir(scratch) == []


@given(st.lists(st.binary(max_size=50), min_size=1, max_size=5), st.data())
def test_each_is_a_file_of_its_own(files: list[bytes], data: st.DataObject) -> None:
    with Spool(Path("p")) as spool:
        for number, content in enumerate(files):
            spool.put(str(number), (content[:3], content[3:]))
        number = data.draw(st.integers(0, len(files) - 1))
        stream, size = spool.open(str(number)), len(files[number])
        assert stream.seek(0, os.SEEK_END) == size
        at = data.draw(st.integers(0, 60))
        assert stream.seek(at) == at
        assert stream.read() == files[number][at:]
        assert stream.seek(-min(size, 2), os.SEEK_END) == stream.tell() == max(0, size - 2)
        assert stream.read(1) == files[number][-2:][:1]


def test_threads_do_not_disturb_each_other() -> None:
    with Spool(Path("p")) as spool, ThreadPoolExecutor(4) as pool:
        contents = [os.urandom(100_000) for _ in range(8)]
        for number, content in enumerate(contents):
            spool.put(str(number), (content,))
        streams = [spool.open(str(number)) for number in range(8)]
        assert list(pool.map(in_pieces, streams)) == contents
