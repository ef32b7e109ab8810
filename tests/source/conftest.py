"""Doors as an engine would give them, to this machine alone."""

from __future__ import annotations

import os
import pwd
import shutil
import tempfile
from collections.abc import Callable, Hashable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TypeVar

import pytest

from clinic.deadline import Deadline
from clinic.errors import ItemError
from clinic.host.base import Host
from clinic.host.local import LocalHost
from clinic.outcome import Reason
from clinic.secret import SecretRegister
from clinic.source.base import Chunk, Gap, Ran, Source
from clinic.window import Window

T = TypeVar("T")

NOBODY = pwd.getpwnam("nobody")


class LocalDoors:
    """What a source may touch, all of it real: this machine under any name, a clock, an empty register."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._shared: dict[Hashable, object] = {}
        now = datetime.now(timezone.utc)
        self.window = Window(now - timedelta(hours=2), now)
        self.deadline = Deadline(20)
        self.secrets = SecretRegister()
        self.done: list[Ran] = []

    def host(self, name: str) -> Host:
        """This machine."""
        del name
        return self._host

    def shared(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` gives, made once."""
        return self._shared.setdefault(key, make())  # type: ignore[return-value] # a key stands for one type

    def ran(self, done: Ran) -> None:
        """Keep what was done."""
        self.done.append(done)


@pytest.fixture
def doors() -> Iterator[LocalDoors]:
    """Doors to this machine."""
    host = LocalHost("here")
    yield LocalDoors(host)
    host.close()


@pytest.fixture
def read(doors: LocalDoors) -> Callable[[Source], tuple[bytes, Reason | None, str]]:
    """Reads a source of one part: its bytes, why it ended early or None, and what it said then.

    A gap is shown as `<number of bytes>`.
    """

    def read(source: Source) -> tuple[bytes, Reason | None, str]:
        got: list[Chunk] = []
        try:
            [part] = source.open(doors)
            got.extend(part.chunks)
        except ItemError as error:
            return _joined(got), error.reason, error.message
        return _joined(got), None, ""

    return read


@pytest.fixture
def read_parts(doors: LocalDoors) -> Callable[[Source], dict[str, bytes | Reason]]:
    """Reads a source of many parts as the engine does: each part's bytes or why it has none.

    What ended the whole is under the empty name.
    """

    def read_parts(source: Source) -> dict[str, bytes | Reason]:
        found: dict[str, bytes | Reason] = {}
        try:
            for part in source.open(doors):
                try:
                    found[part.name] = _joined(list(part.chunks))
                except ItemError as error:
                    found[part.name] = error.reason
        except ItemError as error:
            found[""] = error.reason
        return found

    return read_parts


def _joined(chunks: list[Chunk]) -> bytes:
    return b"".join(b"<%d>" % chunk.missing if isinstance(chunk, Gap) else chunk for chunk in chunks)


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that every user may enter."""
    path = Path(tempfile.mkdtemp(prefix="clinic-test-", dir="/var/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def foreign_link(place: Path) -> Path:
    """A link of `nobody` to a file of root."""
    if os.geteuid() != 0:
        pytest.skip("only root can play several users")
    link = place / "foreign.log"
    link.symlink_to("/etc/passwd")
    os.lchown(link, NOBODY.pw_uid, NOBODY.pw_gid)
    return link
