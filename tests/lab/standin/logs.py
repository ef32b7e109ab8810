"""The logs of an instance: they grow while it runs, and may have a past with rotated files."""

from __future__ import annotations

import datetime
import gzip
import itertools
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from tests.lab.standin.members import Member
from tests.lab.standin.recorded import text
from tests.lab.standin.rewrite import Rewriter
from tests.lab.standin.spec import Spec

EVERY = 10
"""Logs beside the main one get one entry for this many in the main one."""

HOURS_A_FILE = 6
ENTRIES_OF = {
    "tidb_slow_query.log": "tidb_slow",
    "tiflash_error.log": "tiflash_error",
    "tiflash_tikv.log": "tiflash_tikv",
    "rocksdb.info": "rocksdb",
}
"""Which entries of `recordings/logs/entries.json` a file has that is not the main log."""


def unified(moment: datetime.datetime) -> str:
    """The time in a log in TiDB's unified format, and in rocksdb.info."""
    zone = moment.strftime("%z")
    return f"{moment:%Y/%m/%d %H:%M:%S}.{moment.microsecond // 1000:03d} {zone[:3]}:{zone[3:]}"


def slow(moment: datetime.datetime) -> str:
    """The time in the slow log: RFC 3339 with nanoseconds."""
    zone = moment.strftime("%z")
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06d}789{zone[:3]}:{zone[3:]}"


class Log:
    """One log file."""

    def __init__(self, path: Path, rewriter: Rewriter, component: str) -> None:
        self.path = path
        entries: dict[str, Any] = json.loads(text("logs/entries.json"))
        own = entries[ENTRIES_OF.get(path.name, component)]
        self._time = slow if path.name == "tidb_slow_query.log" else unified
        self._start = [rewriter.text(entry, mine=True) for entry in own["start"]]
        self._steady = itertools.cycle([rewriter.text(entry) for entry in own["steady"]])

    def entry(self, moment: datetime.datetime) -> str:
        """The next entry, with its time, and the end of its line."""
        return next(self._steady).replace("{time}", self._time(moment)) + "\n"

    def starting(self, moment: datetime.datetime) -> str:
        """What is written once, when the instance starts."""
        return "".join(entry.replace("{time}", self._time(moment)) + "\n" for entry in self._start)

    def write_past(self, hours: float, step: float) -> None:
        """A past: entries `step` seconds apart, a file for each six hours, the last one the current."""
        now = time.time()
        length = HOURS_A_FILE * 3600
        for begin in _steps(now - hours * 3600, now, length):
            end = min(begin + length, now)
            moments = [_local(at) for at in _steps(begin, end, step)]
            content = "".join(self.entry(moment) for moment in moments)
            self._place(content, end, current=end >= now, oldest=begin <= now - hours * 3600)

    def _place(self, content: str, end: float, *, current: bool, oldest: bool) -> None:
        if current:
            self.path.write_text(content)
            return
        path = self._rotated(_local(end))
        if oldest and self.path.name == "tidb.log":  # `log.file.compression = "gzip"`
            path = path.with_name(path.name + ".gz")
            path.write_bytes(gzip.compress(content.encode(), mtime=int(end)))
        else:
            path.write_text(content)
        os.utime(path, (end, end))

    def _rotated(self, moment: datetime.datetime) -> Path:
        """The name of a file that is full: with its time, or for TiFlash the number 0 and the others moved on."""
        if self.path.name.startswith("tiflash"):
            for number in range(100, -1, -1):
                older = self.path.with_name(f"{self.path.name}.{number}")
                if older.exists():
                    older.rename(self.path.with_name(f"{self.path.name}.{number + 1}"))
            return self.path.with_name(f"{self.path.name}.0")
        stamp = f"{moment:%Y-%m-%dT%H-%M-%S}.{moment.microsecond // 1000:03d}"
        return self.path.with_name(f"{self.path.stem}-{stamp}{self.path.suffix}")


class Growing:
    """The logs of a running instance."""

    def __init__(self, spec: Spec, member: Member) -> None:
        rewriter = Rewriter(spec, member)
        self._logs = [
            Log(path, rewriter, member.component)
            for path in member.logs
            if not path.name.endswith("_stderr.log")
        ]
        self._rate = spec.options.log_rate
        for log in self._logs:
            if spec.options.history and not log.path.stat().st_size:  # not when it is started anew
                log.write_past(spec.options.history, spec.options.history_step)
        self._files: list[TextIO] = [log.path.open("a", buffering=1) for log in self._logs]
        for log, file in zip(self._logs, self._files, strict=True):
            file.write(log.starting(_local(time.time())))

    def end(self, words: str) -> None:
        """One more line in the main log, and no more."""
        self._files[0].write(f"[{unified(_local(time.time()))}] [INFO] {words}\n")
        for file in self._files:
            file.close()

    def grow(self) -> None:
        """Adds entries as long as the process lives."""
        if self._rate <= 0:
            while True:
                time.sleep(3600)
        for number in itertools.count():
            moment = _local(time.time())
            self._files[0].write(self._logs[0].entry(moment))
            if number % EVERY == 0:
                for log, file in zip(self._logs[1:], self._files[1:], strict=True):
                    file.write(log.entry(moment))
            time.sleep(1 / self._rate)


def _local(at: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(at).astimezone()


def _steps(begin: float, end: float, step: float) -> Iterator[float]:
    at = begin
    while at < end:
        yield at
        at += step
