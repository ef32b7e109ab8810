"""The log formats that are known, and which one some bytes are in.

Facts only, an entry each. Their sources:

* "Unified log format" (tikv/rfcs 0018): TiDB, PD, TiKV, TiFlash, TiCDC, DM, TiProxy, ng-monitoring, tools; its JSON
  form and TiKV's order of keys from tikv/tikv `components/tikv_util/src/logger`; RocksDB's lines in TiKV's form
  have a bare thread number before the level.
* Slow queries: "Identify Slow Queries" on docs.pingcap.com; the first form of their time from pingcap/tidb
  `executor/slow_query_test.go`; MySQL and MariaDB, "The Slow Query Log".
* Before that: pingcap/log and capnslog (PD and TiKV up to 2.1), TiFlash's of ClickHouse (up to 6).
* logfmt: go-kit/log and log/slog as Prometheus, its exporters, Alertmanager and Grafana set them up.
* RocksDB `logging/env_logger.h`; klog `klog.go`; zap's console encoder; Python `logging`; MySQL "The Error Log",
  MariaDB "Error Log" and "Audit Plugin Log Format"; journalctl(1) `short-iso`, RFC 3164 for syslog.
"""

from __future__ import annotations

import re
from functools import lru_cache

from clinic.formats.logentry import Format, Head

_MONTH = rb"(?P<M>0[1-9]|1[0-2])"
_DAY = rb"(?P<D>0[1-9]|[12]\d|3[01])"
_TIME = rb"(?P<h>[01]\d|2[0-3]):(?P<m>[0-5]\d):(?P<s>[0-5]\d|60)"
_FRACTION = rb"(?:[.,](?P<f>\d{1,9}))?"
_ZONE = rb"(?P<z>Z|UTC|[+-]\d\d:?\d\d)"


def _date(separator: bytes) -> bytes:
    return rb"(?P<Y>[12]\d{3})" + separator + _MONTH + separator + _DAY


_SLASHES, _DASHES = _date(b"/"), _date(b"-")
_ISO = _DASHES + rb"[T ]" + _TIME + _FRACTION
_SHORT_DATE = rb"(?P<Y>\d\d)" + _MONTH + _DAY
_PADDED_TIME = rb"(?P<h>[ 01]\d|2[0-3]|\d):(?P<m>[0-5]\d):(?P<s>[0-5]\d|60)"
_JSON_LEVEL = rb'"(?:level|lvl|LEVEL|severity|L)" ?: ?"(?P<l>\w+)"'
_JSON_TIME = (
    rb'\{[^\n\0]{0,4096}?"(?:time|ts|timestamp|@timestamp|TIME|TIMESTAMP|t)" ?: ?'
    rb'(?:"' + rb"(?P<Y>[12]\d{3})[-/]" + _MONTH + rb"[-/]" + _DAY + rb"[ T]" + _TIME + _FRACTION
    + rb" ?(?:" + _ZONE + rb')?"|(?P<e>[1-9]\d{9}(?:\d{3})?)(?=[,}\s]))'
)  # fmt: skip
_JSON_SECONDS = rb'\{[^\n\0]{0,4096}?"(?:time|ts|t)" ?: ?(?P<e>[1-9]\d{9})\.(?P<f>\d{1,9})'
_PAIRS = rb'(?:[\w.]{1,64}=(?:"(?:[^"\\\n\0]|\\[^\n\0]){0,512}"|[^\s"\0]{0,512}) ){0,6}'

