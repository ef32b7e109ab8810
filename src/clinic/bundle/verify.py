"""Whether every byte of a bundle is the one that its manifest names."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

from clinic.bundle.member import open_plain, open_stored
from clinic.bundle.reader import Bundle, refusal
from clinic.bundle.record import FileEntry
from clinic.bundle.spool import Root
from clinic.bundle.structure import examine
from clinic.errors import BadBundle
from clinic.progress import Progress
from clinic.units import MIB


def defects(root: Root, progress: Progress | None = None) -> tuple[str, ...]:
    """Everything that is wrong with the bundle in `root`, a line each; empty when it is whole.

    Raises `BadBundle` where `root` is no sealed bundle at all.
    """
    found = examine(root)
    return found.defects + tuple(content_defects(root, found.sound, progress))


def verify(bundle: Bundle, progress: Progress | None = None) -> None:
    """Read every file of `bundle` and compare its digest and its plain size with the manifest's.

    Raises `BadBundle` that names every file that differs.
    """
    found = tuple(content_defects(bundle.root, bundle.files(), progress))
    if found:
        raise refusal(bundle.root, found)


def content_defects(
    root: Root, files: Iterable[FileEntry], progress: Progress | None = None
) -> Iterator[str]:
    """What is wrong with the contents of `files` below `root`, a line for each that is not as it should be."""
    listed = list(files)
    told = progress if progress is not None else Progress()
    told.begin("verify", len(listed), sum(file.stored for file in listed))
    for file in listed:
        told.started(file.path, file.path)
        wrong = _content_defect(root, file, told)
        told.ended(file.path, "failed" if wrong else "ok")
        if wrong:
            yield wrong
    told.end()


def _content_defect(root: Root, file: FileEntry, progress: Progress) -> str:
    try:
        if _digest(root, file, progress) != file.sha256:
            return f"{file.path!r} is not the file that was sealed: its digest differs"
        if file.compressed:
            _expand(root, file)
        elif file.plain != file.stored:
            return f"{file.path!r} is not compressed, and its two sizes in the manifest differ"
    except BadBundle as error:
        return error.message
    return ""


def _digest(root: Root, file: FileEntry, progress: Progress) -> str:
    digest = hashlib.sha256()
    with open_stored(root, file.path) as stream:
        while data := stream.read(MIB):
            digest.update(data)
            progress.moved(file.path, len(data))
    return digest.hexdigest()


def _expand(root: Root, file: FileEntry) -> None:
    with open_plain(root, file) as stream:
        while stream.read(MIB):
            pass
