"""Every format is told by its content, with the entries, times and levels of real logs."""

from __future__ import annotations

import json
import time
from collections import Counter
from datetime import datetime, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinic.formats.entries import Entries
from clinic.formats.logentry import SPAN, Format, Level
from clinic.formats.logformats import FORMATS, detect
from clinic.formats.timestamp import NANOSECONDS, Clock

NAMED = {known.name: known for known in FORMATS}

RECORDED = {
    "alertmanager-logfmt.log": ("logfmt", 21),
    "dm-worker-unified.log": ("unified", 3),
    "grafana-v7.log": ("logfmt", 5),
    "ng-monitoring-unified.log": ("unified", 3),
    "node_exporter-logfmt.log": ("logfmt", 120),
    "pd-1-unified.log": ("unified", 1396),
    "pd-old-capnslog.log": ("before-unified", 4),
    "prometheus-logfmt-old.log": ("logfmt", 2),
    "prometheus-logfmt.log": ("logfmt", 34),
    "resource-manager-unified.log": ("unified", 57),
    "router-unified.log": ("unified", 119),
    "scheduling-unified.log": ("unified", 182),
    "ticdc-unified.log": ("unified", 5),
    "tidb-audit-log.json": ("json", 1),
    "tidb-audit.log": ("unified", 2),
    "tidb-general-unified.log": ("unified", 3),
    "tidb-json.log": ("json", 5),
    "tidb-old.log": ("before-unified", 5),
    "tidb-slow-formats.log": ("slow", 8),
    "tidb-slow-multiline.log": ("slow", 4),
    "tidb-slow-v5.2.log": ("slow", 5),
    "tidb-stderr-panic.log": ("crash", 5),
    "tidb-unified.log": ("unified", 25),
    "tiflash-clickhouse-error.log": ("clickhouse", 6),
    "tiflash-unified.log": ("unified", 7),
    "tiflash_tikv-unified.log": ("unified", 4),
    "tikv-json.log": ("json", 10),
    "tikv-old.log": ("before-unified", 7),
    "tikv-rocksdb-LOG-plain.log": ("rocksdb", 5),
    "tikv-rocksdb-info.log": ("unified", 6),
    "tikv-unified.log": ("unified", 44),
    "tinysql-unified.log": ("unified", 400),
    "tiproxy-unified.log": ("unified", 4),
    "tso-unified.log": ("unified", 79),
}
"""What each recorded log is, and how many entries it has; PD's standard error is told apart by its name."""


def utc(text: str) -> int:
    """A time as nanoseconds since 1970."""
    return int(datetime.fromisoformat(text).replace(tzinfo=timezone.utc).timestamp() * 1000) * 1_000_000


@pytest.mark.parametrize("name", RECORDED)
def test_a_recorded_log_is_known_with_its_entries(logs: Path, name: str) -> None:
    data = (logs / name).read_bytes()
    known = detect(data[:65536])
    assert known is not None
    expected, count = RECORDED[name]
    assert known.name == expected
    if known.timed:
        assert len(list(Entries((known,)).all(data, line_start=True, final=True))) == count


def test_every_recorded_log_is_tried(logs: Path) -> None:
    index = json.loads((logs / "index.json").read_text("utf-8"))
    files = {entry["file"] for entry in index["files"]}
    assert files == set(RECORDED) | {"pd-stderr-panic.log"}
    assert files == {path.name for path in logs.iterdir()} - {"index.json"}


def test_every_line_of_a_server_s_own_log_begins_an_entry(logs: Path) -> None:
    """PD and its services write what has several lines as one."""
    for name in ("pd-1-unified.log", "scheduling-unified.log", "prometheus-logfmt.log"):
        assert RECORDED[name][1] == (logs / name).read_bytes().count(b"\n")


def test_the_levels_of_a_recorded_log(logs: Path) -> None:
    lines = (logs / "tikv-unified.log").read_bytes().splitlines()
    levels = Counter(NAMED["unified"].level_of(line) for line in lines)
    assert levels == {
        Level.INFO: 18, Level.WARN: 8, Level.FATAL: 5, Level.ERROR: 4, Level.DEBUG: 4, Level.TRACE: 4, None: 1
    }  # fmt: skip


