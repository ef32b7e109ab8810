"""What each program says when it is asked for its version.

PD's is the recorded one (its `/version`, `/status` and log); the others are in the format of their sources with
the version and hash of the recorded topology.
"""

from __future__ import annotations

from collections.abc import Mapping

from tests.lab.standin.sql_version import TIDB_VERSION

VERSION_TEXTS: Mapping[str, str] = {
    "pd": """\
Release Version: v9.0.0-beta.2.pre-483-ga186e0cc61
Edition: Community
Git Commit Hash: a186e0cc61def1408fc57ae7b3d1044a572c8ae3
Git Branch: master
UTC Build Time:  2026-08-21 07:57:12""",
    "tidb": TIDB_VERSION,
    "tikv": """\
TiKV
Release Version:   8.5.3
Edition:           Community
Git Commit Hash:   13b9af5c34ad0dd62b5ae5ee02e05806e6d31e0b
Git Commit Branch: HEAD
UTC Build Time:    2025-08-08 02:40:11
Rust Version:      rustc 1.77.0-nightly (89e2160c4 2023-12-27)
Enable Features:   memory-engine pprof-fp jemalloc mem-profiling portable sse test-engine-kv-rocksdb
Profile:           dist_release""",
    "tiflash": """\
TiFlash
Release Version: v8.5.3
Edition:         Community
Git Commit Hash: c192b4c290dbee5a02b8bc156a4a622273d7f35e
Git Branch:      HEAD
UTC Build Time:  2025-08-08 02:47:31
Enable Features: jemalloc sm4(GmSSL) mem-profiling avx2 avx512 unwind thinlto
Profile:         RELWITHDEBINFO""",
    "tiproxy": "tiproxy version v1.3.0, commit dd4b39c2c34f5a7c1e3d2b7f6a9c8e5d4b3a2f10",
    "ticdc": """\
Release Version: v8.5.3
Git Commit Hash: 4d578e92b87cc67288a832da6b050434f51ef94e
Git Branch: HEAD
UTC Build Time: 2025-08-08 02:40:11
Go Version: go version go1.23.6 linux/amd64
Failpoint Build: false""",
}
"""By component."""
