"""The levels above credentials: what names the customer's machines, people and data is replaced by pseudonyms."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from clinic.kinds import Content
from clinic.redact.columns import NamesInTable
from clinic.redact.pattern import Match, Pattern, quote
from clinic.redact.pseudonyms import OURS, Pseudonyms
from clinic.redact.scanner import FAILED_CLOSED, Tally, marker
from clinic.redact.sql import SqlStage
from clinic.redact.vocabulary import OWN_NAMES
from clinic.secret import SHORTEST, maskable
from clinic.units import MIB


class Level(str, enum.Enum):
    """How much of what identifies the customer is replaced."""

    NONE = "none"
    IDENTIFIERS = "identifiers"
    """Addresses, hosts, users, e-mail addresses, SQL literals."""

    STRICT = "strict"
    """Also databases, tables, columns, indexes, keys, users' parts of paths."""

    def __str__(self) -> str:
        return str(self.value)


KINDS = ("host", "user", "db", "table", "column", "index")
"""Kinds of names; where one name is of two kinds, the first holds."""

LONGEST = MIB
"""Bytes of a line that are looked at together."""

LONGEST_NAME = 256
"""Characters of a name that are remembered: a longer one is replaced each time anew."""

_KEYS = {
    "host": "host|hostname|host_name|nodename|client_host|server_host|instance",
    "user": "user|username|user_name|conn_user|sample_user|user_create",
    "db": "db|database|schema|db_name|dbname|schema_name|table_schema|db-name|Schema_name",
    "table": "table|table_name|tablename|tbl_name|tblname|table-name|Table_names",
    "column": "column|column_name|col_name",
    "index": "index_name|idx_name|key_name|Index_names",
}
_VALUE = r"[\w.\-+$*@\x80-\xff]+"
_SEPARATOR = r'(?:\\?"{0,2}\s*[:=]\s*\[?\\?"{0,2}\'?)'
# In prose a colon and a space stand before any word: what is learned for everything else has a surer sign.
SURE = r'(?:\\?"\s*:\s*\\?"|\s*=\s*\\?["\']?|:["\'])'
KEEP = frozenset(
    b"localhost true false null none unknown default control machine version kv raft n/a nil any all yes no information_schema performance_schema "
    b"metrics_schema mysql".split()
)
# Hosts that stand in everybody's comments, documentation links and default settings.
_PUBLIC = frozenset(
    "debian.org kernel.org mariadb.com lwn.net pingcap.com github.com ubuntu.com golang.org prometheus.io grafana.com "
    "opsgenie.com pagerduty.com victorops.com telegram.org weixin.qq.com webexapis.com pushover.net w3.org".split()
)
# An instance that is called as its component is: what it is, not who it is.
COMPONENTS = frozenset(
    "tidb pd tikv tiflash ticdc cdc tiproxy tso scheduling prometheus alertmanager grafana ng-monitoring node_exporter "
    "blackbox_exporter dm-master dm-worker mariadb mysql etcd".split()
)
_ADDRESS = r"[\w.\-]*[A-Za-z_][\w.\-]*"


@dataclass(frozen=True)
class Names:
    """The names that are known, and of which kind each is."""

    kinds: Mapping[str, str] = field(default_factory=dict[str, str])
    """Name, lower case -> kind."""

    def usable(self) -> list[str]:
        """Those that can be looked for in the middle of a text, the longest first."""
        found = [name for name in self.kinds if is_rare(name)]
        return sorted(found, key=lambda name: (-len(name), name))


def is_rare(name: str) -> bool:
    """Whether a name is long and rare enough to be replaced wherever it occurs."""
    return len(name) >= SHORTEST and maskable(name.encode("utf-8", "surrogateescape"))


