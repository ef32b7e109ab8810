"""Looks through a finished bundle for what should not be in it: says where, never what."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import BinaryIO

from clinic.bundle.member import open_stored
from clinic.bundle.names import MANIFEST
from clinic.bundle.package import LeakResult
from clinic.bundle.record import content_of
from clinic.kinds import Content
from clinic.progress import Progress
from clinic.read.open import Opened
from clinic.read.privatemap import PrivateMap
from clinic.redact import Redactor, RuleSet
from clinic.redact.entropy import random_words
from clinic.redact.privacy import Level, Names, Privacy
from clinic.redact.pseudonyms import Pseudonyms
from clinic.secret import Secret, SecretRegister
from clinic.smallfile import read_small
from clinic.units import MIB

_LARGEST_LIST = 16 * MIB


@dataclass(frozen=True, slots=True)
class Leak:
    """A file in which something looks like what should not be there."""

    file: str
    """Its path in the bundle."""

    line: int
    """Line of the first place, from 1; 0 where the format has no lines or it could not be told."""

    rules: Mapping[str, int]
    """Rule -> places; `learned` are values that were given or are in the private map."""

    doubtful: int = 0
    """Words that look as if they had been drawn by lot, and that no rule knows: for somebody to look at."""


def scan(
    opened: Opened,
    *,
    secrets: Iterable[Secret] = (),
    canaries: Iterable[str] = (),
    rules: RuleSet | None = None,
    progress: Progress | None = None,
) -> LeakResult:
    """Look through every member, decompressed, and the manifest, in every encoding that the redactor knows.

    `secrets` are those that the run knew, given again; `canaries` are values that were planted. Names of the private
    map are looked for in a bundle in which they were replaced. Raises `BadBundle` for a damaged member.
    """
    return find_leaks(opened, secrets=secrets, canaries=canaries, rules=rules, progress=progress)[0]


def find_leaks(
    opened: Opened,
    *,
    secrets: Iterable[Secret] = (),
    canaries: Iterable[str] = (),
    rules: RuleSet | None = None,
    progress: Progress | None = None,
) -> tuple[LeakResult, tuple[Leak, ...]]:
    """What `scan` gives, and each file with its first line."""
    redactor = _redactor(opened, secrets, canaries, rules)
    found = tuple(_leaks(opened, redactor, progress or Progress()))
    return result_of(redactor.version, found), found


def result_of(rules: str, found: Iterable[Leak]) -> LeakResult:
    """What was found by the rules of this version, for a package's facts: where, and what no rule knows left out."""
    now = datetime.now(timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")
    certain = [leak for leak in found if leak.rules]
    places = sum(sum(leak.rules.values()) for leak in certain)
    return LeakResult(now, rules, places, tuple(leak.file for leak in certain))


def _redactor(
    opened: Opened, secrets: Iterable[Secret], canaries: Iterable[str], rules: RuleSet | None
) -> Redactor:
    register = SecretRegister()
    for secret in secrets:
        register.learn(secret, source="given")
    for canary in canaries:
        register.learn(canary, source="canary")
    return Redactor(register, rules, _privacy(opened))


def _privacy(opened: Opened) -> Privacy | None:
    """What would replace the names of the private map once more; None where none were replaced, or there is no map."""
    level = str(opened.run.options.get("privacy", Level.NONE))
    private = PrivateMap(opened.run.cluster.id or opened.run.cluster.name)
    known = private.names()
    if level not in (Level.IDENTIFIERS, Level.STRICT) or not known:
        return None
    return Privacy(Level(level), Pseudonyms(private.key(), known), Names(private.searched()))


def _leaks(opened: Opened, redactor: Redactor, progress: Progress) -> Iterator[Leak]:
    files = list(_members(opened))
    progress.begin("looking for leaks", len(files), None)
    for path, content in files:
        progress.started(path, path)
        with _open(opened, path) as stream:
            leak = _look(path, content, stream, redactor)
        if leak is not None:
            yield leak
        progress.ended(path, "ok")
    progress.end()


def _members(opened: Opened) -> Iterator[tuple[str, Content]]:
    for record in opened.records:
        for file in record.files:
            yield file.path, content_of(record.entry, file)
    listed = {file.path for record in opened.records for file in record.files}
    for file in opened.files():
        if file.path not in listed:
            yield file.path, Content.TEXT
    if opened.sealed:
        yield MANIFEST, Content.JSON


def _open(opened: Opened, path: str) -> BinaryIO:
    return open_stored(opened.root, path) if path == MANIFEST else opened.member(path)


def _look(path: str, content: Content, member: BinaryIO, redactor: Redactor) -> Leak | None:
    stream = redactor.stream(content)
    compare, lots = _FirstDifference(), _Lots()
    has_lines = content not in (Content.OPAQUE, Content.FRAMES)
    while data := member.read(MIB):
        compare.add(data, stream.feed(data))
        if has_lines:
            lots.add(data)
    compare.add(b"", stream.finish())
    if not stream.counts and not lots.count:
        return None
    line = (compare.line or lots.line) if has_lines else 0
    return Leak(path, line, dict(stream.counts), lots.count)


class _Lots:
    """Counts the words that look drawn by lot; one that is cut by the end of a piece may be missed."""

    def __init__(self) -> None:
        self.count = self.line = 0
        self._lines = 1

    def add(self, data: bytes) -> None:
        for at in random_words(data):
            self.line = self.line or self._lines + data.count(b"\n", 0, at)
            self.count += 1
        self._lines += data.count(b"\n")


class _FirstDifference:
    """On which line two streams of the same text begin to differ; what one is ahead of the other is kept."""

    def __init__(self) -> None:
        self._one = self._other = b""
        self._lines = 1
        self.line = 0
        """The line, from 1; 0 while there is no difference."""

    def add(self, one: bytes, other: bytes) -> None:
        if self.line:
            return
        self._one += one
        self._other += other
        size = min(len(self._one), len(self._other))
        if self._one[:size] == self._other[:size]:
            self._lines += self._one.count(b"\n", 0, size)
            self._one, self._other = self._one[size:], self._other[size:]
            return
        low, high = 0, size
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._one[:middle] == self._other[:middle] else (low, middle)
        self.line = self._lines + self._one.count(b"\n", 0, low)
        self._one = self._other = b""


def canaries_in(path: Path) -> tuple[str, ...]:
    """The values in a file, one a line; empty lines don't count."""
    text = read_small(path, _LARGEST_LIST).decode("utf-8", "surrogateescape")
    return tuple(line for line in text.splitlines() if line.strip())
