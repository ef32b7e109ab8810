"""A bundle as the tree that PingCAP's diag makes, which its `check`, its `rebuild` and the Clinic Server read."""

from __future__ import annotations

import hashlib
import io
import json
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast

from clinic.bundle.manifest import Manifest
from clinic.bundle.member import open_stored, plain
from clinic.bundle.names import INDEX, fold
from clinic.bundle.record import FileEntry, Record
from clinic.bundle.verify import content_defects
from clinic.container import archive
from clinic.errors import BadBundle, UsageError
from clinic.newfile import disk_errors
from clinic.progress import Progress
from clinic.read.diagmetrics import write_metrics
from clinic.read.leaveout import Chosen, choose
from clinic.read.newdirectory import new_directory, write_file
from clinic.read.open import Opened
from clinic.read.samples import servers
from clinic.scratch import scratch
from clinic.units import MIB, plural

CLUSTER = "cluster.json"
"""What every tool of diag reads first."""

_SAME = frozenset((
    "topology.tiup", "insight.json", "system.dmesg", "settings.limits", "settings.sysctl", "network.sockets",
    "config.files", "config.running", "topology.stores", "topology.rules", "topology.ticdc-captures",
    "topology.ticdc-changefeeds", "topology.ticdc-processors", "debug.ticdc-info", "debug.ticdc-status",
    "variables.bindings", "changes.tiup", "alerts.history",
))  # fmt: skip
"""Items whose path is diag's own; `docs/bundle-format.md` has the list."""

_NAMED = {"settings.limits": "limits.conf", "alerts.history": "alerts.json", "network.sockets": "ss.txt"}
"""Items of several files of which diag has one."""

_TYPED = frozenset(("log.std", "log.error", "log.slow", "log.audit", "log.rocksdb"))
"""Items in a folder of their type, which diag does not have."""

_VARIABLES = {
    "variables.global": "db_vars/global_variables.csv",
    "variables.session": "db_vars/mysql.tidb.csv",
}
"""Items of which diag has those of the first server that answered; the second has a misleading name there."""

_NAMED_AT_MOST = 5
"""Metrics with native histograms that are named; `--json` and the tree itself have all."""


@dataclass(frozen=True, slots=True)
class DiagFile:
    """One file of the tree."""

    path: str
    """Where diag has it."""

    size: int
    """Its bytes there."""

    content: Callable[[], Iterator[bytes]]
    """These bytes. Raises `BadBundle` at the end where they are not the ones that were sealed."""


@dataclass(frozen=True, slots=True)
class Tree:
    """The bundle as diag would have collected it."""

    files: tuple[DiagFile, ...]
    """Sorted by path."""

    cluster: Mapping[str, Any]
    """What `cluster.json` says."""

    kept: frozenset[str]
    """Files of the bundle that are in it, by their path there."""

    homeless: Mapping[str, int]
    """Files of the bundle that diag has no place for, by category."""

    histograms: Mapping[str, int]
    """Samples of native histograms, which diag has no form for, by metric."""

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return sum(file.size for file in self.files)

    @property
    def lost(self) -> str:
        """What of the bundle is not in it, a line; empty when all is."""
        return "; ".join(text for text in (self._homeless(), self._histograms()) if text)

    def _homeless(self) -> str:
        count = sum(self.homeless.values())
        told = ", ".join(f"{number} of {category}" for category, number in sorted(self.homeless.items()))
        return f"{plural(count, 'file has', 'files have')} no place in diag's format: {told}" if count else ""

    def _histograms(self) -> str:
        samples = sum(self.histograms.values())
        if not samples:
            return ""
        names = sorted(self.histograms, key=lambda name: (-self.histograms[name], name))
        told = ", ".join(names[:_NAMED_AT_MOST]) + (" ..." if len(names) > _NAMED_AT_MOST else "")
        count = plural(samples, "sample")
        return f"diag has no form for {count} of native histograms, of {plural(len(names), 'metric')}: {told}"


@contextmanager
def diag_tree(
    opened: Opened, chosen: Chosen, beside: Path, progress: Progress | None = None
) -> Generator[Tree]:
    """The tree, to be read while this is open: metrics in diag's form are in a private directory below `beside`.

    Raises `UsageError` for a bundle without `cluster.json`, without which nothing of diag reads the tree.
    """
    told = progress or Progress()
    with scratch(".clinic-", beside) as place:
        cluster = _cluster(opened, chosen)
        found = {
            CLUSTER: _of_bytes(CLUSTER, json.dumps(cluster, indent=2, ensure_ascii=False).encode() + b"\n")
        }
        kept, homeless = _stored(opened, chosen.manifest, found, told)
        metrics, histograms = _metrics(opened, chosen.manifest, place, found, told)
        kept |= metrics
        files = tuple(found[path] for path in sorted(found, key=lambda path: path.split("/")))
        yield Tree(files, cluster, frozenset(kept), homeless, histograms)


def _of_bytes(path: str, data: bytes) -> DiagFile:
    return DiagFile(path, len(data), lambda: iter((data,)))


def _cluster(opened: Opened, chosen: Chosen) -> dict[str, Any]:
    """diag's facts: ours, and what only diag asks for."""
    record = next((one for one in chosen.manifest.records if one.entry.id == "topology.cluster"), None)
    if record is None or not record.files:
        raise UsageError(
            f"{opened.name} has no {CLUSTER}, and nothing of diag reads a tree without it",
            hint="collect with --include topology as well",
        )
    try:
        told = cast("dict[str, Any]", json.loads(b"".join(_verified(opened, record.files[0], Progress()))))
        return {**told, "session": chosen.id[:11], "collectors": sorted(chosen.manifest.totals.category)}
    except (ValueError, TypeError) as error:
        raise BadBundle(f"{record.files[0].path}: {error}") from error