class Privacy:
    """One level with its key and names: shared by all streams of a bundle, used by all threads."""

    def __init__(
        self, level: Level, pseudonyms: Pseudonyms, names: Names | None = None, *, literals: bool = False
    ) -> None:
        """`literals` replaces those of SQL at any level."""
        self.level = level
        self.pseudonyms = pseudonyms
        self.names = names or Names()
        self.literals = literals or level is not Level.NONE
        self._kinds = kinds_of(level)
        self._cache: dict[tuple[str, str], str | None] = {}
        known = [name for name in self.names.usable() if self.names.kinds[name] in self._kinds]
        # A set of names that is too large for one automaton is looked up word by word.
        self._known = frozenset(known)
        pieces = pieces_of(self._kinds)
        if self._kinds:
            pieces.append(rf"(?P<word>{_WORD})" if len(known) > _MANY else _any_of(known))
        self._pattern = Pattern("|".join(piece for piece in pieces if piece)) if self._kinds else None
        named = self._pattern.names if self._pattern is not None else {}
        self._group_names, self._groups = list(named), list(named.values())

    def stage(self, tally: Tally, content: Content) -> PrivacyStage:
        """The last stage of a stream."""
        return PrivacyStage(self, tally, content)

    def sql(self, tally: Tally) -> SqlStage:
        """What takes the literals, and in `strict` the names, out of SQL."""

        def count() -> None:
            tally.counts["sql-literal"] += 1

        return SqlStage(self._identifier if self.level is Level.STRICT else None, count)

    def table(self, tally: Tally) -> NamesInTable:
        """What replaces names under the headings of a table."""
        sql = self.sql(tally)

        def text(cell: bytes) -> bytes:
            # A statement ends with its cell, wherever it stands in it.
            return self.sql(tally).lines(cell) if sql.is_needed(cell) else cell

        return NamesInTable(
            tally, lambda kind, cell: self.cell(kind, cell, tally), text if self.literals else None
        )

    def cell(self, kind: str, cell: bytes, tally: Tally | None = None) -> bytes:
        """A value that its heading or its label says is a name, or a list of names, with addresses and ports."""
        if kind not in self._kinds and not (kind == "key" and self.level is Level.STRICT):
            return cell

        def renamed(match: re.Match[str]) -> str:
            return self._word(kind, match)

        text = cell.decode("utf-8", "surrogateescape")
        new = PART.sub(renamed, text)
        if new != text and tally is not None:
            tally.counts[f"privacy-{self.level}"] += 1
        return new.encode("utf-8", "surrogateescape")

    def _word(self, kind: str, match: re.Match[str]) -> str:
        text = match[0]
        try:
            return self.pseudonyms.address(text)
        except ValueError:
            pass
        if kind == "key":
            return self.pseudonyms.name("key", text) if _HEX_KEY.fullmatch(text) else text
        return ".".join(self._name(one, part) for one, part in parts_of(kind, text))

    def words(self, text: bytes) -> bytes:
        """The text of a file that holds names and little else, with the known ones replaced, short ones too."""

        def renamed(match: re.Match[str]) -> str:
            return self.exact(match[0])

        return re.sub(r"[^\s#]+", renamed, text.decode("utf-8", "surrogateescape")).encode(
            "utf-8", "surrogateescape"
        )

    def exact(self, text: str) -> str:
        """A text that is a name, an address or both in itself: `h1`, `h1-4000`, `h1:4000`."""
        if not self._kinds:
            return text
        whole = self.names.kinds.get(text.lower())
        if whole in self._kinds:
            return self._name(str(whole), text)
        found = re.match(r"(.+?)([:\-]\d{1,5})?\Z", text, re.DOTALL)
        kind = self.names.kinds.get(found[1].lower()) if found else None
        if found is not None and kind in self._kinds:
            return self._name(str(kind), found[1]) + (found[2] or "")
        return text

    def path(self, path: str) -> str:
        """A path with the names in its parts replaced, short ones too."""
        return "/".join(self._part(part) for part in path.split("/"))

    def _part(self, part: str) -> str:
        # A directory called as an account of the product is: `root`, `prometheus`.
        common = self.names.kinds.get(part.lower(), "host") != "host" and not is_rare(part)
        return part if common else self.exact(part)

    def names_in(self, data: bytes, tally: Tally) -> bytes:
        """`data` with its names and addresses replaced."""
        if self._pattern is None:
            return data
        out: list[bytes] = []
        at = kept = 0
        while (match := self._pattern.search(data, at)) is not None:
            start, end, new = self._replaced(data, match)
            if new is not None and start >= kept:
                out += (data[kept:start], new)
                kept = end
                if new != data[start:end]:
                    tally.counts[f"privacy-{self.level}"] += 1
            at = max(end, match.start() + 1)
        return b"".join((*out, data[kept:]))

    def _replaced(self, data: bytes, match: Match) -> tuple[int, int, bytes | None]:
        index = match.first(self._groups)
        name, (start, end) = self._group_names[index], match.span(self._groups[index])
        text = data[start:end].decode("utf-8", "surrogateescape")
        if name == "ip6" and _is_inside_word(data, start, end):
            return start, end, None
        new = self._once(name, text)
        return start, end, None if new is None else new.encode("utf-8", "surrogateescape")

    def _once(self, group: str, text: str) -> str | None:
        """`_new`, each different text once: the same few names make most of the hits."""
        if len(text) > LONGEST_NAME:
            return self._new(group, text)
        found = self._cache.get((group, text), "")
        if found == "":
            if len(self._cache) > _REMEMBERED:
                self._cache.clear()
            found = self._cache[group, text] = self._new(group, text)
        return found

    def _new(self, group: str, text: str) -> str | None:
        if group in ("ip4", "ip6"):
            try:
                if group == "ip6" and not re.search(r"\d", text):
                    return None  # a path of Rust or C++ may be of such letters alone
                return self.pseudonyms.address(text)
            except ValueError:
                return None
        if group == "mail":
            return self.pseudonyms.name("mail", text)
        if group.startswith("hex"):
            return self.pseudonyms.name("key", text)
        if group == "word":
            kind = self.names.kinds.get(text.lower(), "") if text.lower() in self._known else ""
            return self.pseudonyms.name(kind, text) if kind else None
        return self._name(group.rstrip("0123456789"), text)

    def _name(self, kind: str, text: str) -> str:
        """The pseudonym of what the structure says is a name of `kind`."""
        if text.encode("utf-8", "surrogateescape").lower() in KEEP or not re.search(r"[^\W\d_]", text):
            try:
                return self.pseudonyms.address(text)
            except ValueError:
                return text
        if OURS.fullmatch(text) or is_public(text) or (kind == "host" and text.lower() in COMPONENTS):
            return text
        if re.fullmatch(r"[\w.+\-]+@[\w\-]+\.[\w.\-]+", text):
            return self.pseudonyms.name("mail", text)
        return self.pseudonyms.name(self.names.kinds.get(text.lower(), kind), text)

    def _identifier(self, name: bytes) -> bytes:
        text = name.decode("utf-8", "surrogateescape")
        if text.lower().encode("utf-8", "surrogateescape") in KEEP or text == "?":
            return name
        kind = self.names.kinds.get(text.lower(), "name")
        if kind == "name" and text.lower() in OWN_NAMES:
            return name
        return self.pseudonyms.name(kind, text).encode("utf-8", "surrogateescape")