FORMATS = (
    Format(
        "unified",
        (Head(rb"\[" + _SLASHES + rb" " + _TIME + rb"\.(?P<f>\d{1,9}) " + _ZONE + rb"\]", b"[", "%Y/%m/%d %H:%M:%S"),),
        rb"\A\[[^\]\n]*\](?:\[\d+\])?[ ]*\[[ ]*(?P<l>\w+)",
    ),
    Format("json", (Head(_JSON_TIME), Head(_JSON_SECONDS)), _JSON_LEVEL),
    Format(
        "slow",
        (
            Head(
                rb"# Time: " + _DASHES + rb"[T-]" + _TIME + _FRACTION + rb" ?" + _ZONE + rb"(?=\s|\Z)",
                b"# Time: ", "%Y-%m-%dT%H:%M:%S",
            ),
        ),
    ),
    Format("mysql-slow", (Head(rb"# Time: " + _SHORT_DATE + rb" {1,2}" + _PADDED_TIME + rb"(?=\s|\Z)"),)),
    Format(
        "clickhouse",
        (Head(_date(rb"\.") + rb" " + _TIME + rb"\.(?P<f>\d{1,9}) \[ ?\d+ ?\] "),),
        rb"<(?P<l>\w+)>",
    ),
    Format(
        "logfmt",
        (Head(_PAIRS + rb'(?:ts|t|time)="?' + _ISO + rb"(?:" + _ZONE + rb")?", b"ts=", "%Y-%m-%dT%H:%M:%S"),),
        rb'(?:\A| )(?:level|lvl)="?(?P<l>\w+)',
    ),
    Format(
        "before-unified",
        (Head(_SLASHES + rb" " + _TIME + _FRACTION + rb" [^\s:\[\]\0]{1,256}:\d{1,6}: (?=\[)"),),
        rb": \[(?P<l>\w+)\]",
    ),
    Format("capnslog", (Head(_DASHES + rb" " + _TIME + _FRACTION + rb" (?=[A-Z] \| )"),), rb" (?P<l>[A-Z]) \| "),
    Format(
        "rocksdb",
        (Head(_SLASHES + rb"-" + _TIME + rb"\.(?P<f>\d{1,9}) [0-9a-f]+ "),),
        rb"\A\S+ [0-9a-f]+ \[(?P<l>WARN|ERROR|FATAL|INFO|DEBUG)\]",
    ),
    Format(
        "klog",
        (Head(rb"[IWEF]" + _MONTH + _DAY + rb" " + _TIME + rb"\.(?P<f>\d{1,9}) +\d+ [^\s:\0]{1,256}:\d+\]"),),
        rb"\A(?P<l>[IWEF])",
    ),
    Format(
        "console",
        (
            Head(_DASHES + rb"[T ]" + _TIME + _FRACTION + rb" ?(?:" + _ZONE + rb")?(?=\t)"),
            Head(_SLASHES + rb"[T ]" + _TIME + _FRACTION + rb" ?(?:" + _ZONE + rb")?(?=\t)"),
        ),
        rb"\A[^\t\n]*\t(?P<l>[A-Za-z]+)",
    ),
    Format(
        "python",
        (Head(_DASHES + rb" " + _TIME + rb",(?P<f>\d{3})(?=[ :\]-])"),),
        rb"\b(?P<l>DEBUG|INFO|WARNING|ERROR|CRITICAL)\b",
    ),
    Format(
        "mysql",
        (
            Head(
                _DASHES + rb"[T ]" + _PADDED_TIME + _FRACTION + rb"(?:" + _ZONE + rb")? (?:0x)?[0-9a-f]+ \[(?=[A-Z])"
            ),
            Head(_SHORT_DATE + rb" {1,2}" + _PADDED_TIME + rb"(?=\s|\Z)"),
        ),
        rb"\[(?P<l>Note|Warning|ERROR|System)\]",
    ),
    Format("mariadb-audit", (Head(rb"(?P<Y>20\d\d)" + _MONTH + _DAY + rb" " + _TIME + rb"(?=,)"),)),
    Format(
        "journal",
        (Head(_DASHES + rb"T" + _TIME + _FRACTION + _ZONE + rb" [^\s:\0]{1,255} [^\s\[:\0]{1,255}(?:\[\d+\])?: "),),
    ),
    Format(
        "syslog",
        (
            Head(
                rb"(?P<B>Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) (?P<D>[ 0-2]\d|3[01]) " + _TIME
                + rb" [^\s:\0]{1,255} (?=\S)"
            ),
        ),
    ),
    Format(
        "golog",
        (Head(_SLASHES + rb" " + _TIME + _FRACTION + rb" (?=[^\s+-]|[+-]\D)"),),
        rb"\A\S+ \S+ \[?(?P<l>DEBUG|INFO|WARN|WARNING|ERROR|FATAL)\b",
    ),
    Format(
        "iso",
        (Head(_ISO + rb" ?(?:" + _ZONE + rb")?(?=[\s:|,\]]|\Z)"),),
        rb"\b(?P<l>TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|CRITICAL|FATAL|LOG|PANIC)\b",
    ),
    Format(
        "crash",
        (
            Head(rb"panic: "), Head(rb"fatal error: "), Head(rb"\[negroni\] PANIC"), Head(rb"goroutine \d+ \["),
            Head(rb"thread '[^'\n\0]{0,256}' panicked"), Head(rb"SIG[A-Z]{2,6}: "), Head(rb"runtime: "),
        ),
        timed=False,
    ),
)  # fmt: skip
"""All of them. Of two that fit some bytes equally, the first is meant."""


@lru_cache(maxsize=1)
def _counters() -> tuple[tuple[Format, re.Pattern[bytes]], ...]:
    return tuple(
        (known, re.compile(rb"[\n\0](?:" + b"|".join(head.bare for head in known.heads) + rb")"))
        for known in FORMATS
    )


def detect(sample: bytes, *, least: int = 1) -> Format | None:
    """The format that most lines of `sample` begin an entry of, in at least `least` lines; None when there is none.

    One with times goes before one without.
    """
    best: Format | None = None
    rank = (False, least - 1)
    lines = b"\n" + sample
    for known, pattern in _counters():
        found = (known.timed, sum(1 for _ in pattern.finditer(lines)))
        if found[1] >= least and found > rank:
            best, rank = known, found
    return best
