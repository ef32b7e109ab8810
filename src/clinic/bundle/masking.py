"""Texts of records, headers and names without the secrets that are known by now."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from clinic.bundle.codec import map_texts
from clinic.bundle.journal import Header
from clinic.bundle.layout import safe_path
from clinic.bundle.manifest import Manifest
from clinic.errors import BadBundle
from clinic.kinds import Content
from clinic.redact import Redactor

T = TypeVar("T")

_OURS = frozenset(
    {"path", "sha256", "category", "sensitivity", "content", "collector", "tool", "version", "parent"}
)
"""Fields that hold words of ours, digests, or paths, which are masked together with the files that they name."""

_MEMORY = 10_000


class Masker:
    """Runs texts through the redactor, each different one once. The caller sees to it that one thread does."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._version = -1
        self._known: dict[str, str] = {}

    def text(self, text: str) -> str:
        """`text` with its secrets masked."""
        version = self._redactor.register.version
        if version != self._version or len(self._known) > _MEMORY:
            self._version = version
            self._known.clear()
        if text not in self._known:
            self._known[text] = self._redactor.text(text)
        return self._known[text]

    def value(self, value: T) -> T:
        """A record, header or other dataclass with the secrets in its texts masked."""
        return map_texts(value, self.text, _OURS)

    def header(self, header: Header) -> Header:
        """A journal's header with the secrets in its texts and paths masked."""
        entries = tuple(replace(entry, path=self.path(entry.path)) for entry in header.entries)
        return self.value(replace(header, entries=entries))

    def path(self, path: str) -> str:
        """A path in the bundle with its secrets masked; still a safe one."""
        masked = self.text(path)
        return path if masked == path else safe_path(masked)

    def json(self, manifest: Manifest) -> bytes:
        """The bytes of `manifest` with the secrets in its texts masked, and seen by the redactor as a whole."""
        plain = self.value(manifest).to_json()
        stream = self._redactor.stream(Content.JSON, learn=False)
        seen = stream.feed(plain) + stream.finish()
        return seen if _same_facts(plain, seen) else plain


def _same_facts(plain: bytes, seen: bytes) -> bool:
    """Whether only texts differ: a mask over a digest or a word of ours hides nothing and breaks the bundle."""
    try:
        before, after = Manifest.from_json(plain), Manifest.from_json(seen)
    except BadBundle:
        return False
    return tuple(before.files()) == tuple(after.files())
