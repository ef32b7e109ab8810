"""Secrets that are known by value: masked wherever they occur, in every encoding that text comes in."""

from __future__ import annotations

import base64
import html
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from urllib.parse import quote, quote_plus
from weakref import WeakKeyDictionary

from clinic.kinds import Content
from clinic.redact import pattern
from clinic.redact.view import MASK, may_begin_scalar, may_end_scalar
from clinic.secret import Learned, SecretRegister, to_bytes

LEARNED = "learned"
"""What they are counted under."""

_INDEX = 4
_BESIDE = 128
_PREFIX = 16
# A word this short that is letters only, or digits only, counts where it stands alone: it is part of other words.
_SHORT_WORD = 8
_SHORTEST_PACKED = 5


def encodings(value: bytes) -> set[bytes]:
    """The value as it stands in text of any kind: plain, in URLs, in JSON (once and twice), escaped, base64."""
    text = value.decode("utf-8", "surrogateescape")
    found = {value}
    for safe in ("", "-._~!$&'()*+,;=:", "/", "/:@"):
        found |= _both_cases(quote(text, safe, errors="surrogateescape").encode())
    found |= _both_cases(quote_plus(text, errors="surrogateescape").encode())
    for inner in (_in_json(text, True), _in_json(text, False)):
        found |= {
            inner,
            _slashed(inner),
            _go(inner),
            _in_json(inner.decode("utf-8", "surrogateescape"), False),
        }
    found.add(_slashed(value))
    found |= {value.replace(b"'", quoted) for quoted in (b"''", b"\\'", b"'\\''", b"'\"'\"'")}
    # Where a line can't be broken, as in the table of processes, something stands for a line end.
    found |= {value.replace(b"\n", shown) for shown in (b" ", b"?", b"\\012", b"#012", b"^J")}
    found.add(html.escape(text).encode("utf-8", "surrogateescape"))
    return {one for one in found | _packed(value) if len(one) >= _INDEX}


def _both_cases(quoted: bytes) -> set[bytes]:
    parts = quoted.split(b"%")
    lower = b"%".join([parts[0], *(part[:2].lower() + part[2:] for part in parts[1:])])
    return {quoted, lower}


def _in_json(text: str, ascii_only: bool) -> bytes:
    return json.dumps(text, ensure_ascii=ascii_only)[1:-1].encode("utf-8", "surrogateescape")


def _go(escaped: bytes) -> bytes:
    """As Go writes it in JSON."""
    return escaped.replace(b"&", b"\\u0026").replace(b"<", b"\\u003c").replace(b">", b"\\u003e")


def _slashed(value: bytes) -> bytes:
    """As a shell or an SQL client writes it: a backslash before everything that could mean something."""
    return b"".join(
        b"\\" + bytes([byte]) if byte in b"\\\"'`$&;|<>()*?[]#~!{} /" else bytes([byte]) for byte in value
    )


def _packed(value: bytes) -> set[bytes]:
    """The part of the value's base64 that does not depend on its neighbours, for all three places it may begin at."""
    found: set[bytes] = set()
    for ahead in range(3):
        whole = base64.b64encode(b"\0" * ahead + value)
        first, last = (ahead * 8 + 5) // 6, (ahead + len(value)) * 8 // 6
        core = whole[first:last]
        if len(core) >= _SHORTEST_PACKED:
            found |= {core, core.replace(b"+", b"-").replace(b"/", b"_"), quote(core, "").encode()}
    return found


@dataclass(frozen=True, slots=True)
class _Needle:
    data: bytes
    """What is looked for."""

    alone: bool
    """Whether it counts only where no letter or digit stands beside it."""


class Matcher:
    """Finds all secrets that were known when it was made, in one pass."""

    def __init__(self, learned: Iterable[Learned]) -> None:
        needles = {
            needle
            for one in learned
            for value in (to_bytes(one.value),)
            for needle in (
                _Needle(data, data == value and _is_short_word(value)) for data in encodings(value)
            )
        }
        self._by_start: dict[bytes, list[_Needle]] = {}
        for needle in sorted(needles, key=lambda one: (-len(one.data), one.data)):
            self._by_start.setdefault(needle.data[:_INDEX], []).append(needle)
        self.longest = max((len(one.data) for one in needles), default=0)
        """Bytes of the longest form of any of them."""
        prefixes = sorted({one.data[:_PREFIX] for one in needles}, key=lambda one: (-len(one), one))
        self._pattern = (
            pattern.Pattern("|".join(pattern.quote(one) for one in prefixes)) if prefixes else None
        )

    def search(self, data: bytes, start: int, end: int) -> tuple[int, int] | None:
        """Where the first secret that begins in `data[start:end]` stands; of several the longest."""
        while self._pattern is not None:
            match = self._pattern.search(data, start)
            if match is None or match.start() >= end:
                return None
            start = match.start()
            for needle in self._by_start.get(data[start : start + _INDEX], ()):
                if data.startswith(needle.data, start) and not (
                    needle.alone and _in_word(data, start, needle.data)
                ):
                    return start, start + len(needle.data)
            start += 1
        return None

    def cut_at_end(self, data: bytes) -> int:
        """How many bytes at the end of `data` may be the beginning of a secret whose rest is missing."""
        tail = data[-self.longest :] if self.longest else b""
        for length in range(len(tail), _INDEX - 1, -1):
            start = tail[-length:]
            if any(one.data.startswith(start) for one in self._by_start.get(start[:_INDEX], ())):
                return length
        return 0