def _stored(
    opened: Opened, manifest: Manifest, found: dict[str, DiagFile], progress: Progress
) -> tuple[set[str], dict[str, int]]:
    """Add what is taken as it is; which files that are, and how many of each category have no place."""
    kept: set[str] = set()
    homeless: Counter[str] = Counter()
    taken = {fold(path) for path in found}
    for record in manifest.records:
        for file in record.files:
            path = diag_path(record, file)
            if record.entry.id == "topology.cluster":
                kept.add(file.path)
            elif record.entry.id == "metrics.samples":
                pass  # written anew
            elif not path or fold(path) in taken:
                homeless[record.entry.category] += not file.name.endswith(INDEX)
            else:
                taken.add(fold(path))
                kept.add(file.path)
                found[path] = DiagFile(path, file.plain, partial(_verified, opened, file, progress))
    return kept, {category: number for category, number in homeless.items() if number}


def diag_path(record: Record, file: FileEntry) -> str:
    """Where diag has this file; empty where it has none such."""
    entry, name = record.entry, file.name
    last = name.rpartition("/")[2]
    if name.endswith(INDEX):
        return ""
    if entry.id in _SAME and last == _NAMED.get(entry.id, last):
        return name
    if entry.id in _VARIABLES:
        return _VARIABLES[entry.id]
    if entry.id in _TYPED and entry.folder:
        return f"{entry.path.rpartition('/')[0]}/{name.removeprefix(entry.path).lstrip('/')}"
    return ""


def _metrics(
    opened: Opened, manifest: Manifest, place: Path, found: dict[str, DiagFile], progress: Progress
) -> tuple[set[str], Counter[str]]:
    """Add the metrics, written into `place` first; their files in the bundle, and what histograms were left out."""
    addresses = {one.id: f"{one.host}_{one.port}" for one in manifest.run.cluster.instances}
    listed = {file.name: file for file in manifest.files()}
    kept: set[str] = set()
    histograms: Counter[str] = Counter()
    for one in servers(opened):
        if not listed.keys() >= set(one.files):
            continue
        for defect in content_defects(opened.root, [listed[name] for name in one.files], progress):
            raise BadBundle(f"{opened.name}: {defect}")
        progress.say(f"Writing the metrics of {one.server} as diag has them")
        server = addresses.get(one.server, one.server)
        folder = place / server
        with disk_errors(place):
            folder.mkdir(mode=0o700)
        for name in write_metrics(opened, one, folder, histograms):
            path = f"monitor/metrics/{server}/{name}"
            found[path] = DiagFile(path, (folder / name).stat().st_size, partial(_pieces, folder / name))
        kept.update(listed[name].path for name in one.files)
    return kept, histograms


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while data := stream.read(MIB):
            yield data


def _verified(opened: Opened, file: FileEntry, progress: Progress) -> Iterator[bytes]:
    """The plain bytes of a file whose stored ones are those of its digest."""
    progress.started(file.path, file.path)
    with _Hashed(open_stored(opened.root, file.path)) as stored:
        with plain(cast("BinaryIO", stored), file) as stream:
            while data := stream.read(MIB):
                progress.moved(file.path, len(data))
                yield data
            while stored.read(MIB):
                pass
        if stored.digest.hexdigest() != file.sha256:
            raise BadBundle(f"{opened.name}: {file.path!r} is not the file that was sealed")
    progress.ended(file.path, "ok")


class _Hashed(io.RawIOBase):
    """A file whose bytes are hashed while they are read."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.digest = hashlib.sha256()
        """Of what was read."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # a buffer is all that comes
        data = self._stream.read(len(buffer))
        self.digest.update(data)
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
        super().close()


def convert(opened: Opened, out: Path, *, progress: Progress | None = None) -> Tree:
    """Write the tree into the new directory `out`, 0700; what was written. What fails leaves nothing.

    Raises as `choose` and `diag_tree` do, and `DiskFull`.
    """
    told = progress or Progress()
    with diag_tree(opened, choose(opened), out.parent, told) as tree, new_directory(out) as folder:
        told.begin("converting", len(tree.files), tree.size)
        for file in tree.files:
            write_file(folder, file.path, file.content())
        told.end()
    return tree


def members(tree: Tree) -> Iterator[archive.Member]:
    """The tree for an archive as diag's: a folder before what is in it."""
    seen: set[str] = set()
    for file in tree.files:
        parts = file.path.split("/")
        for length in range(1, len(parts)):
            folder = "/".join(parts[:length])
            if folder not in seen:
                seen.add(folder)
                yield archive.Member(f"{folder}/", 0, (), folder=True)
        yield archive.Member(file.path, file.size, file.content())


def metadata(tree: Tree, manifest: Manifest) -> bytes:
    """What a `.diag` says of itself (pingcap/diag `pkg/packager`)."""
    told = {
        "cluster_id": str(tree.cluster.get("cluster_id") or manifest.run.cluster.id),
        "cluster_type": tree.cluster.get("cluster_type", "tidb-cluster"),
        "cluster_name": manifest.run.cluster.name,
        "begin_time": manifest.run.window.start,
        "end_time": manifest.run.window.end,
        "k8s_namespace": None,
        "rebuild": True,
        "dir_size": tree.size,
    }
    return json.dumps(told, ensure_ascii=False).encode()
