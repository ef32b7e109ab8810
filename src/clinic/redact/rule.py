"""Rules are data: what a secret looks like, why it is one, and examples on both sides that tests run."""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from clinic.redact.pattern import NOWHERE, Match, Pattern, Spans


class Take(enum.Enum):
    """What a rule's pattern finds, and so how the secret is followed to its end."""

    KEY_VALUE = enum.auto()
    """A key and its sign; group 1 is what closes the key's quote, group 2 the sign."""

    VALUE = enum.auto()
    """Everything up to a value, quoted or not, that is a secret whatever it says."""

    QUOTED = enum.auto()
    """Everything up to a value that counts only in quotes, which may go over lines, such as an SQL literal."""

    PAIR = enum.auto()
    """The name and the key of the value of a pair: `"name": "DB_PASSWORD", "value": `; group 1 is the name."""

    PAIR_REVERSED = enum.auto()
    """The name of a pair whose value stands before it; group 1 is the name."""

    LIST_PAIR = enum.auto()
    """A row of two in a list of rows, up to its second; group 1 is the first, group 2 the quote of the second."""

    CELL = enum.auto()
    """A name and the bar or tab after it in a table of two columns; group 1 is the name, group 2 the bar."""

    JWK = enum.auto()
    """A member of a JSON Web Key up to its value, group `secret`; it counts where other members stand near."""

    ELEMENT = enum.auto()
    """The opening tag of an XML element; group 1 is its name."""

    INSERT = enum.auto()
    """An INSERT statement up to the first value; group 1 is its list of columns."""

    USERINFO = enum.auto()
    """`://user:` of an address."""

    DSN = enum.auto()
    """`@tcp(` of a Go data source name, whose password stands before it."""

    OPTION = enum.auto()
    """A long option and the space before its value; group 1 is its name."""

    CLIENT = enum.auto()
    """A short option that may carry a password, depending on the program; group 1 is the option."""

    HEADER = enum.auto()
    """An authorisation header up to its value."""

    REST = enum.auto()
    """Everything up to a secret that takes the rest of the line, or of the quoted string: a cookie."""

    OPAQUE = enum.auto()
    """Everything up to a word that is a secret if it looks random."""

    BASIC = enum.auto()
    """Everything up to a word that is a secret if it is base64 of `user:password`."""

    BLOCK = enum.auto()
    """The first line of a private key; the block ends with its last line."""

    BASE64 = enum.auto()
    """A string of base64 whose content is read again; masked inside, so that it still decodes."""

    WHOLE = enum.auto()
    """The secret itself: group `secret`, or all of the match."""

    RUN = enum.auto()
    """The beginning of the secret (group `secret`, or all of it), which goes on as long as `goes_on` matches."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One way a secret shows itself."""

    name: str
    """Short, unique; counted under it in the manifest."""

    purpose: str
    """What it protects, in a sentence."""

    pattern: str
    """RE2, matched against bytes. Bounded: it must not need more than about a kilobyte."""

    take: Take
    """What the pattern finds."""

    masks: tuple[tuple[str, str], ...]
    """Examples: a text, and what becomes of it."""

    keeps: tuple[str, ...]
    """Examples that look alike and stay as they are."""

    goes_on: str = r"[\w\-]"
    """RE2 for one character: what a run goes on with."""

    version: int = 1
    """Grows when the rule changes."""

    shape: bool = False
    """Whether the secret is known by its shape alone, so that it is looked for in binary content too."""


class BadRule(ValueError):
    """A rule that can't be used: its pattern, its name, or an example that it does not do right by."""


