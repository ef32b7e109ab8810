"""Texts of records, headers and names without the secrets that are known by now."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from clinic.bundle.codec import decode, dump, load, map_texts
from clinic.bundle.journal import Header
from clinic.bundle.manifest import Manifest
from clinic.bundle.names import safe_path
from clinic.bundle.record import Entry
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
        """A journal's header with the secrets in its texts masked; the paths of the plan stay."""
        masked = self.value(header)
        seen = self._whole(Header, masked)
        if seen is None:
            return replace(masked, run=replace(masked.run, options={}))
        return replace(masked, run=seen.run)

    def entry(self, entry: Entry) -> Entry:
        """An entry with the secrets in its path masked."""
        path = self.path(entry.path)
        return entry if path == entry.path else replace(entry, path=path)

    def manifest(self, manifest: Manifest) -> Manifest:
        """A manifest with the secrets in its texts masked, those too that only their key gives away."""
        masked = self.value(manifest)
        seen = self._whole(Manifest, masked)
        if seen is None or len(seen.records) != len(masked.records):
            # A mask fell on a word of ours. What a key could have given away is left out.
            return replace(masked, run=replace(masked.run, options={}), hosts={})
        # A mask over a path or a digest would hide nothing and break the bundle: those stay.
        records = tuple(
            replace(record, entry=before.entry, files=before.files)
            for record, before in zip(seen.records, masked.records, strict=True)
        )
        return replace(seen, records=records, derived=masked.derived, parent=masked.parent)

    def _whole(self, kind: type[T], value: T) -> T | None:
        """`value` after the redactor has seen it as the JSON that it is stored as; None where it is broken then."""
        stream = self._redactor.stream(Content.JSON)
        seen = stream.feed(dump(value)) + stream.finish()
        try:
            return decode(kind, load(seen, ""), "")
        except BadBundle:
            return None

    def path(self, path: str) -> str:
        """A path in the bundle with its secrets masked; still a safe one."""
        masked = self.text(path)
        return path if masked == path else safe_path(masked)
