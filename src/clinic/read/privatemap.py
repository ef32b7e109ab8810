"""What only the customer has: the key of his pseudonyms, and what each stands for. Never in a bundle."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import cast

from clinic.bundle.names import safe_name
from clinic.errors import Refused, UsageError
from clinic.home import calling_user, state_dir
from clinic.secret import Secret

KEY = "key"
"""File of the key: 32 bytes in hex."""

MAP = "names.json"
"""File of the names: pseudonym to name."""

SEARCHED = "searched.json"
"""File of the names that are looked for everywhere: name, lower case, to its kind."""

_KEY_DIGITS = 64


class PrivateMap:
    """The key and the names of one cluster, in the user's state directory: 0700, files 0600."""

    def __init__(self, cluster: str) -> None:
        """`cluster` is its id, else its name."""
        self.directory = state_dir() / "privacy" / safe_name(cluster or "unnamed").replace("/", "-")
        """Where they are."""

    def key(self) -> Secret:
        """The key, made on first use. Raises `Refused` where what is there is none."""
        path = self.directory / KEY
        if not os.path.lexists(path):
            self.put(Secret(secrets.token_hex(_KEY_DIGITS // 2)))
        text = _read(path).decode("ascii", "replace").strip()
        if not is_key(text):
            raise Refused(f"{path} is no key of pseudonyms", hint="put back the one that was there")
        return Secret(text)

    def put(self, key: Secret) -> None:
        """Make it the key, where there is none yet."""
        _write(self.directory / KEY, key.reveal().encode(), replace=False)

    def exists(self) -> bool:
        """Whether there is a key."""
        return os.path.lexists(self.directory / KEY)

    def files(self) -> tuple[Path, ...]:
        """Where everything is."""
        return tuple(self.directory / name for name in (MAP, SEARCHED, KEY))

    def remove(self) -> tuple[str, ...]:
        """Remove the key and the names; the names of files that stay, because they are not ours.

        Pseudonyms that were made with it can then never be turned back.
        """
        for path in self.files():
            path.unlink(missing_ok=True)
        left = tuple(sorted(path.name for path in self.directory.iterdir()))
        if not left:
            self.directory.rmdir()
        return left

    def names(self) -> dict[str, str]:
        """Pseudonym -> name, of all that were ever made for this cluster."""
        return self._held(MAP)

    def searched(self) -> dict[str, str]:
        """Name, lower case -> kind, of all that are looked for wherever they stand."""
        return self._held(SEARCHED)

    def _held(self, file: str) -> dict[str, str]:
        path = self.directory / file
        if not os.path.lexists(path):
            return {}
        try:
            found = json.loads(_read(path))
        except ValueError as error:
            raise Refused(
                f"{path} can't be read: it is no JSON", hint="put back the one that was there"
            ) from error
        if not isinstance(found, dict):
            raise Refused(f"{path} holds no names", hint="put back the one that was there")
        return {str(key): str(name) for key, name in cast("dict[object, object]", found).items()}

    def keep(self, names: Mapping[str, str], searched: Mapping[str, str]) -> None:
        """Add what was made now, and what was looked for."""
        for file, held in ((MAP, names), (SEARCHED, searched)):
            data = json.dumps({**self._held(file), **held}, indent=0, sort_keys=True)
            _write(self.directory / file, data.encode(), replace=True)

    @classmethod
    def every(cls) -> Iterator[PrivateMap]:
        """Those of all clusters that have a key."""
        for directory in sorted((state_dir() / "privacy").glob("*")):
            private = cls(directory.name)
            if private.directory == directory and private.exists():
                yield private

    @classmethod
    def all_names(cls) -> dict[str, str]:
        """What is known of every cluster."""
        found: dict[str, str] = {}
        for private in cls.every():
            found.update(private.names())
        return found


def is_key(text: str) -> bool:
    """Whether `text` can be a key."""
    return len(text) == _KEY_DIGITS and set(text) <= set("0123456789abcdef")


def _read(path: Path) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror}", hint="check its permissions") from error
    with os.fdopen(descriptor, "rb") as stream:
        return stream.read()


def _write(path: Path, data: bytes, *, replace: bool) -> None:
    """Write whole or not at all; without `replace` what another run wrote meanwhile stays."""
    _make(path.parent)
    new = path.with_name(f".{path.name}.{os.getpid()}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(new, flags, 0o600), "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    _give(new)
    if replace:
        new.replace(path)
        return
    with contextlib.suppress(FileExistsError):
        os.link(new, path)
    new.unlink()


def _make(directory: Path) -> None:
    for part in _missing(directory):
        part.mkdir(mode=0o700, exist_ok=True)
        _give(part)


def _missing(directory: Path) -> Iterator[Path]:
    yield from reversed([part for part in (directory, *directory.parents) if not part.exists()])


def _give(path: Path) -> None:
    """Under sudo it belongs to who called it."""
    caller = calling_user()
    if caller is not None:
        os.chown(path, *caller, follow_symlinks=False)
