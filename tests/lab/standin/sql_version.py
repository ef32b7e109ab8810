"""What TiDB says of itself, over SQL and by its program (pingcap/tidb, `GetTiDBInfo` in pkg/util/printer)."""

from __future__ import annotations

TIDB_VERSION = """\
Release Version: v8.5.3
Edition: Community
Git Commit Hash: ada869596f86eebb227ceeb9e9b05e6e298cd838
Git Branch: HEAD
UTC Build Time: 2025-08-08 02:51:00
GoVersion: go1.23.6
Race Enabled: false
Check Table Before Drop: false
Store: tikv"""
"""`tidb-server -V` and `SELECT tidb_version()`."""
