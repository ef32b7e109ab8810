"""The question as a text: all that a person has to know before a package leaves. Pure; what it says is kept."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from clinic.bundle.package import Kept, Package
from clinic.consent.destination import Destination
from clinic.consent.destinations import VENDOR, certificate_of
from clinic.consent.notice import NoticeText, read_words
from clinic.consent.policy import Policy
from clinic.formats.page import COLUMNS, cut, plain, width, wrap
from clinic.kinds import Sensitivity
from clinic.redact.privacy import Level
from clinic.redact.readable import stays
from clinic.units import human_size

LETTERS = 8
"""How much of the bundle id a person types."""

DAYS = 7
"""How long an answer holds."""

MOST = 20
"""Things of one kind that have a line of their own."""

LONGEST = 400
"""Columns of one value: a name can't push the rest off the screen."""

_LITERAL = "sql-literal"
"""What the redactor counts values in SQL under."""

_NAMES = re.compile(r"sql-literal$|privacy-")
"""What it counts and is no credential."""


@dataclass(frozen=True, slots=True)
class Question:
    """All that the text is drawn from; the same question has the same text."""

    package: Package
    """What would be sent."""

    destination: Destination
    """Where to."""

    notice: NoticeText
    """The words of who may do what with it."""

    policy: Policy
    """What the organisation allows."""

    now: datetime
    """The moment of asking: only whether a certificate has expired depends on it."""


def draw(question: Question) -> str:
    """The exact text. Nothing in it can steer a terminal, whoever wrote the package's facts or the destination's."""
    return "\n".join(_Screen(question).lines()) + "\n"


def prompt(question: Question) -> str:
    """What stands before the answer."""
    return read_words(question.notice.notice.language)["prompt"]


