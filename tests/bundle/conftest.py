"""What the tests of bundles share: a plan, a redactor, and a way to write a bundle in a line."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from clinic.bundle.journal import Header
from clinic.bundle.manifest import ClusterFacts, InstanceFacts, Run, WindowFacts
from clinic.bundle.record import Entry, FileEntry, Record
from clinic.bundle.writer import BundleWriter, Sealed
from clinic.outcome import Status
from clinic.redact import Redactor
from clinic.secret import SecretRegister
from clinic.units import MIB

Write = Callable[[BundleWriter, Entry, bytes], Record]
RUN = Run(
    tool="clinic",
    version="0.1.0",
    created="2026-11-25T10:00:00Z",
    started="2026-11-25T10:00:01Z",
    cluster=ClusterFacts("prod", "local", ("h1",), (InstanceFacts("h1-4000", "tidb", "h1", 4000, "v8.5.0"),)),
    window=WindowFacts("2026-11-25T16:00:00+08:00", "2026-11-25T18:00:00+08:00", "CST +0800"),
    machine="control",
    user="root",
    root=True,
    profile="default",
    options={"include": ("default",), "deadline": None, "concurrency": 8, "offline": False},
)


@pytest.fixture
def register() -> SecretRegister:
    """What was learned: nothing yet."""
    return SecretRegister()


@pytest.fixture
def redactor(register: SecretRegister) -> Redactor:
    """The real one."""
    return Redactor(register)


@pytest.fixture(scope="session")
def run() -> Run:
    """What was asked for."""
    return RUN


@pytest.fixture(scope="session")
def entry() -> Callable[..., Entry]:
    """Makes an entry of the plan from its path."""

    def make(path: str, **fields: object) -> Entry:
        known = {"id": path.rpartition("/")[2].split(".")[0], "collector": "test", "category": "system"}
        given = {**known, "sensitivity": "internal", "content": "text", **fields}
        return Entry(path=path, **given)  # type: ignore[arg-type]  # fields of an Entry by name

    return make


@pytest.fixture(scope="session")
def plan(entry: Callable[..., Entry]) -> Callable[..., Header]:
    """Makes a header whose plan has items with these paths."""

    def make(*paths: str | Entry) -> Header:
        return Header(RUN, tuple(path if isinstance(path, Entry) else entry(path) for path in paths))

    return make


@pytest.fixture(scope="session")
def write() -> Write:
    """Writes one item whole and puts it on record as `ok`."""

    def make(writer: BundleWriter, entry: Entry, data: bytes) -> Record:
        item = writer.item(entry, cap=32 * MIB, learn=False)
        part = item.part()
        part.write(data)
        part.finish()
        record = Record(entry, Status.OK, started="2026-11-25T10:00:02Z", files=item.commit())
        writer.record(record)
        return record

    return make


@pytest.fixture
def sealed(
    tmp_path: Path, redactor: Redactor, plan: Callable[..., Header], write: Write
) -> Callable[[Mapping[str, bytes]], Sealed]:
    """Makes a sealed bundle with these files in `tmp_path/bundle`."""

    def make(files: Mapping[str, bytes]) -> Sealed:
        header = plan(*files)
        with BundleWriter.create(tmp_path / "bundle", header, redactor, reserve=0) as writer:
            for planned, data in zip(header.entries, files.values(), strict=True):
                write(writer, planned, data)
            writer.derived("SUMMARY.txt", b"all is well\n")
            return writer.seal(hosts={"h1": {"clock_offset": 0.013}}, footprint={"h1": {"command": 3}})

    return make


@pytest.fixture(scope="session")
def zstd() -> str:
    """The `zstd` command, to read what is stored without any code of ours."""
    found = shutil.which("zstd")
    if found is None:
        pytest.skip("needs the zstd command")
    return found


@pytest.fixture(scope="session")
def listing() -> Callable[[Path], set[str]]:
    """The files below a directory."""

    def find(root: Path) -> set[str]:
        return {path.relative_to(root).as_posix() for path in root.rglob("*") if not path.is_dir()}

    return find


@pytest.fixture(scope="session")
def file() -> Callable[..., FileEntry]:
    """Makes the manifest's line for a file of these bytes."""

    def make(path: str, data: bytes = b"") -> FileEntry:
        return FileEntry(path, len(data), len(data), hashlib.sha256(data).hexdigest())

    return make
