"""The index of a log file: how many entries of which level in which minute, where they begin, what is said most often.

It is made in one pass from the bytes that are written, with memory that does not grow with them. Most logs of a cluster
are in the unified format, and a gigabyte is nothing special: their lines are counted by the regular expression engine.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

from clinic.formats.entries import Entries
from clinic.formats.logentry import Format, Level
from clinic.formats.logformats import detect
from clinic.formats.timestamp import NANOSECONDS, Clock, moment_of, offset_of

FORMAT = "clinic-logindex/1"
"""Name and major version of the file."""

MINUTE = 60 * NANOSECONDS
"""In nanoseconds."""

SAMPLE = 64 * 1024
"""Bytes by which the format is told."""

LONGEST_LINE = 64 * 1024
"""Bytes of a line that are looked at; of a longer one the beginning."""

TEMPLATES = 50
"""How many of the most frequent messages are kept."""

CANDIDATES = 4000
"""How many are counted at once; the rarest go when there are more."""

EXACT = 10_240
"""Entries of each level whose messages are looked at one by one; of the later ones one in `STEP`, for all of those."""

STEP = 16
"""Divides `EXACT`."""

LONGEST_TEMPLATE = 160
"""Bytes of a message's beginning that tell it from others."""


@dataclass(frozen=True, slots=True)
class Minute:
    """What was written in one minute."""

    start: int
    """Minutes since 1970, UTC; by the node's own clock where the index says so."""

    offset: int
    """Where its first entry begins in the plain bytes of the file."""

    levels: Mapping[str, int]
    """Entries by level; those that tell none are under an empty name."""

    @property
    def entries(self) -> int:
        """How many entries."""
        return sum(self.levels.values())


@dataclass(frozen=True, slots=True)
class Template:
    """A message that comes again and again; what varies in it is `<*>`."""

    text: str
    """Its beginning."""

    level: str
    """How grave it is; empty when it does not say."""

    count: int
    """How often it came, or a little less: the rarest are forgotten on the way. Of many it is an estimate."""


@dataclass(frozen=True, slots=True)
class LogIndex:
    """What is known of a file without reading it again."""

    log: str
    """Name of its format; empty when it is in none that is known."""

    size: int
    """Plain bytes."""

    minutes: tuple[Minute, ...] = ()
    """In the order of the file, each minute once or, where clocks went back, again."""

    templates: tuple[Template, ...] = ()
    """The most frequent first."""

    local: bool = False
    """Whether its times are the node's own, without a zone, written as if they were UTC."""

    @property
    def entries(self) -> int:
        """How many entries."""
        return sum(minute.entries for minute in self.minutes)

    @property
    def levels(self) -> Counter[str]:
        """Entries by level."""
        total: Counter[str] = Counter()
        for minute in self.minutes:
            total.update(minute.levels)
        return total

    def to_json(self) -> bytes:
        """One line for each minute and message, so that people can read it."""
        rows = [[one.start, one.offset, dict(one.levels)] for one in self.minutes]
        said = [[one.count, one.level, one.text] for one in self.templates]
        head = {
            "format": FORMAT,
            "log": self.log,
            "size": self.size,
            "entries": self.entries,
            "local": self.local,
        }
        body = json.dumps(head, ensure_ascii=False)[1:-1]
        return f'{{{body},\n"minutes": [\n{_lines(rows)}],\n"templates": [\n{_lines(said)}]}}\n'.encode()

    @classmethod
    def from_json(cls, data: bytes) -> LogIndex:
        """The index that `to_json` wrote. Raises `ValueError` for anything else."""
        try:
            found = json.loads(data)
            if found["format"] != FORMAT:
                raise ValueError(f"an index of the format {found['format']!r}")
            minutes = tuple(
                Minute(int(start), int(offset), {str(level): int(count) for level, count in levels.items()})
                for start, offset, levels in found["minutes"]
            )
            said = tuple(
                Template(str(text), str(level), int(count)) for count, level, text in found["templates"]
            )
            return cls(str(found["log"]), int(found["size"]), minutes, said, bool(found["local"]))
        except (KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError(f"no index of a log: {error}") from error


def _lines(rows: Iterable[object]) -> str:
    return ",\n".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows)


