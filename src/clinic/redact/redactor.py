"""The one door that every byte of a bundle passes: streams for content, and whole small texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from types import MappingProxyType

from clinic.kinds import Content
from clinic.redact.dialects import DIALECTS
from clinic.redact.frames import FramesStage
from clinic.redact.learned import LearnedStage
from clinic.redact.privacy import Privacy
from clinic.redact.rule import Program, RuleSet
from clinic.redact.scanner import FAILED_CLOSED, Scanner, Stage, Tally
from clinic.redact.separated import SeparatedStage, redact_arguments
from clinic.redact.shipped_rules import SHIPPED
from clinic.redact.table import TableStage
from clinic.redact.variants import variants
from clinic.secret import SecretRegister

BLOCK = 256 * 1024
"""Bytes that go through the stages at once, however they came in: what comes out never depends on that."""

_DEEPEST = 3


@lru_cache(maxsize=16)
def _program(rules: RuleSet) -> Program:
    return Program(rules)


class RedactStream:
    """One content on its way into the bundle. Bytes in, bytes out; one thread."""

    def __init__(self, stages: Sequence[Stage], counts: Counter[str]) -> None:
        self._stages = stages
        self._counts = counts
        self._waiting: list[bytes] = []
        self._waiting_size = 0

    @property
    def counts(self) -> Mapping[str, int]:
        """Rule name -> what it masked; `failed_closed` counts what was withheld instead, and each gap once."""
        return MappingProxyType(self._counts)

    def feed(self, data: bytes) -> bytes:
        """Takes the next bytes and gives what is safe to write now, which may be nothing yet."""
        self._waiting.append(data)
        self._waiting_size += len(data)
        if self._waiting_size < BLOCK:
            return b""
        waiting = b"".join(self._waiting)
        whole = len(waiting) // BLOCK * BLOCK
        self._waiting, self._waiting_size = [waiting[whole:]], len(waiting) - whole
        return b"".join(self._through(waiting[at : at + BLOCK]) for at in range(0, whole, BLOCK))

    def gap(self, missing: int) -> bytes:
        """Says that `missing` bytes (-1: nobody knows how many) were left out after those that came, and gives the rest of what came.

        What follows is taken for the inside of a secret, and withheld, until a line proves otherwise: it begins with
        a time, or with a key. A word that ends at the gap is withheld too. Saying in the file that something is missing
        is left to who left it out.
        """
        if missing == 0:
            return b""
        self._counts[FAILED_CLOSED] += 1
        return self._drain(lambda stage: stage.gap())

    def finish(self) -> bytes:
        """The rest; the stream ends with it."""
        return self._drain(lambda stage: stage.finish())

    def _through(self, data: bytes) -> bytes:
        for stage in self._stages:
            data = stage.feed(data)
        return data

    def _drain(self, last: Callable[[Stage], bytes]) -> bytes:
        data = b"".join(self._waiting)
        self._waiting, self._waiting_size = [], 0
        for stage in self._stages:
            data = stage.feed(data) + last(stage)
        return data


class Redactor:
    """Masks credentials in everything; made once for a run, used by all threads."""

    def __init__(
        self, register: SecretRegister, rules: RuleSet | None = None, privacy: Privacy | None = None
    ) -> None:
        """`rules` may add to the shipped ones (`SHIPPED.plus`), `privacy` replaces names after credentials.

        Raises `clinic.redact.pattern.BadPattern`.
        """
        self._register = register
        self._privacy = privacy
        self._rules = rules or SHIPPED
        self._program = _program(self._rules)
        self._shapes = _program(self._rules.shapes())

    @property
    def register(self) -> SecretRegister:
        """The secrets that it knows."""
        return self._register

    @property
    def rules(self) -> RuleSet:
        """What it masks by."""
        return self._rules

    @property
    def version(self) -> str:
        """Of the rules, for the manifest."""
        return self._rules.version

    def stream(self, content: Content, *, learn: bool = False) -> RedactStream:
        """A stream for one content; with `learn`, what is masked because of its key is learned for everything else."""
        tally = Tally(learn=self._learn if learn else None)
        if content is Content.FRAMES:
            frames = FramesStage(
                lambda label: self._private(self._whole(label, Content.TEXT, tally), tally),
                tally,
                renamed=None if self._privacy is None else partial(self._privacy.cell, tally=tally),
            )
            return RedactStream([frames], tally.counts)
        stages: list[Stage] = [LearnedStage(self._register, tally.counts, content)]
        if content is Content.CSV:
            stages.append(TableStage(tally))
        scanner: Stage = self._scanner(content, tally, 0)
        if content in (Content.ENV, Content.ARGV):
            scanner = SeparatedStage(
                content, lambda piece: self._whole(piece, Content.TEXT, tally), tally, scanner
            )
        stages.append(scanner)
        if learn:
            # What was learned at the end of a block is masked at its beginning too.
            stages.append(LearnedStage(self._register, tally.counts, content))
        if self._privacy is not None and content is Content.CSV:
            stages.append(self._privacy.table(tally))
        if self._privacy is not None and content is not Content.OPAQUE:
            stages.append(self._privacy.stage(tally, content))
        return RedactStream(stages, tally.counts)

    def text(self, text: str) -> str:
        """A whole small text: a message, an address, a file name, an excerpt of stderr."""
        data = text.encode("utf-8", "surrogateescape" if _encodes(text) else "replace")
        tally = Tally()
        clean = self._private(self._whole(data, Content.TEXT, tally), tally)
        return clean.decode("utf-8", "surrogateescape")

    def argv(self, argv: Sequence[str]) -> tuple[str, ...]:
        """The arguments of a command, each known for what it is: `--password x`, `-px` of a client, `--x=y`."""
        tally = Tally()
        return redact_arguments(argv, lambda piece: self._whole(piece, Content.TEXT, tally), tally)

    def _private(self, clean: bytes, tally: Tally) -> bytes:
        """A small text after its credentials were masked, with the names in it replaced too."""
        if self._privacy is None:
            return clean
        stage = self._privacy.stage(tally, Content.TEXT)
        return stage.feed(clean) + stage.finish()

    def _scanner(self, content: Content, tally: Tally, depth: int) -> Scanner:
        def again(data: bytes) -> bytes:
            inner = Content.JSON if data.lstrip()[:1] in (b"{", b"[") else Content.TEXT
            return self._whole(data, inner, tally, depth + 1)

        program = self._shapes if content is Content.OPAQUE else self._program
        return Scanner(program, DIALECTS[content], tally, again if depth < _DEEPEST else None)

    def _whole(self, data: bytes, content: Content, tally: Tally, depth: int = 0) -> bytes:
        learned = LearnedStage(self._register, tally.counts, content)
        scanner = self._scanner(content, tally, depth)
        clean = learned.feed(data) + learned.finish()
        return scanner.feed(clean) + scanner.finish()

    def _learn(self, value: bytes) -> None:
        for one in variants(value):
            self._register.learn(one, source="collected")


def _encodes(text: str) -> bool:
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True


def rewrite_learned(
    register: SecretRegister, since_version: int, content: Content = Content.TEXT
) -> RedactStream:
    """A stream that masks only what was learned after `since_version`, for what was written before that."""
    counts: Counter[str] = Counter()
    if content is not Content.FRAMES:
        return RedactStream([LearnedStage(register, counts, content, since_version)], counts)

    def text(label: bytes) -> bytes:
        stage = LearnedStage(register, counts, Content.TEXT, since_version)
        return stage.feed(label) + stage.finish()

    return RedactStream([FramesStage(text, Tally(counts), names=False)], counts)
