"""A new directory that is filled and stays, or of which nothing stays."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Generator, Iterable
from pathlib import Path

from clinic.bundle.folder import Folder
from clinic.bundle.store import write_all
from clinic.home import calling_user
from clinic.newfile import disk_errors


@contextlib.contextmanager
def new_directory(out: Path) -> Generator[Folder]:
    """The directory `out`, new or empty, 0700; within it what the system says of the disk are errors for people.

    Raises `UsageError` where something is in it.
    """
    made = not os.path.lexists(out)
    with contextlib.closing(Folder.make(out, calling_user())) as folder:
        try:
            with disk_errors(out):
                yield folder
        except BaseException:
            _clear(out, made)
            raise


def _clear(out: Path, made: bool) -> None:
    for path in list(out.iterdir()):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    if made:
        out.rmdir()


def write_file(folder: Folder, path: str, pieces: Iterable[bytes]) -> str:
    """Write the new file `path`, 0600; SHA-256 of its bytes, hexadecimal."""
    digest, number = hashlib.sha256(), folder.create(path)
    try:
        for data in pieces:
            write_all(number, data)
            digest.update(data)
    finally:
        os.close(number)
    return digest.hexdigest()