# Time to the minute, zone, level, and up to two more brackets: the place in the source, and the message. The first is
# what nearly all logs have; the second also takes what TiKV writes for RocksDB, at half the speed.
_HEAD = rb"\n\[(\d{4}/\d\d/\d\d \d\d:\d\d):\d\d\.\d{1,9} ([+-]\d\d:?\d\d|Z|UTC)\]"
_SAID = rb"(\[[^\]\n]*\](?: \[[^\]\n]*\])?|)"
_USUAL = re.compile(_HEAD + rb" \[(\w+) ?\] ?" + _SAID)
_UNUSUAL = re.compile(_HEAD + rb"(?:\[\d+\])? *(?:\[ *(\w{1,20})[^\]\n]{0,40}\] ?)?" + _SAID)
_MINUTE = re.compile(rb"(?P<Y>\d{4})[/-](?P<M>\d\d)[/-](?P<D>\d\d)[ T-](?P<h>\d\d):(?P<m>\d\d)(?P<s>)")
_LEVELS = {level.value: level.value for level in Level} | {
    "dbug": "debug", "eror": "error", "err": "error", "warning": "warn", "crit": "fatal", "critical": "fatal",
    "panic": "fatal", "dpanic": "fatal",
}  # fmt: skip
# Numbers, addresses, times, hexadecimal and quoted values; the line of a source file tells messages apart.
_VARIES = re.compile(
    rb"0x[0-9a-fA-F]+|\b[0-9a-fA-F]{8,}\b|(?<!\.go:)(?<!\.rs:)(?<!\.cc:)(?<!\.cpp:)\b\d[\d.:,/_T+-]*\w*"
    rb"|(?<==)(?<!msg=)(?<!message=)\"(?:[^\"\\]|\\.)*\"|(?<==)'(?:[^'\\]|\\.)*'"
)
# What stands at fixed places where times have milliseconds and a zone in digits, as nearly everywhere. To cut lines
# there costs a third of what the regular expression does.
_FIXED = re.compile(rb"(\d{4}/\d\d/\d\d \d\d:\d\d) ([+-]\d\d:\d\d)\] \[(\w{4,5})\]?\Z")
_TO_MINUTE, _ZONE_ON, _LEVEL_ON, _LEVEL_END = 16, 23, 32, 38
_SAID_ONLY = re.compile(rb"\[\w+ ?\] ?" + _SAID)
_SLOW = re.compile(
    rb"\n# Time: (\d{4}-\d\d-\d\d[T-]\d\d:\d\d):\d\d(?:[.,]\d{1,9})? ?(Z|UTC|[+-]\d\d:?\d\d)(?=\s|\Z)"
)
_DIGEST = re.compile(rb"\n# Digest: ([0-9a-f]{16,64})")


