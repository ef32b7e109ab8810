"""Makes the index of a log file, in one pass from the bytes that are written, with memory that does not grow with them.

Most logs of a cluster are in the unified format, and a gigabyte is nothing special: their lines are not looked at one
by one, but cut at fixed places and counted.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import cast

from clinic.formats import seekable
from clinic.formats.entries import Entries, Mark
from clinic.formats.logentry import Format, level_called
from clinic.formats.logformats import detect
from clinic.formats.logindex import MINUTE, LogIndex, Minute, Template
from clinic.formats.timestamp import NANOSECONDS, Clock, moment_of, offset_of

SAMPLE = 64 * 1024
"""Bytes by which the format is told."""

LONGEST_LINE = 64 * 1024
"""Bytes of a line that are looked at; of a longer one the beginning."""

TEMPLATES = 50
"""How many of the most frequent messages are kept."""

CANDIDATES = 4000
"""How many are counted at once; the rarest go when there are more."""

EXACT = 8192
"""Entries of each level, or some more, whose messages are looked at one by one; then those of one line in `STEP`."""

STEP = 64
"""Lines of which one stands for all."""

LONGEST_TEMPLATE = 160
"""Bytes of a message's beginning that tell it from others."""

NEAR = 2
"""How many of the last rows an entry may still be counted in; it stands before the third row after its own then.

What is counted together is in order, or of so few minutes.
"""

Counted = dict[tuple[bytes, int], Counter[str]]
"""Entries by level, by the minute as it is written, and in minutes since 1970."""


class _Row:
    """A row of the index that may still grow."""

    __slots__ = ("first", "last", "levels", "offset", "start")

    def __init__(self, start: int, offset: int, levels: Mapping[str, int], first: int, last: int) -> None:
        self.start = start
        self.offset = offset
        self.levels = Counter(levels)
        self.first = first
        self.last = last