# A part of a cell: an IPv6 address, else a word up to a port, a comma, a bracket.
PART = re.compile(r"[0-9A-Fa-f]*(?::[0-9A-Fa-f]*){2,7}(?:\.\d+){0,3}(?![\w.])|[^\s,:;@\[\](){}'\"`/\\%]+")
_HEX_KEY = re.compile(r"[0-9A-Fa-f]{16,}")
_WORD = r"[A-Za-z0-9_\x80-\xff][\w.\-\x80-\xff]*[A-Za-z0-9_\x80-\xff]"
_MANY = 2000
_REMEMBERED = 100_000
_BETWEEN = (b",", b" ", b"}", b";", b"\n")


def _is_inside_word(data: bytes, start: int, end: int) -> bool:
    around = data[max(0, start - 1) : start] + data[end : end + 1]
    return re.search(rb"[\w:]", around) is not None


def parts_of(kind: str, word: str) -> list[tuple[str, str]]:
    """What a word under a heading names, each with its kind: `shop.orders` under that of a table is two names."""
    parts = word.split(".") if kind not in ("host", "user") else [word]
    kinds = ("db", kind) if len(parts) == 2 and kind == "table" else (kind,) * len(parts)
    return list(zip(kinds, parts, strict=True))


def kinds_of(level: Level) -> tuple[str, ...]:
    """The kinds of names that a level replaces."""
    return {Level.NONE: (), Level.IDENTIFIERS: KINDS[:2], Level.STRICT: KINDS}[level]


