"""Masks what was learned too late: files written before a secret was known are written again."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import BinaryIO

from clinic.bundle.budget import Budget
from clinic.bundle.contents import Shelf
from clinic.bundle.filter import Filter
from clinic.bundle.masking import Masker
from clinic.bundle.member import plain
from clinic.bundle.names import COMPRESSED, Names
from clinic.bundle.part import Placed
from clinic.bundle.record import FileEntry
from clinic.bundle.sink import Sink
from clinic.bundle.store import Store
from clinic.errors import BadBundle, DiskFull, Refused
from clinic.newfile import disk_errors
from clinic.outcome import Reason
from clinic.redact import Redactor, rewrite_learned
from clinic.units import MIB

_LOST = "a secret in it was learned after it was written, and it could not be written again without"


class Rescan:
    """Goes once over everything that is in the bundle."""

    def __init__(self, store: Store, shelf: Shelf, names: Names, redactor: Redactor, masker: Masker) -> None:
        self._store = store
        self._shelf = shelf
        self._names = names
        self._redactor = redactor
        self._masker = masker

    def run(self) -> bool:
        """Whether anything was changed: files on the disk, or records, which the shelf holds changed then."""
        version = self._redactor.register.version
        changed = False
        for owner, placed in self._shelf.older_than(version):
            changed = self._file(owner, placed, version) or changed
        for placed in list(self._shelf.derived.values()):
            changed = self._derived(placed, version) or changed
        for path, record in list(self._shelf.records.items()):
            masked = self._masker.value(record)
            masked = replace(masked, entry=self._masker.entry(masked.entry))
            if masked != record:
                self._shelf.replace(path, masked)
                changed = True
        return changed

    def _file(self, owner: str, placed: Placed, version: int) -> bool:
        """Bring one file up to date; whether it is another now."""
        file = placed.file
        name = self._masker.path(file.name)
        wanted = file.name if name == file.name else self._names.claim(name)
        try:
            fresh = self._fresh(placed, wanted)
        except (BadBundle, DiskFull, Refused):
            # The one thing that must not happen is that it stays as it is.
            self._shelf.lose(owner, file.path, Reason.REDACTION_FAILED, _LOST)
            return True
        self._shelf.renew(owner, file.path, replace(placed, file=fresh, version=version))
        return fresh != file

    def _derived(self, placed: Placed, version: int) -> bool:
        """The same for a derived file, which is small and never compressed."""
        file, through = placed.file, self._filter(placed)
        try:
            seen = b"".join(self._masked(file, through))
            fresh = replace(
                file, plain=len(seen), stored=len(seen), sha256=hashlib.sha256(seen).hexdigest(),
                redactions=_added(file, through),
            )  # fmt: skip
            if fresh != file:
                self._store.put(file.path, seen)
        except (BadBundle, DiskFull, Refused):
            self._store.remove(file.path)
            del self._shelf.derived[file.path]
            return True
        self._shelf.derived[file.path] = replace(placed, file=fresh, version=version)
        return fresh != file

    def _fresh(self, placed: Placed, wanted: str) -> FileEntry:
        """The file as it should be, under the name `wanted`; itself where nothing differs."""
        file = placed.file
        if self._is_clean(placed):
            renamed = replace(file, path=wanted + (COMPRESSED if file.compressed else ""))
            if renamed != file:
                self._store.folder.rename(file.path, renamed.path)
            return renamed
        sink = Sink(self._store, wanted, Budget(None))
        through = self._filter(placed)
        try:
            for chunk in self._masked(file, through):
                sink.write(chunk)
            sink.finish()
            path = wanted + (COMPRESSED if sink.compressed else "")
            sink.place(path)
        except BaseException:
            sink.discard()
            raise
        if path != file.path:
            self._store.remove(file.path)
        self._store.budget.give_back(file.stored - sink.stored)
        return replace(
            file, path=path, plain=sink.plain, stored=sink.stored, sha256=sink.sha256,
            redactions=_added(file, through),
        )  # fmt: skip

    def _filter(self, placed: Placed) -> Filter:
        stream = rewrite_learned(self._redactor.register, placed.version, placed.content)
        return Filter(stream, placed.content)

    def _plain(self, file: FileEntry) -> BinaryIO:
        with disk_errors(file.path):
            return plain(self._store.folder.read(file.path), file)

    def _is_clean(self, placed: Placed) -> bool:
        before, after = hashlib.sha256(), hashlib.sha256()
        through = self._filter(placed)
        with self._plain(placed.file) as stream:
            while data := stream.read(MIB):
                before.update(data)
                after.update(through.feed(data))
        after.update(through.finish())
        return before.digest() == after.digest()

    def _masked(self, file: FileEntry, through: Filter) -> Iterator[bytes]:
        with self._plain(file) as stream:
            while data := stream.read(MIB):
                yield through.feed(data)
        yield through.finish()
        if through.failure:
            raise BadBundle(f"the redactor failed on {file.path!r}: {through.failure}")


def _added(file: FileEntry, through: Filter) -> dict[str, int]:
    """How often each rule masked something in `file`, with what it did now."""
    return dict(Counter(file.redactions) + Counter(through.counts))