class LogIndexer:
    """Watches a file's bytes as they are written, and makes its index."""

    def __init__(self) -> None:
        self._held = b""
        self._at = 0  # of `_held`
        self._format: Format | None = None
        self._known = False
        self._cut = False  # inside a line of which only the beginning is looked at
        self._minutes: list[tuple[int, int, Counter[str]]] = []
        self._said: Counter[tuple[str, bytes]] = Counter()
        self._looked: Counter[str] = Counter()  # entries by level whose messages were counted
        self._local = False
        self._lines_of = _USUAL
        self._entries: Entries | None = None

    def feed(self, data: bytes) -> None:
        """The next bytes."""
        self._held += data
        if not self._known:
            if len(self._held) < SAMPLE:
                return
            self._tell()
        end = self._held.rfind(b"\n") + 1
        if end:
            self._lines(end)
        elif len(self._held) > LONGEST_LINE:
            self._overlong()

    def finish(self) -> bytes:
        """The index as it is stored; empty where the file has no format that is known, or nothing in it."""
        if not self._known:
            self._tell()
        if self._held and self._format is not None:
            self._lines(len(self._held))
        if self._format is None or not self._minutes:
            return b""
        return self.index.to_json()

    @property
    def index(self) -> LogIndex:
        """What is known so far."""
        minutes = tuple(Minute(start, offset, dict(levels)) for start, offset, levels in self._minutes)
        said = tuple(
            Template(text.decode("utf-8", "replace"), level, count)
            for (level, text), count in sorted(self._said.items(), key=lambda one: (-one[1], one[0]))[
                :TEMPLATES
            ]
            if count > 0
        )
        name = self._format.name if self._format is not None else ""
        return LogIndex(name, self._at + len(self._held), minutes, said, self._local)

    def _tell(self) -> None:
        self._known = True
        found = detect(self._held[:SAMPLE].lstrip(b"\0"))
        self._format = found if found is not None and found.timed else None
        self._entries = Entries((self._format,)) if self._format is not None else None
        sample = b"\n" + self._held[:SAMPLE]
        if len(_USUAL.findall(sample)) < len(_UNUSUAL.findall(sample)):
            self._lines_of = _UNUSUAL

    def _overlong(self) -> None:
        """Of a line without an end its beginning is counted, and the rest passed over."""
        if not self._cut:
            self._look(self._held[:LONGEST_LINE])
        self._cut = True
        self._at += len(self._held)
        self._held = b""

    def _lines(self, end: int) -> None:
        lines, self._held = self._held[:end], self._held[end:]
        if self._cut:  # what is left of a long line is no line
            begin = lines.find(b"\n") + 1
            self._at += begin
            lines, self._cut = lines[begin:], begin == 0
        self._look(lines)
        self._at += len(lines)

    def _look(self, lines: bytes) -> None:
        if self._format is None:
            return
        if self._format.name == "unified":
            self._unified(lines)
        elif self._format.name == "slow":
            self._slow(lines)
        else:
            self._any(lines)
        if len(self._said) > CANDIDATES:
            self._said = Counter(dict(self._said.most_common(CANDIDATES // 2)))

    def _unified(self, lines: bytes) -> None:
        texts = (b"\n" + lines).split(b"\n[")[1:]
        keys = [text[:_TO_MINUTE] + text[_ZONE_ON:_LEVEL_END] for text in texts]
        of: dict[str, set[bytes]] = {}
        for key, number in Counter(keys).items():
            found = _FIXED.match(key)
            level = _level(found[3]) if found is not None else ""
            of.setdefault(level, set()).add(key)
            if found is not None and level:
                self._count_at(lines, b"[" + found[1], _minutes(found[1], found[2]), level, number)
        for level, usual in of.items():
            chosen = [text for text, key in zip(texts, keys, strict=True) if key in usual]
            if level:
                self._say(level, chosen)
            else:
                self._otherwise(lines, chosen)

    def _otherwise(self, lines: bytes, texts: list[bytes]) -> None:
        """Lines that have something else at the usual places."""
        joined = b"".join(b"\n[" + text for text in texts)
        found = cast("list[tuple[bytes, bytes, bytes, bytes]]", self._lines_of.findall(joined))
        for (minute, zone, level), number in Counter(one[:3] for one in found).items():
            self._count_at(lines, b"[" + minute, _minutes(minute, zone), _level(level), number)
        for (level, said), number in Counter(one[2:] for one in found).items():
            self._said[_level(level), _template(said)] += number

    def _say(self, level: str, texts: list[bytes]) -> None:
        """Count what lines of one level say: all of the first ones, then the last of each `STEP` for the others."""
        before = self._looked[level]
        self._looked[level] += len(texts)
        exact = max(0, EXACT - before)
        self._say_each(level, texts[:exact], 1)
        self._say_each(level, texts[exact + (-1 - max(before, EXACT)) % STEP :: STEP], STEP)

    def _say_each(self, level: str, texts: list[bytes], weight: int) -> None:
        """From their levels on, to the end of the second bracket after that."""
        said = Counter(
            text[_LEVEL_ON : text.find(b"]", text.find(b"]", _LEVEL_END + 1) + 1) + 1 or 2 * LONGEST_TEMPLATE]
            for text in texts
        )
        for text, number in said.items():
            found = _SAID_ONLY.match(text, 0, 2 * LONGEST_TEMPLATE)
            self._said[level, _template(found[1] if found is not None else b"")] += number * weight

    def _slow(self, lines: bytes) -> None:
        found = cast("list[tuple[bytes, bytes]]", _SLOW.findall(b"\n" + lines))
        for (minute, zone), number in Counter(found).items():
            self._count_at(lines, b"# Time: " + minute, _minutes(minute, zone), "", number)
        digests = cast("list[bytes]", _DIGEST.findall(b"\n" + lines))
        for digest, number in Counter(digests).items():
            self._said["", b"digest " + digest] += number
        # An entry and its digest may come in two pieces: their sum is right in the end.
        self._said["", b"a slow query"] += len(found) - len(digests)

    def _count_at(self, lines: bytes, head: bytes, start: int, level: str, number: int) -> None:
        begins = 0 if lines.startswith(head) else lines.find(b"\n" + head) + 1
        self._count(start, self._at + begins, level, number)

    def _any(self, lines: bytes) -> None:
        assert self._format is not None and self._entries is not None
        marks = list(self._entries.all(lines, line_start=True, final=True))
        if not marks:
            return
        ends = [mark.at for mark in marks[1:]] + [len(lines)]
        for mark, end in zip(marks, ends, strict=True):
            entry = lines[mark.at : min(end, mark.at + 1024)]
            grave = self._format.level_of(entry)
            level = grave.value if grave is not None else ""
            self._count(mark.time // MINUTE, self._at + mark.at, level, 1)
            self._said[level, self._message(entry)] += 1
        if marks and not self._local:
            self._local = not self._entries.zone_in(lines, marks[0].at) and not _epoch(
                self._format, lines, marks[0].at
            )

    def _message(self, entry: bytes) -> bytes:
        assert self._format is not None
        if self._format.name == "mysql-slow":
            return b"a slow query"
        for head in self._format.heads:
            found = head.compiled.match(entry)
            if found is not None:
                return _template(entry[found.end() :].partition(b"\n")[0])
        return _template(entry.partition(b"\n")[0])

    def _count(self, start: int, offset: int, level: str, number: int) -> None:
        for known, _, levels in self._minutes[-3:]:
            if known == start:
                levels[level] += number
                return
        self._minutes.append((start, offset, Counter({level: number})))


def _epoch(known: Format, lines: bytes, at: int) -> bool:
    """Whether the entry at `at` tells seconds since 1970, which need no zone."""
    for head in known.heads:
        found = head.compiled.match(lines, at)
        if found is not None:
            return bool(found.groupdict().get("e"))
    return False


@lru_cache(maxsize=4096)
def _minutes(text: bytes, zone: bytes) -> int:
    """Minutes since 1970 of a time as the unified format writes it."""
    found = _MINUTE.match(text)
    moment = moment_of(found, Clock()) if found is not None else None
    return (moment[0] // NANOSECONDS - offset_of(zone)) // 60 if moment is not None else 0


@lru_cache(maxsize=64)
def _level(text: bytes) -> str:
    return _LEVELS.get(text.decode("ascii", "replace").lower(), "")


@lru_cache(maxsize=8192)
def _template(said: bytes) -> bytes:
    return _VARIES.sub(b"<*>", said[: 2 * LONGEST_TEMPLATE]).strip()[:LONGEST_TEMPLATE]