SAMPLES: dict[str, list[tuple[bytes, str, Level | None]]] = {
    "unified": [
        (b"[2026/11/24 10:41:07.123 +08:00] [WARN] [x.go:1] [y]", "2026-11-24T02:41:07.123", Level.WARN),
        (b"[2026/11/24 10:41:07.123 -03:30][12][ERROR] [db/x.cc:1] z", "2026-11-24T14:11:07.123", Level.ERROR),
    ],
    "json": [
        (b'{"level":"INFO","time":"2026/11/24 10:41:07.123 +08:00","m":1}', "2026-11-24T02:41:07.123", Level.INFO),
        (b'{"level":"warn","ts":"2026-11-24T10:41:07.123Z","msg":"x"}', "2026-11-24T10:41:07.123", Level.WARN),
        (b'{"level":"error","ts":1795516867.123,"msg":"x"}', "2026-11-24T10:41:07.123", Level.ERROR),
        (b'{"time":1795516867123,"ts":1}', "2026-11-24T10:41:07.123", None),
        (b'{"ts":443888082736381953,"time":"2026-11-24 10:41:07"}', "2026-11-24T10:41:07.000", None),
        (b'{"m":"\\"time\\":\\"2020/01/01 00:00:00","time":"2026/11/24 10:41:07"}', "2026-11-24T10:41:07.000", None),
    ],
    "slow": [
        (b"# Time: 2026-11-24T10:41:07.123456789+08:00", "2026-11-24T02:41:07.123", None),
        (b"# Time: 2026-11-24T02:41:07.5Z", "2026-11-24T02:41:07.500", None),
        (b"# Time: 2019-04-24-19:41:21.716221 +0800", "2019-04-24T11:41:21.716", None),
        (b"# Time: 2026-11-24T10:41:07.123456Z", "2026-11-24T10:41:07.123", None),
    ],
    "mysql-slow": [
        (b"# Time: 261124 10:41:07", "2026-11-24T10:41:07.000", None),
        (b"# Time: 261124  9:41:07", "2026-11-24T09:41:07.000", None),
    ],
    "clickhouse": [(b"2026.11.24 10:41:07.123456 [ 9 ] <Error> x: y", "2026-11-24T10:41:07.123", Level.ERROR)],
    "logfmt": [
        (b"ts=2026-11-24T10:41:07.123Z caller=main.go:1 level=error msg=x", "2026-11-24T10:41:07.123", Level.ERROR),
        (b"level=info ts=2026-11-24T10:41:07.123Z caller=x", "2026-11-24T10:41:07.123", Level.INFO),
        (b"t=2026-11-24T10:41:07+0800 lvl=eror msg=x", "2026-11-24T02:41:07.000", Level.ERROR),
        (b"logger=a.b t=2026-11-24T10:41:07.123440913+08:00 level=warn", "2026-11-24T02:41:07.123", Level.WARN),
        (b'time="2026-11-24T10:41:07Z" level=fatal msg="x y"', "2026-11-24T10:41:07.000", Level.FATAL),
        (b"time=2026-11-24T10:41:07.123Z level=INFO source=x.go:1", "2026-11-24T10:41:07.123", Level.INFO),
    ],
    "before-unified": [
        (b"2026/11/24 10:41:07.123 server.rs:161: [INFO] ready", "2026-11-24T10:41:07.123", Level.INFO),
        (b"2026/11/24 10:41:07.123 main.go:1: [fatal] x", "2026-11-24T10:41:07.123", Level.FATAL),
    ],
    "capnslog": [(b"2026-11-24 10:41:07.123456 C | etcdmain: x", "2026-11-24T10:41:07.123", Level.FATAL)],
    "rocksdb": [(b"2026/11/24-10:41:07.123456 7f02 [WARN] [db/x.cc:1] y", "2026-11-24T10:41:07.123", Level.WARN)],
    "klog": [(b"E1124 10:41:07.123456   12 leader.go:9] lost", "2026-11-24T10:41:07.123", Level.ERROR)],
    "console": [
        (b"2026-11-24T10:41:07.123Z\tinfo\tlib/x.go:1\ty", "2026-11-24T10:41:07.123", Level.INFO),
        (b"2026/11/24 10:41:07.123 +08:00\tWARN\tmain\tx", "2026-11-24T02:41:07.123", Level.WARN),
        (b"2026-11-24T10:41:07.123+0800\tDEBUG\tretry", "2026-11-24T02:41:07.123", Level.DEBUG),
    ],
    "python": [
        (b"2026-11-24 10:41:07,123 - root - ERROR - x", "2026-11-24T10:41:07.123", Level.ERROR),
        (b"2026-11-24 10:41:07,123 WARNING x", "2026-11-24T10:41:07.123", Level.WARN),
    ],
    "mysql": [
        (b"2026-11-24 10:41:07 0 [Note] InnoDB: x", "2026-11-24T10:41:07.000", Level.INFO),
        (b"2026-11-24  9:41:07 139 [ERROR] x", "2026-11-24T09:41:07.000", Level.ERROR),
        (b"2026-11-24T10:41:07.123456Z 8 [Warning] [MY-010055] [Server] x", "2026-11-24T10:41:07.123", Level.WARN),
        (b"261124 10:41:07 [Note] x", "2026-11-24T10:41:07.000", Level.INFO),
    ],
    "mariadb-audit": [(b"20261124 10:41:07,db-1,root,localhost,3,0,QUERY", "2026-11-24T10:41:07.000", None)],
    "journal": [(b"2026-11-24T10:41:07+0800 db-1 tidb-server[12]: x", "2026-11-24T02:41:07.000", None)],
    "syslog": [
        (b"Nov 24 10:41:07 db-1 kernel: x", "2026-11-24T10:41:07.000", None),
        (b"Nov  4 10:41:07 db-1 sshd[1]: x", "2026-11-04T10:41:07.000", None),
    ],
    "golog": [(b"2026/11/24 10:41:09 INFO gin: started", "2026-11-24T10:41:09.000", Level.INFO)],
    "iso": [(b"2026-11-24 10:41:07.123 UTC [12] LOG:  checkpoint", "2026-11-24T10:41:07.123", Level.INFO)],
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "line", "moment", "level"), [(name, *row) for name, rows in SAMPLES.items() for row in rows]
)
def test_a_line_of_each_format(name: str, line: bytes, moment: str, level: Level | None) -> None:
    """At the beginning of a file, and as one of several lines."""
    clock = Clock(latest=utc("2026-12-01T00:00:00"))
    known = detect(line + b"\n")
    assert known is not None
    assert known.name == name
    [mark] = Entries((known,), clock).all(line + b"\nmore\n", line_start=True)
    assert mark.time // 1_000_000 == utc(moment) // 1_000_000
    assert known.level_of(line) is level
    [later] = Entries((known,), clock).all(b"\n" + line + b"\n", line_start=False)
    assert later.at == 1


