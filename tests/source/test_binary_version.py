"""A program's file tells its version without being run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinic.errors import Skip
from clinic.outcome import Reason
from clinic.source.base import Doors
from clinic.source.binary_version import LONGEST, Inside, said_in

# As `go build -ldflags '-X ...'` leaves them in the program (debug/buildinfo), with what stands around.
GO = (
    b"\x00go1.23.6\x00\x00path\tgithub.com/pingcap/tidb/cmd/tidb-server\nmod\tgithub.com/pingcap/tidb\t(devel)\t\n"
    b'build\t-ldflags="-X github.com/pingcap/tidb/pkg/parser/mysql.TiDBReleaseVersion=v8.5.3 '
    b"-X 'github.com/pingcap/tidb/pkg/util/versioninfo.TiDBBuildTS=2025-08-08 02:51:00' "
    b'-X github.com/pingcap/tidb/pkg/util/versioninfo.TiDBGitHash=a1b2c3d4e5"\n'
)
RUST = b"Unknown (env var)heads/refs/tags/v8.5.3Release Version:   \nEdition:           "
CPP = b"\x00\x00v8.5.3\x00TiFlash\x00"


def read(doors: Doors, path: Path) -> list[str]:
    """What the source gives."""
    (part,) = Inside("here", str(path)).open(doors)
    return b"".join(chunk for chunk in part.chunks if isinstance(chunk, bytes)).decode().splitlines()


def test_go_tells_release_commit_and_compiler(doors: Doors, tmp_path: Path) -> None:
    program = tmp_path / "tidb-server"
    program.write_bytes(os.urandom(70_000) + GO + bytes(3_000_000))
    said = read(doors, program)
    assert {"TiDBReleaseVersion=v8.5.3", "TiDBGitHash=a1b2c3d4e5", "go1.23.6"} <= set(said)
    assert any(line.startswith("TiDBBuildTS=2025-08-08") for line in said)


@pytest.mark.parametrize("data", [RUST, CPP], ids=["TiKV", "TiFlash"])
def test_others_tell_their_release(doors: Doors, tmp_path: Path, data: bytes) -> None:
    program = tmp_path / "server"
    program.write_bytes(bytes(100) + data + bytes(100))
    assert any(line.endswith("v8.5.3") for line in read(doors, program))


def test_a_program_that_says_nothing_is_said_to(doors: Doors, tmp_path: Path) -> None:
    program = tmp_path / "server"
    program.write_bytes(bytes(10_000))
    with pytest.raises(Skip) as caught:
        read(doors, program)
    assert caught.value.reason is Reason.EMPTY


@given(st.integers(0, 1000), st.integers(1, 700))
def test_where_the_pieces_are_cut_changes_nothing(before: int, size: int) -> None:
    data = bytes(before) + GO + bytes(LONGEST * 2)
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    whole = set(said_in(iter([data])))
    assert {line for line in whole if b"=" in line} <= set(said_in(iter(pieces)))