@dataclass(frozen=True)
class RuleSet:
    """The rules of a run. They can be added to, never taken from."""

    version: str
    """For the manifest."""

    rules: tuple[Rule, ...]
    """In the order in which they are tried where several begin at the same byte."""

    def __post_init__(self) -> None:
        names = [rule.name for rule in self.rules]
        if len(set(names)) != len(names):
            raise BadRule("two rules have the same name")

    def plus(self, extra: Iterable[Rule]) -> RuleSet:
        """These rules and the customer's own; the version then names what was added. Raises `BadRule`."""
        added = tuple(extra)
        for rule in added:
            if rule.take not in (Take.WHOLE, Take.RUN, Take.VALUE):
                raise BadRule(f"rule {rule.name!r}: an added rule takes a whole match, a run or a value")
            if Pattern(rule.pattern).full(b""):
                raise BadRule(f"rule {rule.name!r} matches nothing at all, which is everywhere")
        digest = hashlib.sha256(repr(added).encode()).hexdigest()[:12]
        return RuleSet(f"{self.version}+{digest}", self.rules + added) if added else self

    def shapes(self) -> RuleSet:
        """Only what is known by its shape."""
        return RuleSet(self.version, tuple(rule for rule in self.rules if rule.shape))


@dataclass(frozen=True, slots=True)
class Hit:
    """Where a rule's pattern was found."""

    rule: Rule
    """The rule."""

    match: Match
    """The match of this rule's pattern alone."""

    secret: int
    """The group within it that is the secret, 0 for all of it."""

    @property
    def start(self) -> int:
        """The first byte."""
        return self.match.span()[0]

    @property
    def end(self) -> int:
        """The byte after the last."""
        return self.match.span()[1]

    def span(self, group: int) -> tuple[int, int]:
        """Where a group of the rule's own pattern was found; (-1, -1) where it took no part."""
        return self.match.span(group)


class Program:
    """All rules of a set as one pattern, so that each chunk is read once, whatever the number of rules."""

    def __init__(self, rules: RuleSet) -> None:
        """Raises `clinic.redact.pattern.BadPattern`."""
        self._rules: list[tuple[Rule, int]] = []
        self._groups: list[int] = []
        self._widths: list[int] = []
        self._seen: dict[bytes, tuple[Rule, Spans, int]] = {}
        self._alone: list[tuple[Pattern, Rule]] = []
        alternatives: list[str] = []
        group = 1
        for rule in rules.rules:
            alone = Pattern(f"({rule.pattern})")
            self._rules.append((rule, alone.names.get("secret", 1) - 1))
            self._groups.append(group)
            self._widths.append(alone.groups)
            if rule.take in _FREQUENT:
                self._alone.append((alone, rule))
            alternatives.append("(" + rule.pattern.replace("(?P<secret>", "(") + ")")
            group += alone.groups
        # Where a hit is, is found without asking which rule it is of: with a hundred groups, that is the costly part.
        self._finder = Pattern("|".join(alternatives), groups=False)
        self._namer = Pattern("|".join(alternatives))

    def search(self, data: bytes, start: int) -> Hit | None:
        """The first place from `start` on where any rule begins."""
        found = self._finder.search(data, start)
        if found is None:
            return None
        begin, end = found.start(), found.end()
        # Which rule found these very bytes, and where in them, is told by them and by the byte on either side.
        key = data[begin - 1 : end + 1] if begin and end - begin < _SHORT else b""
        known = self._seen.get(key)
        if known is None:
            known = self._named(data, begin, end)
            if len(key) > end - begin + 1:
                if len(self._seen) >= _REMEMBERED:
                    self._seen.clear()
                self._seen[key] = known
        rule, spans, secret = known
        return Hit(
            rule, Match([(at + begin, to + begin) if at >= 0 else NOWHERE for at, to in spans]), secret
        )

    def _named(self, data: bytes, begin: int, end: int) -> tuple[Rule, Spans, int]:
        """Whose hit it is, where its groups are from `begin` on, and which of them is the secret."""
        for alone, rule in self._alone:
            match = alone.match(data, begin)
            if match is not None and match.end() == end:
                return rule, match.spans(begin, 1), 0
        match = self._namer.match(data, begin)
        if match is None:
            raise AssertionError("a hit of no rule")
        index = match.first(self._groups)
        rule, secret = self._rules[index]
        return rule, match.spans(begin, self._groups[index], self._widths[index]), secret


_SHORT = 48
"""Bytes of a hit of which it is remembered whose it is."""

_REMEMBERED = 4096
"""How many such hits; a hostile node could send ever new ones."""

_FREQUENT = (Take.KEY_VALUE, Take.CLIENT, Take.OPTION)
"""Rules that are tried before all others at a hit, because most hits are theirs."""