class _Screen:
    """Draws one question."""

    def __init__(self, question: Question) -> None:
        self._package = question.package
        self._destination = question.destination
        self._notice = question.notice
        self._policy = question.policy
        self._now = question.now
        self._words = read_words(question.notice.notice.language)

    def lines(self) -> Iterator[str]:
        """All lines, from the top."""
        yield self._say("title")
        yield self._say("nothing_sent")
        yield ""
        yield from self._facts()
        for part in (
            self._inside, self._users, self._redaction, self._leaks, self._missing, self._encryption, self._notices,
            self._before,
        ):  # fmt: skip
            yield ""
            yield from part()
        yield ""
        there = self._destination
        where = {"endpoint": there.address, "operator": there.operator or self._words["operator_unknown"]}
        yield from wrap(self._say("short", name=self._package.name, **where), COLUMNS)
        yield from wrap(self._say("question"), COLUMNS)

    def _say(self, key: str, /, **values: object) -> str:
        safe = {name: cut(plain(str(value)), LONGEST) for name, value in values.items()}
        return self._words[key].format(**safe)

    def _told(self, value: str) -> str:
        """What somebody said, in this language where it ships with Clinic."""
        return self._words.get(f"told:{value}", value) if value else self._words["unknown"]

    def _known(self, value: str) -> str:
        """A name of the customer's own, which is never put into other words."""
        return value or self._words["unknown"]

    def _facts(self) -> Iterator[str]:
        package, destination = self._package, self._destination
        yield from self._labelled("package", self._say("package_line", **self._size()))
        yield from self._labelled("sha256", plain(package.sha256))
        yield from self._labelled("bundle", plain(package.bundle))
        names = {"name": package.cluster, "version": package.version, "id": package.cluster_id}
        told = {key: self._known(value) for key, value in names.items()}
        yield from self._labelled("cluster", self._say("cluster_line", **told))
        start, end = self._known(package.start), self._known(package.end)
        yield from self._labelled("window", self._say("window_line", start=start, end=end))
        yield from self._labelled("case", plain(package.case) or self._words["none"])
        where = {"endpoint": destination.address, "name": destination.name}
        named = destination.name != destination.address
        line = self._say("destination_line", **where) if named else plain(destination.address)
        yield from self._labelled("destination", line)
        yield from self._labelled(
            "operator", plain(destination.operator) or self._words["operator_unknown_line"]
        )
        if self._policy.digest:
            yield from self._labelled("policy", self._say("policy_line", digest=self._policy.digest))

    def _size(self) -> dict[str, str]:
        package = self._package
        return {
            "name": package.name, "size": human_size(package.size), "bytes": f"{package.size:,}",
            "container": package.container,
        }  # fmt: skip

    def _labelled(self, key: str, text: str) -> Iterator[str]:
        columns = max(width(self._words[one]) for one in ("package", "bundle", "destination", "policy")) + 2
        label = self._words[key]
        for number, line in enumerate(wrap(cut(text, LONGEST), COLUMNS - columns)):
            head = label if number == 0 else ""
            yield head + " " * (columns - width(head)) + line

    def _inside(self) -> Iterator[str]:
        yield self._say("inside")
        if not self._package.kept:
            yield f"  {self._say('empty')}"
            return
        rows = [tuple(self._words["heads"].split("\t")), *map(self._row, _sorted(self._package.kept))]
        kept = self._package.kept
        total = (
            sum(one.files for one in kept),
            sum(one.plain for one in kept),
            sum(one.stored for one in kept),
        )
        rows.append((self._words["total"], f"{total[0]:,}", human_size(total[1]), human_size(total[2]), ""))
        yield from _columns(rows)

    def _row(self, kept: Kept) -> tuple[str, ...]:
        known = {str(one) for one in Sensitivity}
        sensitivity = plain(kept.sensitivity)
        meaning = (
            self._words[sensitivity] if sensitivity in known else self._say("other", sensitivity=sensitivity)
        )
        category = cut(plain(kept.category), 20)
        return category, f"{kept.files:,}", human_size(kept.plain), human_size(kept.stored), meaning

    def _users(self) -> Iterator[str]:
        yield self._say("users")
        public = {str(Sensitivity.PUBLIC), str(Sensitivity.INTERNAL)}
        # A sensitivity that nobody knows is taken for the worst.
        theirs = [one for one in self._package.kept if one.sensitivity not in public]
        files, size = sum(one.files for one in theirs), sum(one.plain for one in theirs)
        every = sum(one.files for one in self._package.kept)
        if not files:
            yield from self._indented(self._say("users_none"))
            return
        yield from self._indented(self._say("users_line", files=files, all=every, size=human_size(size)))
        replaced = self._package.privacy in (str(Level.IDENTIFIERS), str(Level.STRICT))
        count = self._package.redaction.counts.get(_LITERAL, 0)
        key = "users_level" if replaced else "users_literals" if count else "users_replace"
        yield from self._indented(self._say(key, level=self._package.privacy, count=f"{count:,}"))

    def _redaction(self) -> Iterator[str]:
        yield self._say("redaction")
        counts = [count for rule, count in self._package.redaction.counts.items() if not _NAMES.match(rule)]
        masked = {"count": f"{sum(counts):,}", "version": self._package.redaction.rules}
        yield from self._indented(self._say("masked", **masked))
        yield from self._indented(self._say("masked_not"))
        level = self._package.privacy
        known = level in {str(one) for one in Level}
        yield from self._indented(self._say(f"level_{level}" if known else "level_other", level=level))
        if known:
            yield from self._stays(Level(level))

    def _stays(self, level: Level) -> Iterator[str]:
        """What can be read of each category."""
        yield from self._indented(self._say("stays"))
        categories = {kept.category for kept in self._package.kept}
        literals = bool(self._package.redaction.counts.get(_LITERAL))
        for category, phrases in stays(level, categories, literals=literals).items():
            yield from self._indented(f"{category}: {', '.join(map(self._told, phrases))}", 4)

    def _leaks(self) -> Iterator[str]:
        yield self._say("leaks")
        leaks = self._package.leaks
        facts = {"checked": leaks.checked, "rules": leaks.rules, "count": f"{leaks.found:,}"}
        key = "leaks_never" if not leaks.checked else "leaks_found" if leaks.found else "leaks_none"
        yield from self._indented(self._say(key, **facts))
        yield from self._some(leaks.files)

    def _missing(self) -> Iterator[str]:
        yield self._say("missing")
        missing = self._package.missing
        if not missing and not self._package.complete:
            yield from self._indented(self._say("missing_unnamed"))
        elif missing:
            yield from self._indented(self._say("missing_some", count=f"{len(missing):,}"))
            yield from self._some(missing)
        else:
            yield from self._indented(self._say("missing_none"))
        if self._package.left_out:
            yield from self._indented(self._say("left_out", what=", ".join(self._package.left_out)))

    def _encryption(self) -> Iterator[str]:
        yield self._say("encryption")
        certificate = certificate_of(self._destination)
        theirs = {*self._destination.recipients, *([certificate.sha256] if certificate else [])}
        if not self._package.recipients:
            yield from self._indented(self._say("not_encrypted"))
            return
        yield from self._indented(self._say("encrypted"))
        for key in self._package.recipients:
            yield from self._indented(self._say("key_theirs" if key in theirs else "key_other", key=key), 4)
        if certificate and certificate.sha256 in self._package.recipients:
            facts = {"name": certificate.name, "expires": f"{certificate.expires:%Y-%m-%d}"}
            test = "certificate_test" if self._destination.notice == VENDOR else "certificate_expired"
            key = test if certificate.expires < self._now else "certificate"
            yield from self._indented(self._say(key, **facts, sha256=certificate.sha256))

    def _notices(self) -> Iterator[str]:
        told = self._destination
        facts = {
            "operator": told.operator or self._words["operator_unknown"], "region": self._told(told.region),
            "processed": self._told(told.processed), "retention": self._told(told.retention),
            "terms": self._told(told.terms), "contact": self._told(told.contact),
        }  # fmt: skip
        safe = {name: cut(plain(value), LONGEST) for name, value in facts.items()}
        for line in self._notice.words.format(**safe).split("\n"):
            yield from wrap(line, COLUMNS) if line else [""]

    def _before(self) -> Iterator[str]:
        yield self._say("before")
        look = "look_sealed" if self._package.recipients else "look"
        for key in (look, "leave", "take_back", "holds"):
            yield from self._indented(self._say(key, name=self._package.name, days=DAYS))

    def _indented(self, text: str, by: int = 2) -> Iterator[str]:
        for line in wrap(text, COLUMNS - by):
            yield " " * by + line

    def _some(self, things: tuple[str, ...]) -> Iterator[str]:
        for thing in things[:MOST]:
            yield f"    {cut(plain(thing), COLUMNS - 4)}"
        if len(things) > MOST:
            yield f"    {self._say('more', count=f'{len(things) - MOST:,}')}"


def _sorted(kept: tuple[Kept, ...]) -> list[Kept]:
    """The most sensitive first, the larger before the smaller."""
    order = [str(Sensitivity.PUBLIC), str(Sensitivity.INTERNAL)]
    return sorted(
        kept,
        key=lambda one: (order.index(one.sensitivity) if one.sensitivity in order else 2, one.plain),
        reverse=True,
    )


def _columns(rows: list[tuple[str, ...]]) -> Iterator[str]:
    """The cells below each other; numbers stand at the right, the last column takes what is left."""
    widths = [max(width(row[index]) for row in rows) for index in range(len(rows[0]) - 1)]
    for row in rows:
        cells = [
            " " * (wide - width(cell)) + cell if index else cell + " " * (wide - width(cell))
            for index, (cell, wide) in enumerate(zip(row, widths, strict=False))
        ]
        yield cut(f"  {'  '.join(cells)}  {row[-1]}".rstrip(), COLUMNS)


def matches(typed: str, bundle: str) -> bool:
    """Whether `typed` is the beginning of the bundle id that a yes takes."""
    return len(bundle) >= LETTERS and typed.strip() == bundle[:LETTERS]
