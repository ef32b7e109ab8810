"""What was received, on the disk: one directory for each upload, which a crash at any moment leaves readable.

DIR/tokens               who may send
DIR/deleted.jsonl        what was deleted on withdrawal: digests and dates, no content
DIR/UUID/upload.json     what was announced, how much of it is here
DIR/UUID/data            the bytes, until they are complete and their digest is right
DIR/UUID/package-NAME    the package
"""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from clinic.receive.problem import Problem
from clinic.receive.state import FILE, State, Wanted, load, save, sync_directory, write_whole
from clinic.units import GIB, MIB, human_size

PARTIAL = "data"
"""The bytes of an upload that is not complete."""

DELETED = "deleted.jsonl"
"""The list of what was deleted."""

_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True, slots=True)
class Limits:
    """What is taken."""

    package: int = 16 * GIB
    """Most bytes of one package."""

    block: int = 16 * MIB
    """Most bytes of one part."""

    metadata: int = 16 * MIB - 1
    """Most bytes of what comes with the announcement: a `.diag` can't say more."""

    keep_free: int = 64 * MIB
    """Bytes of the disk that are left free."""

    unfinished: float = 7 * 86400.0
    """Seconds after which an upload that nobody goes on with is removed."""


class Store:
    """All uploads in one directory. Safe to use from several threads; one process at a time (a lock)."""

    def __init__(self, root: Path, limits: Limits | None = None) -> None:
        """Make `root` if need be. Raises `Problem` when another receiver runs in it."""
        import fcntl  # what only Unix has

        self.root = root
        self.limits = limits if limits is not None else Limits()
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._finishing = threading.Lock()
        self._claim = os.open(root / ".lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(self._claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._claim)
            raise Problem(500, "busy", f"another receiver runs in {root}") from error

    def close(self) -> None:
        """Let another receiver have the directory."""
        os.close(self._claim)

    def begin(self, wanted: Wanted, metadata: bytes, owner: str) -> State:
        """Take up an upload, new or known. Raises `Problem` where there is no room, or another one has its name."""
        directory = self.root / wanted.uuid
        with self._lock, room():
            known = self._known(wanted.uuid, owner)
            if known is not None:
                return self._same(known, wanted)
            head = wanted.header(metadata)
            self._require_room(len(head) + wanted.length)
            directory.mkdir(mode=0o700, exist_ok=True)
            write_whole(directory / PARTIAL, head)
            state = State(wanted, owner, self.limits.block, len(head), now())
            save(state, directory)
            sync_directory(self.root)
        return state

    def find(self, uuid: str, owner: str) -> State:
        """The upload of that name. Raises `Problem` when this owner has none."""
        with self._lock:
            state = self._known(uuid, owner)
        if state is None:
            raise Problem(404, "unknown", "no such upload is known here; begin it anew")
        return state

    def change(self, uuid: str, change: Callable[[State], State]) -> State:
        """Replace the state of one upload."""
        with self._lock, room():
            state = change(load(self.root / uuid))
            save(state, self.root / uuid)
        return state

    def path(self, state: State) -> Path:
        """Where the bytes of an upload are."""
        directory = self.root / state.wanted.uuid
        whole = directory / state.wanted.local_name
        return whole if whole.exists() else directory / PARTIAL

    def finish(self, uuid: str, owner: str, issue: str) -> State:
        """Read the whole file back and compare its digest; the same answer however often it is asked."""
        with self._finishing:
            return self._finish(self.find(uuid, owner), issue)

    def _finish(self, state: State, issue: str) -> State:
        uuid = state.wanted.uuid
        if state.ended:
            return state
        if not state.whole:
            text = f"{human_size(state.wanted.length - state.offset)} are missing"
            raise Problem(409, "incomplete", text, offset=state.offset, sequence=state.sequence)
        path = self.path(state)
        digest = file_sha256(path)
        if state.wanted.sha256 not in ("", digest):
            self.change(uuid, lambda held: dataclasses.replace(held, held=()))
            text = "what arrived is not what was announced: its SHA-256 differs; send all of it again"
            raise Problem(422, "digest", text, offset=0, sha256=digest)
        path.replace(path.with_name(state.wanted.local_name))
        return self.change(
            uuid, lambda held: dataclasses.replace(held, sha256=digest, ended=now(), issue=issue[:200])
        )

    def delete(self, uuid: str, owner: str) -> dict[str, object]:
        """Delete an upload and what is known of its content; say what was deleted, however often it is asked."""
        with self._lock, room():
            earlier = self._deleted(uuid, owner)
            state = self._known(uuid, owner)
            if state is None and earlier is None:
                raise Problem(
                    404, "unknown", "no such upload is known here; it may have been deleted long ago"
                )
            if state is None:
                return earlier or {}
            entry: dict[str, object] = {
                "uuid": uuid, "owner": owner, "sha256": state.sha256 or state.wanted.sha256,
                "bytes": state.head + state.wanted.length, "received": state.ended, "deleted": now(),
            }  # fmt: skip
            # The list first: what is on it and still here is deleted at the next try.
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
            with os.fdopen(os.open(self.root / DELETED, flags, 0o600), "a", encoding="utf-8") as file:
                file.write(json.dumps(entry) + "\n")
                file.flush()
                os.fsync(file.fileno())
            shutil.rmtree(self.root / uuid)
            sync_directory(self.root)
        return entry

    def sweep(self) -> list[str]:
        """Remove uploads that nobody goes on with; the names of those removed."""
        gone: list[str] = []
        with self._lock:
            for path in self.root.iterdir():
                state = path / FILE
                if path.is_dir() and not path.is_symlink() and state.is_file():
                    idle = time.time() - state.stat().st_mtime
                    if idle > self.limits.unfinished and not load(path).ended:
                        shutil.rmtree(path)
                        gone.append(path.name)
        return gone

    def _known(self, uuid: str, owner: str) -> State | None:
        Wanted(uuid, 1)  # the name is safe, or this raises
        with suppress(FileNotFoundError):
            state = load(self.root / uuid)
            if state.owner != owner:
                raise Problem(404, "unknown", "no such upload is known here; begin it anew")
            return state
        return None

    def _deleted(self, uuid: str, owner: str) -> dict[str, object] | None:
        found: dict[str, object] | None = None
        with suppress(FileNotFoundError), (self.root / DELETED).open(encoding="utf-8") as file:
            for line in file:
                entry: dict[str, object] = json.loads(line)
                if entry["uuid"] == uuid and entry["owner"] == owner:
                    found = entry
        return found

    def _same(self, known: State, wanted: Wanted) -> State:
        if (known.wanted.length, known.wanted.sha256) != (wanted.length, wanted.sha256):
            raise Problem(
                409, "other", "an upload of this name with another length or digest is here already"
            )
        return known

    def _require_room(self, size: int) -> None:
        if size > self.limits.package:
            text = f"the package has {human_size(size)}, and {human_size(self.limits.package)} are taken"
            raise Problem(413, "size", text, largest=self.limits.package)
        if size + self.limits.keep_free > shutil.disk_usage(self.root).free:
            raise Problem(507, "full", f"there is no room here for {human_size(size)}")


def now() -> str:
    """This moment, RFC 3339, UTC."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        while data := file.read(MIB):
            digest.update(data)
    return digest.hexdigest()


@contextmanager
def room() -> Generator[None]:
    """Says of a disk that is full that it is."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise Problem(507, "full", "the disk is full here") from error