_MATCHERS: WeakKeyDictionary[SecretRegister, dict[int, tuple[int, Matcher]]] = WeakKeyDictionary()
_MAKING = threading.Lock()


def matcher_of(register: SecretRegister, since: int, version: int) -> Matcher:
    """Finds what `register` learned after `since`, at least up to `version`.

    Made once for all streams: making one costs milliseconds, and a run has thousands of small texts.
    """
    with _MAKING:
        made = _MATCHERS.setdefault(register, {})
        known = made.get(since)
        if known is None or known[0] < version:
            # The version is read before the list is: what comes in between is looked for once more, never left out.
            known = made[since] = (register.version, Matcher(register.since(since)))
        return known[1]


def _is_short_word(value: bytes) -> bool:
    return len(value) < _SHORT_WORD and (value.isalpha() or value.isdigit())


def _in_word(data: bytes, start: int, needle: bytes) -> bool:
    before, after = (
        data[start - 1 : start] if start else b"",
        data[start + len(needle) : start + len(needle) + 1],
    )
    return before.isalnum() or after.isalnum()


Replace = Callable[[bytes, int, int], bytes]
"""What takes the place of a secret between two places."""

_BARE_BEFORE = pattern.Pattern(r"[:=,\[\s]\z")
_BARE_AFTER = pattern.Pattern(r"[,\]}\s]|\z")


def mask_for(content: Content) -> Replace:
    """How a secret is masked so that content of this kind still parses."""
    if content is Content.OPAQUE:
        return lambda data, start, end: b"*" * (end - start)
    if content in (Content.JSON, Content.TOML):
        return _number_or_mask
    return _yaml_mask if content is Content.YAML else lambda data, start, end: MASK


def _number_or_mask(data: bytes, start: int, end: int) -> bytes:
    # A number that stands bare must stay one; inside a string that looks alike it does no harm.
    if not data[start:end].isdigit() or not _BARE_AFTER.match(data, end):
        return MASK
    return b"0" if _BARE_BEFORE.search(data[max(0, start - 1) : start]) else MASK


def _yaml_mask(data: bytes, start: int, end: int) -> bytes:
    alone = may_end_scalar(data, end) and may_begin_scalar(data[max(0, start - 64) : start])
    return b'"' + MASK + b'"' if alone else MASK


class LearnedStage:
    """Masks learned secrets in a stream."""

    def __init__(
        self, register: SecretRegister, counts: Counter[str], content: Content, since: int = 0
    ) -> None:
        """`since`: only what was learned after that version."""
        self._register = register
        self._since = since
        self._counts = counts
        self._replace = mask_for(content)
        self._version = since
        self._matcher = Matcher(())
        self._data = b""
        self._at = 0

    def feed(self, data: bytes) -> bytes:
        self._refresh()
        self._data += data
        return self._run(len(self._data) - self._matcher.longest - _BESIDE)

    def finish(self) -> bytes:
        out = self._run(len(self._data))
        self._data, self._at = b"", 0
        return out

    def gap(self) -> bytes:
        self._refresh()
        cut = self._matcher.cut_at_end(self._data[self._at :])
        if cut:
            self._data = self._data[:-cut] + MASK
            self._counts[LEARNED] += 1
        return self.finish()

    def _refresh(self) -> None:
        # Read before the list is: what comes in between is then looked for once more, never left out.
        version = self._register.version
        if version > self._version:
            self._matcher, self._version = matcher_of(self._register, self._since, version), version

    def _run(self, end: int) -> bytes:
        if end <= self._at:
            return b""
        out: list[bytes] = []
        data, at = self._data, self._at
        while at < end:
            found = self._matcher.search(data, at, end)
            if found is None:
                out.append(data[at:end])
                at = end
                break
            out += [data[at : found[0]], self._replace(data, *found)]
            at = found[1]
            self._counts[LEARNED] += 1
        drop = max(0, at - _BESIDE)
        self._data, self._at = data[drop:], at - drop
        return b"".join(out)
