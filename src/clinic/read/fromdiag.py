"""What PingCAP's diag collected, for the readers of bundles: its files as they are, told as records of our items."""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import stat
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, BinaryIO, cast

import zstandard

from clinic.bundle.manifest import ClusterFacts, InstanceFacts, Run, WindowFacts
from clinic.bundle.member import LARGEST_WINDOW, open_stored
from clinic.bundle.names import JOURNAL, MANIFEST
from clinic.bundle.record import Entry, FileEntry, Record
from clinic.bundle.spool import Root
from clinic.bundle.structure import read_whole, walk
from clinic.errors import BadBundle, UsageError
from clinic.outcome import Status
from clinic.units import MIB

CLUSTER = "cluster.json"
"""What diag writes first, and every tool of it reads first."""

METRICS = "monitor/metrics/"
"""Where its answers of Prometheus are, a folder for each server."""

_LARGEST = 64 * MIB
UNKNOWN = 1 << 62
"""Plain bytes of a file that diag may have compressed: nobody says how many there are."""

_PACKED = ".gz"
_ZSTD = b"\x28\xb5\x2f\xfd"
_KINDS = (
    ("slow", re.compile(r"slow")), ("error", re.compile(r"stderr|_error")), ("audit", re.compile(r"audit")),
    ("rocksdb", re.compile(r"^r(?:ocks|aft)db.*\.info")), ("std", re.compile(r"\.log")),
)  # fmt: skip
"""Which log a file is, by its name; the first that fits."""

_LOG = re.compile(r"\.log(?:[.-]|$)|\.info(?:\.|$)")


class FromDiag:
    """The files of a directory that diag made, or of a `.diag` that is open in a spool."""

    def __init__(self, root: Root, files: Iterable[tuple[str, int]]) -> None:
        """`files` are path and bytes of each. Raises `BadBundle` where `cluster.json` is none."""
        self.root = root
        self.damaged: dict[str, str] = {}
        """Files that could not be read to their end, and why; it grows while they are read."""
        told = _object(_read(root))
        self.run = _run(told)
        self._instances = tuple(_instances(told))
        self._files = {path: FileEntry(path, size, size, "") for path, size in files}
        self.records = tuple(self._records())

    def files(self) -> tuple[FileEntry, ...]:
        """Every file."""
        return tuple(self._files.values())

    def member(self, path: str) -> BinaryIO:
        """The plain bytes of the file `path`, whose compression only its content tells. Raises `UsageError`."""
        if path not in self._files:
            raise UsageError(
                f"there is no file {path!r} in it", hint="clinic inspect FILE --key KEY lists its files"
            )
        stream = open_stored(self.root, path)
        head = stream.read(len(_ZSTD))
        stream.seek(0)
        if path.startswith(METRICS) and head == _ZSTD:
            unpacking = zstandard.ZstdDecompressor(max_window_size=LARGEST_WINDOW)
            frames = cast("BinaryIO", unpacking.stream_reader(stream, read_across_frames=True))
            return io.BufferedReader(_Plain(stream, frames, path), MIB)
        if path.endswith(_PACKED):
            return io.BufferedReader(
                _Plain(stream, cast("BinaryIO", gzip.GzipFile(fileobj=stream)), path), MIB
            )
        return stream

    def stretches(self, path: str) -> None:
        """None: what diag collects has no index."""

    def _records(self) -> Iterator[Record]:
        found: dict[tuple[str, str, str], list[FileEntry]] = {}
        for path, file in self._files.items():
            host = path.partition("/")[0] if "/" in path else ""
            found.setdefault((_item(path), host, self._instance(path)), []).append(file)
        for (item, host, instance), files in found.items():
            category = "logs" if item.startswith("log.") else item.partition(".")[0]
            content = "log" if item.startswith("log.") else "text"
            place = f"{host}/{item}" if host else item
            entry = Entry(item, place, "diag", category, "user-data", content, True, host, instance)
            yield Record(entry, Status.OK, files=tuple(files))

    def _instance(self, path: str) -> str:
        """Whose directory the file was in; empty where nobody says, or the machine's."""
        host, _, rest = path.partition("/")
        owners = [
            (len(place), one.id)
            for one, places in self._instances
            if one.host == host
            for place in places
            if place and f"/{rest}".startswith(place.rstrip("/") + "/")
        ]
        return max(owners, default=(0, ""))[1]


def is_tree(path: Path) -> bool:
    """Whether `path` is a directory that diag made, or `clinic convert`, and no bundle."""
    try:
        names = set(os.listdir(path))
    except OSError:
        return False  # who opens it says why
    return CLUSTER in names and not names & {MANIFEST, JOURNAL}


def of_directory(path: Path) -> FromDiag:
    """What diag collected into the directory `path`. Links are passed over."""
    files = ((name, status.st_size) for name, status in walk(path) if stat.S_ISREG(status.st_mode))
    return FromDiag(path, files)


def _read(root: Root) -> object:
    try:
        return json.loads(read_whole(root, CLUSTER, limit=_LARGEST))
    except (ValueError, RecursionError) as error:
        raise BadBundle(f"{root}: {CLUSTER} is damaged: {error}") from error


def _object(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}


def _run(told: Mapping[str, Any]) -> Run:
    def text(name: str) -> str:
        return str(told.get(name) or "")

    instances = tuple(one for one, _ in _instances(told))
    version = str(_object(told.get("topology")).get("version") or "")
    cluster = ClusterFacts(
        text("cluster_name"), text("deploy_type"), tuple(dict.fromkeys(one.host for one in instances)), instances,
        text("cluster_id"), version,
    )  # fmt: skip
    start, end = text("begin_time"), text("end_time")
    window = WindowFacts(start, end, "")
    return Run("diag", text("diag_version"), end, start, cluster, window, "", "", False)


def _instances(told: Mapping[str, Any]) -> Iterator[tuple[InstanceFacts, tuple[str, ...]]]:
    """Each instance with its directories."""
    for component, listed in _object(told.get("topology")).items():
        for each in cast("list[object]", listed) if isinstance(listed, list) else []:
            facts = _object(each)
            host, port = str(facts.get("host") or ""), facts.get("port")
            port = port if isinstance(port, int) else 0
            attributes = _object(facts.get("attributes"))
            places = tuple(str(attributes.get(name) or "") for name in ("deploy_dir", "log_dir", "data_dir"))
            if host:
                yield InstanceFacts(f"{host}-{port}", component, host, port, directory=places[0]), places


def _item(path: str) -> str:
    """The item of ours that brings the same."""
    folder, _, name = path.rpartition("/")
    if path == CLUSTER:
        return "topology.cluster"
    if folder.endswith("/conf"):
        return "config.running" if name == "config.json" else "config.files"
    if path.startswith(METRICS):
        return "metrics.samples"
    # What lies directly below a machine is of the system, above it diag's own.
    if "/" in folder and _LOG.search(name):
        return "log." + next((kind for kind, pattern in _KINDS if pattern.search(name)), "std")
    return "system.files"


class _Plain(io.RawIOBase):
    """The plain bytes of a file that diag has compressed."""

    def __init__(self, stored: BinaryIO, stream: BinaryIO, path: str) -> None:
        self._stored = stored
        self._stream = stream
        self._path = path

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # a buffer is all that comes
        try:
            data = self._stream.read(len(buffer))
        except (OSError, EOFError, zlib.error, zstandard.ZstdError) as error:
            raise BadBundle(f"{self._path!r} is damaged: {error}") from error
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        with closing(self._stored):
            super().close()