# Time to the minute, zone, level, and up to two more brackets: the place in the source, and the message. The first is
# what nearly all logs have; the second also takes what TiKV writes for RocksDB, at half the speed.
_HEAD = rb"\n\[(\d{4}/\d\d/\d\d \d\d:\d\d):\d\d\.\d{1,9} ([+-]\d\d:?\d\d|Z|UTC)\]"
_SAID = rb"(\[[^\]\n]*\](?: \[[^\]\n]*\])?|)"
_USUAL = re.compile(_HEAD + rb" \[(\w+) ?\] ?" + _SAID)
_UNUSUAL = re.compile(_HEAD + rb"(?:\[\d+\])? *(?:\[ *(\w{1,20})[^\]\n]{0,40}\] ?)?" + _SAID)
_MINUTE = re.compile(rb"(?P<Y>\d{4})[/-](?P<M>\d\d)[/-](?P<D>\d\d)[ T-](?P<h>\d\d):(?P<m>\d\d)(?P<s>)")
# Numbers, addresses, times, hexadecimal and quoted values; the line of a source file tells messages apart.
_VARIES = re.compile(
    rb"0x[0-9a-fA-F]+|\b[0-9a-fA-F]{8,}\b|(?<!\.go:)(?<!\.rs:)(?<!\.cc:)(?<!\.cpp:)\b\d[\d.:,/_T+-]*\w*"
    rb"|(?<==)(?<!msg=)(?<!message=)\"(?:[^\"\\]|\\.)*\"|(?<==)'(?:[^'\\]|\\.)*'"
)
# What stands at fixed places where times have milliseconds and a zone in digits, as nearly everywhere. To cut lines
# there costs a third of what the regular expression does.
_FIXED = re.compile(rb"(\d{4}/\d\d/\d\d \d\d:\d\d) ([+-]\d\d:\d\d)\] \[(\w{4,5})\]?\Z")
_TO_MINUTE, _ZONE_ON, _LEVEL_ON, _LEVEL_END = 16, 23, 32, 38
_TO_ZONE = _TO_MINUTE + len(" +08:00")
_HEADS = {"unified": b"[", "slow": b"# Time: "}
"""What entries of the formats that are counted as a whole begin with."""
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
        self._rows: list[_Row] = []
        self._said: Counter[tuple[str, bytes]] = Counter()
        self._looked: Counter[str] = Counter()  # entries by level whose messages were counted
        self._passed = 0  # lines of the unified format
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
        if self._format is None or not self._rows:
            return b""
        return self.index.to_json()

    @property
    def index(self) -> LogIndex:
        """What is known so far."""
        minutes = tuple(
            Minute(row.start, row.offset, dict(row.levels), row.first, row.last) for row in self._rows
        )
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
        while lines:  # a row of the index is in one frame of the stored file
            left = seekable.FRAME - self._at % seekable.FRAME
            end = lines.find(b"\n", left - 1) + 1 or len(lines)
            self._look(lines[:end])
            self._at += end
            lines = lines[end:]

    def _look(self, lines: bytes) -> None:
        if self._format is None:
            return
        head = _HEADS.get(self._format.name)
        if head is None:
            self._any(lines)
        else:
            # Most logs hold no NUL, and to look for one byte costs a tenth.
            usual = lines.replace(b"\0" + head, b"\n" + head) if b"\0" in lines else lines
            self._together(usual, self._at)
        if len(self._said) > CANDIDATES:
            self._said = Counter(dict(self._said.most_common(CANDIDATES // 2)))

    def _together(self, lines: bytes, at: int) -> None:
        assert self._format is not None
        (self._unified if self._format.name == "unified" else self._slow)(b"\n" + lines, at)

    def _in_parts(self, data: bytes, at: int, known: set[bytes], minutes: Iterable[bytes]) -> bool:
        """Whether they were not in order and of too many minutes, and were counted in parts."""
        if len(known) <= NEAR:
            return False
        inside = [minute for minute in minutes if minute in known]
        parts = list(_parts(data[1:], len(known))) if inside != sorted(inside) else []
        if len(parts) < 2:
            return False
        for part in parts:
            self._together(part, at)
            at += len(part)
        return True

    def _unified(self, data: bytes, at: int) -> None:
        texts = data.split(b"\n[")[1:]
        keys = [text[:_TO_MINUTE] + text[_ZONE_ON:_LEVEL_END] for text in texts]
        numbers = Counter(keys)
        minutes = {key[:_TO_MINUTE] for key in numbers if _MINUTE.match(key)}
        if self._in_parts(data, at, minutes, (key[:_TO_MINUTE] for key in keys)):
            return
        counted: Counted = {}
        of: dict[str, set[bytes]] = {}
        for key, number in numbers.items():
            found = _FIXED.match(key)
            level = _level(found[3]) if found is not None else ""
            of.setdefault(level, set()).add(key)
            if found is not None and level:
                _add(counted, found[1], found[2], level, number)
        self._say_some(texts, keys, of)
        if "" in of:
            self._otherwise(counted, [text for text, key in zip(texts, keys, strict=True) if key in of[""]])
        self._count_all(data, at, counted)

    def _say_some(self, texts: list[bytes], keys: list[bytes], of: Mapping[str, set[bytes]]) -> None:
        """Count what lines say: all of the first ones of a level, then one line in `STEP`."""
        often: dict[bytes, str] = {}
        for level, usual in of.items():
            if level and self._looked[level] < EXACT:
                chosen = [text for text, key in zip(texts, keys, strict=True) if key in usual]
                self._looked[level] += len(chosen)
                self._say(level, chosen, 1)
            elif level:
                often.update(dict.fromkeys(usual, level))
        begin = (-1 - self._passed) % STEP
        self._passed += len(texts)
        some: dict[str, list[bytes]] = {}
        for text, key in zip(texts[begin::STEP], keys[begin::STEP], strict=True):
            if key in often:
                some.setdefault(often[key], []).append(text)
        for level, chosen in some.items():
            self._say(level, chosen, STEP)

    def _otherwise(self, counted: Counted, texts: list[bytes]) -> None:
        """Lines that have something else at the usual places."""
        joined = b"".join(b"\n[" + text for text in texts)
        found = cast("list[tuple[bytes, bytes, bytes, bytes]]", self._lines_of.findall(joined))
        if len(found) < len(texts):
            found = cast("list[tuple[bytes, bytes, bytes, bytes]]", _UNUSUAL.findall(joined))
        for (minute, zone, level), number in Counter(one[:3] for one in found).items():
            _add(counted, minute, zone, _level(level), number)
        for (level, said), number in Counter(one[2:] for one in found).items():
            self._said[_level(level), _template(said)] += number

    def _say(self, level: str, texts: list[bytes], weight: int) -> None:
        """From their levels on, to the end of the second bracket after that."""
        said = Counter(
            text[_LEVEL_ON : text.find(b"]", text.find(b"]", _LEVEL_END + 1) + 1) + 1 or 2 * LONGEST_TEMPLATE]
            for text in texts
        )
        for text, number in said.items():
            found = _SAID_ONLY.match(text, 0, 2 * LONGEST_TEMPLATE)
            self._said[level, _template(found[1] if found is not None else b"")] += number * weight

    def _slow(self, data: bytes, at: int) -> None:
        found = cast("list[tuple[bytes, bytes]]", _SLOW.findall(data))
        numbers = Counter(found)
        if self._in_parts(data, at, {minute for minute, _ in numbers}, (minute for minute, _ in found)):
            return
        counted: Counted = {}
        for (minute, zone), number in numbers.items():
            _add(counted, minute, zone, "", number)
        self._count_all(data, at, counted)
        digests = cast("list[bytes]", _DIGEST.findall(data))
        for digest, number in Counter(digests).items():
            self._said["", b"digest " + digest] += number
        # An entry and its digest may come in two pieces: their sum is right in the end.
        self._said["", b"a slow query"] += len(found) - len(digests)

    def _count_all(self, data: bytes, at: int, counted: Counted) -> None:
        """Where the entries of each minute begin; what is none, with the thirteenth month, is not counted."""
        found: list[tuple[Mark, Mark, int, Counter[str]]] = []
        for (minute, start), levels in counted.items():
            first, last = self._mark(data, minute), self._mark(data, minute, last=True)
            if first is not None and last is not None:
                found.append((first, last, start, levels))
        for first, last, start, levels in sorted(found, key=lambda one: (one[0].at, one[2])):
            self._count(at + first.at - 1, start, levels, first.time, last.time)

    def _mark(self, data: bytes, minute: bytes, *, last: bool = False) -> Mark | None:
        """The first or the last entry of a minute."""
        assert self._format is not None and self._entries is not None
        line, at = b"\n" + _HEADS[self._format.name] + minute, len(data) if last else -1
        while (at := data.rfind(line, 0, at) if last else data.find(line, at + 1)) >= 0:
            if (mark := self._entries.begins(data, at + 1, final=True)) is not None:
                return mark
        return None

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
            self._count(self._at + mark.at, mark.time // MINUTE, {level: 1}, mark.time, mark.time)
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

    def _count(self, offset: int, start: int, levels: Mapping[str, int], first: int, last: int) -> None:
        for row in self._rows[-NEAR:]:
            if row.start == start and row.offset // seekable.FRAME == offset // seekable.FRAME:
                row.levels.update(levels)
                row.last = _within(last)
                return
        self._rows.append(_Row(start, offset, levels, _within(first), _within(last)))


def _within(time: int) -> int:
    """Milliseconds into its minute."""
    return time % MINUTE // (NANOSECONDS // 1000)


def _add(counted: Counted, minute: bytes, zone: bytes, level: str, number: int) -> None:
    counted.setdefault((minute, _minutes(minute, zone)), Counter())[level] += number


def _parts(lines: bytes, number: int) -> Iterator[bytes]:
    """About so many parts of equal size, cut at ends of lines."""
    size, at = len(lines) // number + 1, 0
    while at < len(lines):
        end = lines.find(b"\n", at + size - 1) + 1 or len(lines)
        yield lines[at:end]
        at = end


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
    found = level_called(text)
    return found.value if found is not None else ""


@lru_cache(maxsize=8192)
def _template(said: bytes) -> bytes:
    return _VARIES.sub(b"<*>", said[: 2 * LONGEST_TEMPLATE]).strip()[:LONGEST_TEMPLATE]
