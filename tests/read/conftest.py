"""Records, runs and whole bundles for the readers, made without collecting anything."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import pytest

from clinic.bundle.journal import Header
from clinic.bundle.manifest import ClusterFacts, InstanceFacts, Run, WindowFacts
from clinic.bundle.names import SUMMARY
from clinic.bundle.record import Entry, FileEntry, Record
from clinic.bundle.writer import BundleWriter
from clinic.outcome import Reason, Status
from clinic.redact import Redactor
from clinic.secret import SecretRegister
from clinic.units import MIB


class MakeRecord(Protocol):
    """Makes a record and keeps its content."""

    def __call__(
        self,
        identity: str,
        content: bytes | None = None,
        *,
        status: Status = ...,
        reason: Reason | None = ...,
        message: str = ...,
        fix: str = ...,
        host: str = ...,
        instance: str = ...,
        what: str = ...,
        name: str = ...,
    ) -> Record: ...


class Kept:
    """What the files of the records hold."""

    def __init__(self) -> None:
        self.content: dict[str, bytes] = {}

    def read(self, file: FileEntry) -> bytes | None:
        """The plain bytes of `file`."""
        return self.content.get(file.path)


@pytest.fixture
def kept() -> Kept:
    """Where the contents of the records are."""
    return Kept()


@pytest.fixture
def record(kept: Kept) -> MakeRecord:
    """Make a record: `ok` with a file when it has content, else what it is told."""

    def make(
        identity: str,
        content: bytes | None = None,
        *,
        status: Status = Status.OK,
        reason: Reason | None = None,
        message: str = "",
        fix: str = "",
        host: str = "db1",
        instance: str = "",
        what: str = "",
        name: str = "",
    ) -> Record:
        collector, _, stem = identity.partition(".")
        path = f"{host}/{name or f'{collector}/{instance or stem}.txt'}"
        entry = Entry(
            identity, path, collector, "system", "internal", "text", host=host, instance=instance, what=what
        )
        files: tuple[FileEntry, ...] = ()
        if content is not None:
            kept.content[path] = content
            files = (FileEntry(path, len(content), len(content), hashlib.sha256(content).hexdigest()),)
        return Record(entry, status, reason, message, fix, files=files)

    return make


@pytest.fixture(scope="session")
def instances() -> tuple[InstanceFacts, ...]:
    """A TiDB and a TiKV on one machine."""
    return (
        InstanceFacts("db1-4000", "tidb", "db1", 4000, "v8.5.0"),
        InstanceFacts("db1-20160", "tikv", "db1", 20160, "v8.5.0"),
    )


@pytest.fixture(scope="session")
def run(instances: tuple[InstanceFacts, ...]) -> Callable[..., Run]:
    """Make the facts of a run on `db1`, of two hours in China's time."""

    def make(**changes: object) -> Run:
        values: dict[str, object] = {
            "tool": "clinic",
            "version": "0.1.0",
            "created": "2026-11-25T04:00:00Z",
            "started": "2026-11-25T04:00:01Z",
            "cluster": ClusterFacts("shop", "local", ("db1",), instances, version="v8.5.0"),
            "window": WindowFacts("2026-11-25T10:00:00+08:00", "2026-11-25T12:00:00+08:00", "CST +0800"),
            "machine": "db1",
            "user": "alice",
            "root": True,
            "profile": "default",
            "case": "12345",
            "note": "slow since noon",
            **changes,
        }
        return Run(**values)  # type: ignore[arg-type]  # the values above are those of its fields

    return make


@pytest.fixture
def bundle(tmp_path: Path, run: Callable[..., Run], kept: Kept) -> Callable[..., Path]:
    """Write a bundle of these records: their contents go through the one write path."""

    def make(
        records: Sequence[Record], *, sealed: bool = True, planned: Sequence[Record] = (), cap: int = MIB
    ) -> Path:
        root = tmp_path / "clinic-db1"
        header = Header(run(), tuple(record.entry for record in (*records, *planned)))
        with BundleWriter.create(root, header, Redactor(SecretRegister()), reserve=0) as writer:
            for record in records:
                files = _write(writer, record, [kept.content[file.path] for file in record.files], cap)
                writer.record(replace(record, files=files))
            if sealed:
                writer.derived(SUMMARY, b"a page\n")
                writer.seal()
        return root

    return make


def _write(
    writer: BundleWriter, record: Record, contents: Sequence[bytes], cap: int
) -> tuple[FileEntry, ...]:
    item = writer.item(record.entry, cap=cap, learn=False)
    for content in contents:
        part = item.part()
        part.write(content)
        part.finish()
    return item.commit()
