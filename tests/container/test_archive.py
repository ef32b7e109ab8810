"""An archive of any names and sizes is what `tar` and `zstd` read, and what we read."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path

import pytest

from clinic.container.archive import Member, read, write
from clinic.errors import BadBundle
from clinic.units import KIB

BLOCK = 128 * KIB
NAMES = ("plain.txt", "日志/错误.log", "a" * 120, "/".join(["deep" * 20] * 12), "with space/ü")


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK])
def test_any_size_comes_back(tmp_path: Path, size: int, packed: bool) -> None:
    data = bytes(number % 251 for number in range(size))
    pieces = [data[at : at + 100_000] for at in range(0, size, 100_000)]
    path = tmp_path / "a.tar.zst"
    path.write_bytes(b"".join(write([Member("d/f", size, pieces, packed)], 1_700_000_000)))
    words: list[str | Path] = ["tar", "-x", "-O", "--zstd", "-f", path, "d/f"]
    assert subprocess.run(words, check=True, capture_output=True).stdout == data
    with path.open("rb") as stream:
        assert [(one.name, one.stream.read()) for one in read(stream, "a")] == [("d/f", data)]


def test_any_name_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "a.tar.zst"
    members = [Member(name, 3, [b"abc"]) for name in NAMES]
    path.write_bytes(b"".join(write(members, 0)))
    words: list[str | Path] = ["tar", "-t", "--quoting-style=literal", "--zstd", "-f", path]
    told = subprocess.run(words, check=True, capture_output=True).stdout.decode()
    assert told.splitlines() == list(NAMES)
    with path.open("rb") as stream:
        assert [one.name for one in read(stream, "a")] == list(NAMES)


@pytest.mark.parametrize("pieces", [[b"ab"], [b"abcd"]])
def test_a_member_of_another_size_is_an_error(pieces: list[bytes]) -> None:
    with pytest.raises(BadBundle, match="changed while it was packed"):
        b"".join(write([Member("f", 3, pieces, packed=True)], 0))


def test_threads_change_nothing_that_is_read() -> None:
    members = [Member("f", 3_000_000, [bytes(3_000_000)])]
    data = b"".join(write(members, 0, threads=2))
    assert [one.stream.read() for one in read(io.BytesIO(data), "a")] == [bytes(3_000_000)]