def test_every_format_with_times_has_a_sample() -> None:
    assert {known.name for known in FORMATS if known.timed} == set(SAMPLES)


@pytest.mark.parametrize(
    "line",
    [
        b"[2026/13/24 10:41:07.123 +08:00] [INFO]",
        b"[2026/02/30 10:41:07.123 +08:00] [INFO]",
        b"[2026/4/4 13:11:02.329 +08:00] [DEBUG]",
        b" [2026/11/24 10:41:07.123 +08:00] [INFO]",
        b"'# Time: 2026-11-24T10:41:07+08:00' AS looks_like_a_header",
        b"# Time: 2026-11-24T10:41:07+08:00 and more on the line",
        b"# Time: yesterday",
    ],
)
def test_what_only_looks_like_the_beginning_of_an_entry(line: bytes) -> None:
    """Something else on the line of a slow query's time, no such month or day, a space before it."""
    entries = Entries((NAMED["unified"], NAMED["slow"]))
    assert list(entries.all(line + b"\n", line_start=True)) == [] or line.endswith(b"more on the line")


@pytest.mark.parametrize(
    "text", [b"", b"\n\n\n", b"hello\nworld\n", b"\0" * 100, b"{}\n[]\n", b"\xff\xfe\x80"]
)
def test_what_is_no_log_is_in_no_format(text: bytes) -> None:
    assert detect(text) is None


def test_a_crash_has_no_times(logs: Path) -> None:
    known = detect((logs / "tidb-stderr-panic.log").read_bytes())
    assert known is not None
    assert not known.timed


def test_lines_with_times_decide_even_where_a_crash_is_longer(logs: Path) -> None:
    text = b"[2026/11/24 10:41:07.123 +08:00] [INFO] [x]\n" + (logs / "tidb-stderr-panic.log").read_bytes()
    assert detect(text) is NAMED["unified"]


@given(st.binary(max_size=300))
def test_no_bytes_are_too_strange(data: bytes) -> None:
    """Whatever they are, what is found begins where it says, and is the same however it is asked for."""
    entries = Entries(tuple(known for known in FORMATS if known.timed))
    marks = list(entries.all(data, line_start=True, final=True))
    assert [mark.at for mark in marks] == sorted({mark.at for mark in marks})
    assert all(mark.at == 0 or data[mark.at - 1] in b"\n\0" for mark in marks)
    assert entries.last(data, line_start=True, final=True) == (marks[-1] if marks else None)
    known = detect(data)
    assert known is None or any(head.compiled.search(data) for head in known.heads)


@pytest.mark.parametrize("known", [known for known in FORMATS if known.timed], ids=lambda known: known.name)
def test_no_line_takes_long_to_look_at(known: Format) -> None:
    """A line that nearly is a head, of the worst kind: a second would do for ten thousand of them."""
    entries = Entries((known,))
    worst = [
        b'{"' + b'"time":' * 1000,
        b'a="' * 2000,
        b"a= " * 2000,
        b"Nov 24 10:41:07 " + b"x" * 5000,
        b"# Time: " * 900,
    ]
    data = b"\n".join(line[: SPAN - 1] for line in worst * 20)
    started = time.perf_counter()
    list(entries.all(data, line_start=True))
    assert time.perf_counter() - started < 20


def test_the_time_of_an_entry_is_exact_to_the_nanosecond() -> None:
    [mark] = Entries((NAMED["slow"],)).all(b"# Time: 2026-11-24T10:41:07.123456789Z\n", line_start=True)
    assert mark.time % NANOSECONDS == 123456789
