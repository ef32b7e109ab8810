"""People name files by what they remember of them."""

from __future__ import annotations

from typing import Any

import pytest

from clinic.errors import UsageError
from clinic.outcome import Reason, Status
from clinic.read.find import find_file
from clinic.read.open import Opened, open_bundle


@pytest.fixture
def opened(bundle: Any, record: Any) -> Opened:
    """A bundle with a compressed file, an item on two hosts, and one that is not there."""
    absent = {"status": Status.SKIPPED, "reason": Reason.TOOL_ABSENT, "message": "smartctl is not installed"}
    records = [
        record("storage.df", b"df\n" * 100_000),
        record("system.os", b"debian\n"),
        record("system.os", b"rocky\n", host="db2"),
        record("storage.smart", **absent),
    ]
    return open_bundle(bundle(records))


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("db1/storage/df.txt", "db1/storage/df.txt.zst"),
        ("db1/storage/df.txt.zst", "db1/storage/df.txt.zst"),
        ("./db1/system/os.txt", "db1/system/os.txt"),
        ("storage.df", "db1/storage/df.txt.zst"),
        ("db2", "db2/system/os.txt"),
        ("df.txt", "db1/storage/df.txt.zst"),
        ("df.txt.zst", "db1/storage/df.txt.zst"),
        ("storage/df.txt", "db1/storage/df.txt.zst"),
        ("storage", "db1/storage/df.txt.zst"),
        ("SUMMARY.txt", "SUMMARY.txt"),
    ],
)
def test_a_file_is_found_by_path_id_or_folder(opened: Opened, name: str, path: str) -> None:
    assert find_file(opened, name).path == path


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("system.os", "stands for 2 files", "db1/system/os.txt, db2/system/os.txt"),
        ("os.txt", "stands for 2 files", "db1/system/os.txt, db2/system/os.txt"),
        ("system", "stands for 2 files", "db1/system/os.txt, db2/system/os.txt"),
        ("s.txt", "no file", "db1/system/os.txt"),
        ("storage.smart", "no file", "skipped: smartctl is not installed"),
        ("db1/storage/fd.txt", "no file", "did you mean db1/storage/df.txt"),
        ("OS.TXT", "no file", "db1/system/os.txt"),
        ("nothing of the kind", "no file", "--files"),
        ("", "no file", "--files"),
        ("../../etc/passwd", "no file", ""),
    ],
)
def test_a_name_that_is_not_there_lists_near_ones(opened: Opened, name: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError, match=message) as raised:
        find_file(opened, name)
    assert hint in raised.value.hint
