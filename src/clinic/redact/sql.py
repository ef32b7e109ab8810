"""SQL in text: where a statement stands in logs, fields and tables, and what its literals and identifiers are."""

from __future__ import annotations

import re
from collections.abc import Callable

from clinic.redact.pattern import Pattern

# What begins a statement, or the part of one that has literals. English uses some of these words, rarely so.
_START = Pattern(
    r"(?i)\b(?:select\s|insert\s+(?:ignore\s+)?(?:into\s)?|replace\s+into\s|update\s+\S{1,200}\s+(?:\S{1,80}\s+)?set\s"
    r"|delete\s+(?:\S{1,80}\s+)?from\s|with\s+(?:recursive\s+)?\S{1,80}\s+as\s*\(|where\s|values\s*\(|execute\s+\S{1,80}\s+using\s"
    r"|call\s+\S{1,200}\(|having\s|create\s+(?:table|database|index|unique|view|user)\s|alter\s+(?:table|database|user)\s"
    r"|drop\s+(?:table|database|index|view|user)\s|truncate\s+(?:table\s)?|analyze\s+table\s)"
)
_PART_OF_ONE = Pattern(r"(?i)(?:where|having|values|truncate)\b")
_QUOTED_END = Pattern(r'(?:[^"\\]|\\.|"")*"')
_TOKEN = re.compile(
    rb"(?P<ours>(?:db|table|column|index|name|user|host|key)-[0-9a-f]{10}\b)|(?P<literal>[xXbBnN]?'(?:[^'\\]|\\.|'')*'?|\\\"(?:[^\"\\]|\\[^\"])*(?:\\\")?|\"(?:[^\"\\]|\\.)*\"?"
    rb"|\b(?:0[xX][0-9a-fA-F]+|\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)\b)"
    rb"|`(?P<ticked>[^`]+)`|(?P<word>[A-Za-z_\x80-\xff][\w$\x80-\xff]*)(?P<call>\s*\()?",
    re.DOTALL,
)
# Errors that quote a value, TiDB's markers of redaction, and plans, which hold the literals of their ranges packed.
_QUOTES = re.compile(
    rb"(?i)((?:duplicate entry|incorrect \w+ value:?|truncated incorrect \w+ value:?|invalid \w+ value:?) ?)'(?:[^'\\]|\\.)*'"
    rb"|(\xe2\x80\xb9)(?:[^\xe2]|\xe2(?!\x80\xba)|(?:\xe2\x80\xba){2})*(\xe2\x80\xba)?"
    rb"|(tidb_decode_(?:binary_)?plan\()'[^']*'"
)

KEYWORDS = frozenset(
    b"""
add all alter analyze and any as asc auto_increment begin between bigint binary blob both by call cascade case cast char
character check collate column columns comment commit constraint convert create cross current_date current_time
current_timestamp current_user database databases date datetime day decimal default delete desc describe distinct div
double drop dual duplicate each else end engine escape except execute exists explain false first float for force foreign
format from full fulltext global grant group having hour identified if ignore in index inner insert int integer intersect
interval into is isolation join json key keys kill last left level like limit load local lock longblob longtext match
max_execution_time mediumint mediumtext microsecond min minute mod mode modify month natural no not null numeric of off offset
on only or order outer over partition partitions prepare primary privileges procedure quarter range read real recursive
references regexp rename repeatable replace restrict revoke right rlike rollback row rows schema second select separator
serializable session set share show signed smallint sql_calc_found_rows sql_no_cache start status straight_join table tables
temporary text then time timestamp tinyint tinytext to trailing transaction trigger true truncate uncommitted union unique
unknown unlock unsigned update use user using utf8 utf8mb4 values varbinary varchar variables view warnings week when where
window with work write xor year zerofill tikv tiflash tidb information_schema mysql performance_schema metrics_schema
""".split()
)
"""Words of the language, lower case; every other word that is no function is a name."""


class SqlStage:
    """Goes over whole lines; a statement may go on over many of them. Not a stage of its own: `PrivacyStage` asks it."""

    def __init__(self, name: Callable[[bytes], bytes] | None, count: Callable[[], None]) -> None:
        """`name` gives the pseudonym of an identifier, None leaves them; `count` is told of each literal."""
        self._name = name
        self._count = count
        self._inside = b""
        """What a statement that goes on over lines ends with: a quote or a semicolon; empty outside of one."""

    def is_needed(self, data: bytes) -> bool:
        """Whether anything in these lines may have to change."""
        return bool(self._inside or _START.search(data) or _QUOTES.search(data))

    def lines(self, data: bytes) -> bytes:
        """Whole lines without the literals of their SQL."""
        return b"".join(map(self.line, data.splitlines(keepends=True)))

    def line(self, line: bytes) -> bytes:
        """`line` without the literals of its SQL."""
        if self._inside and not self._ends_before(line):
            end = self._end(line, 0, self._inside)
            return self._clean(line[:end]) + self._rest(line[end:])
        return self._rest(line)

    def _rest(self, line: bytes) -> bytes:
        out: list[bytes] = []
        at = 0
        while (found := _START.search(line, at)) is not None:
            start = found.start()
            end = self._end(line, start, b'"' if _is_quoted(line, start) else b";")
            if self._inside == b";" and _PART_OF_ONE.match(line, start):
                # A line of prose may begin like that, and no statement does.
                self._inside = b""
            out += (_quotes(line[at:start], self._count), self._clean(line[start:end]))
            at = end
        return b"".join((*out, _quotes(line[at:], self._count)))

    def _ends_before(self, line: bytes) -> bool:
        """Whether `line` can't be inside the statement that was open: it begins an entry of a log, or is empty."""
        over = line.startswith(b"[20") or (
            self._inside == b";" and (line.startswith((b"# ", b"20")) or not line.strip())
        )
        if over:
            self._inside = b""
        return over

    def _end(self, line: bytes, start: int, sign: bytes) -> int:
        """Where the statement ends in `line`; it stays open where it does not."""
        self._inside = b""
        if sign == b'"':
            found = _QUOTED_END.match(line, start)
            if found is not None:
                return found.end() - 1
            self._inside = sign
        elif start == 0 and not line.rstrip().endswith(b";"):
            self._inside = sign
        return len(line)

    def _clean(self, sql: bytes) -> bytes:
        return _TOKEN.sub(self._token, sql)

    def _token(self, match: re.Match[bytes]) -> bytes:
        if match["literal"] is not None:
            self._count()
            return b"?"
        if match["ours"] is not None or self._name is None or match["call"] is not None:
            return match[0]
        if match["ticked"] is not None:
            return b"`" + self._name(match["ticked"]) + b"`"
        return match[0] if match["word"].lower() in KEYWORDS else self._name(match["word"])


def _is_quoted(line: bytes, at: int) -> bool:
    """Whether what begins at `at` is the content of a double-quoted field."""
    before = line[max(0, at - 64) : at].rstrip(b" (")
    return before.endswith(b'"') and not before.endswith(b'\\"')


def _quotes(text: bytes, count: Callable[[], None]) -> bytes:
    def clean(match: re.Match[bytes]) -> bytes:
        if match[2] is not None:
            new: bytes = match[2] + b"?" + (match[3] or b"")
        else:
            new = (match[1] or match[4]) + b"'?'"
        if new != match[0]:
            count()
        return new

    return _QUOTES.sub(clean, text)
