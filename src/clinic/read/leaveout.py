"""What goes into a package: the whole bundle, or what is left of it without some of its files."""

from __future__ import annotations

import fnmatch
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from clinic.bundle.manifest import Manifest, Redaction
from clinic.bundle.names import INDEX, MANIFEST, SUMMARY, SUMS
from clinic.bundle.reader import Bundle
from clinic.bundle.record import FileEntry, Record
from clinic.bundle.structure import read_whole, sums
from clinic.errors import UsageError
from clinic.outcome import Reason, Status
from clinic.read.open import Opened
from clinic.units import plural

LEFT_OUT = "left out when it was packed"
"""Why it is not there."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A bundle as it will be in a package."""

    id: str
    """Its id: that of the bundle on the disk unless something was left out."""

    manifest: Manifest
    """What it says of itself."""

    made: Mapping[str, bytes]
    """Files that are not the ones on the disk, by path."""

    files: tuple[FileEntry, ...]
    """Every file that the manifest lists."""


def choose(opened: Opened, without: Sequence[str] = ()) -> Chosen:
    """What of the sealed bundle goes into a package, all of it or less.

    A pattern is the id of an item, the beginning of one, a category, a path, a folder, or a glob of an id or a path.
    What is left is a bundle of its own, whose parent is this one. Raises `UsageError` where the bundle is not sealed,
    and for a pattern that means nothing: what was to stay at home would go out.
    """
    held = opened.held
    if opened.foreign:
        raise UsageError(
            f"{opened.name} was collected by diag, and is no bundle", hint="name one of Clinic's"
        )
    if not isinstance(held, Bundle):
        raise UsageError(
            f"{opened.root} is not sealed",
            hint=f"clinic seal {opened.root}, or clinic collect --resume {opened.root}",
        )
    if not without:
        made = {name: read_whole(held.root, name) for name in (MANIFEST, SUMS)}
        return Chosen(held.id, held.manifest, made, held.files())
    return _less(opened, held.manifest, without)


def _less(opened: Opened, manifest: Manifest, without: Sequence[str]) -> Chosen:
    from clinic.read.summary import (
        summarize,  # the redactor's rules take long to load, and seldom is anything left out
    )
    from clinic.redact import Redactor
    from clinic.secret import SecretRegister

    used: set[str] = set()
    records = tuple(_without(record, without, used) for record in manifest.records)
    for pattern in without:
        if pattern not in used:
            raise UsageError(
                f"--without {pattern}: nothing in the bundle is called so",
                hint="clinic inspect BUNDLE --files lists items and files",
            )
    run = replace(manifest.run, options={**manifest.run.options, "without": tuple(without)})
    page = summarize(opened.root, run, records, ended=manifest.ended, interrupted=manifest.interrupted)
    summary = Redactor(SecretRegister()).text(page).encode("utf-8", "backslashreplace")
    derived = tuple(_described(file, summary) if file.path == SUMMARY else file for file in manifest.derived)
    counts: Counter[str] = Counter()
    for file in (*derived, *(file for record in records for file in record.files)):
        counts.update(file.redactions)
    less = replace(
        manifest, run=run, records=records, derived=derived, parent=opened.id,
        redaction=Redaction(manifest.redaction.rules, counts),
    )  # fmt: skip
    raw = less.to_json()
    identity = hashlib.sha256(raw).hexdigest()
    made = {MANIFEST: raw, SUMS: sums(less.files(), identity), SUMMARY: summary}
    return Chosen(identity, less, made, tuple(less.files()))


def _described(file: FileEntry, data: bytes) -> FileEntry:
    return replace(
        file, plain=len(data), stored=len(data), sha256=hashlib.sha256(data).hexdigest(), redactions={}
    )


def _without(record: Record, patterns: Sequence[str], used: set[str]) -> Record:
    """The record without the files that a pattern means; those that meant any are added to `used`."""
    gone: set[str] = set()
    for pattern in patterns:
        meant = {file.name for file in record.files if _means(pattern, record, file)}
        if meant:
            used.add(pattern)
            gone |= meant
    # An index says what the log says.
    kept = tuple(file for file in record.files if not gone & {file.name, file.name.removesuffix(INDEX)})
    if len(kept) == len(record.files):
        return record
    if not kept:
        return replace(
            record, files=(), status=Status.SKIPPED, reason=Reason.NOT_SELECTED, message=LEFT_OUT, fix=""
        )
    names = sorted(gone)
    text = f"{plural(len(names), 'file')} {LEFT_OUT}"
    return replace(
        record, files=kept, missing=(*record.missing, *(f"{name}: {LEFT_OUT}" for name in names)),
        message="; ".join(part for part in (record.message, text) if part),
    )  # fmt: skip


def _means(pattern: str, record: Record, file: FileEntry) -> bool:
    entry, folder = record.entry, pattern.rstrip("/") + "/"
    return (
        pattern in (entry.id, entry.category, file.path, file.name)
        or entry.id.startswith(pattern + ".")
        or file.path.startswith(folder)
        or fnmatch.fnmatchcase(entry.id, pattern)
        or fnmatch.fnmatchcase(file.name, pattern)
    )