def pieces_of(kinds: tuple[str, ...], separator: str = _SEPARATOR) -> list[str]:
    """What shows a name by its structure, as alternatives of one pattern: a named group is the name."""
    if not kinds:
        return []
    pieces = [
        r"(?P<mail>\b[\w.+\-]{1,64}@[A-Za-z0-9\-]{1,63}(?:\.[A-Za-z0-9\-]{1,63})*\.[A-Za-z]{2,24}\b)",
        r"User@Host:\s*(?P<user1>[\w.\-]+)\[",
        r"(?P<user3>[\w.\-]{1,64})\]\s{0,8}@\s",
        rf"\]\s*@\s*(?P<host1>{_ADDRESS})\s*\[",
        r"'(?P<user2>[\w.\-]+)'@",
        rf"@'(?P<host2>{_ADDRESS})'",
        rf"\b[a-z][a-z0-9+]{{1,15}}://(?:[^\s/@\"']{{1,200}}@)?(?P<host3>{_ADDRESS})(?::\d|/|\b)",
        rf"\bLinux (?P<host4>{_ADDRESS}) \d+\.\d",
        rf"\(Linux \S{{1,80}} [^()\n]{{1,160}} (?P<host5>{_ADDRESS}) \(none\)\)",
        r"(?P<ip4>\b(?:\d{1,3}\.){3}\d{1,3}\b)",
        r"(?P<ip6>[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?:\.\d{1,3}){0,3})",
        *(rf"(?i:\b(?:{_KEYS[kind]})\b){separator}(?P<{kind}9>{_VALUE})" for kind in kinds),
    ]
    if "db" in kinds:
        pieces += [
            r'(?i:\b(?:start_key|end_key|startkey|endkey|region_key|key|start-key|end-key))\\?"?\s*[:=]\s*\\?"?(?P<hex>[0-9A-Fa-f]{16,})',
            r"(?P<hex2>\b(?i:7480000000)[0-9A-Fa-f]{8,})",
            r"(?P<hex3>\bt\\{1,4}200(?:[^\"\\\s]|\\{1,4}(?:\d{3}|[abfnrtv\\']))+)",
            r"(?:/home|/Users)/(?P<user8>[\w.\-]+)",
        ]
    return pieces


def _any_of(names: list[str]) -> str:
    if not names:
        return ""
    text = "|".join(quote(name.encode("utf-8", "surrogateescape")) for name in names)
    return rf"(?i:\b(?P<word>{text})\b)"


class PrivacyStage:
    """Replaces names and literals in a stream, line by line; what is too long to be looked at together is withheld."""

    def __init__(self, privacy: Privacy, tally: Tally, content: Content) -> None:
        self._privacy = privacy
        self._tally = tally
        # Those of a table were looked at cell by cell.
        self._sql = privacy.sql(tally) if privacy.literals and content is not Content.CSV else None
        self._data = b""
        self._cut = False

    def feed(self, data: bytes) -> bytes:
        self._data += data
        if self._cut and not self._after_cut():
            return self._withhold()
        end = self._data.rfind(b"\n") + 1
        if not end and len(self._data) > LONGEST:
            end = max(map(self._data.rfind, _BETWEEN)) + 1
            if not end:
                return self._withhold()
        whole, self._data = self._data[:end], self._data[end:]
        return self._clean(whole)

    def gap(self) -> bytes:
        return self.finish()

    def finish(self) -> bytes:
        if self._cut and not self._after_cut():
            return self._withhold() if self._data else b""
        whole, self._data = self._data, b""
        return self._clean(whole)

    def _after_cut(self) -> bool:
        """Whether the word that was cut has ended; what of it has come is left out."""
        ends = [at for at in map(self._data.find, _BETWEEN) if at >= 0]
        if ends:
            self._data, self._cut = self._data[min(ends) :], False
        return bool(ends)

    def _withhold(self) -> bytes:
        size, self._data, self._cut = len(self._data), b"", True
        self._tally.counts[FAILED_CLOSED] += 1
        return marker(size, "too long to look for names in it")

    def _clean(self, data: bytes) -> bytes:
        if self._sql is not None and data and self._sql.is_needed(data):
            data = self._sql.lines(data)
        return self._privacy.names_in(data, self._tally)


def is_public(text: str) -> bool:
    """Whether it is a host that stands in everybody's files."""
    parts = text.lower().split(".")
    return any(".".join(parts[at:]) in _PUBLIC for at in range(max(0, len(parts) - 3), len(parts)))
