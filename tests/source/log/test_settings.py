"""Where a configuration file says that logs are, they are looked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from clinic.deadline import Deadline
from clinic.host.local import LocalHost
from clinic.source.log.settings import told_in

SETTINGS = ("log.file.filename", "log.slow-query-file")


def told(path: Path, home: str = "/deploy") -> list[str]:
    """What the file `path` says."""
    return told_in(LocalHost("here"), str(path), SETTINGS, home, Deadline(5))


def test_it_says_where_they_are(tmp_path: Path) -> None:
    config = tmp_path / "tidb.toml"
    config.write_text(
        '[log]\nslow-query-file = "log/slow.log"\nlevel = "info"\n[log.file]\nfilename = "/data/log/tidb.log"\n'
    )
    assert sorted(told(config)) == ["/data/log/tidb.log", "/deploy/log/slow.log"]
    assert told(config, home="") == ["/data/log/tidb.log"]


@pytest.mark.parametrize(
    "content",
    [b"", b"[log.file]\nfilename = ''", b"log = 3", b"\xff\xfe", b"[[", b"[log.file]\nfilename = 7"],
)
def test_what_says_nothing_is_no_error(tmp_path: Path, content: bytes) -> None:
    config = tmp_path / "tidb.toml"
    config.write_bytes(content)
    assert told(config) == []
    assert told(tmp_path / "absent.toml") == []
